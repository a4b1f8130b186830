"""How good detections are against labels: average precision, and how far the centres of the boxes are off."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from deploy.errors import BadInput
from geometry.types import Array, BoolArray
from perception.detections import Detections
from robot.sim.labels import Labels

IOU_THRESHOLDS: Array = np.linspace(0.5, 0.95, 10)
_RECALLS: Array = np.linspace(0.0, 1.0, 101)


@dataclass(frozen=True, slots=True)
class DetectionScore:
    """Figures of one detector on one set of frames.

    Attributes:
        frames: Number of frames.
        objects: Number of labelled objects.
        map50: Mean average precision at an overlap of 0.5, over the classes.
        map50_95: The same, averaged over overlaps 0.50, 0.55 ... 0.95.
        recall: Share of the labelled objects that were found at a confidence of 0.25 and an overlap of 0.5.
        false_per_frame: Detections of that confidence that match nothing, for each frame.
        center_p50_px, center_p90_px: Percentiles of the distance between the centres of matched boxes [px].
    """

    frames: int
    objects: int
    map50: float
    map50_95: float
    recall: float
    false_per_frame: float
    center_p50_px: float
    center_p90_px: float


class Scorer:
    """Collects frames, then scores them.

    A labelled object that shows too little to be demanded neither counts when it is missed nor when it is found.

    Args:
        classes: Number of classes.
        confidence: Least score of the detections that count for recall, false alarms and centres.
    """

    def __init__(self, classes: int, confidence: float = 0.25) -> None:
        self._classes = classes
        self._confidence = confidence
        self._scores: list[npt.NDArray[np.float32]] = []
        self._class_ids: list[npt.NDArray[np.int32]] = []
        self._hits: list[BoolArray] = []
        self._ignored: list[BoolArray] = []
        self._wanted = np.zeros(classes, dtype=np.int64)
        self._center_px: list[float] = []
        self._frames = self._found = self._false = 0

    def add(self, detections: Detections, labels: Labels) -> None:
        """Match one frame's detections, best first, to its labels of the same class.

        Args:
            detections: With a confidence near 0, so that the whole curve is known.
            labels: All objects; `labels.clear()` are those that must be found.
        """
        order = np.argsort(-detections.scores, kind="stable")
        detections = detections.select(order)
        count, thresholds = len(detections), len(IOU_THRESHOLDS)
        hits = np.zeros((count, thresholds), dtype=bool)
        ignored = np.zeros((count, thresholds), dtype=bool)
        clear = labels.clear()
        overlap = _iou(detections.boxes, labels.boxes)
        overlap[detections.class_ids[:, None] != labels.class_ids[None, :]] = 0.0
        for column, threshold in enumerate(IOU_THRESHOLDS):
            free = np.ones(len(labels), dtype=bool)
            for row in range(count):
                candidates = np.where(free & (overlap[row] >= threshold), overlap[row] + clear, 0.0)
                if not candidates.any():
                    continue
                best = int(np.argmax(candidates))
                free[best] = False
                hits[row, column] = clear[best]
                ignored[row, column] = not clear[best]
                if column == 0 and clear[best] and detections.scores[row] >= self._confidence:
                    self._center_px.append(_center_distance(detections.boxes[row], labels.boxes[best]))
        sure = detections.scores >= self._confidence
        self._found += int((hits[:, 0] & sure).sum())
        self._false += int((~hits[:, 0] & ~ignored[:, 0] & sure).sum())
        self._wanted += np.bincount(labels.class_ids[clear], minlength=self._classes)
        self._scores.append(detections.scores)
        self._class_ids.append(detections.class_ids)
        self._hits.append(hits)
        self._ignored.append(ignored)
        self._frames += 1

    def score(self) -> DetectionScore:
        """Score all frames so far.

        Raises:
            BadInput: If no frame was added, or none has a labelled object.
        """
        if not self._wanted.any():
            raise BadInput(f"{self._frames} frames hold no labelled object: score at least one that does")
        scores, class_ids = np.concatenate(self._scores), np.concatenate(self._class_ids)
        hits, ignored = np.concatenate(self._hits), np.concatenate(self._ignored)
        precision = np.array(
            [
                [
                    average_precision(
                        scores[rows & ~ignored[:, column]],
                        hits[rows & ~ignored[:, column], column],
                        int(self._wanted[class_id]),
                    )
                    for column in range(len(IOU_THRESHOLDS))
                ]
                for class_id, rows in ((c, class_ids == c) for c in np.flatnonzero(self._wanted))
            ]
        )
        center = self._center_px or [float("nan")]
        return DetectionScore(
            frames=self._frames,
            objects=int(self._wanted.sum()),
            map50=float(precision[:, 0].mean()),
            map50_95=float(precision.mean()),
            recall=self._found / int(self._wanted.sum()),
            false_per_frame=self._false / self._frames,
            center_p50_px=float(np.percentile(center, 50)),
            center_p90_px=float(np.percentile(center, 90)),
        )


def average_precision(scores: npt.NDArray[np.float32], hits: BoolArray, wanted: int) -> float:
    """Area under the precision-recall curve, at 101 recalls, with the precision made monotonic (COCO's rule).

    Args:
        scores: Shape (N,), confidences of one class.
        hits: Shape (N,), whether each detection matched an object.
        wanted: Number of objects.
    """
    if wanted == 0 or len(scores) == 0:
        return 0.0
    order = np.argsort(-scores, kind="stable")
    true = np.cumsum(hits[order])
    recall, precision = true / wanted, true / np.arange(1, len(order) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    at = np.searchsorted(recall, _RECALLS, side="left")
    return float(np.where(at < len(envelope), envelope[np.minimum(at, len(envelope) - 1)], 0.0).mean())


def _iou(first: npt.NDArray[np.float32], second: npt.NDArray[np.float32]) -> Array:
    """Overlap of each box with each other one, shape (N, M)."""
    a, b = first.astype(np.float64)[:, None, :], second.astype(np.float64)[None, :, :]
    size = np.clip(np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2]), 0.0, None)
    inner = size[..., 0] * size[..., 1]
    union = (a[..., 2:] - a[..., :2]).prod(axis=-1) + (b[..., 2:] - b[..., :2]).prod(axis=-1) - inner
    return np.asarray(inner / np.maximum(union, 1e-9))


def _center_distance(first: npt.NDArray[np.float32], second: npt.NDArray[np.float32]) -> float:
    difference = (first[:2] + first[2:] - second[:2] - second[2:]).astype(np.float64) / 2
    return float(np.hypot(difference[0], difference[1]))
