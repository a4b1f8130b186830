"""What TensorRT rejects, or runs slowly or wrongly, in a graph with Q/DQ pairs: said before a build on the device."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from deploy.errors import require
from deploy.quantize.graph import CONVOLUTIONS, decoding, float_region
from deploy.quantize.index import SHAPE_OPS, GraphIndex, attribute, prepared

QUANTIZE, DEQUANTIZE = "QuantizeLinear", "DequantizeLinear"
ACTIVATIONS = frozenset(
    {"Relu", "LeakyRelu", "Clip", "Sigmoid", "HardSigmoid", "HardSwish", "Elu", "Selu", "Tanh", "Mish", "Gelu", "Swish"}
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to mend.

    Attributes:
        node: Name of the node, or of the input.
        rule: Name of the rule.
        remedy: What is wrong and what to do, in a sentence.
    """

    node: str
    rule: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.node}: {self.rule}: {self.remedy}"


def lint(model: Any) -> list[Finding]:
    """Look for what TensorRT does not like.

    Args:
        model: A `ModelProto`, usually with Q/DQ pairs; one in float has nothing to find but a raw uint8 input.

    Returns:
        Findings in the order of the graph; none for an `s8` artifact of this package.
    """
    source = prepared(model)
    context = _Context(source, GraphIndex.of(source), decoding(source), float_region(source))
    found = [finding for rule in _RULES for finding in rule(context)]
    order = {node.name: place for place, node in enumerate(context.index.nodes)}
    return sorted(found, key=lambda finding: (order.get(finding.node, -1), finding.rule))


@dataclass(frozen=True, slots=True)
class _Context:
    model: Any
    index: GraphIndex
    decoding: frozenset[str]
    float_region: frozenset[str]

    def pairs(self) -> Iterator[Any]:
        return (node for node in self.index.nodes if node.op_type in (QUANTIZE, DEQUANTIZE))

    def of_type(self, ops: frozenset[str]) -> Iterator[Any]:
        return (node for node in self.index.nodes if node.op_type in ops)

    def constant(self, node: Any, place: int) -> npt.NDArray[Any] | None:
        """A constant input of a node; None if it is absent or computed."""
        onnx = require("onnx", "quantize")
        name = node.input[place] if len(node.input) > place else ""
        tensor = self.index.initializers.get(name)
        return None if tensor is None else np.asarray(onnx.numpy_helper.to_array(tensor))

    def dequantized(self, tensor: str) -> bool:
        """Whether a tensor comes out of a DequantizeLinear, perhaps moved about since."""
        source = self.index.through_shape_ops(tensor, SHAPE_OPS - {"Cast"})
        return source is not None and source.op_type == DEQUANTIZE

    def is_weight(self, node: Any) -> bool:
        """Whether a pair belongs to a constant."""
        name = node.input[0]
        while name in self.index.producer and self.index.producer[name].op_type == QUANTIZE:
            name = self.index.producer[name].input[0]
        return name in self.index.initializers


def _unsigned(context: _Context) -> Iterator[Finding]:
    onnx = require("onnx", "quantize")
    for node in context.pairs():
        name = node.input[2] if len(node.input) > 2 else ""
        integer = context.index.types.get(name, onnx.TensorProto.UINT8)
        if node.op_type == DEQUANTIZE and not name:
            integer = context.index.types.get(node.input[0], onnx.TensorProto.UINT8)
        if integer == onnx.TensorProto.UINT8:
            yield Finding(node.name, "uint8", "it quantizes to uint8, TensorRT takes int8: quantize in the style s8")
        elif integer == onnx.TensorProto.INT32:
            yield Finding(
                node.name, "bias", "it holds an int32 bias, TensorRT wants biases in float: do not quantize them"
            )


def _zero_points(context: _Context) -> Iterator[Finding]:
    for node in context.pairs():
        zero = context.constant(node, 2)
        if zero is not None and np.any(zero != 0):
            at = int(zero.ravel()[np.flatnonzero(zero.ravel())[0]])
            yield Finding(
                node.name, "zero-point", f"zero point {at}, TensorRT takes only 0: quantize symmetrically, style s8"
            )


def _scales(context: _Context) -> Iterator[Finding]:
    for node in context.pairs():
        scale = context.constant(node, 1)
        if scale is None:
            yield Finding(node.name, "scale", "its scale is computed in the graph: calibrate, so that it is a constant")
        elif not (np.all(np.isfinite(scale)) and np.all(scale > 0)):
            bad = float(scale.ravel()[~(np.isfinite(scale) & (scale > 0)).ravel()][0])
            yield Finding(
                node.name,
                "scale",
                f"scale {bad}, expected finite and positive: calibrate on frames that reach this layer",
            )


def _scale_types(context: _Context) -> Iterator[Finding]:
    types = context.index.types
    for node in context.pairs():
        data, scale = types.get((node.input if node.op_type == QUANTIZE else node.output)[0]), types.get(node.input[1])
        if data is not None and scale is not None and data != scale:
            yield Finding(
                node.name,
                "scale-type",
                "its scale and its data differ in type, which a strongly typed network rejects: give both the same",
            )


def _per_channel(context: _Context) -> Iterator[Finding]:
    for node in context.of_type(CONVOLUTIONS):
        pair = context.index.producer.get(node.input[1])
        if pair is None or pair.op_type != DEQUANTIZE:
            continue
        scale, axis = context.constant(pair, 1), 0 if node.op_type == "Conv" else 1
        if scale is None:
            continue
        channels = context.index.shapes.get(node.input[1], ())
        found = int(attribute(pair, "axis", 1)) % max(len(channels), 1)
        if scale.size == 1 and (not channels or channels[axis] > 1):
            yield Finding(
                node.name, "per-channel", "one scale for all its weights costs accuracy: quantize weights by channel"
            )
        elif scale.size > 1 and found != axis:
            yield Finding(
                node.name,
                "per-channel",
                f"its weights are quantized along axis {found}, TensorRT wants output channels: set axis to {axis}",
            )


def _half_quantized(context: _Context) -> Iterator[Finding]:
    for node in context.of_type(CONVOLUTIONS):
        data, weights = (context.dequantized(name) for name in node.input[:2])
        if data != weights and node.name not in context.float_region:
            missing = "weights are" if data else "input is"
            yield Finding(
                node.name, "half-quantized", f"its {missing} in float and so it runs in float: quantize both or neither"
            )


def _residuals(context: _Context) -> Iterator[Finding]:
    if not any(True for _ in context.pairs()):
        return
    for node in context.of_type(frozenset({"Add"})):
        inputs = context.index.varying(node)
        if len(inputs) != 2 or node.name in context.float_region:
            continue
        if not all(context.dequantized(name) for name in inputs):
            yield Finding(
                node.name,
                "residual",
                "a residual sum with an input in float is not fused and runs in float: quantize both inputs",
            )


def _outputs(context: _Context) -> Iterator[Finding]:
    for node in context.pairs():
        if node.name not in context.decoding or node.op_type != DEQUANTIZE or context.is_weight(node):
            continue
        readers = list(context.index.children(node))
        source = context.index.producer.get(node.input[0])
        made = None if source is None else context.index.through_shape_ops(source.input[0])
        if any(reader.op_type == "Concat" for reader in readers) or (made is not None and made.op_type == "Concat"):
            rule, why = "output-concat", "boxes and scores share a scale here and the scores vanish"
        else:
            rule, why = "output", "it quantizes what stands behind the last layers, where every step is seen"
        yield Finding(node.name, rule, f"{why}: leave the head's last convolutions and the decoding in float")


def _activations(context: _Context) -> Iterator[Finding]:
    for node in context.of_type(CONVOLUTIONS):
        for pair in context.index.children(node):
            if pair.op_type != QUANTIZE:
                continue
            for dequantize in context.index.children(pair):
                for reader in context.index.children(dequantize):
                    if reader.op_type in ACTIVATIONS:
                        yield Finding(
                            pair.name,
                            "activation",
                            f"it stands between a convolution and its {reader.op_type}, which are not fused then: "
                            "quantize behind the activation",
                        )


def _unpaired(context: _Context) -> Iterator[Finding]:
    for node in context.of_type(frozenset({QUANTIZE})):
        readers = list(context.index.children(node))
        if not readers or any(reader.op_type != DEQUANTIZE for reader in readers):
            yield Finding(
                node.name, "unpaired", "no DequantizeLinear follows it: keep pairs together, TensorRT fuses them itself"
            )


def _raw_input(context: _Context) -> Iterator[Finding]:
    onnx = require("onnx", "quantize")
    for name in context.index.inputs:
        readers = context.index.consumers.get(name, [])
        wrong = next((reader for reader in readers if reader.op_type != "Cast"), None)
        if context.index.types.get(name) == onnx.TensorProto.UINT8 and wrong is not None:
            yield Finding(
                name,
                "cast-first",
                f"{wrong.op_type} reads the uint8 input, which TensorRT rejects: put a Cast to float first",
            )


_RULES: tuple[Callable[[_Context], Iterator[Finding]], ...] = (
    _unsigned, _zero_points, _scales, _scale_types, _per_channel, _half_quantized, _residuals, _outputs, _activations,
    _unpaired, _raw_input,
)  # fmt: skip
