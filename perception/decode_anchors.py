"""Decoders of YOLO v2 to v5: boxes relative to anchors, and a score that is objectness times class."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from perception.decode import Candidates, Float32, centers_to_corners

STYLES = ("v3", "v5")


def prediction_count(width: int, height: int, strides: Sequence[int] = (8, 16, 32), anchors: int = 3) -> int:
    """How many boxes an anchor head predicts for an input.

    Example:
        >>> prediction_count(416, 416)
        10647
    """
    return anchors * sum(math.ceil(width / stride) * math.ceil(height / stride) for stride in strides)


def decode_objectness(output: Float32, confidence: float) -> Candidates:
    """YOLO v5 as its own exporter writes it, boxes computed in the graph.

    Args:
        output: Shape (1, N, 5 + classes), float32: cx, cy, w, h [px], objectness, then the classes' scores.
        confidence: Least product of objectness and the best class's score.

    Returns:
        Candidates, in the order of the output.
    """
    rows = output[0]
    rows = rows[rows[:, 4] >= confidence]  # the product is not larger
    return _scored(rows[:, :4], rows[:, 4:], confidence)


def decode_grid(
    grid: Float32, anchors: npt.ArrayLike, stride: float, confidence: float, style: str = "v3"
) -> Candidates:
    """One scale of an anchor head whose outputs are still logits.

    With t the four numbers of an anchor in a cell and s the sigmoid: YOLO v2 and v3 (J. Redmon, A. Farhadi, YOLOv3,
    2018, section 2.1) put the centre at (cell + s(t)) strides and make the anchor exp(t) times as large. v5 reaches
    half a cell further, (cell + 2 s(t) - 0.5), and bounds the size, anchor (2 s(t))^2.

    Args:
        grid: Shape (A, 5 + classes, rows, columns), float32: t of x, y, w, h, logits of objectness and classes.
        anchors: Shape (A, 2): width and height [px].
        stride: Pixels of the input from one cell to the next.
        confidence: Least product of objectness and the best class's score.
        style: `v3` (also v2 and v4) or `v5` (also v7).

    Returns:
        Candidates, by anchor, row and column.

    Example:
        >>> t = np.zeros((1, 6, 13, 13), np.float32)
        >>> t[0, :4, 6, 6], t[0, 4:, 6, 6] = (0.1, 0.2, 0.5, 0.6), 9.0
        >>> x1, y1, x2, y2 = decode_grid(t, [[16, 16]], 32, 0.5).boxes[0].tolist()
        >>> [round(value, 1) for value in ((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1)]
        [208.8, 209.6, 26.4, 29.2]
    """
    anchor, row, column = np.nonzero(grid[:, 4] >= _logit(confidence))
    chosen = grid[anchor, :, row, column]
    finite = np.isfinite(chosen).all(axis=1)
    chosen, anchor = chosen[finite], anchor[finite]
    cell = np.stack((column, row), axis=1)[finite].astype(np.float32)
    size = np.asarray(anchors, np.float32).reshape(-1, 2)[anchor]
    if style == "v5":
        center = cell - 0.5 + 2.0 * _sigmoid(chosen[:, :2])
        extent = size * (2.0 * _sigmoid(chosen[:, 2:4])) ** 2
    else:
        center = cell + _sigmoid(chosen[:, :2])
        with np.errstate(over="ignore"):  # infinite sizes fall out below
            extent = size * np.exp(chosen[:, 2:4])
    boxes = np.concatenate((center * np.float32(stride), extent), axis=1)
    return _scored(boxes, _sigmoid(chosen[:, 4:]), confidence)


def joined(parts: Sequence[Candidates]) -> Candidates:
    """Candidates of several scales as one."""
    return Candidates(
        np.concatenate([part.boxes for part in parts]),
        np.concatenate([part.scores for part in parts]),
        np.concatenate([part.class_ids for part in parts]),
    )


def _scored(boxes: Float32, objectness_and_classes: Float32, confidence: float) -> Candidates:
    """Candidates of boxes (N, 4), cx, cy, w, h, whose product of objectness and best class passes."""
    finite = np.isfinite(boxes).all(axis=1) & np.isfinite(objectness_and_classes).all(axis=1)
    objectness, classes = objectness_and_classes[finite, 0], objectness_and_classes[finite, 1:]
    scores = objectness * classes.max(axis=1)
    rows = np.flatnonzero(scores >= confidence)
    return Candidates(
        centers_to_corners(boxes[finite][rows]), scores[rows], classes[rows].argmax(axis=1).astype(np.int32)
    )


def _logit(confidence: float) -> float:
    """Below it no logit's sigmoid can be as much as the confidence, rounding included."""
    if confidence <= 0.0:
        return -math.inf
    bounded = min(confidence, 1.0 - 1e-6)
    return math.log(bounded / (1.0 - bounded)) - 1e-3


def _sigmoid(values: Float32) -> Float32:
    low = np.exp(-np.abs(values))  # never overflows
    result: Float32 = np.where(values >= 0.0, np.float32(1.0), low) / (np.float32(1.0) + low)
    return result
