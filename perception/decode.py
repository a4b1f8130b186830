"""From a network's output tensors to candidate boxes in pixels of its input: one function for each layout.

Every function takes the threshold first, so that what follows sees few rows, and drops rows that are not finite.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]
AnchorStyle = Literal["v3", "v5"]


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Boxes that pass the threshold, before suppression.

    Attributes:
        boxes: Shape (N, 4), float32, x1, y1, x2, y2 edges [px] of the network's input.
        scores: Shape (N,), float32, of the best class.
        class_ids: Shape (N,), int32.
    """

    boxes: Float32
    scores: Float32
    class_ids: npt.NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.scores)


def decode_raw(output: Float32, confidence: float) -> Candidates:
    """YOLO v8, 11 and 26 as exported without suppression: boxes in pixels, a score per class, no objectness.

    Args:
        output: Shape (1, 4 + classes, N), float32: cx, cy, w, h [px], then the scores.
        confidence: Least score of the best class.

    Returns:
        Candidates, in the order of the output.
    """
    head = output[0]
    best = head[4:].max(axis=0)
    columns = np.flatnonzero(best >= confidence)
    chosen = head[:, columns]
    finite = np.isfinite(chosen).all(axis=0)
    if not finite.all():
        chosen = chosen[:, finite]
    scores = chosen[4:]
    return Candidates(
        boxes=centers_to_corners(chosen[:4].T),
        scores=scores.max(axis=0),
        class_ids=scores.argmax(axis=0).astype(np.int32),
    )


def decode_rows(
    output: Float32, confidence: float, *, centers: bool = False, unit_px: tuple[float, float] = (1.0, 1.0)
) -> Candidates:
    """Heads that give the final rows themselves: YOLO v10 and 26 end to end, exported suppression, RT-DETR.

    Args:
        output: Shape (1, K, 6): four numbers of the box, score, class.
        confidence: Least score.
        centers: Boxes are cx, cy, w, h instead of x1, y1, x2, y2.
        unit_px: Pixels of one unit in x and y: the size of the input where boxes are normalized.

    Returns:
        Candidates, best first; nothing among them is to be suppressed.
    """
    rows = _finite_rows(output[0][output[0][:, 4] >= confidence])
    boxes = (centers_to_corners(rows[:, :4]) if centers else rows[:, :4]) * _twice(unit_px)
    return _best_first(Candidates(boxes, rows[:, 4], np.rint(rows[:, 5]).astype(np.int32)))


def decode_queries(output: Float32, confidence: float, unit_px: tuple[float, float]) -> Candidates:
    """RT-DETR with a score for each class: a query is its best class.

    Args:
        output: Shape (1, K, 4 + classes): cx, cy, w, h in parts of the input, then the scores.
        confidence: Least score of the best class.
        unit_px: Width and height of the input [px].

    Returns:
        Candidates, best first; nothing among them is to be suppressed.
    """
    return _of_classes(output[0][:, :4], output[0][:, 4:], confidence, unit_px)


def decode_detr(logits: Float32, boxes: Float32, confidence: float, unit_px: tuple[float, float]) -> Candidates:
    """DETR: a softmax over the classes and, last, "no object"; boxes as centre and size in parts of the input.

    N. Carion et al., End-to-End Object Detection with Transformers, ECCV 2020, section 3. Texts that call the boxes
    normalized corners are wrong: the published code emits cx, cy, w, h.

    Args:
        logits: Shape (1, Q, classes + 1).
        boxes: Shape (1, Q, 4).
        confidence: Least probability of the best class.
        unit_px: Width and height of the input [px].

    Returns:
        Candidates, best first; nothing among them is to be suppressed.
    """
    shifted = np.exp(logits[0] - logits[0].max(axis=1, keepdims=True))
    probabilities = shifted / shifted.sum(axis=1, keepdims=True)
    return _of_classes(boxes[0], probabilities[:, :-1], confidence, unit_px)


def decode_anchors(output: Float32, confidence: float) -> Candidates:
    """YOLO v5 as exported, boxes computed in the graph: a row is sure of its class if it is sure of an object.

    Args:
        output: Shape (1, N, 5 + classes): cx, cy, w, h [px], objectness, then the classes' scores.
        confidence: Least product of objectness and the best class's score.

    Returns:
        Candidates, in the order of the output.
    """
    rows = _finite_rows(output[0][output[0][:, 4] >= confidence])
    return _with_objectness(rows[:, :4], rows[:, 4], rows[:, 5:], confidence)


def decode_grid(
    grid: Float32, anchors: npt.ArrayLike, stride: tuple[float, float], confidence: float, style: AnchorStyle = "v3"
) -> Candidates:
    """One scale of an anchor head, still as logits.

    With t the four numbers of an anchor in a cell, s the sigmoid: YOLO v2 and v3 (J. Redmon and A. Farhadi, YOLOv3,
    2018, section 2.1) put the centre at (cell + s(t)) strides and make the anchor exp(t) times as large; v5 reaches
    half a cell further, (cell + 2 s(t) - 0.5), and bounds the size, anchor (2 s(t))^2.

    Args:
        grid: Shape (A, 5 + classes, rows, columns): t of x, y, w, h, logits of objectness and classes.
        anchors: Shape (A, 2): width and height [px].
        stride: Pixels of the input from one cell to the next, in x and y.
        confidence: Least product of objectness and the best class's score.
        style: `v3` or `v5`.

    Returns:
        Candidates, by anchor, row and column.

    Example:
        >>> t = np.zeros((1, 6, 13, 13)); t[0, :4, 6, 6] = (0.1, 0.2, 0.5, 0.6); t[0, 4:, 6, 6] = 9.0
        >>> found = decode_grid(t, [[16, 16]], (32, 32), 0.5)
        >>> x1, y1, x2, y2 = found.boxes[0]
        >>> [round(float(value), 1) for value in ((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1)]
        [208.8, 209.6, 26.4, 29.2]
    """
    sizes: npt.NDArray[Any] = np.asarray(anchors, np.float32).reshape(-1, 2)
    anchor, row, column = np.nonzero(_sigmoid(grid[:, 4]) >= confidence)
    chosen = grid[anchor, :, row, column]
    finite = np.isfinite(chosen).all(axis=1)
    chosen, cell, size = chosen[finite], np.stack((column, row), axis=1)[finite], sizes[anchor[finite]]
    center: npt.NDArray[Any]
    extent: npt.NDArray[Any]
    if style == "v3":
        center, extent = cell + _sigmoid(chosen[:, :2]), size * np.exp(chosen[:, 2:4])
    else:
        center, extent = cell - 0.5 + 2.0 * _sigmoid(chosen[:, :2]), size * (2.0 * _sigmoid(chosen[:, 2:4])) ** 2
    boxes = np.concatenate((center * np.asarray(stride, np.float32), extent), axis=1)
    return _with_objectness(boxes, _sigmoid(chosen[:, 4]), _sigmoid(chosen[:, 5:]), confidence)


def joined(parts: list[Candidates]) -> Candidates:
    """Candidates of several scales as one."""
    return Candidates(
        np.concatenate([part.boxes for part in parts]),
        np.concatenate([part.scores for part in parts]),
        np.concatenate([part.class_ids for part in parts]),
    )


def centers_to_corners(boxes: npt.ArrayLike) -> Float32:
    """Boxes (N, 4) from cx, cy, w, h to x1, y1, x2, y2.

    Example:
        >>> centers_to_corners([[150.0, 120.0, 100.0, 40.0]]).tolist()
        [[100.0, 100.0, 200.0, 140.0]]
    """
    values = np.asarray(boxes, dtype=np.float32).reshape(-1, 4)
    half = 0.5 * values[:, 2:]
    return np.concatenate((values[:, :2] - half, values[:, :2] + half), axis=1)


def _of_classes(boxes: Float32, scores: Float32, confidence: float, unit_px: tuple[float, float]) -> Candidates:
    rows = np.flatnonzero(scores.max(axis=1) >= confidence)
    boxes, scores = boxes[rows], scores[rows]
    finite = np.isfinite(boxes).all(axis=1) & np.isfinite(scores).all(axis=1)
    boxes, scores = boxes[finite], scores[finite]
    corners = centers_to_corners(boxes) * _twice(unit_px)
    return _best_first(Candidates(corners, scores.max(axis=1), scores.argmax(axis=1).astype(np.int32)))


def _with_objectness(boxes: Any, objectness: Any, classes: Any, confidence: float) -> Candidates:
    scores = np.asarray(objectness[:, None] * classes, np.float32)
    rows = np.flatnonzero(scores.max(axis=1, initial=0.0) >= confidence)
    chosen = scores[rows]
    return Candidates(
        centers_to_corners(boxes[rows]),
        chosen.max(axis=1, initial=0.0),
        chosen.argmax(axis=1).astype(np.int32) if len(rows) else np.zeros(0, np.int32),
    )


def _best_first(found: Candidates) -> Candidates:
    order = np.argsort(-found.scores, kind="stable")
    return Candidates(np.ascontiguousarray(found.boxes[order], np.float32), found.scores[order], found.class_ids[order])


def _finite_rows(rows: Float32) -> Float32:
    finite = np.isfinite(rows).all(axis=1)
    return rows if finite.all() else rows[finite]


def _twice(unit_px: tuple[float, float]) -> Float32:
    return np.array([*unit_px, *unit_px], np.float32)


def _sigmoid(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Without overflow: exp of what is not positive."""
    low = np.exp(-np.abs(values))
    result: npt.NDArray[Any] = np.where(values >= 0, 1.0 / (1.0 + low), low / (1.0 + low))
    return result
