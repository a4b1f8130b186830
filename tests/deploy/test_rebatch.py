"""rebatch: N images at once give what each gives alone, or the model is refused."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

from deploy.errors import BadInput
from deploy.onnx_metadata import onnx_header
from deploy.onnxruntime_backend import OnnxRuntimeBackend
from deploy.openvino_backend import OpenVinoBackend
from deploy.rebatch import rebatch
from deploy.timing import sample_inputs
from tests.deploy.onnx_models import write_double, write_model

SHIPPED = Path(__file__).resolve().parents[2] / "deploy" / "models" / "tabletop-yolov8n-small" / "model.onnx"


def reshaped(path: Path, shapes: Sequence[Sequence[int]], swap: bool = False) -> Path:
    """x (1, 4) through one reshape after the other, swapped between the first two if asked, to y (1, 4)."""
    nodes, value, constants = [], "x", {}
    for i, shape in enumerate(shapes):
        constants[f"shape{i}"] = np.array(shape, np.int64)
        nodes.append(helper.make_node("Reshape", [value, f"shape{i}"], [value := f"reshaped{i}"]))
        nodes.append(helper.make_node("Relu", [value], [value := f"positive{i}"]))  # else two reshapes become one
        if swap and i == 0:
            nodes.append(helper.make_node("Transpose", [value], [value := "swapped"], perm=[1, 0, 2]))
    nodes.append(helper.make_node("Identity", [value], ["y"]))
    return write_model(path, nodes, {"x": (1, 4)}, {"y": (1, 4)}, constants)


@pytest.mark.parametrize("batch", [1, 3])
def test_the_shipped_model(tmp_path: Path, batch: int) -> None:
    path = rebatch(SHIPPED, batch, tmp_path / "many.onnx")
    single = OnnxRuntimeBackend(SHIPPED)
    for many in (OnnxRuntimeBackend(path), OpenVinoBackend(path)):
        assert many.io_spec.inputs[0].shape == (batch, 3, 160, 192)
        images = sample_inputs(many.io_spec, seed=7)["images"]
        together = many.infer({"images": images})["output0"]
        for i in range(batch):
            alone = single.infer({"images": images[i : i + 1]})["output0"]
            np.testing.assert_allclose(together[i : i + 1, :4], alone[:, :4], atol=0.02)
            np.testing.assert_allclose(together[i : i + 1, 4:], alone[:, 4:], atol=1e-5)
    assert onnx_header(path) == onnx_header(SHIPPED)


def test_shapes_inside_are_rewritten_and_weights_are_not(tmp_path: Path) -> None:
    path = reshaped(tmp_path / "m.onnx", [(1, 2, 2), (1, -1)])
    model = onnx.load(str(path))
    # A weight is reshaped by the very constant that reshapes the images: it has no batch.
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([5, 6, 7, 8], np.float32), "weight"))
    model.graph.node.insert(0, helper.make_node("Reshape", ["weight", "shape0"], ["square"]))
    model.graph.node.insert(3, helper.make_node("Add", ["positive0", "square"], ["sum"]))
    model.graph.node[4].input[0] = "sum"
    onnx.save(model, str(path))
    many = OnnxRuntimeBackend(rebatch(path, 2, tmp_path / "many.onnx"))
    x = np.arange(8, dtype=np.float32).reshape(2, 4)
    np.testing.assert_array_equal(many.infer({"x": x})["y"], x + np.array([5, 6, 7, 8], np.float32))


def test_quantized(tmp_path: Path) -> None:
    constants = {"scale": np.array(0.01, np.float32), "zero": np.array(0, np.uint8), "shape": np.array([1, 2, 2])}
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["q"]),
        helper.make_node("Reshape", ["q", "shape"], ["r"]),
        helper.make_node("DequantizeLinear", ["r", "scale", "zero"], ["y"]),
    ]
    path = write_model(tmp_path / "m.onnx", nodes, {"x": (1, 4)}, {"y": (1, 2, 2)}, constants)
    assert OnnxRuntimeBackend(rebatch(path, 4, tmp_path / "many.onnx")).io_spec.outputs[0].shape == (4, 2, 2)


def test_images_that_mix_are_refused(tmp_path: Path) -> None:
    path = reshaped(tmp_path / "m.onnx", [(1, 2, 2), (1, -1)], swap=True)
    with pytest.raises(BadInput, match=r"m.onnx cannot be given batch 2: y of image 0 differs by .* \(limit 0.0001\)"):
        rebatch(path, 2, tmp_path / "many.onnx")
    assert OnnxRuntimeBackend(rebatch(path, 1, tmp_path / "one.onnx")).io_spec.outputs[0].shape == (1, 4)


def test_a_batch_in_the_middle_is_refused(tmp_path: Path) -> None:
    path = reshaped(tmp_path / "m.onnx", [(2, 2), (1, 4)])
    with pytest.raises(BadInput, match=r"m.onnx cannot be given batch 3: .*[Rr]eshape"):
        rebatch(path, 3, tmp_path / "many.onnx")


def test_what_has_no_batch_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"batch 4: x float32\[2, 3\] does not begin with a batch of 1"):
        rebatch(write_double(tmp_path / "m.onnx"), 4, tmp_path / "many.onnx")
    with pytest.raises(BadInput, match="batch 0: expected at least 1"):
        rebatch(SHIPPED, 0, tmp_path / "many.onnx")
