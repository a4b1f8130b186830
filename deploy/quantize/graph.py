"""A model file read and written, and which part of its network must stay in float, found by walking its graph.

Three things lose more than they win in 8 bits:

- the head's last convolutions and everything behind them. Boxes in pixels and scores in [0, 1] share one tensor at the
  end, and with one scale for both the scores vanish; a logit needs more than 256 steps as well.
- attention: the products of two activations, softmax, layer normalization and the arithmetic around them.
- additions of a constant, which are an offset or a position, no residual.

No name of a layer is looked at, so that it holds for exporters and architectures that are not known here.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from deploy.errors import BadInput, require
from deploy.quantize.index import SHAPE_OPS, GraphIndex, prepared

CONVOLUTIONS = frozenset({"Conv", "ConvTranspose"})
_ATTENTION = frozenset({"Softmax", "LayerNormalization", "Attention", "SkipLayerNormalization"})
_PRODUCTS = frozenset({"MatMul", "Gemm", "Einsum"})
_PAIRS = frozenset({"QuantizeLinear", "DequantizeLinear"})
_ELEMENTWISE = frozenset({"Sigmoid", "Mul", "Relu", "LeakyRelu", "Clip", "HardSigmoid", "HardSwish", "Tanh"})
_MEASURES = frozenset({"Shape", "Size"})
_AROUND = SHAPE_OPS | {"Add", "Sub", "Mul", "Div", "Pow", "Sqrt", "ReduceMean", "Gather", "Concat"}


def load(path: str | Path) -> Any:
    """Read an ONNX file and prepare it; see `index.prepared`.

    Raises:
        BadInput: If there is no such file, or it is no valid ONNX model.
        Missing: If the package onnx is not installed.
    """
    onnx = require("onnx", "quantize")
    path = Path(path)
    if not path.is_file():
        raise BadInput(f"model file {path} does not exist or is a folder: give the path of an .onnx file")
    try:
        model = onnx.load(str(path))
        onnx.checker.check_model(model)
    except Exception as error:  # the parser's and the checker's errors have no common base
        reason = str(error).strip().split("\n", 1)[0][:160]
        raise BadInput(f"{path} is not a valid ONNX model ({reason}): export it again") from error
    return prepared(model)


def save(model: Any, path: str | Path) -> Path:
    """Write a model so that equal models give equal bytes; the file appears complete or not at all.

    Raises:
        BadInput: If ONNX's checker rejects the model: it was rewritten wrongly.
    """
    onnx = require("onnx", "quantize")
    path = Path(path)
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        reason = str(error).strip().split("\n", 1)[0][:160]
        raise BadInput(f"{path.name} would not be a valid ONNX model ({reason}): export the source again") from error
    temporary = path.with_name(path.name + ".part")
    temporary.write_bytes(model.SerializeToString(deterministic=True))
    temporary.replace(path)
    return path


def float_region(model: Any) -> frozenset[str]:
    """Names of the nodes that stay in float.

    Backwards from each output through everything that is no convolution, up to and with the first convolutions: the
    head, whatever its decoding. A convolution of a softmax is part of it (the expectation of a distribution over
    distances), and the walk goes on behind it; a residual sum of convolutions ends it, like a convolution. For a
    transformer's decoder this takes in the decoder as a whole with the projections that feed it. Attention between
    convolutions is added with what surrounds it.

    Args:
        model: A `ModelProto`; its nodes may be unnamed (see `index.prepared`, whose names are meant).

    Returns:
        Node names.
    """
    index = GraphIndex.of(prepared(model))
    head = _head(index)
    attention = _attention(index)
    offsets = {node.name for node in index.nodes if node.op_type == "Add" and len(index.varying(node)) < 2}
    return frozenset(head | attention | offsets)


def output_convolutions(model: Any) -> frozenset[str]:
    """Names of the last convolutions before each output: those in the float region whose input comes from outside."""
    index = GraphIndex.of(prepared(model))
    head = _head(index)
    return frozenset(
        node.name
        for node in index.nodes
        if node.op_type in CONVOLUTIONS and node.name in head and not _is_expectation(index, node)
    )


def quantizable(model: Any) -> tuple[str, ...]:
    """Names of the convolutions that may be quantized, in topological order."""
    index = GraphIndex.of(prepared(model))
    keep = float_region(model)
    return tuple(node.name for node in index.nodes if node.op_type in CONVOLUTIONS and node.name not in keep)


def layers(model: Any) -> dict[str, frozenset[str]]:
    """What can be given 8 bits, or have them taken back, one by one.

    Returns:
        By the name of a convolution or a residual sum outside the float region, in topological order: the nodes that go
        with it, which are itself and the activation that reads it alone. What only moves numbers or picks some, like a
        pooling, has the precision of what it reads.
    """
    index = GraphIndex.of(prepared(model))
    keep = float_region(model)
    heads = [node for node in index.nodes if node.op_type in CONVOLUTIONS | {"Add"} and node.name not in keep]
    return {node.name: frozenset({node.name} | (_activation(index, node) - keep)) for node in heads}


def _activation(index: GraphIndex, node: Any) -> set[str]:
    """Names of the element-wise nodes behind a node, as long as they read nothing else."""
    found: set[str] = set()
    made = set(node.output)
    waiting = list(index.children(node))
    while waiting:
        reader = waiting.pop(0)
        if reader.name in found or reader.op_type not in _ELEMENTWISE or not set(index.varying(reader)) <= made:
            continue
        found.add(reader.name)
        made.update(reader.output)
        waiting.extend(index.children(node))
        waiting.extend(index.children(reader))
    return found


def decoding(model: Any) -> frozenset[str]:
    """Names of the nodes behind the last weighted layers: what turns a network's numbers into boxes and scores.

    Backwards from each output up to convolutions, matrix products and normalizations, which are not part of it.
    """
    index = GraphIndex.of(prepared(model))
    found: set[str] = set()
    waiting = [index.producer[name] for name in index.outputs if name in index.producer]
    while waiting:
        node = waiting.pop()
        if node.name in found or node.op_type in _MEASURES | _ATTENTION - {"Softmax"}:
            continue
        if node.op_type in CONVOLUTIONS | _PRODUCTS and not _is_expectation(index, node):
            continue
        found.add(node.name)
        waiting.extend(index.parents(node))
    return frozenset(found)


def _head(index: GraphIndex) -> set[str]:
    found: set[str] = set()
    waiting = [index.producer[name] for name in index.outputs if name in index.producer]
    while waiting:
        node = waiting.pop()
        if node.name in found or node.op_type in _MEASURES:
            continue
        if _is_residual(index, node):
            # The sum of features in front of the head: its convolutions are the last ones.
            found.update(parent.name for parent in index.parents(node) if parent.op_type in CONVOLUTIONS)
            found.add(node.name)
            continue
        found.add(node.name)
        if node.op_type not in CONVOLUTIONS or _is_expectation(index, node):
            waiting.extend(index.parents(node))
    return found


def _is_expectation(index: GraphIndex, node: Any) -> bool:
    """A sum with constant weights over a distribution: of a softmax, or of exponentials."""
    varying = index.varying(node)
    if node.op_type not in CONVOLUTIONS | _PRODUCTS or len(varying) != 1:
        return False
    source = index.through_shape_ops(varying[0], SHAPE_OPS | _PAIRS)
    return source is not None and source.op_type in ("Softmax", "Exp")


def _is_residual(index: GraphIndex, node: Any) -> bool:
    """A sum of two activations, one of them straight out of a convolution of features."""
    if node.op_type != "Add" or len(index.varying(node)) != 2:
        return False
    return any(parent.op_type in CONVOLUTIONS and not _is_expectation(index, parent) for parent in index.parents(node))


def _attention(index: GraphIndex) -> set[str]:
    seeds = [
        node
        for node in index.nodes
        if node.op_type in _ATTENTION
        or node.op_type in _PRODUCTS
        or (node.op_type == "ReduceMean" and _is_normalization(index, node))
    ]
    found = {node.name for node in seeds}
    _grow(index, found, seeds, index.parents)
    _grow(index, found, seeds, index.children)
    return found


def _grow(index: GraphIndex, found: set[str], seeds: Iterable[Any], step: Any) -> None:
    """Add what can be reached through arithmetic and moves of numbers; a gate, as in SiLU, belongs to its layer."""
    waiting = [neighbour for node in seeds for neighbour in step(node)]
    visited: set[str] = set()
    while waiting:
        node = waiting.pop()
        gate = node.op_type == "Mul" and len(index.varying(node)) > 1
        if node.name in visited or gate or node.op_type not in _AROUND:
            continue
        visited.add(node.name)
        found.add(node.name)
        waiting.extend(step(node))


def _is_normalization(index: GraphIndex, node: Any) -> bool:
    """A mean that is subtracted: layer normalization that the exporter wrote out."""
    return any(child.op_type == "Sub" for child in index.children(node))
