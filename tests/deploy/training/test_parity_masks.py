"""Masks of our run time are those of the framework's own predictor (`retina_masks=True`), image in to masks out.

Two things differ. When it cuts a mask at its box, the framework takes a pixel for its upper left corner, this project
for its centre: what only one of them cuts is not compared here. And where padding is no whole number of cells, the
framework enlarges twice. Random weights give masks of noise, one cell on and the next one off, so that this shows in
them; on masks as smooth as those of objects it does not.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from deploy.export.detector import Exported, ExportOptions, export_detector
from deploy.export.framework import quiet
from deploy.export.pictures import picture
from deploy.onnxruntime_backend import OnnxRuntimeBackend
from geometry.types import Image
from perception.detector import NetworkDetector
from perception.evaluation.labelled import still
from perception.evaluation.matching import overlaps, pairs
from perception.letterbox import Letterbox
from perception.masks import Masks

pytestmark = [
    pytest.mark.train,
    pytest.mark.skipif(importlib.util.find_spec("ultralytics") is None, reason="needs ultralytics: make test-train"),
]

INPUT = (320, 256)
WHOLE_CELLS = ((640, 480), (320, 256), (1280, 960), (640, 512), (256, 256))
OTHERS = ((641, 479), (333, 500), (97, 400), (500, 333), (1280, 721))
TOP, CONFIDENCE, IOU, SAME_BOX = 60, 0.02, 0.7, 0.99


def iou(ours: np.ndarray, theirs: np.ndarray, box: np.ndarray) -> float:
    """Of what both have cut, or neither."""
    clear = np.ones(theirs.shape, bool)
    for axis, (low, high) in enumerate((box[1::2], box[0::2])):
        pixel = np.arange(theirs.shape[axis])
        same = ((pixel >= low) & (pixel < high)) == ((pixel + 0.5 >= low) & (pixel + 0.5 < high))
        clear &= same[:, None] if axis == 0 else same
    either = np.count_nonzero((ours | theirs) & clear)
    return np.count_nonzero(ours & theirs & clear) / either if either else 1.0


def answers(exported: Exported, image: Image, end2end: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Boxes, scores, classes and masks (N, H, W) of the framework."""
    with quiet():
        (found,) = exported.detector.model.predict(
            image, imgsz=list(exported.input_hw), rect=False, conf=CONFIDENCE, iou=IOU, max_det=TOP, device="cpu",
            nms=False if end2end else None, retina_masks=True, verbose=False, save=False,
        )  # fmt: skip
    boxes = found.boxes
    masks = found.masks.data.numpy().astype(bool)
    return boxes.xyxy.numpy(), boxes.conf.numpy(), boxes.cls.numpy().astype(int), masks


@pytest.mark.parametrize(
    ("weights", "end2end"),
    [("yolov8n-seg.yaml", False), ("yolo11n-seg.yaml", False), ("yolo26n-seg.yaml", False), ("yolo26n-seg.yaml", True)],
    ids=["v8", "11", "26", "26-end2end"],
)
def test_random_weights(tmp_path: Path, weights: str, end2end: bool) -> None:
    exported = export_detector(ExportOptions(weights, imgsz=INPUT, end2end=end2end, seed=1), tmp_path)
    detector = NetworkDetector(OnnxRuntimeBackend(exported.path), CONFIDENCE, IOU, TOP, max_candidates=30_000)
    whole, others, matched, of_theirs = [], [], 0, 0
    for number, size in enumerate((*WHOLE_CELLS, *OTHERS)):
        image = picture(size, 5000 + number)
        boxes, scores, class_ids, masks = answers(exported, image, end2end)
        ours = detector.detect(still(image, number))
        assert ours.masks is not None
        value = overlaps(ours.boxes, boxes)
        value[ours.class_ids[:, None] != class_ids] = -1.0
        rows, columns = pairs(value, SAME_BOX)
        assert np.abs(ours.scores[rows] - scores[columns]).max(initial=0.0) < 1e-3
        matched, of_theirs = matched + len(rows), of_theirs + len(boxes)
        found = [
            iou(ours.masks.full(row), masks[column], boxes[column]) for row, column in zip(rows, columns, strict=True)
        ]
        (whole if size in WHOLE_CELLS else others).extend(found)
    assert of_theirs > 150, "boxes to compare"
    assert matched >= 0.99 * of_theirs, "it leaves out boxes with empty masks, but has none that we have not"
    print(f"{weights} {end2end}: {matched}/{of_theirs}, IoU {np.median(whole):.4f} {np.median(others):.4f}")
    assert np.median(whole) >= 0.999
    assert np.median(others) >= 0.9


@pytest.mark.parametrize("size", [*WHOLE_CELLS, *OTHERS], ids=str)
def test_masks_of_objects(size: tuple[int, int]) -> None:
    """Prototypes as smooth as an object's outline, with the framework's own function behind them."""
    import torch
    from ultralytics.utils import ops

    rng = np.random.default_rng(7)
    noise = rng.normal(size=(32, 64, 80)).astype(np.float32)
    prototypes = np.stack([cv2.GaussianBlur(plane, (0, 0), 3.0) for plane in noise])
    coefficients = rng.normal(size=(20, 32)).astype(np.float32)
    corners = np.sort(rng.uniform(0.0, 1.0, (20, 2, 2)), axis=1) * size
    boxes = np.concatenate((np.tile([[0, 0, *size]], (20, 1)), corners.reshape(20, 4))).astype(np.float32)
    coefficients = np.concatenate((coefficients, coefficients))
    ours = Masks.from_prototypes(coefficients, prototypes, boxes, Letterbox(*size, *INPUT))
    tensors: list[Any] = [torch.from_numpy(array) for array in (prototypes, coefficients, boxes)]
    theirs = ops.process_mask_native(*tensors, size[::-1]).numpy().astype(bool)
    found = [iou(ours.full(row), mask, box) for row, (mask, box) in enumerate(zip(theirs, boxes, strict=True))]
    assert 0.2 < np.mean(theirs[:20]) < 0.8
    print(f"{size}: IoU {np.median(found):.4f}, least {min(found):.4f}")
    assert np.median(found) >= (0.9999 if size in WHOLE_CELLS else 0.99)


def test_at_the_inputs_own_size_the_ordinary_masks_are_the_same() -> None:
    """Without `retina_masks` the framework enlarges to the input; a picture of that size has no other pixels."""
    import torch
    from ultralytics.utils import ops

    rng = np.random.default_rng(8)
    prototypes = rng.normal(size=(32, 64, 80)).astype(np.float32)
    coefficients = rng.normal(size=(10, 32)).astype(np.float32)
    boxes = np.tile(np.array([[20, 30, 300, 200]], np.float32), (10, 1))
    ours = Masks.from_prototypes(coefficients, prototypes, boxes, Letterbox(*INPUT, *INPUT))
    tensors: list[Any] = [torch.from_numpy(array) for array in (prototypes, coefficients, boxes)]
    theirs = ops.process_mask(*tensors, INPUT[::-1], upsample=True).numpy().astype(bool)
    assert min(iou(ours.full(row), mask, boxes[row]) for row, mask in enumerate(theirs)) > 0.999
