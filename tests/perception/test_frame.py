"""Frame and Detections: what they accept, and what they say about what they do not."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from deploy.errors import BadInput, EyehandError
from geometry import Camera
from perception.detections import Detections
from perception.frame import Frame
from perception.source import SourceStalled

CAMERA = Camera(8, 6, 10.0, 10.0, 3.5, 2.5)
COLOR = np.zeros((6, 8, 3), np.uint8)
DEPTH = np.zeros((6, 8), np.uint16)
NAMES = ("red_cube", "distractor")


def _frame(**changes: Any) -> Frame:
    fields: dict[str, Any] = {
        "camera_name": "0123", "sequence": 1, "stamp_ns": 10, "received_ns": 20,
        "color": COLOR, "depth": DEPTH, "depth_scale_m": 0.001, "camera": CAMERA,
    }  # fmt: skip
    return Frame(**(fields | changes))


@pytest.mark.parametrize(
    "changes", [{}, {"depth": None}, {"depth": None, "depth_scale_m": 0.0}, {"depth_scale_m": 0.000125}]
)
def test_frames_that_are_right(changes: dict[str, Any]) -> None:
    assert _frame(**changes).camera is CAMERA


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"depth_scale_m": 0.0},
            "depth scale 0.0 from camera 0123: expected > 0; read it from the frame's units",
        ),
        ({"depth_scale_m": -0.001}, "depth scale -0.001 from camera 0123"),
        ({"depth_scale_m": math.nan}, "depth scale nan from camera 0123"),
        ({"depth_scale_m": math.inf}, "depth scale inf from camera 0123"),
        ({"color": COLOR[:, :, 0]}, "colour image uint8[6, 8] from camera 0123: expected uint8[height, width, 3]"),
        ({"color": np.zeros((6, 8, 4), np.uint8)}, "colour image uint8[6, 8, 4] from camera 0123"),
        ({"color": COLOR.astype(np.float32)}, "colour image float32[6, 8, 3] from camera 0123"),
        ({"color": np.zeros((8, 6, 3), np.uint8)}, "colour image 6x8 from camera 0123: expected 8x6"),
        ({"depth": DEPTH.astype(np.float32)}, "depth image float32[6, 8] from camera 0123: expected uint16[6, 8]"),
        ({"depth": np.zeros((12, 16), np.uint16)}, "depth image uint16[12, 16] from camera 0123"),
        ({"depth": DEPTH[..., None]}, "depth image uint16[6, 8, 1] from camera 0123"),
    ],
)
def test_frames_that_are_wrong_name_camera_value_and_limit(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput) as error:
        _frame(**changes)
    assert message in str(error.value)


def _detections(boxes: Any, scores: Any, class_ids: Any) -> Detections:
    return Detections("wrist", 4, 100, boxes, scores, class_ids, NAMES)


def test_detections_are_typed_read_only_copies() -> None:
    boxes = np.array([[0.0, 0.0, 2.0, 4.0]])
    found = _detections(boxes, [0.5], [1])
    boxes[:] = 9.0
    assert found.boxes.tolist() == [[0.0, 0.0, 2.0, 4.0]]
    assert (found.boxes.dtype, found.scores.dtype, found.class_ids.dtype) == (np.float32, np.float32, np.int32)
    for array in (found.boxes, found.scores, found.class_ids):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


@pytest.mark.parametrize(
    ("box", "center"),
    [
        ([0, 0, 1, 1], [0.0, 0.0]),  # the first pixel: its edges are 0 and 1, its centre is at 0
        ([0, 0, 640, 480], [319.5, 239.5]),
        ([10, 20, 13, 26], [11.0, 22.5]),
    ],
)
def test_centres_follow_the_pixel_convention(box: list[int], center: list[float]) -> None:
    assert _detections([box], [1.0], [0]).centers_px.tolist() == [center]


@pytest.mark.parametrize(
    ("rows", "scores"),
    [(np.array([True, False, True]), [0.9, 0.7]), (np.array([2, 0]), [0.7, 0.9]), (np.array([], np.int64), [])],
)
def test_select(rows: np.ndarray, scores: list[float]) -> None:
    found = _detections(np.arange(12.0).reshape(3, 4), [0.9, 0.8, 0.7], [0, 1, 0]).select(rows)
    assert found.scores.tolist() == pytest.approx(scores)
    assert (len(found), found.sequence, found.stamp_ns, found.class_names) == (len(scores), 4, 100, NAMES)
    assert found.boxes.shape == (len(scores), 4)


def test_empty() -> None:
    found = Detections.empty("wrist", 4, 100, NAMES)
    assert (len(found), found.boxes.shape, found.centers_px.shape) == (0, (0, 4), (0, 2))


@pytest.mark.parametrize(
    ("boxes", "scores", "class_ids", "words"),
    [
        (np.zeros((2, 4)), [0.5], [0, 0], r"boxes \(2, 4\), scores \(1,\)"),
        (np.zeros((1, 5)), [0.5], [0], r"boxes \(1, 5\)"),
        (np.zeros((1, 4)), [[0.5]], [0], r"scores \(1, 1\)"),
        (np.zeros((1, 4)), [0.5], [2], r"class ids 2..2: expected 0..1"),
        (np.zeros((1, 4)), [0.5], [-1], r"class ids -1..-1"),
    ],
)
def test_detections_that_are_wrong(boxes: Any, scores: Any, class_ids: Any, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        _detections(boxes, scores, class_ids)


def test_a_stalled_source_is_missing_hardware() -> None:
    error = SourceStalled("wrist", 2.0)
    assert isinstance(error, EyehandError)
    assert error.exit_code == 3
    assert str(error) == "camera wrist sent no frame for 2 s: check its cable and power, then start again"
