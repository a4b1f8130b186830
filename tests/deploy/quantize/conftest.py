from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from deploy.model_store import ModelStore
from deploy.quantize.calibrate import Calibration, collect
from perception.evaluation.labelled import LabelledImage
from perception.letterbox import Letterbox
from robot.sim.labelled_set import RenderedSet

Feeds = list[dict[str, np.ndarray]]


@pytest.fixture(scope="session")
def shipped() -> Path:
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    return ModelStore().find("tabletop-yolov8n").onnx_path


@pytest.fixture(scope="session")
def pictures() -> list[LabelledImage]:
    """Four to calibrate on and four to judge on, of another scene; rendering is what takes time here."""
    return [*RenderedSet("raycast", 4, 4100, "task"), *RenderedSet("raycast", 4, 4200, "task")]


@pytest.fixture(scope="session")
def calibration_feeds(pictures: list[LabelledImage]) -> Feeds:
    """Sixteen: each picture, mirrored, darker, and both."""
    images = [picture.image for picture in pictures[:4]]
    images += [np.ascontiguousarray(image[:, ::-1]) for image in images]
    images += [(image * 0.8).astype(np.uint8) for image in images]
    return [_feed(image) for image in images]


@pytest.fixture(scope="session")
def unseen_feeds(pictures: list[LabelledImage]) -> Feeds:
    return [_feed(picture.image) for picture in pictures[4:]]


def _feed(image: np.ndarray) -> dict[str, np.ndarray]:
    tensor = np.empty((1, 3, 256, 320), np.float32)
    Letterbox(image.shape[1], image.shape[0], 320, 256).apply(image, tensor[0])
    return {"images": tensor}


@pytest.fixture(scope="session")
def calibration(shipped: Path, calibration_feeds: Feeds) -> Calibration:
    return collect(shipped, calibration_feeds)
