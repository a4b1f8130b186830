"""Fewer points for a plot, and never one peak less."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Int64 = npt.NDArray[np.int64]


def largest_of_stretches(at_ns: Int64, values: Int64, count: int) -> tuple[Int64, Int64]:
    """Keep the largest value of each of equal stretches of time; of few values all.

    Args:
        at_ns: Shape (N,), when each value was found, in any order [ns], N may be 0.
        values: Shape (N,).
        count: How many are kept at most.

    Returns:
        Indices of those that are kept, increasing, and how many values each of them stands for; both of shape (K,), K
        at most `count`.

    Example:
        >>> kept, together = largest_of_stretches(np.array([0, 1, 8, 9]), np.array([5, 7, 3, 2]), 2)
        >>> kept.tolist(), together.tolist()
        ([1, 2], [2, 2])
    """
    if len(values) <= count:
        return np.arange(len(values)), np.ones(len(values), dtype=np.int64)
    start = int(at_ns.min())
    width = (int(at_ns.max()) - start) // count + 1
    stretch = (at_ns - start) // width
    order = np.lexsort((values, stretch))
    last = np.append(np.diff(stretch[order]) > 0, True)
    together = np.diff(np.flatnonzero(last), prepend=-1)
    by_index = np.argsort(order[last])
    return order[last][by_index], together[by_index]
