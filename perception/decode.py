"""From a network's output tensor to candidate boxes in pixels of its input: one function for each layout.

Here those of the YOLO family without anchors; `decode_anchors` and `decode_sets` have the others. Every function takes
the threshold first, so that what follows sees few rows, and drops rows that are not finite.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from perception.nms import best_first

Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Boxes that pass the threshold, before suppression.

    Attributes:
        boxes: Shape (N, 4), float32, x1, y1, x2, y2 edges [px] of the network's input.
        scores: Shape (N,), float32, of the best class.
        class_ids: Shape (N,), int32.
        coefficients: Shape (N, P), float32: of the prototypes in each one's mask; None from a network without masks.
    """

    boxes: Float32
    scores: Float32
    class_ids: npt.NDArray[np.int32]
    coefficients: Float32 | None = None

    def __len__(self) -> int:
        return len(self.scores)


def decode_raw(output: Float32, confidence: float, prototypes: int = 0) -> Candidates:
    """YOLO v8, 11 and 26 as exported without suppression: boxes in pixels, a score per class, no objectness.

    Args:
        output: Shape (1, 4 + classes + P, N), float32: cx, cy, w, h [px], then the scores, then coefficients.
        confidence: Least score of the best class.
        prototypes: P, of a network with masks.

    Returns:
        Candidates, in the order of the output.
    """
    head = output[0]
    end = len(head) - prototypes
    best = head[4:end].max(axis=0)
    columns = np.flatnonzero(best >= confidence)
    chosen = head[:, columns]
    finite = np.isfinite(chosen).all(axis=0)
    if not finite.all():
        chosen = chosen[:, finite]
    scores = chosen[4:end]
    return Candidates(
        boxes=centers_to_corners(chosen[:4].T),
        scores=scores.max(axis=0),
        class_ids=scores.argmax(axis=0).astype(np.int32),
        coefficients=chosen[end:].T if prototypes else None,
    )


def decode_end2end(output: Float32, confidence: float, prototypes: int = 0) -> Candidates:
    """Final boxes: YOLO v10 and 26 end to end, or suppression exported into the graph.

    Args:
        output: Shape (1, K, 6 + P), float32: x1, y1, x2, y2 [px], score, class, then coefficients.
        confidence: Least score.
        prototypes: P, of a network with masks.

    Returns:
        Candidates, best first; nothing among them is to be suppressed.
    """
    rows = passing_rows(output[0], confidence)
    return Candidates(
        np.ascontiguousarray(rows[:, :4]),
        rows[:, 4].copy(),
        whole_numbers(rows[:, 5]),
        rows[:, 6:] if prototypes else None,
    )


def passing_rows(rows: Float32, confidence: float) -> Float32:
    """Rows (K, 6 or more) of a box, its score, its class and so on that pass and are finite, best first."""
    rows = rows[rows[:, 4] >= confidence]
    rows = rows[np.isfinite(rows).all(axis=1)]
    return rows[best_first(rows[:, 4], len(rows))]


def whole_numbers(class_ids: Float32) -> npt.NDArray[np.int32]:
    """Classes that a network gives as floats; what no int32 holds becomes its nearest, which is no class."""
    limit = 2.0**30
    return np.rint(np.clip(class_ids, -limit, limit)).astype(np.int32)


def centers_to_corners(boxes: npt.ArrayLike) -> Float32:
    """Boxes (N, 4) from cx, cy, w, h to x1, y1, x2, y2.

    Example:
        >>> centers_to_corners([[150.0, 120.0, 100.0, 40.0]]).tolist()
        [[100.0, 100.0, 200.0, 140.0]]
    """
    values = np.asarray(boxes, dtype=np.float32).reshape(-1, 4)
    half = 0.5 * values[:, 2:]
    return np.concatenate((values[:, :2] - half, values[:, :2] + half), axis=1)
