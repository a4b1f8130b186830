"""From rendered images to a model that the run time loads, through the command: one epoch on a handful of images."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from deploy.model_store import ModelStore
from deploy.onnxruntime_backend import OnnxRuntimeBackend
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
    command = ["train", "detector", "--images", "24", "--epochs", "1", "--seed", "3", "--out", str(out)]
    assert main([*command, "--small-out", f"{out}-small"]) == 0
    return out


def test_the_folder_is_a_model_of_the_store(folder: Path) -> None:
    model = ModelStore([folder.parent]).find("tiny")
    assert model.passport.sha256 == model.sha256
    assert model.passport.training["images"] == 24
    assert "--images 24 --epochs 1 --seed 3" in model.card
    assert "GNU AFFERO GENERAL PUBLIC LICENSE" in (folder / "LICENSE").read_text()


def test_the_file_says_how_to_use_it(folder: Path) -> None:
    backend = OnnxRuntimeBackend(folder / "model.onnx")
    assert json.loads(backend.metadata["eyehand.classes"]) == list(CLASS_NAMES)
    assert backend.metadata["eyehand.layout"] == "yolo-raw-cxcywh"
    (image,) = backend.io_spec.inputs
    (output,) = backend.io_spec.outputs
    assert image.shape == (1, 3, 256, 320)
    assert output.shape[:2] == (1, 4 + len(CLASS_NAMES))


def test_the_run_time_reads_its_output(folder: Path) -> None:
    detector = NetworkDetector(OnnxRuntimeBackend(folder / "model.onnx"), confidence=0.0001, max_detections=100)
    assert detector.class_names == CLASS_NAMES
    image = np.random.default_rng(0).integers(0, 255, (CAMERA.height, CAMERA.width, 3), dtype=np.uint8)
    found = detector.detect(Frame("wrist", 0, 0, 0, image, None, 0.001, CAMERA))
    assert len(found) > 0
    assert found.boxes.min() >= 0
    assert found.boxes.max() <= CAMERA.width


def test_its_sibling_takes_less_and_answers_the_same_classes(folder: Path) -> None:
    small = ModelStore([folder.parent]).find("tiny-small")
    assert small.passport.training["start"] == "tiny"
    backend = OnnxRuntimeBackend(small.onnx_path)
    assert backend.io_spec.inputs[0].shape == (1, 3, 160, 192)
    assert NetworkDetector(backend).class_names == CLASS_NAMES
    weights = [(folder / "training" / part / "run" / "weights" / "best.pt").stat().st_size for part in (".", "small")]
    assert weights[0] == pytest.approx(weights[1], rel=0.05), "the same network"


def test_data_and_training_lie_beside_it(folder: Path) -> None:
    images = sorted((folder / "dataset" / "images").rglob("*.jpg"))
    assert len(images) == 24
    assert (folder / "training" / "run" / "weights" / "best.pt").is_file()
