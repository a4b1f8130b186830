"""Keeping the best of boxes that overlap."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from geometry.types import IntArray

Float32 = npt.NDArray[np.float32]
_BLOCK = 64  # bits of a word


def nms(
    boxes: Float32,
    scores: Float32,
    class_ids: npt.NDArray[Any],
    threshold: float = 0.5,
    max_keep: int = 100,
    max_candidates: int = 1000,
    class_agnostic: bool = False,
) -> IntArray:
    """Greedy non-maximum suppression, within each class or across all.

    The best box is kept, those that overlap it by more than the threshold are dropped, and so on. Equal scores keep
    their order, so the result does not depend on the machine.

    The boxes are taken in blocks, best first: a block is compared with all that is kept, then with itself, so the time
    is bounded by `max_candidates` * `max_keep` pairs and not by a Python step for each box.

    Args:
        boxes: Shape (N, 4), x1, y1, x2, y2.
        scores: Shape (N,).
        class_ids: Shape (N,), integers.
        threshold: IoU above which the worse box is dropped.
        max_keep: Stop after so many boxes.
        max_candidates: Look at no more than the best so many.
        class_agnostic: Whether a box also drops boxes of other classes.

    Returns:
        Rows that are kept, best first.

    Example:
        >>> boxes = np.array([[100, 100, 200, 200], [105, 105, 205, 205], [400, 400, 500, 500]], np.float32)
        >>> scores, class_ids = np.array([0.9, 0.95, 0.8], np.float32), np.array([0, 1, 1])
        >>> nms(boxes, scores, class_ids).tolist(), nms(boxes, scores, class_ids, class_agnostic=True).tolist()
        ([1, 0, 2], [1, 2])
    """
    order = best_first(scores, max_candidates)
    if len(order) < 2:
        return order[:max_keep]
    candidates = np.empty((6, len(order)), np.float32)  # x1, y1, x2, y2, area, class
    candidates[:4] = boxes[order].T
    candidates[4] = _area(boxes[order])
    candidates[5] = 0.0 if class_agnostic else class_ids[order]
    kept, count = np.empty((6, max_keep), np.float32), 0
    rows = np.empty(max_keep, np.int64)
    for start in range(0, len(order), _BLOCK):
        block, numbers = candidates[:, start : start + _BLOCK], order[start : start + _BLOCK]
        if count:
            left = ~_suppresses(kept[:, :count], block, threshold).any(axis=0)
            block, numbers = block[:, left], numbers[left]
        if not len(numbers):
            continue
        stays = _undefeated(_suppresses(block, block, threshold))[: max_keep - count]
        rows[count : count + len(stays)] = numbers[stays]
        kept[:, count : count + len(stays)] = block[:, stays]
        count += len(stays)
        if count == max_keep:
            break
    return rows[:count]


def best_first(scores: Float32, most: int) -> IntArray:
    """Rows of the best scores, best first, equal scores in their order; never more than `most`.

    Example:
        >>> best_first(np.array([0.5, 0.9, 0.5, 0.5], np.float32), 3).tolist()
        [1, 0, 2]
    """
    if len(scores) <= most:
        return np.argsort(-scores, kind="stable")
    least = np.partition(scores, len(scores) - most)[len(scores) - most]
    rows = np.flatnonzero(scores >= least)  # with all that tie with the last
    return rows[np.argsort(-scores[rows], kind="stable")[:most]]


def _suppresses(better: Float32, worse: Float32, threshold: float) -> npt.NDArray[np.bool_]:
    """Shape (N, M): whether a box of `better` (6, N) drops one of `worse` (6, M)."""
    x1, y1, x2, y2, area, class_id = better[:, :, None]
    width = np.minimum(x2, worse[2]) - np.maximum(x1, worse[0])
    height = np.minimum(y2, worse[3]) - np.maximum(y1, worse[1])
    overlap = np.maximum(width, 0.0) * np.maximum(height, 0.0)
    dropped: npt.NDArray[np.bool_] = overlap > threshold * (area + worse[4] - overlap)
    dropped &= class_id == worse[5]
    return dropped


def _undefeated(defeats: npt.NDArray[np.bool_]) -> IntArray:
    """Rows that stay, where row i drops every column j > i unless i is dropped itself; at most `_BLOCK` rows.

    A row of the matrix is one machine word, so a row that stays costs one `or`; arrays would cost microseconds.
    """
    padded = np.zeros((len(defeats), _BLOCK), np.bool_)
    padded[:, : len(defeats)] = defeats
    dropped, stays = 0, []
    for row, word in enumerate(np.packbits(padded, axis=1, bitorder="little").view("<u8")[:, 0].tolist()):
        if not dropped >> row & 1:
            dropped |= word
            stays.append(row)
    return np.array(stays, dtype=np.int64)


def _area(boxes: Float32) -> Float32:
    size = np.clip(boxes[..., 2:] - boxes[..., :2], 0.0, None)
    area: Float32 = size[..., 0] * size[..., 1]
    return area
