"""Squares of known size, laid on maps of what depth shows: they complete what is hidden of an object's top.

A map is level with the object's top. A cell of it counts for the object where its top is seen there, and against it
where something further away is seen *through* that place (free space), or where another object is; cells behind
something nearer, outside the image or without depth say nothing. Squares at every place of the map and at every yaw are
scored by what they cover: one that covers all of the top and nothing free fits. Edges that are in sight hold it in
place; where none is in sight, the spread of the squares that fit as well says how little is known.

Maps of occupied and of free space: H. Moravec and A. Elfes, High resolution maps from wide angle sonar, ICRA 1985.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from geometry.types import Array

TURNS = 6
MAP_SIZES = 2.43  # edge of a map, in sizes of the object
CELLS = (14, 10, 6)  # along an edge of the object: fewer where the pixels are far apart
# Loss of fit, in parts of the square's area, for which a place is e times less likely. One cell's width along an edge
# is 0.07 of the area, and errors of neighbouring cells are one error.
SOFTNESS = 0.016
# Squares that are less likely than exp(-FAINTEST) against the best one of their map are left out; where too many are
# left, every so-manieth of them stands for the others.
FAINTEST, MOST_SQUARES = 6.0, 100
NEAREST_M = 0.02

Float32 = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Squares:
    """Places where a square fits, and how well, on M maps: K places in all, map by map.

    Attributes:
        maps: Shape (K,), the map of each place, ascending.
        first: Shape (M,), the first place of each map; each has at least one.
        along_m: Shape (K,), first coordinate of the centres [m].
        across_m: Shape (K,), second coordinate [m].
        turns: Shape (K,), the yaw, in steps of 90 degrees / `TURNS`.
        loss: Shape (K,), logarithm of how much less likely each is than the best one of its map.
        worth: Shape (M,), what the best one covers of the object's top, less what it covers of free or foreign space,
            in parts of its area.
        misfit: Shape (M,), what is against it: top that it leaves out, and that space.
        cell_m: Shape (M,), edge of a cell: the squares are so far apart [m].
    """

    maps: Integers
    first: Integers
    along_m: Array
    across_m: Array
    turns: Integers
    loss: Array
    worth: Array
    misfit: Array
    cell_m: Array


def fit_squares(
    along_m: Float32, across_m: Float32, weights: Float32, middle_m: Float32, size_m: Array, spacing_m: Array
) -> Squares:
    """Lay squares on maps of evidence.

    Args:
        along_m: Shape (M, E), where each piece of evidence lies, first coordinate [m].
        across_m: Shape (M, E), second coordinate [m].
        weights: Shape (M, E), 1 for the object, down to -1 against it.
        middle_m: Shape (2, M), middle of each map: about where the object is [m].
        size_m: Shape (M,), edge of the square [m].
        spacing_m: Shape (M,), distance between neighbouring pieces of evidence [m].
    """
    count = len(size_m)
    coarse = float((spacing_m / size_m).max())
    cells = next((cells for cells in CELLS if cells * coarse < 2.0), CELLS[-1])
    edge = 2 * round(0.5 * MAP_SIZES * cells)
    plans = _plans(along_m, across_m, weights, middle_m, (cells / size_m).astype(np.float32), edge)
    turned = plans.reshape(count, -1)[:, _turned(edge)].reshape(-1, edge)
    covered = cv2.boxFilter(turned, -1, (cells, cells), normalize=False, borderType=cv2.BORDER_CONSTANT)
    start, places = cells // 2, edge - cells + 1
    inner = slice(start, start + places)
    scores = covered.reshape(count, TURNS, edge, edge)[:, :, inner, inner].reshape(count, -1)
    best = scores.argmax(axis=1)
    each = np.arange(count)
    most = scores[each, best]
    area = float(cells * cells)
    maps, chosen = np.nonzero(scores > most[:, None] - FAINTEST * SOFTNESS * area)
    maps, chosen = _thinned(maps, chosen, count)
    first = np.searchsorted(maps, each)
    lines, columns = np.divmod(chosen, places)
    turns, rows = np.divmod(lines, places)
    cell_m = size_m / cells
    u, v = (rows - 0.5 * (edge - cells)) * cell_m[maps], (columns - 0.5 * (edge - cells)) * cell_m[maps]
    cosines, sines = _turns()
    c, s = cosines[turns], sines[turns]
    return Squares(
        maps,
        first,
        middle_m[0, maps] + u * c - v * s,
        middle_m[1, maps] + u * s + v * c,
        turns,
        (most[maps] - scores[maps, chosen]) * (1.0 / (SOFTNESS * area)),
        most / area,
        np.maximum(np.maximum(plans, 0.0).sum(axis=(1, 2)) - most, 0.0) / area,
        cell_m,
    )


def _plans(
    along_m: Float32, across_m: Float32, weights: Float32, middle_m: Float32, scale: Float32, edge: int
) -> Float32:
    """Maps (M, edge, edge) of evidence (M, E), from -1 to 1 in each cell, with `scale` (M,) cells for each metre."""
    # a frame of one cell around each map takes what lies outside of it
    framed = edge + 2
    rows, columns = (
        np.minimum(np.maximum((way - middle[:, None]) * scale[:, None] + (0.5 * edge + 1.0), 0.0), edge + 1.0)
        for way, middle in ((along_m, middle_m[0]), (across_m, middle_m[1]))
    )
    cells = rows.astype(np.int32) * framed + columns.astype(np.int32)
    cells += np.arange(0, len(cells) * framed * framed, framed * framed, dtype=np.int32)[:, None]
    counts = np.bincount(cells.ravel(), weights.ravel(), len(cells) * framed * framed)
    plans = counts.reshape(-1, framed, framed)[:, 1:-1, 1:-1]
    return np.minimum(np.maximum(plans, -1.0), 1.0).astype(np.float32)


def _thinned(maps: Integers, chosen: Integers, count: int) -> tuple[Integers, Integers]:
    """At most `MOST_SQUARES` places of each map, evenly taken."""
    number = np.bincount(maps, minlength=count)
    if number.max() <= MOST_SQUARES:
        return maps, chosen
    every = number // MOST_SQUARES + 1
    order = np.arange(len(maps)) - (np.cumsum(number) - number)[maps]
    kept = order % every[maps] == 0
    return maps[kept], chosen[kept]


def outlines(squares: Squares, top_m: Array, size_m: Array, axes: Array) -> Array:
    """Where the outlines of upright cubes under the squares end in the image, shape (4, K): left, top, right, bottom.

    As X / Z and Y / Z of rays.

    Args:
        squares: The squares, K of them on M maps.
        top_m: Shape (M,), height of the tops [m].
        size_m: Shape (M,), edge length [m].
        axes: Shape (3, 3), rows along, across, up in the camera's frame.
    """
    offsets = np.moveaxis(_cubes() @ axes, 0, -1)[..., squares.turns] * size_m[squares.maps]
    tops = axes.T @ np.stack((squares.along_m, squares.across_m, top_m[squares.maps]))
    corners = offsets + tops  # (8, 3, K)
    ends = corners[:, :2] / np.maximum(corners[:, 2:], NEAREST_M)
    return np.concatenate((ends.min(axis=0), ends.max(axis=0)))


def within(
    squares: Squares, number: Integers, along_m: Float32, across_m: Float32, half_m: Array
) -> npt.NDArray[np.bool_]:
    """Which points (M, E) lie within `half_m` (M,) [m] of the middle of one square of each map, in its directions."""
    cosines, sines = _turns()
    c, s = cosines[squares.turns[number]][:, None], sines[squares.turns[number]][:, None]
    x, y = along_m - squares.along_m[number][:, None], across_m - squares.across_m[number][:, None]
    return np.asarray((np.abs(c * x + s * y) < half_m[:, None]) & (np.abs(c * y - s * x) < half_m[:, None]))


@lru_cache(maxsize=1)
def _turns() -> tuple[Array, Array]:
    """Cosine and sine of each yaw, shape (TURNS,)."""
    angles = np.arange(TURNS) * (0.5 * math.pi / TURNS)
    return np.cos(angles), np.sin(angles)


@lru_cache(maxsize=1)
def _cubes() -> Array:
    """Corners of a cube of edge 1 about the middle of its top at each yaw, shape (TURNS, 8, 3): along, across, up."""
    signs = np.array([(x, y, z) for z in (-1.0, 0.0) for x in (-0.5, 0.5) for y in (-0.5, 0.5)])
    cosines, sines = _turns()
    along = cosines[:, None] * signs[:, 0] - sines[:, None] * signs[:, 1]
    across = sines[:, None] * signs[:, 0] + cosines[:, None] * signs[:, 1]
    return np.stack((along, across, np.broadcast_to(signs[:, 2], along.shape)), axis=-1)


@lru_cache(maxsize=len(CELLS))
def _turned(edge: int) -> Integers:
    """For each cell of the turned maps, one after the other, the cell of the map that it shows, or the nearest."""
    u, v = np.indices((edge, edge)) + (0.5 - 0.5 * edge)
    pairs = list(zip(*_turns(), strict=True))
    rows = np.concatenate([u * c - v * s for c, s in pairs]) + (0.5 * edge - 0.5)
    columns = np.concatenate([u * s + v * c for c, s in pairs]) + (0.5 * edge - 0.5)
    cells = np.clip(np.rint((rows, columns)), 0, edge - 1).astype(np.int64)
    return np.asarray((cells[0] * edge + cells[1]).ravel())
