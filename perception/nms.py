"""Overlap of boxes, and keeping the best of those that overlap."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from geometry.types import IntArray

Float32 = npt.NDArray[np.float32]


def iou(boxes_a: npt.ArrayLike, boxes_b: npt.ArrayLike) -> Float32:
    """Intersection over union of every box with every other.

    Args:
        boxes_a: Shape (N, 4), x1, y1, x2, y2.
        boxes_b: Shape (M, 4), in the same unit.

    Returns:
        Shape (N, M), float32, in [0, 1]; 0 where both boxes are empty.

    Example:
        >>> round(float(iou([[100, 100, 200, 200]], [[150, 100, 250, 200]])[0, 0]), 4)
        0.3333
    """
    a = np.asarray(boxes_a, dtype=np.float32).reshape(-1, 1, 4)
    b = np.asarray(boxes_b, dtype=np.float32).reshape(1, -1, 4)
    size = np.clip(np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2]), 0.0, None)
    overlap = size[..., 0] * size[..., 1]
    return _ratio(overlap, _area(a) + _area(b) - overlap)


def nms(
    boxes: Float32,
    scores: Float32,
    class_ids: npt.NDArray[Any],
    threshold: float = 0.5,
    max_keep: int = 100,
    max_candidates: int = 1000,
) -> IntArray:
    """Greedy non-maximum suppression within each class.

    The best box is kept, those of its class that overlap it by more than the threshold are dropped, and so on.
    Equal scores keep their order, so the result does not depend on the machine.

    Args:
        boxes: Shape (N, 4), x1, y1, x2, y2.
        scores: Shape (N,).
        class_ids: Shape (N,), integers.
        threshold: IoU above which the worse box is dropped.
        max_keep: Stop after so many boxes.
        max_candidates: Look at no more than the best so many, which bounds the time.

    Returns:
        Rows that are kept, best first.
    """
    left = np.argsort(-scores, kind="stable")[:max_candidates]
    x1, y1, x2, y2 = np.ascontiguousarray(boxes[left].T)
    classes, areas = class_ids[left], _area(boxes[left])
    keep: list[int] = []
    while len(left) and len(keep) < max_keep:
        keep.append(int(left[0]))
        width = np.minimum(x2, x2[0]) - np.maximum(x1, x1[0])
        height = np.minimum(y2, y2[0]) - np.maximum(y1, y1[0])
        overlap = np.maximum(width, 0.0) * np.maximum(height, 0.0)
        stays = (overlap <= threshold * (areas + areas[0] - overlap)) | (classes != classes[0])
        stays[0] = False
        left, x1, y1, x2, y2 = left[stays], x1[stays], y1[stays], x2[stays], y2[stays]
        classes, areas = classes[stays], areas[stays]
    return np.array(keep, dtype=np.int64)


def _area(boxes: Float32) -> Float32:
    size = np.clip(boxes[..., 2:] - boxes[..., :2], 0.0, None)
    area: Float32 = size[..., 0] * size[..., 1]
    return area


def _ratio(part: Float32, whole: Float32) -> Float32:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0.0)
