"""The top of an object in a patch of a depth image: how high it is, and where the middle of its footprint lies."""

from __future__ import annotations

import math

import cv2
import numpy as np

from geometry.types import Array, BoolArray

BIN_M = 0.003
SEED_FRACTION = 0.7
MARGIN_FRACTION, MARGIN_PX = 0.1, 2.0
# Detectors are so far off: up to here a pixel beside the box may show the object.
SLACK_PX = 2.0


def top_height(heights_m: Array, tolerance_m: float) -> float:
    """Height of the uppermost surface of some extent.

    The uppermost peak of a histogram that reaches half of its largest one, then the median around it, twice. Flying
    pixels and fringes above the surface make no peak; sides and the ground below it do not reach up to it.

    Args:
        heights_m: Shape (N,), N >= 1, along any upward direction [m].
        tolerance_m: Half width of the band that counts as the surface [m].
    """
    low = heights_m.min()
    # at least three bins: numpy's `same` is as long as the longer of its inputs
    counts = np.bincount(((heights_m - low) * (1.0 / BIN_M)).astype(np.int64), minlength=3)
    smooth = np.convolve(counts, (1, 1, 1), "same")
    upper = int(np.flatnonzero(2 * smooth >= smooth.max())[-1])
    below = max(0, upper - 2)
    peak = below + int(counts[below : upper + 1].argmax())
    top = float(low) + (peak + 0.5) * BIN_M
    for _ in range(2):
        near = heights_m[np.abs(heights_m - top) < tolerance_m]
        if near.size:
            middle = near.size // 2
            top = float(np.partition(near, middle)[middle])
    return top


def commonest_height(heights_m: Array) -> float:
    """Height of the surface that most of some points (N,), N >= 1, belong to [m]."""
    low = float(heights_m.min())
    counts = np.bincount(((heights_m - low) * (1.0 / BIN_M)).astype(np.int64), minlength=3)
    peak = int(np.convolve(counts, (1, 1, 1), "same").argmax())
    near = counts[max(0, peak - 1) : peak + 2]
    return low + (max(0, peak - 1) + 0.5 + float(near @ np.arange(len(near))) / float(near.sum())) * BIN_M


def connected_to(seeds: BoolArray, mask: BoolArray, unknown: BoolArray) -> BoolArray:
    """The piece of a mask that covers most of the seeds: a neighbour of the same height is another object.

    Args:
        seeds: Shape (h, w), where the object is.
        mask: Shape (h, w), what may belong to it.
        unknown: Shape (h, w), pixels without depth: they do not separate.
    """
    _, labels = cv2.connectedComponents((mask | unknown).view(np.uint8), connectivity=8, ltype=cv2.CV_16U)
    votes = np.bincount(labels[seeds & mask], minlength=1)
    label = votes.argmax()
    return np.asarray((labels == label) & mask) if label else mask


def footprint(along_m: Array, across_m: Array, cell_m: float) -> tuple[float, float, float, float, float]:
    """Middle and spread of the area that points cover.

    Each cell of a grid counts once, however many points fall into it: the sides of an upright object fall onto the
    rim of its top, and near parts have more pixels; neither moves the middle.

    Args:
        along_m: Shape (N,), N >= 1, first coordinate in the plane [m].
        across_m: Shape (N,), second coordinate [m].
        cell_m: Edge of a cell [m], at least the distance between the points.

    Returns:
        Middle along and across [m], and the second moments of the area [m^2]: along, across, mixed. A square of edge
        s has s^2 / 12 in every direction, however it is turned.
    """
    low_i, _ = _centred_grid(along_m, cell_m)
    low_j, columns = _centred_grid(across_m, cell_m)
    i = ((along_m - low_i) * (1.0 / cell_m)).astype(np.int64)
    j = ((across_m - low_j) * (1.0 / cell_m)).astype(np.int64)
    cells = np.flatnonzero(np.bincount(i * columns + j))
    rows = cells // columns
    u, v = rows.astype(np.float64), (cells - rows * columns).astype(np.float64)
    count = len(cells)
    mean_u, mean_v = float(u.sum()) / count, float(v.sum()) / count
    u -= mean_u
    v -= mean_v
    # a cell has an extent of its own, 1 / 12; and cells on the rim, half empty, widen the area by about one of them
    u2, v2, uv = float(u @ u) / count + 1.0 / 12.0, float(v @ v) / count + 1.0 / 12.0, float(u @ v) / count
    area = (cell_m * (1.0 - 1.0 / math.sqrt(6.0 * (u2 + v2)))) ** 2
    return low_i + (mean_u + 0.5) * cell_m, low_j + (mean_v + 0.5) * cell_m, u2 * area, v2 * area, uv * area


def _centred_grid(values_m: Array, cell_m: float) -> tuple[float, int]:
    """Start and number of cells that reach as far beyond the smallest value as beyond the largest: no bias."""
    low, high = float(values_m.min()), float(values_m.max())
    count = int((high - low) / cell_m) + 1
    return 0.5 * (low + high - count * cell_m), count
