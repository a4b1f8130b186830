"""How good detections are against labels, in the terms of the cell: what is found, false alarms, centres of boxes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from geometry.types import Array, BoolArray, IntArray
from perception.evaluation.answers import Answers, Found, GroundTruth
from perception.evaluation.coco import coco_metrics
from perception.evaluation.matching import overlaps

CONFIDENCE = 0.25
OVERLAP = 0.5


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


def score(answers: Answers) -> DetectionScore:
    """Score a detector's answers; COCO's figures are those of `perception.evaluation`.

    A labelled object that shows too little to be demanded neither counts when it is missed nor when it is found.

    Args:
        answers: Of a detector with a confidence near 0, so that the whole curve is known.

    Raises:
        BadInput: If there is no labelled object.
    """
    truth, found = answers.truth, answers.found
    metrics, _ = coco_metrics(truth, found, answers.frames_sha256)
    rows, labels = _matched(truth, found)
    counted = ~truth.ignore[labels]
    sure = int((found.scores >= CONFIDENCE).sum())
    offsets = found.boxes[rows[counted]] - truth.boxes[labels[counted]]
    center_px: Array = np.hypot(*(0.5 * (offsets[:, :2] + offsets[:, 2:])).T)
    if not len(center_px):
        center_px = np.array([np.nan])
    return DetectionScore(
        frames=truth.images,
        objects=metrics.objects,
        map50=metrics.map50,
        map50_95=metrics.map50_95,
        recall=int(counted.sum()) / metrics.objects,
        false_per_frame=(sure - len(rows)) / truth.images,
        center_p50_px=float(np.percentile(center_px, 50)),
        center_p90_px=float(np.percentile(center_px, 90)),
    )


def _matched(truth: GroundTruth, found: Found) -> tuple[IntArray, IntArray]:
    """Rows of detections, the best first, and of the labels of the same class that they find."""
    rows: list[int] = []
    labels: list[int] = []
    for image in range(truth.images):
        here = np.flatnonzero(truth.image_ids == image)
        sure = np.flatnonzero((found.image_ids == image) & (found.scores >= CONFIDENCE))
        sure = sure[np.argsort(-found.scores[sure], kind="stable")]
        overlap = overlaps(found.boxes[sure], truth.boxes[here])
        overlap[found.class_ids[sure][:, None] != truth.class_ids[here][None, :]] = 0.0
        free: BoolArray = np.ones(len(here), dtype=bool)
        for row, value in zip(sure.tolist(), overlap, strict=True):
            # One that counts goes before one that does not.
            candidates = np.where(free & (value >= OVERLAP), value + ~truth.ignore[here], 0.0)
            if candidates.any():
                best = int(np.argmax(candidates))
                free[best] = False
                rows.append(row)
                labels.append(int(here[best]))
    return np.array(rows, np.int64), np.array(labels, np.int64)
