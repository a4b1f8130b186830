"""The inspector's report: its words for types, whatever the version, and no wishful reading of it."""

from __future__ import annotations

import doctest
import json
from typing import Any

import pytest

from deploy.errors import BadInput
from deploy.tensorrt import layers
from deploy.tensorrt.layers import Layer, read_layers, type_of


@pytest.mark.parametrize(
    ("text", "precision"),
    [
        ("Half", "fp16"),
        ("Float", "fp32"),
        ("Int8", "int8"),
        ("UInt8", "uint8"),
        ("Int32", "int32"),
        ("Bool", "bool"),
        ("BFloat16", "bf16"),
        ("Row major linear FP32", "fp32"),
        ("Row major linear FP16 format", "fp16"),
        ("Row major Int8 format", "int8"),
        ("Channel major FP16 format where channel % 8 == 0", "fp16"),
        ("Thirty-two wide channel vectorized row major Int8 format", "int8"),
        ("", "unknown"),
    ],
)
def test_words_for_types(text: str, precision: str) -> None:
    assert type_of(text) == precision


def test_example() -> None:
    result = doctest.testmod(layers)
    assert result.attempted
    assert not result.failed


def layer(inputs: tuple[str, ...] = ("int8",), weights: str | None = None, tactic: str | None = None) -> Layer:
    return Layer("a", "CaskConvolution", ("a",), inputs, ("fp16",), weights, tactic)


@pytest.mark.parametrize(
    ("found", "precision"),
    [
        (layer(weights="int8"), "int8"),
        (layer(tactic="sm80_xmma_fprop_implicit_gemm_i8i8_i8i32_f32_nchw"), "int8"),
        (layer(("int8", "int8")), "int8"),
        (layer(weights="fp16"), "fp16"),
        (layer(("int8", "fp16")), "fp16"),
        (layer(("int8", "fp32")), "fp32"),
        (layer(("fp16", "int8")), "fp16"),
        (layer(("fp32", "int8", "fp16"), tactic="sm80_xmma_gemm_i8f16_i8i32_f32_tn_n"), "int8"),
        (layer(("int8", "fp32"), tactic="cutlass_tensorop_s8_i16832fprop"), "int8"),
        (layer(("int8", "fp32"), weights="int8"), "int8"),
        (layer(("fp32", "fp16")), "fp16"),
        (layer(("fp32",), tactic="sm80_int8_xmma"), "fp32"),
        (layer(()), None),
    ],
)
def test_int8_data_alone_does_not_make_an_int8_layer(found: Layer, precision: str | None) -> None:
    assert found.precision == precision


def entry(**changes: Any) -> dict[str, Any]:
    """As TensorRT 10 prints a layer of a YOLO with INT8."""
    return {
        "Name": "/model.22/cv2.1/conv/Conv + /model.22/cv2.1/act/Relu || /model.22/cv3.1/conv/Conv",
        "LayerType": "CaskConvolution",
        "Inputs": [{"Name": "a", "Location": "Device", "Dimensions": [1, 128, 40, 40], "Format/Datatype": "Int8"}],
        "Outputs": [{"Name": "b", "Location": "Device", "Dimensions": [1, 144, 40, 40], "Format/Datatype": "Half"}],
        "ParameterType": "Convolution",
        "Weights": {"Type": "Int8", "Count": 165888},
        "TacticName": "sm80_xmma_fprop_implicit_gemm_i8i8",
        "TacticValue": "0x1",
        "StreamId": 0,
        "Metadata": "[ONNX Layer: /model.22/cv2.1/conv/Conv]\x1f[ONNX Layer: /model.22/cv2.1/act/Relu | part (f)]",
        **changes,
    }


def test_a_layer_stands_for_all_the_nodes_that_it_fused() -> None:
    text = json.dumps({"Layers": [entry()], "Bindings": ["a"]}).replace("\\u001f", "\x1f")  # raw, as TensorRT has it
    (found,) = read_layers(text)
    assert found.nodes == ("/model.22/cv2.1/conv/Conv", "/model.22/cv2.1/act/Relu", "/model.22/cv3.1/conv/Conv")
    assert (found.inputs, found.outputs, found.weights, found.moves) == (("int8",), ("fp16",), "int8", False)
    assert found.to_dict() == {
        "layer": entry()["Name"],
        "type": "CaskConvolution",
        "nodes": list(found.nodes),
        "inputs": ["int8"],
        "outputs": ["fp16"],
        "weights": "int8",
        "tactic": "sm80_xmma_fprop_implicit_gemm_i8i8",
    }


def test_names_of_a_graph_that_is_compiled_as_a_whole() -> None:
    made = entry(Name="/model.10/attn/MatMul_myl109_2", Metadata="", LayerType="gemm", TacticName="", Weights={})
    (found,) = read_layers(json.dumps({"Layers": [made]}))
    assert found.nodes == ("/model.10/attn/MatMul",)
    assert (found.weights, found.tactic) == (None, "0x1")


@pytest.mark.parametrize("kind", ["Reformat", "Constant", "NoOp", "shape_call", "Shuffle", "Slice"])
def test_what_only_moves_data_is_told_from_what_computes(kind: str) -> None:
    (found,) = read_layers(json.dumps({"Layers": [entry(LayerType=kind)]}))
    assert found.moves


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "gave no list of layers"),
        ("not json", "gave no list of layers"),
        ("[]", "gave no list of layers"),
        ('{"Layers": []}', "names of its layers alone"),
        ('{"Layers": ["conv1", "conv2"]}', "names of its layers alone: build it with detailed"),
    ],
)
def test_a_report_without_layers_is_refused(text: str, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        read_layers(text)
