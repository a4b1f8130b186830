"""Decoders of networks that predict a set: each object has one row, so nothing is suppressed afterwards.

Their boxes are centre and size as fractions of the input. (Texts that call DETR's boxes normalized corners are wrong:
its published code, and that of RT-DETR, gives cx, cy, w, h.)
"""

from __future__ import annotations

import numpy as np

from perception.decode import Candidates, Float32, centers_to_corners, passing_rows, whole_numbers
from perception.nms import best_first

Size = tuple[int, int]


def decode_query_rows(output: Float32, confidence: float, input_size: Size) -> Candidates:
    """RT-DETR whose graph has chosen the best pairs of query and class.

    Y. Zhao et al., DETRs Beat YOLOs on Real-time Object Detection, CVPR 2024. A query may appear twice, with two
    classes, as in the framework's own results.

    Args:
        output: Shape (1, K, 6), float32: cx, cy, w, h as fractions of the input, score, class.
        confidence: Least score.
        input_size: Width and height of the input [px].

    Returns:
        Candidates, best first.
    """
    rows = passing_rows(output[0], confidence)
    return Candidates(_corners_px(rows[:, :4], input_size), rows[:, 4].copy(), whole_numbers(rows[:, 5]))


def decode_query_scores(output: Float32, confidence: float, input_size: Size) -> Candidates:
    """RT-DETR with a score for each class, as older exports have it: a query has its best class.

    Args:
        output: Shape (1, K, 4 + classes), float32: cx, cy, w, h as fractions of the input, then the scores.
        confidence: Least score of the best class.
        input_size: Width and height of the input [px].

    Returns:
        Candidates, best first.
    """
    return _best_classes(output[0][:, :4], output[0][:, 4:], confidence, input_size)


def decode_detr(logits: Float32, boxes: Float32, confidence: float, input_size: Size) -> Candidates:
    """DETR: a softmax over the classes and, last, "no object".

    N. Carion et al., End-to-End Object Detection with Transformers, ECCV 2020, section 3.

    Args:
        logits: Shape (1, Q, classes + 1), float32.
        boxes: Shape (1, Q, 4), float32: cx, cy, w, h as fractions of the input.
        confidence: Least probability of the best class.
        input_size: Width and height of the input [px].

    Returns:
        Candidates, best first. A query whose best class is "no object" passes if the threshold is that low.

    Example:
        >>> logits = np.log(np.array([[[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]]], np.float32))
        >>> boxes = np.array([[[0.5, 0.5, 0.2, 0.4], [0.1, 0.1, 0.1, 0.1]]], np.float32)
        >>> found = decode_detr(logits, boxes, 0.5, (320, 256))
        >>> np.rint(found.boxes).tolist(), found.class_ids.tolist(), f"{found.scores[0]:.2f}"
        ([[128.0, 77.0, 192.0, 179.0]], [0], '0.70')
    """
    with np.errstate(invalid="ignore", over="ignore"):  # rows that are not finite fall out below
        powers = np.exp(logits[0] - logits[0].max(axis=1, keepdims=True))
        probabilities = powers / powers.sum(axis=1, keepdims=True)
    return _best_classes(boxes[0], probabilities[:, :-1], confidence, input_size)


def _best_classes(boxes: Float32, scores: Float32, confidence: float, input_size: Size) -> Candidates:
    rows = np.flatnonzero(scores.max(axis=1) >= confidence)
    finite = np.isfinite(boxes[rows]).all(axis=1) & np.isfinite(scores[rows]).all(axis=1)
    rows = rows[finite]
    best = scores[rows].max(axis=1)
    order = best_first(best, len(best))
    rows = rows[order]
    return Candidates(_corners_px(boxes[rows], input_size), best[order], scores[rows].argmax(axis=1).astype(np.int32))


def _corners_px(boxes: Float32, input_size: Size) -> Float32:
    return centers_to_corners(boxes) * np.array([*input_size, *input_size], np.float32)
