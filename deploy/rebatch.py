"""A model of batch 1 as one of batch N, for measuring throughput; proved to give each image what batch 1 gives it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from deploy.backend import Tensor
from deploy.errors import BadInput, require
from deploy.onnxruntime_backend import OnnxRuntimeBackend
from deploy.timing import sample_inputs

TOLERANCE = 1e-4
# Operators with a constant that spells out the batch, and which of their inputs that is.
_SHAPED = {"Reshape": 1, "Expand": 1, "Resize": 3}


def rebatch(path: Path, batch: int, out: Path) -> Path:
    """Write the model for N images at once.

    The leading 1 of inputs, outputs, and of the shapes that the graph reshapes, expands or resizes to becomes N.
    Whether this is right for a graph is not reasoned but seen: N different images must give what each gives alone.

    Args:
        path: An .onnx file with fixed shapes, whose inputs and outputs all begin with a batch of 1.
        batch: N, at least 1.
        out: The file to write.

    Returns:
        `out`.

    Raises:
        BadInput: If the model cannot be rewritten, or gives other numbers then, naming how far off.
        Missing: If onnx is not installed.
    """
    onnx = require("onnx", "quantize")
    if batch < 1:
        raise BadInput(f"batch {batch}: expected at least 1")
    single = OnnxRuntimeBackend(path)
    try:
        for spec in (*single.io_spec.inputs, *single.io_spec.outputs):
            if not spec.shape or spec.shape[0] != 1:
                raise BadInput(f"{path} cannot be given batch {batch}: {spec} does not begin with a batch of 1")
        model = onnx.load(str(path))
        _rewrite(onnx, model, batch)
        onnx.save(model, str(out))
        _prove(onnx, path, single, out, batch)
    finally:
        single.close()
    return out


def _rewrite(onnx: Any, model: Any, batch: int) -> None:
    graph = model.graph
    weights = {tensor.name for tensor in graph.initializer}
    for value in (*graph.input, *graph.output):
        if value.name not in weights:
            value.type.tensor_type.shape.dim[0].dim_value = batch
    del graph.value_info[:]
    constants = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            constants[node.output[0]] = node.attribute[0].t
    moving = _depend_on_images(graph, weights)
    replaced: dict[str, str] = {}
    for node in graph.node:
        index = _SHAPED.get(node.op_type)
        if index is None or len(node.input) <= index or node.input[0] not in moving:
            continue
        name = node.input[index]
        if name not in constants:
            continue
        if name not in replaced:
            sizes = onnx.numpy_helper.to_array(constants[name]).copy()
            if sizes.ndim != 1 or not len(sizes) or sizes[0] != 1:
                continue
            sizes[0] = batch
            replaced[name] = f"{name}_batch{batch}"
            graph.initializer.append(onnx.numpy_helper.from_array(sizes, replaced[name]))
        node.input[index] = replaced[name]


def _depend_on_images(graph: Any, weights: set[str]) -> set[str]:
    """Names of all values that differ from image to image."""
    moving = {value.name for value in graph.input if value.name not in weights}
    for node in graph.node:
        if moving.intersection(node.input):
            moving.update(node.output)
    return moving


def _prove(onnx: Any, path: Path, single: OnnxRuntimeBackend, out: Path, batch: int) -> None:
    refused = f"{path} cannot be given batch {batch}"
    try:
        many = OnnxRuntimeBackend(out)
    except BadInput as error:
        raise BadInput(f"{refused}: {_contradiction(onnx, out) or error}") from error
    try:
        for one, all_of_them in zip(single.io_spec.outputs, many.io_spec.outputs, strict=True):
            if all_of_them.shape != (batch, *one.shape[1:]):
                raise BadInput(f"{refused}: output {one} becomes {all_of_them}")
        images = sample_inputs(many.io_spec, seed=1)
        together = {name: tensor.copy() for name, tensor in many.infer(images).items()}
        for i in range(batch):
            alone = single.infer({name: np.ascontiguousarray(tensor[i : i + 1]) for name, tensor in images.items()})
            for name, expected in alone.items():
                off = _relative_error(together[name][i : i + 1], expected)
                if not off <= TOLERANCE:
                    raise BadInput(
                        f"{refused}: {name} of image {i} differs by {off:.2g} of its value from what it is alone "
                        f"(limit {TOLERANCE:g})"
                    )
    finally:
        many.close()


def _contradiction(onnx: Any, path: Path) -> str:
    """Where the shapes of a graph contradict each other; empty if they do not."""
    try:
        onnx.shape_inference.infer_shapes(onnx.load(str(path)), strict_mode=True)
    except Exception as error:  # of the inference, or for a file too large for it
        return f"its shapes are made for one image ({' '.join(str(error).split())[:160]}...)"
    return ""


def _relative_error(found: Tensor, expected: Tensor) -> float:
    """Largest difference as a share of the number itself; numbers below 0.01 count as 0.01."""
    wanted = expected.astype(np.float64)
    return float(np.max(np.abs(found.astype(np.float64) - wanted) / (np.abs(wanted) + 1e-2)))
