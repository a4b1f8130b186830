"""Our run time and the framework's own predictor find the same boxes with the same scores, image in to boxes out.

The framework runs its network in torch, with its own letterbox, decoding and suppression; the run time runs the
exported file. Both get the same pictures: sizes of cameras, odd ones, strips that a letterbox leaves mostly grey.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import deploy
from deploy.export.detector import ExportOptions, export_detector
from deploy.export.framework import END2END, Loaded, load, quiet
from deploy.export.pictures import picture
from deploy.onnxruntime_backend import OnnxRuntimeBackend
from deploy.training.from_onnx import checkpoint_from_onnx
from geometry.types import Image
from perception.detections import Detections
from perception.detector import NetworkDetector
from perception.evaluation.parity import Parity, compare
from perception.frame import Frame
from perception.letterbox import Letterbox
from robot.sim.labelled_set import RenderedSet

pytestmark = [
    pytest.mark.train,
    pytest.mark.skipif(importlib.util.find_spec("ultralytics") is None, reason="needs ultralytics: make test-train"),
]

SHIPPED = Path(deploy.__file__).parent / "models" / "tabletop-yolov8n" / "model.onnx"
SIZES = (
    (640, 480), (641, 479), (333, 500), (97, 400), (320, 256),
    (101, 77), (500, 333), (256, 256), (1280, 721), (31, 640),
)  # fmt: skip
FOUR_THIRDS, SQUARE = (320, 256), (256, 256)
IMAGES = 50
TOP = 300
IOU = 0.7
SAME_BOX, SAME_SCORE = 0.99, 1e-3

SLIM_RTDETR = """
nc: 5
scales: {n: [0.33, 0.125, 1024]}
backbone:
  - [-1, 1, Conv, [64, 3, 2]]
  - [-1, 1, Conv, [128, 3, 2]]
  - [-1, 3, C2f, [128, True]]
  - [-1, 1, Conv, [256, 3, 2]]
  - [-1, 3, C2f, [256, True]]
  - [-1, 1, Conv, [512, 3, 2]]
  - [-1, 1, Conv, [1024, 3, 2]]
head:
  - [[4, 5, 6], 1, RTDETRDecoder, [nc, 64, 100, 4, 4, 2, 128]]
"""


class Framework:
    """The framework's predictor on one static input, as a detector of ours."""

    def __init__(self, loaded: Loaded, input_hw: tuple[int, int], confidence: float) -> None:
        self.class_names = loaded.classes
        self._model = loaded.model
        self._settings = {
            "imgsz": list(input_hw),
            "rect": False,  # else it cuts the padding to the stride, and the input is another one for each picture
            "conf": confidence,
            "iou": IOU,
            "max_det": TOP,
            "nms": False if loaded.layout == END2END else None,
            "device": "cpu",
            "verbose": False,
            "save": False,
        }

    def detect(self, frame: Frame) -> Detections:
        with quiet():
            (found,) = self._model.predict(frame.color, **self._settings)
        height, width = frame.color.shape[:2]
        # RT-DETR's predictor alone leaves boxes as they are where they go over the picture's edge.
        boxes = np.clip(found.boxes.xyxy.numpy(), 0.0, [width, height, width, height])
        scores, class_ids = found.boxes.conf.numpy(), found.boxes.cls.numpy().astype(np.int32)
        return broad(
            Detections(frame.camera_name, frame.sequence, frame.stamp_ns, boxes, scores, class_ids, self.class_names)
        )


class RunTime:
    """Our run time on an exported file."""

    def __init__(self, path: Path, confidence: float) -> None:
        self._detector = NetworkDetector(OnnxRuntimeBackend(path), confidence, IOU, TOP, max_candidates=30_000)
        self.class_names = self._detector.class_names

    def detect(self, frame: Frame) -> Detections:
        return broad(self._detector.detect(frame))


def broad(found: Detections) -> Detections:
    """Without what the picture's edge leaves a sliver of: there the overlap of equal boxes is a matter of rounding."""
    return found.select((found.boxes[:, 2:] - found.boxes[:, :2]).min(axis=1, initial=np.inf) >= 1.0)


def made_up(count: int = IMAGES) -> Iterator[Image]:
    for number in range(count):
        yield picture(SIZES[number % len(SIZES)], 5000 + number)


@pytest.fixture(scope="module")
def rendered() -> list[Image]:
    images = []
    for number, sample in enumerate(RenderedSet("auto", IMAGES, seed=900_400, domain="task")):
        width, height = SIZES[number % len(SIZES)]
        inside = width <= sample.image.shape[1] and height <= sample.image.shape[0]
        left, top = (sample.image.shape[1] - width) // 2, (sample.image.shape[0] - height) // 2
        cut = sample.image[top : top + height, left : left + width] if inside and min(width, height) > 200 else None
        images.append(cv2.resize(sample.image, (width, height)) if cut is None else np.ascontiguousarray(cut))
    return images


def parity(folder: Path, images: Iterable[Image], confidence: float, **options: Any) -> Parity:
    exported = export_detector(ExportOptions(**options), folder)
    theirs = Framework(exported.detector, exported.input_hw, confidence)
    return compare(theirs, RunTime(exported.path, confidence), images, overlap=SAME_BOX)


def assert_same_top(found: Parity) -> None:
    assert found.reference > 20 * found.frames, "boxes to compare"
    assert found.share >= 0.995, "two boxes at the threshold of suppression may go either way by rounding"
    assert found.score.max < SAME_SCORE


@pytest.mark.parametrize("source_wh", [*SIZES, (1, 1), (3, 640), (639, 481), (1920, 1080)], ids=str)
@pytest.mark.parametrize("target_wh", [FOUR_THIRDS, SQUARE, (192, 160)], ids=str)
def test_the_letterbox_is_theirs_to_the_pixel(source_wh: tuple[int, int], target_wh: tuple[int, int]) -> None:
    from ultralytics.data.augment import LetterBox

    image = picture(source_wh, 7)
    for rule, stretch in (("center-114", False), ("stretch", True)):
        theirs = LetterBox(target_wh[::-1], auto=False, scale_fill=stretch)(image=image)
        ours = Letterbox(*source_wh, *target_wh, rule).canvas(image)
        np.testing.assert_array_equal(ours, theirs, err_msg=rule)


@pytest.mark.parametrize(("imgsz", "images"), [(FOUR_THIRDS, IMAGES), (SQUARE, 10)], ids=["4:3", "square"])
@pytest.mark.parametrize(
    ("weights", "end2end"),
    [("yolov8n.yaml", False), ("yolo11n.yaml", False), ("yolo26n.yaml", False), ("yolo26n.yaml", True)],
    ids=["v8", "11", "26", "26-end2end"],
)
def test_yolo_with_random_weights(
    tmp_path: Path, weights: str, end2end: bool, imgsz: tuple[int, int], images: int
) -> None:
    assert_same_top(parity(tmp_path, made_up(images), 0.0, weights=weights, end2end=end2end, imgsz=imgsz, seed=1))


@pytest.mark.parametrize(("imgsz", "images"), [(FOUR_THIRDS, IMAGES), (SQUARE, 10)], ids=["4:3", "square"])
def test_rtdetr_with_random_weights(tmp_path: Path, imgsz: tuple[int, int], images: int) -> None:
    described = tmp_path / "slim-rtdetr.yaml"
    described.write_text(SLIM_RTDETR)
    (tmp_path / "work").mkdir()
    found = parity(tmp_path / "work", made_up(images), 0.0, weights=str(described), imgsz=imgsz, seed=1)
    assert_same_top(found)
    assert found.share == 1.0, "no suppression, no threshold"


@pytest.mark.parametrize("weights", ["yolov8n.yaml", "rtdetr"])
def test_with_preprocessing_in_the_graph(tmp_path: Path, weights: str) -> None:
    if weights == "rtdetr":
        described = tmp_path / "slim-rtdetr.yaml"
        described.write_text(SLIM_RTDETR)
        weights = str(described)
    (tmp_path / "work").mkdir()
    assert_same_top(parity(tmp_path / "work", made_up(10), 0.0, weights=weights, imgsz=FOUR_THIRDS, bake=True, seed=2))


@pytest.mark.parametrize("imgsz", [FOUR_THIRDS, (640, 480)], ids=["as trained", "larger"])
def test_trained_yolov8(tmp_path: Path, rendered: list[Image], imgsz: tuple[int, int]) -> None:
    weights = str(checkpoint_from_onnx(SHIPPED, tmp_path / "best.pt"))
    found = parity(tmp_path, rendered, 0.25, weights=weights, imgsz=imgsz)
    assert found.reference >= IMAGES, "a test on pictures that show something"
    assert found.share == 1.0
    assert found.score.max < SAME_SCORE


def test_the_shipped_file_itself(tmp_path: Path, rendered: list[Image]) -> None:
    loaded = load(str(checkpoint_from_onnx(SHIPPED, tmp_path / "best.pt")), tmp_path)
    found = compare(Framework(loaded, (256, 320), 0.25), RunTime(SHIPPED, 0.25), rendered, overlap=SAME_BOX)
    assert found.reference >= IMAGES
    assert found.share == 1.0
    assert found.score.max < SAME_SCORE
