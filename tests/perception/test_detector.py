"""NetworkDetector on real ONNX files: from a frame of any size to boxes in its pixels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from deploy.errors import BadInput
from deploy.model_store import ModelStore
from deploy.onnxruntime_backend import OnnxRuntimeBackend
from geometry import Camera, letterbox_fit
from perception.detector import Detector, NetworkDetector
from perception.frame import Frame
from perception.model_metadata import class_names
from tests.deploy.onnx_models import write_constant, write_model

NAMES = ("red_cube", "distractor")
OURS = {
    "eyehand.classes": json.dumps(NAMES), "eyehand.letterbox": "center-114", "eyehand.color_order": "RGB",
    "eyehand.scale": "1/255", "eyehand.layout": "yolo-raw-cxcywh", "eyehand.input": "1x3x256x320",
}  # fmt: skip
INPUT = (1, 3, 256, 320)


def _output(rows: list[list[float]], count: int = 1680) -> np.ndarray:
    """Raw output (1, 6, N): x1, y1, x2, y2 [px of the input], two scores; the other rows have no score."""
    output = np.zeros((1, 6, count), np.float32)
    for column, (x1, y1, x2, y2, first, second) in enumerate(rows):
        output[0, :, 7 * column] = ((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1, first, second)
    return output


def _frame(width: int = 640, height: int = 480, color: np.ndarray | None = None) -> Frame:
    image = np.zeros((height, width, 3), np.uint8) if color is None else color
    return Frame("wrist", 7, 123, 456, image, None, 0.0, Camera(width, height, 600.0, 600.0, 0.0, 0.0))


def _detector(
    folder: Path, output: np.ndarray, metadata: dict[str, str] | None = None, **kwargs: Any
) -> NetworkDetector:
    path = write_constant(folder / "m.onnx", [output], INPUT, OURS if metadata is None else metadata)
    return NetworkDetector(OnnxRuntimeBackend(path), **kwargs)


@pytest.mark.parametrize("size", [(640, 480), (480, 640), (320, 256), (641, 479), (1280, 720), (97, 333), (50, 40)])
def test_boxes_come_back_in_the_images_own_pixels(tmp_path: Path, size: tuple[int, int]) -> None:
    width, height = size
    fit_w, fit_h, left, top = letterbox_fit(width, height, 320, 256)
    wanted = np.array([[0.1, 0.2, 0.4, 0.5], [0.5, 0.55, 0.9, 0.8]]) * (width, height, width, height)
    inside = wanted * np.tile((fit_w / width, fit_h / height), 2) + (left, top, left, top)
    rows = [[*inside[0], 0.05, 0.8], [*inside[1], 0.9, 0.0]]
    detector: Detector = _detector(tmp_path, _output(rows))
    found = detector.detect(_frame(width, height))
    np.testing.assert_allclose(found.boxes, wanted[::-1], atol=1e-3)  # best first
    assert found.scores.tolist() == pytest.approx([0.9, 0.8])
    assert found.class_ids.tolist() == [0, 1]
    assert (found.camera_name, found.sequence, found.stamp_ns, found.class_names) == ("wrist", 7, 123, NAMES)
    assert detector.class_names == NAMES


def test_overlapping_boxes_are_suppressed_within_a_class(tmp_path: Path) -> None:
    rows = [
        [100, 100, 200, 200, 0.95, 0.0],
        [105, 105, 205, 205, 0.90, 0.0],
        [105, 105, 205, 205, 0.0, 0.7],
        [10, 20, 30, 40, 0.3, 0.0],
        [10, 60, 30, 80, 0.2, 0.0],
    ]
    found = _detector(tmp_path, _output(rows)).detect(_frame())
    assert found.scores.tolist() == pytest.approx([0.95, 0.7, 0.3])
    assert found.class_ids.tolist() == [0, 1, 0]


@pytest.mark.parametrize(
    ("parameters", "count"),
    [({}, 4), ({"confidence": 0.5}, 3), ({"confidence": 0.99}, 0), ({"iou": 0.9}, 5), ({"max_detections": 2}, 2)],
)
def test_parameters(tmp_path: Path, parameters: dict[str, float], count: int) -> None:
    rows = [
        [10, 20, 50, 60, 0.9, 0.0],
        [12, 22, 52, 62, 0.8, 0.0],
        [100, 20, 150, 60, 0.7, 0.0],
        [200, 20, 250, 60, 0.6, 0.0],
        [250, 120, 300, 160, 0.3, 0.0],
    ]
    assert len(_detector(tmp_path, _output(rows), **parameters).detect(_frame())) == count


def test_boxes_are_clipped_to_the_image_and_dropped_outside_it(tmp_path: Path) -> None:
    # the input has 8 rows of padding above and below the image
    rows = [[-20, 100, 20, 140, 0.9, 0.0], [300, 230, 340, 270, 0.8, 0.0], [100, 0, 140, 8, 0.7, 0.0]]
    found = _detector(tmp_path, _output(rows)).detect(_frame())
    np.testing.assert_allclose(found.boxes, [[0, 184, 40, 264], [600, 444, 640, 480]], atol=1e-3)


def test_nothing_found(tmp_path: Path) -> None:
    found = _detector(tmp_path, _output([])).detect(_frame())
    assert (len(found), found.boxes.shape, found.sequence) == (0, (0, 4), 7)


def test_the_model_sees_the_letterboxed_image_as_red_green_blue(tmp_path: Path) -> None:
    """A model whose score is the red of one pixel of its input: the whole path has to be right for it to fire."""
    nodes = [
        helper.make_node("Slice", ["images", "from", "to", "axes"], ["pixel"]),
        helper.make_node("Reshape", ["pixel", "flat"], ["score"]),
        helper.make_node("Concat", ["box", "score", "none"], ["output0"], axis=1),
    ]
    constants = {
        "from": np.array([0, 8 + 50, 100]), "to": np.array([1, 8 + 51, 101]), "axes": np.array([1, 2, 3]),
        "flat": np.array([1, 1, 1]), "none": np.zeros((1, 1, 1), np.float32),
        "box": np.array([100, 58, 20, 20], np.float32).reshape(1, 4, 1),
    }  # fmt: skip
    path = write_model(
        tmp_path / "m.onnx", nodes, {"images": INPUT}, {"output0": (1, 6, 1)}, constants, OURS, TensorProto.FLOAT
    )
    detector = NetworkDetector(OnnxRuntimeBackend(path))
    image = np.zeros((480, 640, 3), np.uint8)
    image[100:102, 200:202] = (255, 255, 0)  # all but red
    assert len(detector.detect(_frame(color=image))) == 0
    image[100:102, 200:202] = (0, 0, 204)
    assert detector.detect(_frame(color=image)).scores.tolist() == pytest.approx([0.8])


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({"eyehand.classes": '["a", "b"]'}, ("a", "b")),
        ({"eyehand.classes": '["a", "b"]', "names": "{0: 'x', 1: 'y'}"}, ("a", "b")),
        ({"names": "{0: 'x', 1: 'y'}"}, ("x", "y")),
        ({"names": "{1: 'y', 0: 'x'}"}, ("x", "y")),
        ({"names": '{"0": "x", "1": "y"}'}, ("x", "y")),
        ({"names": "['x', 'y']"}, ("x", "y")),
    ],
)
def test_class_names_come_from_the_model(metadata: dict[str, str], expected: tuple[str, ...]) -> None:
    assert class_names(metadata) == expected


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ({}, "neither eyehand.classes nor names, it has nothing"),
        ({"stride": "32", "task": "detect"}, "it has stride, task"),
        ({"eyehand.classes": "[oops"}, "eyehand.classes = .* cannot be read"),
        ({"eyehand.classes": "[]"}, "at least one name"),
        ({"eyehand.classes": "[1, 2]"}, "at least one name"),
        ({"names": "{0: 'x', 2: 'y'}"}, r"class numbers \[0, 2\]: expected 0..1"),
        ({"names": "__import__('os')"}, "cannot be read"),
        (OURS | {"eyehand.letterbox": "topleft-0"}, "eyehand.letterbox = 'topleft-0': supported is 'center-114'"),
        (OURS | {"eyehand.color_order": "BGR"}, "eyehand.color_order = 'BGR'"),
        (OURS | {"eyehand.scale": "1"}, "eyehand.scale = '1'"),
        (OURS | {"eyehand.layout": "detr"}, "declares the layout 'detr'"),
        (OURS | {"eyehand.input": "1x3x320x320"}, "eyehand.input = '1x3x320x320' and has the input 1x3x256x320"),
        (OURS | {"imgsz": "[320, 256]"}, r"imgsz = \[320, 256\]"),
        (OURS | {"imgsz": "256"}, "imgsz = 256"),
        (OURS | {"eyehand.classes": '["a", "b", "c"]'}, r"\[1, 6, 1680\] of a model with 3 classes"),
    ],
)
def test_a_model_that_says_something_else_is_refused(tmp_path: Path, metadata: dict[str, str], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        _detector(tmp_path, _output([]), metadata)


@pytest.mark.parametrize(
    "metadata", [OURS | {"imgsz": "[256, 320]"}, {"names": "{0: 'a', 1: 'b'}", "imgsz": "[256, 320]"}]
)
def test_metadata_of_ultralytics_is_enough(tmp_path: Path, metadata: dict[str, str]) -> None:
    assert _detector(tmp_path, _output([]), metadata).input_size == (320, 256)


@pytest.mark.parametrize(
    ("outputs", "names", "words"),
    [
        ([np.zeros((1, 1000))], [str(i) for i in range(1000)], r"\[1, 1000\] of a model with 1000 classes: supported"),
        ([np.zeros((1, 300, 6))], list(NAMES), r"\[1, 300, 6\]"),
        ([np.zeros((1, 38, 1680)), np.zeros((1, 32, 64, 80))], list(NAMES), "masks"),
    ],
)
def test_a_model_of_another_kind_is_refused(
    tmp_path: Path, outputs: list[np.ndarray], names: list[str], words: str
) -> None:
    path = write_constant(tmp_path / "m.onnx", outputs, INPUT, {"eyehand.classes": json.dumps(names)})
    with pytest.raises(BadInput, match=words):
        NetworkDetector(OnnxRuntimeBackend(path))


@pytest.mark.parametrize(
    ("shape", "kind", "words"),
    [
        ((1, 256, 320, 3), TensorProto.FLOAT, r"float32\[1, 256, 320, 3\]"),
        ((4, 3, 256, 320), TensorProto.FLOAT, "batch 1"),
        ((1, 3, 256, 320), TensorProto.UINT8, "uint8"),
        ((1, 10), TensorProto.FLOAT, r"float32\[1, 10\]"),
    ],
)
def test_a_model_with_another_input_is_refused(tmp_path: Path, shape: tuple[int, ...], kind: int, words: str) -> None:
    path = write_constant(tmp_path / "m.onnx", [_output([])], shape, {"eyehand.classes": '["a", "b"]'}, kind)
    with pytest.raises(BadInput, match=words):
        NetworkDetector(OnnxRuntimeBackend(path))


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"confidence": 1.5}, "confidence 1.5 .*0..1"),
        ({"confidence": float("nan")}, "confidence nan"),
        ({"iou": -0.1}, "iou -0.1"),
        ({"max_detections": 0}, "max_detections 0"),
    ],
)
def test_parameters_out_of_range_are_named(tmp_path: Path, parameters: dict[str, float], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        _detector(tmp_path, _output([]), **parameters)


def test_the_packaged_model_loads_and_finds_nothing_in_a_black_image() -> None:
    name = "tabletop-yolov8n"
    if name not in ModelStore().names():
        pytest.skip(f"the packaged model {name} is not in this checkout")
    model = ModelStore().find(name)
    detector = NetworkDetector(OnnxRuntimeBackend(model.onnx_path), confidence=0.5)
    assert detector.class_names == NAMES
    assert len(detector.detect(_frame())) == 0
