"""Which class is taken for which: found, missed, and seen where nothing is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from geometry.types import IntArray
from perception.evaluation.answers import Found, GroundTruth
from perception.evaluation.matching import overlaps, pairs

BACKGROUND = "background"


@dataclass(frozen=True, slots=True, eq=False)
class Confusion:
    """Objects by class and by what they were taken for.

    Attributes:
        class_names: K names.
        counts: Shape (K + 1, K + 1): row the labelled class, column the detected one, the last of each background: the
            last column are the missed objects, the last row the detections of nothing.
        confidence: Least score of the detections.
        overlap: Least overlap of box and label.
    """

    class_names: tuple[str, ...]
    counts: IntArray
    confidence: float
    overlap: float

    @property
    def names(self) -> tuple[str, ...]:
        """Names of rows and columns."""
        return (*self.class_names, BACKGROUND)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "confidence": self.confidence,
            "iou": self.overlap,
            "rows_labelled_columns_detected": list(self.names),
            "counts": self.counts.tolist(),
        }


def confusion(truth: GroundTruth, found: Found, confidence: float = 0.25, overlap: float = 0.5) -> Confusion:
    """Count what objects are taken for.

    Labels and detections are paired by overlap alone, the greatest first, whatever their classes. Detections that are
    paired with an ignored label, or lie in one by `overlap` of their area, are not counted.

    Args:
        truth: The labels.
        found: The detections.
        confidence: Least score of the detections that count.
        overlap: Least intersection over union of a pair.
    """
    count = len(truth.class_names)
    table = np.zeros((count + 1, count + 1), np.int64)
    sure = found.scores >= confidence
    for image in range(truth.images):
        labels, boxes = np.flatnonzero(truth.image_ids == image), np.flatnonzero(sure & (found.image_ids == image))
        demanded, ignored = labels[~truth.ignore[labels]], labels[truth.ignore[labels]]
        rows, columns = pairs(overlaps(truth.boxes[demanded], found.boxes[boxes]), overlap)
        np.add.at(table, (truth.class_ids[demanded[rows]], found.class_ids[boxes[columns]]), 1)
        missed, spare = np.delete(demanded, rows), np.delete(boxes, columns)
        np.add.at(table[:, count], truth.class_ids[missed], 1)
        spare = spare[~_within(found.boxes[spare], truth.boxes[ignored], overlap)]
        np.add.at(table[count], found.class_ids[spare], 1)
    return Confusion(truth.class_names, table, confidence, overlap)


def _within(boxes: Any, regions: Any, share: float) -> Any:
    """Whether a region holds a share of each box's area, shape (N,)."""
    a, b = boxes[:, None, :], regions[None, :, :]
    size = np.clip(np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2]), 0.0, None)
    area = np.maximum((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]), 1e-9)
    return (size[..., 0] * size[..., 1] >= share * area[:, None]).any(axis=1)
