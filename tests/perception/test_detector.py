"""NetworkDetector on real ONNX files: from a frame of any size to boxes in its pixels."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import onnx
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
    [
        ({}, 4),
        ({"confidence": 0.5}, 3),
        ({"confidence": 0.99}, 0),
        ({"iou": 0.9}, 5),
        ({"max_detections": 2}, 2),
        ({"max_candidates": 3}, 2),
    ],
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
        (OURS | {"eyehand.color_order": "RGBA"}, "eyehand.color_order = 'RGBA': supported is 'RGB' or 'BGR'"),
        (OURS | {"eyehand.scale": "1/256"}, "eyehand.scale = '1/256': supported is '1/255' or '1' or 'baked'"),
        (OURS | {"eyehand.scale": "baked"}, "uint8, BGR and 'baked' go together"),
        (OURS | {"eyehand.layout": "detr"}, "declares eyehand.layout = 'detr'"),
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
        ([np.zeros((1, 39, 1680)), np.zeros((1, 32, 64, 80))], list(NAMES), r"\[1, 39, 1680\].*\[1, 32, 64, 80\]"),
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
        ({"max_candidates": 0}, "max_candidates 0"),
    ],
)
def test_parameters_out_of_range_are_named(tmp_path: Path, parameters: dict[str, float], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        _detector(tmp_path, _output([]), **parameters)


def test_suppression_across_classes(tmp_path: Path) -> None:
    rows = [[100, 100, 200, 200, 0.95, 0.0], [105, 105, 205, 205, 0.0, 0.7], [10, 20, 30, 40, 0.3, 0.0]]
    found = _detector(tmp_path, _output(rows), class_agnostic=True).detect(_frame())
    assert found.scores.tolist() == pytest.approx([0.95, 0.3])


BOX = (64.0, 32.0, 128.0, 96.0)  # of the input
CENTERED = (96.0, 64.0, 64.0, 64.0)
FRACTIONS = (96 / 320, 64 / 256, 64 / 320, 64 / 256)
LOGITS = (-9.0, 3.0, -9.0)
ANCHORS = '{"16": [[9, 9], [9, 9]], "8": [[9, 9], [64, 64]]}'
ULTRALYTICS = {"names": "{0: 'red_cube', 1: 'distractor'}", "task": "detect", "imgsz": "[256, 320]"}
TRANSFORMER = ULTRALYTICS | {"head": "RTDETRDecoder", "end2end": "False", "stride": "32"}
END2END = ULTRALYTICS | {"head": "Detect", "end2end": "True"}


def _declared(layout: str, **more: str) -> dict[str, str]:
    return OURS | {"eyehand.layout": layout} | {f"eyehand.{key}": value for key, value in more.items()}


def _grids() -> list[np.ndarray]:
    """Scales of strides 16 and 8: a cell of the finer one sees the box at its corner, with an anchor of its size."""
    coarse, fine = np.zeros((1, 2 * 7, 16, 20)), np.zeros((1, 2, 32, 40, 7))
    coarse[:] = fine[:] = -9.0
    fine[0, 1, 8, 12] = (-30, -30, 0, 0, 9, -9, 3)
    return [coarse, fine]


@pytest.mark.parametrize(
    ("outputs", "metadata", "letterboxed", "scores"),
    [
        ([[[*BOX, 0.9, 1], [*BOX, 0.8, 1], [0, 0, 0, 0, 0, 0]]], END2END, True, [0.9, 0.8]),
        ([[[*FRACTIONS, 0.9, 1], [*FRACTIONS, 0.8, 1]]], TRANSFORMER, False, [0.9, 0.8]),
        ([[[*FRACTIONS, 0.1, 0.9], [*FRACTIONS, 0.1, 0.8]]], _declared("rtdetr-raw-cxcywh"), True, [0.9, 0.8]),
        ([[LOGITS, LOGITS], [FRACTIONS, FRACTIONS]], _declared("detr-logits"), True, [0.99999, 0.99999]),
        ([[[*CENTERED, 0.9, 0.1, 1], [*CENTERED, 0.8, 0, 1]]], _declared("yolo-anchor-decoded"), True, [0.9]),
        (_grids(), _declared("yolo-anchor-grid", anchors=ANCHORS, anchor_style="v3"), True, [0.95246]),
    ],
    ids=["end2end", "rtdetr", "rtdetr-raw", "detr", "anchor-decoded", "anchor-grid"],
)
def test_every_layout_gives_boxes_in_the_images_own_pixels(
    tmp_path: Path, outputs: list[Any], metadata: dict[str, str], letterboxed: bool, scores: list[float]
) -> None:
    arrays = [np.array(output, np.float32) for output in outputs]
    shaped = [array if array.ndim > 3 else array.reshape(1, *array.shape[-2:]) for array in arrays]
    path = write_constant(tmp_path / "m.onnx", shaped, INPUT, metadata)
    found = NetworkDetector(OnnxRuntimeBackend(path), confidence=0.5).detect(_frame(640, 480))
    # 640x480 in 320x256: halved with 8 rows of grey above, or stretched by 1/2 and 256/480
    wanted = [128, 48, 256, 176] if letterboxed else [128, 60, 256, 180]
    np.testing.assert_allclose(found.scores, scores, atol=1e-4)  # of a set, two of the same box stay
    np.testing.assert_allclose(found.boxes, [wanted] * len(scores), atol=1e-2)
    assert found.class_ids.tolist() == [1] * len(scores)


def test_a_set_is_bounded_and_best_first(tmp_path: Path) -> None:
    rows = [[10 * n, 20, 10 * n + 8, 30, 0.3 + 0.1 * n, 0] for n in range(5)]
    path = write_constant(tmp_path / "m.onnx", [np.array([rows])], INPUT, END2END)
    found = NetworkDetector(OnnxRuntimeBackend(path), max_detections=3).detect(_frame())
    assert found.scores.tolist() == pytest.approx([0.7, 0.6, 0.5])


def test_a_class_that_the_model_does_not_name_is_refused(tmp_path: Path) -> None:
    path = write_constant(tmp_path / "m.onnx", [np.array([[[*BOX, 0.9, 2]]])], INPUT, END2END)
    with pytest.raises(BadInput, match=r"class ids 2\.\.2: expected 0\.\.1"):
        NetworkDetector(OnnxRuntimeBackend(path)).detect(_frame())


def _seen(path: Path, kind: int, shape: tuple[int, ...], metadata: dict[str, str]) -> NetworkDetector:
    """A model of some input type whose output, in the same floating type, is a box with fixed scores."""
    half = kind == TensorProto.FLOAT16
    box = np.array([96, 64, 64, 64, 0.25, 0.75], np.float32).reshape(1, 6, 1)
    nodes = [helper.make_node("Cast", ["box"], ["output0"], to=TensorProto.FLOAT16 if half else TensorProto.FLOAT)]
    write_model(path, nodes, {"images": shape}, {"output0": (1, 6, 1)}, {"box": box}, metadata, kind)
    if half:
        model = onnx.load(str(path))
        model.graph.output[0].type.tensor_type.elem_type = TensorProto.FLOAT16
        onnx.save(model, str(path))
    return NetworkDetector(OnnxRuntimeBackend(path))


BAKED = OURS | {"eyehand.input": "1x256x320x3", "eyehand.color_order": "BGR", "eyehand.scale": "baked"}
BAKED |= {"imgsz": "[256, 320]"}
IMAGENET = {"eyehand.mean": "[0.485, 0.456, 0.406]", "eyehand.std": "[0.229, 0.224, 0.225]"}


@pytest.mark.parametrize(
    ("kind", "metadata", "expected"),
    [
        (TensorProto.FLOAT, OURS, [0.2, 0.4, 0.6]),
        (TensorProto.FLOAT, OURS | {"eyehand.color_order": "BGR"}, [0.6, 0.4, 0.2]),
        (TensorProto.FLOAT, OURS | {"eyehand.scale": "1"}, [51.0, 102.0, 153.0]),
        (TensorProto.FLOAT, OURS | IMAGENET, [(0.2 - 0.485) / 0.229, (0.4 - 0.456) / 0.224, (0.6 - 0.406) / 0.225]),
        (TensorProto.FLOAT16, OURS, [0.2, 0.4, 0.6]),
        (TensorProto.FLOAT16, OURS | {"eyehand.color_order": "BGR", "eyehand.scale": "1"}, [153.0, 102.0, 51.0]),
        (TensorProto.UINT8, BAKED, [153, 102, 51]),
    ],
)
def test_inputs_of_all_kinds(tmp_path: Path, kind: int, metadata: dict[str, str], expected: list[float]) -> None:
    baked = kind == TensorProto.UINT8
    detector = _seen(tmp_path / "m.onnx", kind, (1, 256, 320, 3) if baked else INPUT, metadata)
    assert detector.input_size == (320, 256)
    color = np.full((480, 640, 3), (153, 102, 51), np.uint8)
    tensor = detector.preprocess(color)
    assert tensor.dtype == helper.tensor_dtype_to_np_dtype(kind)
    pixel = tensor[0, 100, 100] if baked else tensor[0, :, 100, 100]
    np.testing.assert_allclose(pixel.astype(float), expected, rtol=1e-3 if kind == TensorProto.FLOAT16 else 1e-5)
    padding = tensor[0, 3, 100] if baked else tensor[0, :, 3, 100]
    unpadded = detector.preprocess(np.full((480, 640, 3), 114, np.uint8))
    np.testing.assert_allclose(unpadded[0, 100, 100] if baked else unpadded[0, :, 100, 100], padding)
    found = detector.detect(_frame(color=color))
    assert found.scores.tolist() == [0.75]
    np.testing.assert_allclose(found.boxes, [[128, 48, 256, 176]])
    assert (found.boxes.dtype, found.scores.dtype) == (np.float32, np.float32)


@pytest.mark.parametrize(
    ("kind", "shape", "metadata", "words"),
    [
        (TensorProto.UINT8, (1, 256, 320, 3), OURS | {"eyehand.input": "1x256x320x3"}, "uint8, BGR and 'baked'"),
        (TensorProto.UINT8, (1, 256, 320, 3), BAKED | {"eyehand.color_order": "RGB"}, "uint8, BGR and 'baked'"),
        (TensorProto.FLOAT, INPUT, BAKED | {"eyehand.input": "1x3x256x320"}, "uint8, BGR and 'baked'"),
        (TensorProto.UINT8, (1, 256, 320, 3), BAKED | IMAGENET, "expected one of them"),
        (TensorProto.UINT8, (1, 256, 320, 3), BAKED | {"eyehand.input": "1x3x256x320"}, "has the input 1x256x320x3"),
        (TensorProto.UINT8, (1, 256, 320, 3), BAKED | {"imgsz": "[320, 256]"}, "imgsz"),
        (TensorProto.FLOAT, INPUT, OURS | {"eyehand.mean": "[1, 2]"}, "three numbers"),
        (TensorProto.FLOAT, INPUT, OURS | {"eyehand.mean": '"123"'}, "three numbers"),
        (TensorProto.FLOAT, INPUT, OURS | {"eyehand.std": "[1, 2, 0]"}, "greater than 0"),
        (TensorProto.FLOAT, INPUT, OURS | {"eyehand.mean": "[1, 2, NaN]"}, "finite"),
    ],
)
def test_inputs_that_contradict_the_metadata_are_refused(
    tmp_path: Path, kind: int, shape: tuple[int, ...], metadata: dict[str, str], words: str
) -> None:
    with pytest.raises(BadInput, match=words):
        _seen(tmp_path / "m.onnx", kind, shape, metadata)


@pytest.mark.parametrize("kind", [TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.UINT8])
def test_preprocessing_allocates_nothing(tmp_path: Path, kind: int) -> None:
    baked = kind == TensorProto.UINT8
    detector = _seen(
        tmp_path / "m.onnx", kind, (1, 256, 320, 3) if baked else INPUT, BAKED if baked else OURS | IMAGENET
    )
    image = np.zeros((480, 640, 3), np.uint8)
    detector.preprocess(image)
    tracemalloc.start()
    try:
        detector.preprocess(image)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 10_000  # a plane has 81920 bytes


def test_letterboxes_of_many_sizes_are_not_kept(tmp_path: Path) -> None:
    detector = _detector(tmp_path, _output([[10, 20, 50, 60, 0.9, 0.0]]))
    first = detector.letterbox(640, 480)
    assert detector.letterbox(640, 480) is first
    for width in range(50, 80):
        assert len(detector.detect(_frame(width, 50))) <= 1
    assert detector.letterbox(640, 480) is not first


def test_the_packaged_model_loads_and_finds_nothing_in_a_black_image() -> None:
    name = "tabletop-yolov8n"
    if name not in ModelStore().names():
        pytest.skip(f"the packaged model {name} is not in this checkout")
    model = ModelStore().find(name)
    detector = NetworkDetector(OnnxRuntimeBackend(model.onnx_path), confidence=0.5)
    assert detector.class_names == NAMES
    assert len(detector.detect(_frame())) == 0


SEGMENT = OURS | {"eyehand.layout": "yolo-raw-cxcywh-masks", "task": "segment"}
SEGMENT_END2END = OURS | {"eyehand.layout": "yolo-end2end-xyxy-masks", "task": "segment"}


def _halves() -> np.ndarray:
    """Prototypes (1, 3, 64, 80): the left half of the input against the right, the top against the bottom, and all."""
    left, top = np.ones((64, 80)), np.ones((64, 80))
    left[:, 40:], top[32:] = -1.0, -1.0
    return np.stack((left, top, np.ones((64, 80))))[None]


def _segmentation(rows: list[list[float]]) -> np.ndarray:
    """Raw output (1, 9, N): as `_output`, and three coefficients."""
    output = np.zeros((1, 9, 1680), np.float32)
    output[0, :6] = _output([row[:6] for row in rows])[0]
    for column, row in enumerate(rows):
        output[0, 6:, 7 * column] = row[6:]
    return output


def _rectangle(left: int, top: int, right: int, bottom: int) -> np.ndarray:
    mask = np.zeros((480, 640), np.bool_)
    mask[top:bottom, left:right] = True
    return mask


# Boxes of the input; 640x480 is halved, with 8 rows of grey above. Its middle is the middle of the input.
LEFT = [100, 58, 220, 208, 0.9, 0.0, 1.0, 0.0, 0.0]
LEFT_AGAIN = [101, 58, 221, 208, 0.8, 0.0, 0.0, 0.0, 1.0]
BOTTOM = [100, 58, 220, 208, 0.0, 0.7, 0.0, -1.0, 0.0]
ALL = [10, 20, 60, 70, 0.6, 0.0, 0.0, 0.0, 1.0]
NOTHING = [240, 20, 290, 70, 0.5, 0.0, 0.0, 0.0, -1.0]
OUTSIDE = [10, 0, 60, 8, 0.95, 0.0, 0.0, 0.0, 1.0]
RECTANGLES = [(200, 100, 320, 400), (200, 240, 440, 400), (20, 24, 120, 124), (0, 0, 0, 0)]


def test_masks_go_with_the_boxes_that_stay(tmp_path: Path) -> None:
    """Exact, pixel by pixel: suppressed boxes, those outside and the order take their coefficients with them."""
    rows = [NOTHING, ALL, LEFT_AGAIN, BOTTOM, LEFT, OUTSIDE]
    path = write_constant(tmp_path / "m.onnx", [_segmentation(rows), _halves()], INPUT, SEGMENT)
    detector = NetworkDetector(OnnxRuntimeBackend(path))
    found = detector.detect(_frame())
    assert detector.has_masks
    assert found.scores.tolist() == pytest.approx([0.9, 0.7, 0.6, 0.5])
    assert found.masks is not None
    assert found.masks.image_size == (640, 480)
    for row, rectangle in enumerate(RECTANGLES):
        np.testing.assert_array_equal(found.masks.full(row), _rectangle(*rectangle))
        np.testing.assert_array_equal(
            found.masks.patch(row, 90, 410, 190, 451, 3), _rectangle(*rectangle)[90:410:3, 190:451:3]
        )


def test_masks_of_a_network_that_suppresses_by_itself(tmp_path: Path) -> None:
    rows = [[*row[:4], max(row[4:6]), float(row[5] > row[4]), *row[6:]] for row in (LEFT, BOTTOM, ALL, NOTHING)]
    padded = np.array([[*rows, [0.0] * 9]])
    path = write_constant(tmp_path / "m.onnx", [_halves(), padded], INPUT, SEGMENT_END2END)  # in the other order
    found = NetworkDetector(OnnxRuntimeBackend(path)).detect(_frame())
    assert found.class_ids.tolist() == [0, 1, 0, 0]
    assert found.masks is not None
    for row, rectangle in enumerate(RECTANGLES):
        np.testing.assert_array_equal(found.masks.full(row), _rectangle(*rectangle))


def test_masks_outlive_the_outputs_that_they_were_made_of(tmp_path: Path) -> None:
    path = write_constant(tmp_path / "m.onnx", [_segmentation([LEFT]), _halves()], INPUT, SEGMENT)
    detector = NetworkDetector(OnnxRuntimeBackend(path))
    outputs = {name: tensor.copy() for name, tensor in detector.infer(detector.preprocess(_frame().color)).items()}
    *_, masks = detector.postprocess(outputs, detector.letterbox(640, 480))
    for tensor in outputs.values():
        tensor[:] = -7.0
    assert masks is not None
    np.testing.assert_array_equal(masks.full(0), _rectangle(*RECTANGLES[0]))


def test_no_objects_no_masks_and_boxes_without_masks(tmp_path: Path) -> None:
    path = write_constant(tmp_path / "m.onnx", [_segmentation([]), _halves()], INPUT, SEGMENT)
    none = NetworkDetector(OnnxRuntimeBackend(path)).detect(_frame()).masks
    assert none is not None
    assert len(none) == 0
    boxes_only = _detector(tmp_path, _output([LEFT[:6]]))
    assert boxes_only.detect(_frame()).masks is None
    assert not boxes_only.has_masks


def test_masks_in_half_precision(tmp_path: Path) -> None:
    path = write_constant(tmp_path / "m.onnx", [_segmentation([LEFT, BOTTOM]), _halves()], INPUT, SEGMENT)
    model = onnx.load(str(path))
    for number, node in enumerate(model.graph.node):
        node.op_type = "Cast"
        node.attribute.append(helper.make_attribute("to", TensorProto.FLOAT16))
        model.graph.output[number].type.tensor_type.elem_type = TensorProto.FLOAT16
    onnx.save(model, str(path))
    found = NetworkDetector(OnnxRuntimeBackend(path)).detect(_frame())
    assert found.masks is not None
    for row in range(2):
        np.testing.assert_array_equal(found.masks.full(row), _rectangle(*RECTANGLES[row]))
