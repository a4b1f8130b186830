"""INT8 as pairs of QuantizeLinear and DequantizeLinear, in the two forms that engines run fast.

The pairs are placed by ONNX Runtime's quantizer; what may be quantized, and with what ranges, is decided here.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from typing import Any, Literal

import numpy as np

from deploy.errors import BadInput, require
from deploy.quantize.calibrate import Ranges
from deploy.quantize.index import GraphIndex, at_opset, metadata, prepared, set_metadata

Style = Literal["s8", "u8"]
STYLES: tuple[Style, ...] = ("s8", "u8")
PRECISION_KEY = "eyehand.precision"

_S8_OPS = ("Add", "Conv", "MaxPool")
_S8_OPTIONS = {
    "ActivationSymmetric": True,
    "WeightSymmetric": True,
    "AddQDQPairToWeight": True,
    "QuantizeBias": False,
    "DedicatedQDQPair": False,
    "QDQDisableWeightAdjustForInt32Bias": True,
    "OpTypesToExcludeOutputQuantization": ["Add", "Conv", "MatMul", "MaxPool"],
}
_U8_OPS = (
    "Add", "AveragePool", "Clip", "Concat", "Conv", "GlobalAveragePool", "LeakyRelu", "MaxPool", "Mul", "Relu",
    "Resize", "Sigmoid", "Split",
)  # fmt: skip
_U8_OPTIONS: dict[str, Any] = {"ActivationSymmetric": False, "WeightSymmetric": True}


def quantize(
    model: Any, ranges: Ranges, style: Style, float_nodes: Collection[str] = (), everything: bool = False
) -> Any:
    """Quantize a float model.

    `s8` is what TensorRT wants, and what OpenVINO runs well: int8, zero point 0 everywhere, weights by channel, biases
    in float; pairs in front of convolutions, residual sums and poolings, none between a convolution and its activation.
    `u8` is what ONNX Runtime runs well on x86: activations in uint8 with a zero point, weights in int8 by channel,
    biases in int32, pairs behind each operator too, so that whole blocks stay in 8 bits.

    Args:
        model: The float `ModelProto`.
        ranges: Its calibrated ranges.
        style: Which of the two.
        float_nodes: Nodes to leave in float: `graph.float_region`, and more where accuracy asks for it.
        everything: Quantize each node that can be, the head and decoding too, whatever `float_nodes` says. The scores
            vanish; it is there to show that a gate notices.

    Returns:
        A new `ModelProto` with the metadata of the source and `eyehand.precision`.

    Raises:
        BadInput: If the style is unknown, a float node is not in the model, or nothing is left to quantize.
        Missing: If onnx or onnxruntime is not installed.
    """
    if style not in STYLES:
        raise BadInput(f"quantization style {style!r}: expected one of {', '.join(STYLES)}")
    source = at_opset(prepared(model), 13)
    unknown = sorted(set(float_nodes) - {node.name for node in source.graph.node})
    if unknown:
        raise BadInput(f"float node {unknown[0]!r} is not in the model: take the names from float_region of this model")
    excluded = [] if everything else sorted(float_nodes)
    ops = _U8_OPS if style == "u8" else _S8_OPS
    options = _U8_OPTIONS if style == "u8" else _S8_OPTIONS
    if everything:
        ops = tuple(sorted({node.op_type for node in source.graph.node}))
        options = {**options, "OpTypesToExcludeOutputQuantization": []}
    if all(node.op_type not in ops or node.name in excluded for node in source.graph.node):
        raise BadInput("no layer is left to quantize: the whole network would stay in float; ship it as fp16 or fp32")
    result = _run_quantizer(source, ranges, style, ops, excluded, options)
    entries = {key: value for key, value in metadata(model).items() if key != PRECISION_KEY}
    set_metadata(result, {**entries, PRECISION_KEY: f"int8-{style}"})
    result.producer_name, result.producer_version = model.producer_name, model.producer_version
    return result


def count_pairs(model: Any) -> int:
    """How many tensors a graph quantizes."""
    return sum(node.op_type == "QuantizeLinear" for node in model.graph.node)


def _run_quantizer(
    source: Any, ranges: Ranges, style: Style, ops: tuple[str, ...], excluded: list[str], options: dict[str, Any]
) -> Any:
    quantization = require("onnxruntime.quantization", "quantize")
    quantizer_module = require("onnxruntime.quantization.qdq_quantizer", "quantize")
    calibration = require("onnxruntime.quantization.calibrate", "quantize")
    kind = quantization.QuantType
    data = {
        name: (np.array(low, np.float32), np.array(high, np.float32))
        for name, (low, high) in _fitting(source, ranges).items()
    }
    # The quantizer infers shapes again through a temporary file unless the model says that this was done.
    source.metadata_props.add(key="onnx.infer", value="onnxruntime.quant")
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)  # it warns on the root logger of each tensor that it leaves alone
    try:
        quantizer = quantizer_module.QDQQuantizer(
            source,
            per_channel=True,
            reduce_range=False,
            weight_qType=kind.QInt8,
            activation_qType=kind.QInt8 if style == "s8" else kind.QUInt8,
            tensors_range=calibration.TensorsData(calibration.CalibrationMethod.MinMax, data),
            nodes_to_quantize=[],
            nodes_to_exclude=excluded,
            op_types_to_quantize=list(ops),
            extra_options=dict(options),
        )
        quantizer.quantize_model()
        quantizer.model.topological_sort()
        return _tidy(quantizer.model.model)
    finally:
        root.setLevel(level)


def _fitting(source: Any, ranges: Ranges) -> dict[str, tuple[float, float]]:
    """The ranges of this model's tensors, with those that only move numbers sharing one: no value is rounded twice."""
    index = GraphIndex.of(source)
    found = {name: ends for name, ends in ranges.by_tensor.items() if name in index.producer or name in index.inputs}
    for node in index.nodes:
        if node.op_type in ("MaxPool", "Resize", "Split") and node.input[0] in found:
            found.update(dict.fromkeys((name for name in node.output if name in found), found[node.input[0]]))
    return found


def _tidy(model: Any) -> Any:
    """Drop what the quantizer left behind, and order what has no order, so that equal inputs give equal bytes."""
    graph = model.graph
    read = {name for node in graph.node for name in node.input} | {info.name for info in graph.output}
    kept = sorted((t for t in graph.initializer if t.name in read), key=lambda t: str(t.name))
    copies = [type(tensor).FromString(tensor.SerializeToString()) for tensor in kept]
    del graph.initializer[:]
    graph.initializer.extend(copies)
    del graph.value_info[:]
    return prepared(model)
