"""Preprocessing inside the graph gives the numbers of the preprocessing outside."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import deploy
from deploy.backend import Tensor
from deploy.errors import BadInput
from deploy.export.bake import as_float, bake_preprocessing
from deploy.onnxruntime_backend import OnnxRuntimeBackend

onnx = pytest.importorskip("onnx")
SHIPPED = Path(deploy.__file__).parent / "models" / "tabletop-yolov8n" / "model.onnx"


def run(path: Path, tensor: Tensor) -> Tensor:
    backend = OnnxRuntimeBackend(path)
    (spec,) = backend.io_spec.inputs
    (output,) = backend.infer({spec.name: tensor}).values()
    return output


def image_model(kind: int, shape: list[Any], metadata: dict[str, str] | None = None) -> Any:
    helper = onnx.helper
    graph = helper.make_graph(
        [helper.make_node("Identity", ["images"], ["output0"])],
        "g",
        [helper.make_tensor_value_info("images", kind, shape)],
        [helper.make_tensor_value_info("output0", kind, shape)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, metadata or {})
    return model


def test_the_shipped_detector_gives_the_same(tmp_path: Path) -> None:
    model = onnx.load(str(SHIPPED))
    before = model.SerializeToString()
    baked = bake_preprocessing(model)
    assert model.SerializeToString() == before, "a pure function"
    onnx.save(baked, str(tmp_path / "baked.onnx"))
    rng = np.random.default_rng(0)
    for _ in range(3):
        pixels = rng.integers(0, 256, (1, 256, 320, 3), dtype=np.uint8)
        expected = run(SHIPPED, as_float(pixels))
        found = run(tmp_path / "baked.onnx", pixels)
        assert np.abs(found[:, 4:] - expected[:, 4:]).max() <= 1e-6, "scores"
        assert np.abs(found[:, :4] - expected[:, :4]).max() <= 1e-6 * 320, "boxes [px]"


def test_the_cast_comes_first_and_the_metadata_says_so() -> None:
    baked = bake_preprocessing(onnx.load(str(SHIPPED)))
    assert [node.op_type for node in baked.graph.node[:5]] == ["Cast", "Transpose", "Gather", "Mul", "Conv"]
    readers = [node.op_type for node in baked.graph.node if "pixels" in node.input]
    assert readers == ["Cast"], "nothing else takes uint8"
    metadata = {entry.key: entry.value for entry in baked.metadata_props}
    assert metadata["eyehand.input"] == "1x256x320x3"
    assert (metadata["eyehand.color_order"], metadata["eyehand.scale"]) == ("BGR", "baked")
    assert metadata["eyehand.layout"] == "yolo-raw-cxcywh"
    assert json.loads(metadata["imgsz"]) == [256, 320]


@pytest.mark.parametrize("order", ["RGB", "BGR"])
def test_channels_take_the_order_that_the_network_wants(tmp_path: Path, order: str) -> None:
    model = image_model(onnx.TensorProto.FLOAT, [1, 3, 1, 2], {"eyehand.color_order": order})
    onnx.save(bake_preprocessing(model), str(tmp_path / "m.onnx"))
    pixels = np.array([[[[10, 20, 30], [40, 50, 60]]]], np.uint8)
    found = run(tmp_path / "m.onnx", pixels)[0, :, 0] * 255.0
    blue_first = np.array([[10, 40], [20, 50], [30, 60]])
    np.testing.assert_allclose(found, blue_first if order == "BGR" else blue_first[::-1], rtol=1e-6)


def test_half_precision_is_scaled_in_float(tmp_path: Path) -> None:
    onnx.save(bake_preprocessing(image_model(onnx.TensorProto.FLOAT16, [1, 3, 8, 32])), str(tmp_path / "m.onnx"))
    pixels = np.arange(768).reshape(1, 8, 32, 3).astype(np.uint8)
    np.testing.assert_array_equal(run(tmp_path / "m.onnx", pixels), as_float(pixels).astype(np.float16))


@pytest.mark.parametrize(
    ("shape", "metadata", "message"),
    [
        ([1, 4], {}, r"inputs images float\[1, 4\]: expected one image"),
        ([1, 3, "h", 32], {}, r"float\[1, 3, 0, 32\]"),
        ([1, 1, 32, 32], {}, r"float\[1, 1, 32, 32\]"),
        ([1, 3, 32, 32], {"eyehand.scale": "imagenet"}, "eyehand.scale imagenet"),
        ([1, 3, 32, 32], {"eyehand.color_order": "GRAY"}, "colour order GRAY"),
    ],
)
def test_other_inputs_are_refused(shape: list[Any], metadata: dict[str, str], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        bake_preprocessing(image_model(onnx.TensorProto.FLOAT, shape, metadata))


def test_it_is_done_once() -> None:
    baked = bake_preprocessing(onnx.load(str(SHIPPED)))
    with pytest.raises(BadInput, match=r"pixels uint8\[1, 256, 320, 3\]"):
        bake_preprocessing(baked)
