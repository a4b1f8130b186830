"""Which of many pairs are near: all are looked at where they are few, along a sorted axis where they are many."""

from __future__ import annotations

import numpy as np
from scipy.spatial.distance import cdist

from geometry.types import Array, IntArray

# From so many pairs on, sorting along the first axis is quicker than looking at all of them.
MANY = 8192


def near_pairs(a: Array, reach_a: Array, b: Array, reach_b: Array) -> tuple[IntArray, IntArray, Array]:
    """Pairs whose distance is at most the sum of their reaches.

    Args:
        a: Shape (D, M), finite.
        reach_a: Shape (M,), >= 0.
        b: Shape (D, N), finite.
        reach_b: Shape (N,), >= 0.

    Returns:
        Columns of `a` (K,) and of `b` (K,), ordered by both, and their distances (K,).
    """
    if len(reach_a) * len(reach_b) < MANY:
        distance = cdist(a.T, b.T)
        i, j = (distance <= np.add.outer(reach_a, reach_b)).nonzero()
        return i, j, distance[i, j]
    i, j = _candidates(a[0], reach_a, b[0], reach_b)
    offset = a[:, i] - b[:, j]
    distance = np.sqrt(np.einsum("dk,dk->k", offset, offset))
    near = (distance <= reach_a[i] + reach_b[j]).nonzero()[0]
    i, j = i[near], j[near]
    order = np.argsort(i * len(reach_b) + j)
    return i[order], j[order], distance[near][order]


def _candidates(a: Array, reach_a: Array, b: Array, reach_b: Array) -> tuple[IntArray, IntArray]:
    """Pairs that may be near on one axis: for each of `a` (M,) the run of sorted `b` (N,) within reach."""
    order = np.argsort(b, kind="stable")
    ordered = b[order]
    reach = reach_a + reach_b.max()
    first = np.searchsorted(ordered, a - reach, "left")
    count = np.searchsorted(ordered, a + reach, "right") - first
    i = np.repeat(np.arange(len(a)), count)
    # The k-th of a run begins where the runs before it end.
    within = np.arange(len(i)) - np.repeat(np.cumsum(count) - count, count)
    return i, order[first[i] + within]
