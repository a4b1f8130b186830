"""Which detection continues which track: the cost of a pair, and the cheapest one-to-one assignment."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from geometry.types import Array, BoolArray, IntArray


def association_cost(iou: Array, distance_sigma: Array, distance_weight: float) -> Array:
    """Cost of pairs: C = -IoU + lambda * d; lower is better.

    Args:
        iou: Overlap of the detection's box with the track's latest box of the same camera, 0..1; 0 where the track has
            no such box.
        distance_sigma: Distance of the centres in space [standard deviations of that distance].
        distance_weight: Lambda [1 per standard deviation].

    Returns:
        Costs, broadcast [1].

    Example:
        >>> association_cost(np.array([0.5]), np.array([0.4]), 0.5).tolist()
        [-0.3]
    """
    return -np.asarray(iou, dtype=np.float64) + distance_weight * np.asarray(distance_sigma, dtype=np.float64)


def box_iou(boxes_a: npt.ArrayLike, boxes_b: npt.ArrayLike) -> Array:
    """Intersection over union of boxes, broadcast over all axes but the last.

    Args:
        boxes_a: Shape (..., 4): x1, y1, x2, y2 [px].
        boxes_b: Shape (..., 4).

    Returns:
        Shape (...), 0..1; 0 where the union has no area.

    Example:
        >>> round(float(box_iou([100, 100, 200, 200], [150, 100, 250, 200])), 6)
        0.333333
    """
    a, b = np.asarray(boxes_a, dtype=np.float64), np.asarray(boxes_b, dtype=np.float64)
    sides = np.maximum(np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2]), 0.0)
    common = sides[..., 0] * sides[..., 1]
    size_a, size_b = a[..., 2:] - a[..., :2], b[..., 2:] - b[..., :2]
    union = size_a[..., 0] * size_a[..., 1] + size_b[..., 0] * size_b[..., 1] - common
    iou: Array = np.where(union > 0.0, common / np.where(union > 0.0, union, 1.0), 0.0)
    return iou


def unambiguous(rows: IntArray, columns: IntArray) -> BoolArray:
    """Pairs of which neither partner occurs in another pair.

    Args:
        rows: Shape (K,), detection of each pair, >= 0.
        columns: Shape (K,), track of each pair, >= 0.

    Returns:
        Shape (K,).
    """
    if not rows.size:
        return np.zeros(0, dtype=np.bool_)
    alone: BoolArray = (np.bincount(rows)[rows] == 1) & (np.bincount(columns)[columns] == 1)
    return alone


def assign(rows: IntArray, columns: IntArray, costs: Array, unmatched_cost: float = np.inf) -> BoolArray:
    """Choose pairs so that each detection and each track occurs at most once and the sum of costs is least.

    Pairs that nothing competes with are taken as they are, which is most of them; the Hungarian method (Jonker and
    Volgenant's variant, from scipy) decides among the rest.

    Args:
        rows: Shape (K,), detection of each allowed pair.
        columns: Shape (K,), track of each allowed pair.
        costs: Shape (K,), finite.
        unmatched_cost: What it costs to leave a detection without a partner; pairs cost at most that. With a finite
            figure one very good pair can beat two poor ones. With infinity, as many pairs as possible are made first.

    Returns:
        Shape (K,): the chosen pairs.

    Example:
        Three detections, two tracks:

        >>> rows, columns = np.indices((3, 2)).reshape(2, -1)
        >>> chosen = assign(rows, columns, np.array([0.2, 1.0, 0.8, 0.3, 1.5, 0.7]))
        >>> list(zip(rows[chosen].tolist(), columns[chosen].tolist()))
        [(0, 0), (1, 1)]
    """
    chosen = unambiguous(rows, columns)
    rest = np.flatnonzero(~chosen)
    if not rest.size:
        return chosen
    (i, height), (j, width) = _compact(rows[rest]), _compact(columns[rest])
    if np.isfinite(unmatched_cost):
        forbidden, values = unmatched_cost, np.minimum(costs[rest], unmatched_cost)
    else:
        # Dearer than any set of allowed pairs could be, so that one more pair always pays.
        values = costs[rest]
        forbidden = float(values.max()) + (float(np.ptp(values)) + 1.0) * (min(height, width) + 1)
    matrix = np.full((height, width), forbidden)
    pair = np.full(matrix.shape, -1)
    matrix[i, j] = values
    pair[i, j] = rest
    taken = pair[linear_sum_assignment(matrix)]
    chosen[taken[taken >= 0]] = True
    return chosen


def _compact(numbers: IntArray) -> tuple[IntArray, int]:
    """The same numbers (K,), >= 0, without gaps, in the same order; and how many different ones there are."""
    present = np.bincount(numbers) > 0
    dense = present.cumsum()
    return dense[numbers] - 1, int(dense[-1])
