"""A small RT-DETR through the command, from the backbone of a shipped detector: one epoch alone, one together."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from deploy.model_store import ModelStore
from deploy.onnxruntime_backend import OnnxRuntimeBackend
from deploy.training.rtdetr import DecoderSize, rectangular_validator
from launch.cli import main
from perception.detector import NetworkDetector
from perception.frame import Frame
from robot.sim.layout import CAMERA, CLASS_NAMES

pytestmark = [
    pytest.mark.train,
    pytest.mark.skipif(importlib.util.find_spec("ultralytics") is None, reason="needs ultralytics: make test-train"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("models") / "tiny"
    command = ["train", "detector", "--images", "24", "--epochs", "2", "--seed", "3", "--out", str(out)]
    assert main([*command, "--architecture", "rtdetr", "--start", "tabletop-yolov8n"]) == 0
    return out


def test_the_folder_is_a_model_of_the_store(folder: Path) -> None:
    model = ModelStore([folder.parent]).find("tiny")
    assert model.passport is not None
    assert model.passport.layout == "rtdetr-cxcywh"
    assert model.passport.letterbox == "center-114", "as it was trained, and as every YOLO here takes it"
    assert model.passport.training["epochs"] == 2
    assert "--architecture rtdetr --start tabletop-yolov8n" in model.card
    assert "the decoder from scratch, on the backbone and neck of `tabletop-yolov8n`" in model.card


def test_the_run_time_reads_its_output(folder: Path) -> None:
    backend = OnnxRuntimeBackend(folder / "model.onnx")
    assert backend.io_spec.inputs[0].shape == (1, 3, 256, 320)
    assert backend.io_spec.outputs[0].shape == (1, DecoderSize().queries, 6)
    detector = NetworkDetector(backend, confidence=0.0, max_detections=100)
    assert detector.class_names == CLASS_NAMES
    image = np.random.default_rng(0).integers(0, 255, (CAMERA.height, CAMERA.width, 3), dtype=np.uint8)
    found = detector.detect(Frame("wrist", 0, 0, 0, image, None, 0.001, CAMERA))
    assert len(found) > 0
    assert found.boxes.min() >= 0
    assert found.boxes.max() <= CAMERA.width


def test_backbone_and_neck_rest_at_first_and_learn_later(folder: Path) -> None:
    from ultralytics import RTDETR, YOLO

    training = folder / "training"
    start = YOLO(str(training / "start.pt")).model.state_dict()
    alone = RTDETR(str(training / "run" / "weights" / "best.pt")).model.state_dict()
    together = RTDETR(str(training / "thawed" / "run" / "weights" / "best.pt")).model.state_dict()
    names = [name for name in start if name.endswith("conv.weight") and not name.startswith("model.22.")]
    assert len(names) > 40
    for name in names:  # a checkpoint holds half precision
        np.testing.assert_allclose(alone[name], start[name], rtol=2e-3, atol=1e-6)
    assert any(not np.allclose(together[name], start[name], rtol=2e-3, atol=1e-6) for name in names)


def test_boxes_are_scaled_by_the_rectangle() -> None:
    import torch

    kind = rectangular_validator()
    validator = kind.__new__(kind)
    validator.args = SimpleNamespace(imgsz=320, conf=0.1, classes=None, max_det=10)
    validator.input_hw = (256, 320)
    answers = torch.tensor([[[0.5, 0.5, 0.25, 0.25, 0.9, 1.0], [0.5, 0.5, 0.1, 0.1, 0.01, 0.0]]])
    (image,) = validator.postprocess(answers)
    np.testing.assert_allclose(image["bboxes"].numpy(), [[120, 96, 200, 160]])
