"""Which boxes are the same: overlaps, and pairs made of them one after the other."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from geometry.types import Array, IntArray


def overlaps(first: npt.NDArray[np.floating], second: npt.NDArray[np.floating]) -> Array:
    """Intersection over union of each box with each other one.

    Args:
        first: Shape (N, 4): x1, y1, x2, y2.
        second: Shape (M, 4).

    Returns:
        Shape (N, M), in [0, 1].
    """
    a, b = first.astype(np.float64)[:, None, :], second.astype(np.float64)[None, :, :]
    size = np.clip(np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2]), 0.0, None)
    inner = size[..., 0] * size[..., 1]
    union = (a[..., 2:] - a[..., :2]).prod(axis=-1) + (b[..., 2:] - b[..., :2]).prod(axis=-1) - inner
    return np.asarray(inner / np.maximum(union, 1e-9))


def pairs(value: Array, least: float) -> tuple[IntArray, IntArray]:
    """Pair rows with columns, the greatest value first, each row and column at most once.

    Args:
        value: Shape (N, M), such as overlaps.
        least: Pairs of a smaller value are not made.

    Returns:
        Rows and columns of the pairs, both of shape (K,), the greatest value first.
    """
    rows, columns = np.nonzero(value >= least)
    order = np.argsort(-value[rows, columns], kind="stable")
    free_row, free_column = np.ones(value.shape[0], bool), np.ones(value.shape[1], bool)
    kept = []
    for index in order:
        row, column = rows[index], columns[index]
        if free_row[row] and free_column[column]:
            free_row[row] = free_column[column] = False
            kept.append(index)
    return rows[kept].astype(np.int64), columns[kept].astype(np.int64)
