"""Symmetric INT8 on OpenVINO: the numbers of ONNX Runtime, where signed activations meet in a Concat too."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from onnx import NodeProto, TensorProto, helper

from deploy.onnxruntime_backend import OnnxRuntimeBackend
from deploy.openvino_backend import OpenVinoBackend
from deploy.openvino_int8 import count_from_zero
from tests.deploy.onnx_models import write_model

openvino = pytest.importorskip("openvino", reason="needs the extra openvino")


class Net:
    """A small quantized network, as TensorRT wants it: symmetric, per-channel weights, no zero points."""

    def __init__(self, zero_points: bool = True) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: dict[str, np.ndarray] = {}
        self._rng = np.random.default_rng(0)
        self._zero_points = zero_points

    def constant(self, value: np.ndarray) -> str:
        self.constants[name := f"c{len(self.constants)}"] = value
        return name

    def op(self, kind: str, *inputs: str, **attributes: object) -> str:
        output = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def quantized(self, value: str, scale: float) -> str:
        scale_name, zero = self.constant(np.float32(scale)), self.constant(np.int8(0))
        integers = self.op("QuantizeLinear", value, scale_name, zero)
        return self.op("DequantizeLinear", integers, scale_name, *([zero] if self._zero_points else []))

    def conv(self, value: str, outputs: int, inputs: int) -> str:
        weights = self._rng.normal(0, 0.3, (outputs, inputs, 3, 3)).astype(np.float32)
        scale = np.abs(weights).reshape(outputs, -1).max(1) / 127
        integers = self.constant(np.round(weights / scale[:, None, None, None]).astype(np.int8))
        zero = [self.constant(np.zeros(outputs, np.int8))] if self._zero_points else []
        weight = self.op("DequantizeLinear", integers, self.constant(scale), *zero, axis=0)
        return self.op("Conv", value, weight, pads=[1, 1, 1, 1])

    def silu(self, value: str) -> str:
        return self.op("Mul", value, self.op("Sigmoid", value))


def concat_then_quantize(net: Net) -> str:
    image = net.quantized("x", 0.05)
    both = [net.silu(net.conv(image, 8, 8)) for _ in range(2)]
    return net.conv(net.quantized(net.op("Concat", *both, axis=1), 0.1), 8, 16)


def quantize_then_concat(net: Net) -> str:
    image = net.quantized("x", 0.05)
    both = [net.quantized(net.silu(net.conv(image, 8, 8)), scale) for scale in (0.1, 0.03)]
    return net.conv(net.op("Concat", *both, axis=1), 8, 16)


def pooled(net: Net) -> str:
    one = net.quantized(net.silu(net.conv(net.quantized("x", 0.05), 8, 8)), 0.1)
    wide = net.op("MaxPool", one, kernel_shape=[5, 5], pads=[2, 2, 2, 2])
    return net.conv(net.op("Concat", one, wide, axis=1), 8, 16)


def one_after_the_other(net: Net) -> str:
    return net.conv(net.quantized(net.silu(net.conv(net.quantized("x", 0.05), 8, 8)), 0.1), 8, 8)


def written(path: Path, build: Callable[[Net], str], zero_points: bool = True) -> Path:
    net = Net(zero_points)
    net.nodes.append(helper.make_node("Identity", [build(net)], ["y"]))
    return write_model(path, net.nodes, {"x": (1, 8, 16, 16)}, {"y": (1, 8, 16, 16)}, net.constants)


@pytest.mark.parametrize("zero_points", [True, False])
@pytest.mark.parametrize("build", [concat_then_quantize, quantize_then_concat, pooled, one_after_the_other])
def test_the_numbers_of_onnx_runtime(tmp_path: Path, build: Callable[[Net], str], zero_points: bool) -> None:
    path = written(tmp_path / "m.onnx", build, zero_points)
    image = {"x": np.random.default_rng(1).normal(0, 2, (1, 8, 16, 16)).astype(np.float32)}
    ours, expected = (engine(path).infer(image)["y"] for engine in (OpenVinoBackend, OnnxRuntimeBackend))
    assert np.abs(expected).max() > 10
    error = np.abs(ours - expected)
    assert np.median(error) < 1e-4
    assert np.percentile(error, 99) < 0.2  # a value on the edge of two steps may go to either


def test_activations_are_rewritten_once_and_weights_are_not(tmp_path: Path) -> None:
    model = openvino.Core().read_model(str(written(tmp_path / "m.onnx", quantize_then_concat)))
    assert count_from_zero(model) == 3
    assert count_from_zero(model) == 0
    kinds = [node.get_output_element_type(0).get_type_name() for node in model.get_ops()]
    assert kinds.count("i8") == 6  # of three convolutions weights and zero points


def test_what_is_not_symmetric_int8_is_left_alone(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["y"]),
    ]
    constants = {"scale": np.array(0.1, np.float32), "zero": np.array(3, np.uint8)}
    path = write_model(tmp_path / "m.onnx", nodes, {"x": (4,)}, {"y": (4,)}, constants)
    assert count_from_zero(openvino.Core().read_model(str(path))) == 0
    x = np.array([-1.0, -0.31, 0.26, 99.0], np.float32)
    np.testing.assert_allclose(OpenVinoBackend(path).infer({"x": x})["y"], [-0.3, -0.3, 0.3, 25.2], atol=1e-6)


def test_signed_integers_that_are_the_output(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["q"]),
        helper.make_node("Cast", ["q"], ["y"], to=TensorProto.FLOAT),
    ]
    constants = {"scale": np.array(0.5, np.float32), "zero": np.array(0, np.int8)}
    path = write_model(tmp_path / "m.onnx", nodes, {"x": (4,)}, {"y": (4,)}, constants)
    x = np.array([-100.0, -1.0, 0.0, 2.0], np.float32)
    np.testing.assert_array_equal(OpenVinoBackend(path).infer({"x": x})["y"], [-128, -2, 0, 4])
