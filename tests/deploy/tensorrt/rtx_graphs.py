"""Graphs that TensorRT takes, made of the shipped model by our own code, and graphs that it refuses."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from deploy.export.bake import bake_preprocessing
from deploy.quantize.calibrate import Ranges, collect
from deploy.quantize.graph import float_region, load
from deploy.quantize.half import quantize_s8_fp16, to_fp16
from deploy.quantize.qdq import quantize

SHAPE = (1, 3, 16, 16)


def good(shipped: Path) -> dict[str, onnx.ModelProto]:
    """Every artifact that TensorRT is given, out of a float model; ranges of noise, as only the graph counts here."""
    model = load(shipped)
    ranges = _ranges(shipped)
    left = float_region(model)
    return {
        "fp32": model,
        "fp16": to_fp16(model, ranges=ranges),
        "int8-s8": quantize(model, ranges, "s8", left),
        "int8-s8-fp16": quantize_s8_fp16(model, ranges, left),
        "fp32, baked": bake_preprocessing(model),
        "int8-s8-fp16, baked": bake_preprocessing(quantize_s8_fp16(model, ranges, left)),
    }


def unsigned(shipped: Path) -> onnx.ModelProto:
    """The artifact for ONNX Runtime on x86."""
    model = load(shipped)
    return quantize(model, _ranges(shipped), "u8", float_region(model))


def transposed_first(shipped: Path) -> onnx.ModelProto:
    """A baked model whose first two operators change places."""
    model: onnx.ModelProto = bake_preprocessing(load(shipped))
    cast, transpose = model.graph.node[:2]
    assert (cast.op_type, transpose.op_type) == ("Cast", "Transpose")
    last = transpose.output[0]
    transpose.input[0], transpose.output[0] = cast.input[0], cast.output[0]
    cast.input[0], cast.output[0] = transpose.output[0], last
    swapped = [transpose, cast, *model.graph.node[2:]]
    kept = [onnx.NodeProto.FromString(node.SerializeToString()) for node in swapped]
    del model.graph.node[:]
    model.graph.node.extend(kept)
    onnx.checker.check_model(model)
    return model


def mixed_types() -> onnx.ModelProto:
    """A convolution of float32 with weights of float16."""
    weights = numpy_helper.from_array(np.ones((4, 3, 3, 3), np.float16), "w")
    return _model([helper.make_node("Conv", ["x", "w"], ["y"], "conv")], [weights], (1, 4, 14, 14))


def shifted_zero_point() -> onnx.ModelProto:
    """An int8 pair whose zero point is not zero."""
    return _model(*_pair(np.int8(3)), SHAPE)


def unknown_operator() -> onnx.ModelProto:
    return _model([helper.make_node("Frobnicate", ["x"], ["y"], "odd", domain="com.example")], [], SHAPE)


def zero_point_of_zero() -> onnx.ModelProto:
    """What `shifted_zero_point` is but for one number."""
    return _model(*_pair(np.int8(0)), SHAPE)


def same_types() -> onnx.ModelProto:
    """What `mixed_types` is but for one type."""
    weights = numpy_helper.from_array(np.ones((4, 3, 3, 3), np.float32), "w")
    return _model([helper.make_node("Conv", ["x", "w"], ["y"], "conv")], [weights], (1, 4, 14, 14))


BAD: dict[str, tuple[Callable[..., onnx.ModelProto], str]] = {
    "int8-u8": (unsigned, r"Int32|UINT8|[Zz]ero"),
    "baked, Transpose first": (transposed_first, r"Transpose|UINT8"),
    "zero point 3": (shifted_zero_point, r"[Zz]ero ?[Pp]oint|shift"),
    "Conv of float32 and float16": (mixed_types, r"type|Conv"),
    "unknown operator": (unknown_operator, r"Frobnicate|[Pp]lugin"),
}
TWINS: dict[str, Callable[[], onnx.ModelProto]] = {"zero point 0": zero_point_of_zero, "Conv of float32": same_types}


@functools.cache
def _ranges(shipped: Path) -> Ranges:
    random = np.random.default_rng(0)
    feeds = [{"images": random.random((1, 3, 256, 320)).astype(np.float32)} for _ in range(2)]
    return collect(shipped, feeds).ranges("minmax")


def _pair(zero: np.int8) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto]]:
    constants = [numpy_helper.from_array(np.float32(0.1), "s"), numpy_helper.from_array(zero, "z")]
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"], "quantize"),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["d"], "dequantize"),
        helper.make_node("Relu", ["d"], ["y"], "relu"),
    ]
    return nodes, constants


def _model(nodes: list[onnx.NodeProto], constants: list[Any], shape: tuple[int, ...]) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, SHAPE)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        constants,
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.example", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)
