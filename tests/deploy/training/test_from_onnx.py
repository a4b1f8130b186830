"""The shipped detector as a checkpoint again: the framework computes from it what the file does."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

import deploy
from deploy.errors import BadInput
from deploy.onnxruntime_backend import OnnxRuntimeBackend
from deploy.training.from_onnx import checkpoint_from_onnx

pytestmark = [
    pytest.mark.train,
    pytest.mark.skipif(importlib.util.find_spec("ultralytics") is None, reason="needs ultralytics: make test-train"),
]
MODELS = Path(deploy.__file__).parent / "models"


@pytest.mark.parametrize("name", ["tabletop-yolov8n", "tabletop-yolov8n-small"])
def test_the_framework_computes_what_the_file_does(name: str, tmp_path: Path) -> None:
    import torch
    from ultralytics import YOLO

    file = MODELS / name / "model.onnx"
    model = YOLO(str(checkpoint_from_onnx(file, tmp_path / "best.pt"))).model.eval()
    backend = OnnxRuntimeBackend(file)
    (spec,) = backend.io_spec.inputs
    image = np.random.default_rng(0).random(spec.shape, dtype=np.float32)
    (expected,) = backend.infer({spec.name: image}).values()
    with torch.no_grad():
        found = model(torch.from_numpy(image))[0].numpy()
    assert found.shape == expected.shape
    assert np.abs(found - expected)[:, 4:].max() < 1e-5, "scores"
    assert np.abs(found - expected)[:, :4].max() < 1e-4 * max(spec.shape), "boxes [px]"
    assert model.names == {0: "red_cube", 1: "distractor"}


def test_another_file_is_refused(tmp_path: Path) -> None:
    import onnx

    model = onnx.load(str(MODELS / "tabletop-yolov8n" / "model.onnx"))
    kept = [entry for entry in model.graph.initializer if entry.name != "model.4.cv2.conv.weight"]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    onnx.save(model, str(tmp_path / "lacks.onnx"))
    with pytest.raises(BadInput, match=r"has no weights model\.4\.cv2\.conv\.weight \[32, 64, 1, 1\]"):
        checkpoint_from_onnx(tmp_path / "lacks.onnx", tmp_path / "best.pt")
    del model.metadata_props[:]
    onnx.save(model, str(tmp_path / "other.onnx"))
    with pytest.raises(BadInput, match="no export of a YOLOv8"):
        checkpoint_from_onnx(tmp_path / "other.onnx", tmp_path / "best.pt")
    with pytest.raises(BadInput, match="does not exist"):
        checkpoint_from_onnx(tmp_path / "none.onnx", tmp_path / "best.pt")
    assert not (tmp_path / "best.pt").exists()
