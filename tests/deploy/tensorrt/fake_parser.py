"""What TensorRT's ONNX parser refuses, and the layers that its builder makes of what it takes, by the graph alone."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

FLOATS = {TensorProto.FLOAT: "FP32", TensorProto.FLOAT16: "FP16"}
SHORT = {"FP32": "Float", "FP16": "Half", "Int8": "Int8"}
FUSED = ("Relu", "Sigmoid", "Mul", "Add", "Clip", "LeakyRelu")


@dataclass(frozen=True)
class Refusal:
    """An error of the parser."""

    index: int
    name: str
    operator: str
    text: str


def refusals(model: onnx.ModelProto) -> list[Refusal]:
    """What of a graph TensorRT does not take."""
    values = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    types = _types(model)
    found: list[Refusal] = []

    def refuse(index: int, node: onnx.NodeProto, text: str) -> None:
        found.append(Refusal(index, node_name(node), node.op_type, text))

    for index, node in enumerate(model.graph.node):
        if node.domain not in ("", "ai.onnx") or not onnx.defs.has(node.op_type, node.domain):
            refuse(
                index, node, f"Plugin not found, are the plugin name, version, and namespace correct? {node.op_type}"
            )
            continue
        kinds = [types.get(name) for name in node.input]
        if node.op_type in ("QuantizeLinear", "DequantizeLinear") and len(node.input) > 2:
            if np.any(values.get(node.input[2], 0)):
                refuse(
                    index, node, "Assertion failed: shiftIsAllZeros(zeroPoint): Non-zero zero point is not supported."
                )
            elif kinds[2] == TensorProto.UINT8:
                refuse(index, node, "UINT8 quantization is supported on DLA only.")
        elif node.op_type != "Cast" and TensorProto.UINT8 in kinds[:1]:
            refuse(index, node, "Unsupported type UINT8 for this layer: insert a Cast first.")
        elif node.op_type in ("Conv", "MatMul", "Gemm", "Add", "Mul"):
            floats = {kind for kind in kinds if kind in FLOATS}
            if len(floats) > 1:
                refuse(index, node, "All inputs must have the same type in a strongly typed network.")
    return found


def layers(model: onnx.ModelProto, style: str, typed: bool, lost: str | None) -> list[dict[str, Any]]:
    """The inspector's layers.

    Args:
        model: The graph.
        style: `formats`: types within formats, `types`: types alone, or `myelin`: compiled as a whole.
        typed: Whether the network is strongly typed; else everything is FP32, as no flag asks for less.
        lost: Precision that the builder drops in silence.
    """
    types = _types(model)
    makers = {output: node for node in model.graph.node for output in node.output}
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in model.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    first = model.graph.input[0].name
    made = [_layer(f"Reformatting CopyNode for Input Tensor {first}", "Reformat", "", ["FP32"], "FP32", style)]
    for number, node in enumerate(model.graph.node):
        if node.op_type not in ("Conv", "MatMul", "Gemm"):
            continue
        sources = [makers.get(name) for name in node.input[:2]]
        quantized = all(source is not None and source.op_type == "DequantizeLinear" for source in sources)
        precision = "Int8" if quantized else FLOATS.get(types.get(node.output[0], 1), "FP32")
        if not typed or {"int8": "Int8", "fp16": "FP16"}.get(lost or "") == precision:
            precision = "FP32"
        names, last = [node_name(node)], node
        while len(readers.get(last.output[0], [])) == 1 and readers[last.output[0]][0].op_type in FUSED:
            last = readers[last.output[0]][0]
            names.append(node_name(last))
        metadata = "\x1f".join(f"[ONNX Layer: {name}]" for name in names)
        name = f"__myl_Conv_myl0_{number}" if style == "myelin" else " + ".join(names)
        kind = "correlation" if style == "myelin" else "CaskConvolution"
        layer = _layer(name, kind, metadata, [precision], precision, style)
        short = {"FP32": "f32f32_f32f32", "FP16": "f16f16_f16f16", "Int8": "i8i8_i8i32"}[precision]
        layer["TacticName"] = f"sm80_xmma_fprop_implicit_gemm_{short}_f32_tn_n_tilesize64x64x64"
        if style != "myelin":
            layer["Weights"] = {"Type": SHORT[precision], "Count": 108}
        made.append(layer)
    return made


def to_json(made: list[dict[str, Any]], detailed: bool) -> str:
    """As the inspector prints them: names alone unless the engine was built with detailed verbosity."""
    return json.dumps({"Layers": made if detailed else [layer["Name"] for layer in made], "Bindings": []}).replace(
        "\\u001f", "\x1f"
    )


def node_name(node: onnx.NodeProto) -> str:
    return node.name or "node_of_" + node.output[0]


def _types(model: onnx.ModelProto) -> dict[str, int]:
    inferred = onnx.shape_inference.infer_shapes(model)
    graph = inferred.graph
    types = {value.name: value.type.tensor_type.elem_type for value in (*graph.value_info, *graph.input, *graph.output)}
    return types | {tensor.name: tensor.data_type for tensor in graph.initializer}


def _layer(name: str, kind: str, metadata: str, inputs: list[str], output: str, style: str) -> dict[str, Any]:
    def said(precision: str) -> str:
        if style == "formats":
            return f"Thirty-two wide channel vectorized row major {precision} format"
        return SHORT[precision]

    return {
        "Name": name,
        "LayerType": kind,
        "Inputs": [{"Name": "in", "Dimensions": [1], "Format/Datatype": said(value)} for value in inputs],
        "Outputs": [{"Name": "out", "Dimensions": [1], "Format/Datatype": said(output)}],
        "TacticValue": "0x0000000000000000",
        "StreamId": 0,
        "Metadata": metadata,
    }
