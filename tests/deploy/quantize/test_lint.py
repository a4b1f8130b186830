from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from deploy.quantize.calibrate import collect_ranges
from deploy.quantize.graph import float_region, save
from deploy.quantize.index import prepared
from deploy.quantize.lint import lint
from deploy.quantize.qdq import quantize
from tests.deploy.quantize.graphs import Net, noise, resnet, transformer, yolo

Model = onnx.ModelProto


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> dict[str, Model]:
    path = save(yolo(), tmp_path_factory.mktemp("lint") / "m.onnx")
    model, ranges = prepared(yolo()), collect_ranges(path, noise())
    keep = float_region(model)
    return {
        "s8": quantize(model, ranges, "s8", keep),
        "u8": quantize(model, ranges, "u8", keep),
        "all": quantize(model, ranges, "s8", keep, everything=True),
    }


@pytest.fixture
def s8(made: dict[str, Model]) -> Model:
    model = Model()
    model.CopyFrom(made["s8"])
    return model


def node(model: Model, kind: str, place: int = 0) -> onnx.NodeProto:
    return [entry for entry in model.graph.node if entry.op_type == kind][place]


def replace(model: Model, name: str, value: np.ndarray) -> None:
    tensor = next(entry for entry in model.graph.initializer if entry.name == name)
    tensor.CopyFrom(numpy_helper.from_array(value, name))


def value(model: Model, name: str) -> np.ndarray:
    return numpy_helper.to_array(next(entry for entry in model.graph.initializer if entry.name == name))


def activation_quantizer(model: Model) -> onnx.NodeProto:
    constants = {entry.name for entry in model.graph.initializer}
    return next(e for e in model.graph.node if e.op_type == "QuantizeLinear" and e.input[0] not in constants)


def weight_pair(model: Model) -> list[onnx.NodeProto]:
    """The pair of the second convolution's weights."""
    producers = {name: entry for entry in model.graph.node for name in entry.output}
    dequantize = producers[node(model, "Conv", 1).input[1]]
    return [producers[dequantize.input[0]], dequantize]


def shifted_zero(model: Model) -> None:
    replace(model, activation_quantizer(model).input[2], np.int8(3))


def unsigned(model: Model) -> None:
    replace(model, activation_quantizer(model).input[2], np.uint8(0))


def zero_scale(model: Model) -> None:
    replace(model, activation_quantizer(model).input[1], np.float32(0.0))


def infinite_scale(model: Model) -> None:
    replace(model, activation_quantizer(model).input[1], np.float32(np.inf))


def half_scale(model: Model) -> None:
    replace(model, activation_quantizer(model).input[1], np.float16(0.1))


def one_scale_for_all_weights(model: Model) -> None:
    pair = weight_pair(model)
    replace(model, pair[0].input[1], value(model, pair[0].input[1]).max())
    replace(model, pair[0].input[2], np.int8(0))


def wrong_axis(model: Model) -> None:
    for entry in weight_pair(model):
        entry.attribute[0].i = 1


def float_weights(model: Model) -> None:
    quantizer, _ = weight_pair(model)
    node(model, "Conv", 1).input[1] = quantizer.input[0]


def float_residual(model: Model) -> None:
    addition = node(model, "Add")
    producers = {name: entry for entry in model.graph.node for name in entry.output}
    addition.input[0] = producers[producers[addition.input[0]].input[0]].input[0]


def pair_behind(model: Model, tensor: str) -> None:
    """Quantize a tensor for all who read it."""
    for name, array in (("s", np.float32(0.5)), ("z", np.int8(0))):
        model.graph.initializer.append(numpy_helper.from_array(array, name))
    for entry in model.graph.node:
        for place, read in enumerate(entry.input):
            if read == tensor:
                entry.input[place] = "behind"
    at = next(i for i, entry in enumerate(model.graph.node) if tensor in entry.output)
    model.graph.node.insert(at + 1, helper.make_node("QuantizeLinear", [tensor, "s", "z"], ["q"], "made_Q"))
    model.graph.node.insert(at + 2, helper.make_node("DequantizeLinear", ["q", "s", "z"], ["behind"], "made_DQ"))


def pair_before_activation(model: Model) -> None:
    pair_behind(model, node(model, "Conv").output[0])


def quantized_scores(model: Model) -> None:
    over_distances = next(e for e in model.graph.node if e.op_type == "Softmax" and e.attribute[0].i == 1)
    pair_behind(model, over_distances.output[0])


def quantized_output(model: Model) -> None:
    output = model.graph.output[0].name
    final = next(entry for entry in model.graph.node if output in entry.output)
    final.output[0] = "rows"
    pair_behind(model, "rows")
    model.graph.node[-1].output[0] = output


def quantizer_alone(model: Model) -> None:
    output = node(model, "QuantizeLinear").output[0]
    model.graph.node.append(helper.make_node("Cast", [output], ["integers"], "stray", to=TensorProto.INT32))


@pytest.mark.parametrize(
    ("spoil", "rule", "says"),
    [
        (shifted_zero, "zero-point", "zero point 3, TensorRT takes only 0"),
        (unsigned, "uint8", "TensorRT takes int8"),
        (zero_scale, "scale", "scale 0.0, expected finite and positive"),
        (infinite_scale, "scale", "scale inf, expected finite and positive"),
        (half_scale, "scale-type", "differ in type"),
        (one_scale_for_all_weights, "per-channel", "quantize weights by channel"),
        (wrong_axis, "per-channel", "along axis 1, TensorRT wants output channels: set axis to 0"),
        (float_weights, "half-quantized", "its weights are in float"),
        (float_residual, "residual", "quantize both inputs"),
        (pair_before_activation, "activation", "between a convolution and its Sigmoid"),
        (quantized_scores, "output", "leave the head's last convolutions and the decoding in float"),
        (quantized_output, "output-concat", "boxes and scores share a scale"),
        (quantizer_alone, "unpaired", "no DequantizeLinear follows it"),
    ],
)
def test_each_fault_is_found_and_no_other(s8: Model, spoil: Callable[[Model], None], rule: str, says: str) -> None:
    assert lint(s8) == []
    spoil(s8)
    found = lint(s8)
    assert {finding.rule for finding in found} == {rule}
    assert all(says in finding.remedy for finding in found)
    assert {finding.node for finding in found} <= {entry.name for entry in s8.graph.node}


def test_u8_and_everything_are_not_for_tensorrt(made: dict[str, Model]) -> None:
    assert {"uint8", "bias", "zero-point", "activation"} <= {finding.rule for finding in lint(made["u8"])}
    assert {"output", "output-concat"} <= {finding.rule for finding in lint(made["all"])}
    first = lint(made["u8"])[0]
    assert str(first) == f"{first.node}: {first.rule}: {first.remedy}"


@pytest.mark.parametrize("make", [yolo, transformer, resnet])
def test_s8_of_every_kind_of_network_is_clean(make: Callable[[], Model], tmp_path: Path) -> None:
    path = save(make(), tmp_path / "m.onnx")
    model = prepared(make())
    assert lint(model) == []
    assert lint(quantize(model, collect_ranges(path, noise()), "s8", float_region(model))) == []


def test_raw_bytes_must_be_cast_first() -> None:
    net = Net((1, 8, 8, 3))
    moved = net.op("Transpose", "images", perm=[0, 3, 1, 2])
    pixels = net.op("Cast", moved, to=TensorProto.FLOAT)
    (found,) = lint(net.model({net.conv(pixels, 3, 2): (1, 2, 8, 8)}, TensorProto.UINT8))
    assert (found.node, found.rule) == ("images", "cast-first")
    assert "Transpose reads the uint8 input" in found.remedy
