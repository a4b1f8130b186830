"""Distances of segments to boxes and to each other, many at once and exact."""

from __future__ import annotations

import numpy as np

from geometry.types import Array

_ALONG = np.linspace(0.0, 1.0, 9)


def segments_to_boxes(ends_m: Array, lower_m: Array, upper_m: Array, enough_m: float | Array = np.inf) -> Array:
    """Distance of each segment to its box [m]; below 0 how deep the segment is inside.

    The squared distance to a box is convex along a segment, and its slope is made of straight pieces between the places
    where the segment crosses the planes of the box's faces: the minimum is where that slope is 0. For a segment that
    runs through the box the depth is that of its deepest of nine points.

    Args:
        ends_m: Shape (..., 2, 3), the ends of the segments [m].
        lower_m: Shape (..., 3), the lowest corner of the boxes [m]; broadcasts.
        upper_m: Shape (..., 3), the highest corner [m].
        enough_m: Where the segment's own box is further away than this, that distance is the answer: a lower bound.

    Returns:
        The broadcast shape without its last axis.
    """
    apart = np.maximum(lower_m - ends_m.max(axis=-2), ends_m.min(axis=-2) - upper_m)
    bound: Array = np.sqrt((np.maximum(apart, 0.0) ** 2).sum(axis=-1))
    near = bound < enough_m
    if near.all():
        return _segments_to_boxes(ends_m, lower_m, upper_m)
    if near.any():
        shape = apart.shape
        low, high = np.broadcast_to(lower_m, shape)[near], np.broadcast_to(upper_m, shape)[near]
        bound[near] = _segments_to_boxes(ends_m[near], low, high)
    return bound


def _segments_to_boxes(ends_m: Array, lower_m: Array, upper_m: Array) -> Array:
    start = ends_m[..., 0, :]
    along = ends_m[..., 1, :] - start
    safe = np.where(along == 0.0, 1e-300, along)
    places = np.empty((*start.shape[:-1], 8))
    places[..., 0], places[..., 1] = 0.0, 1.0
    places[..., 2:5] = (lower_m - start) / safe
    places[..., 5:8] = (upper_m - start) / safe
    np.clip(places, 0.0, 1.0, out=places)
    points = start[..., None, :] + places[..., None] * along[..., None, :]
    beyond = points - np.clip(points, lower_m[..., None, :], upper_m[..., None, :])
    slope = (beyond * along[..., None, :]).sum(axis=-1)
    # between the last place where it falls and the first where it rises, the slope is one straight piece
    falls = slope <= 0.0
    before = np.where(falls, places, 0.0).max(axis=-1)
    after = np.where(falls, 1.0, places).min(axis=-1)
    slope_before = np.where(falls, slope, -np.inf).max(axis=-1)
    slope_after = np.where(falls, np.inf, slope).min(axis=-1)
    with np.errstate(invalid="ignore"):
        part = -slope_before / (slope_after - slope_before)
    place = np.where(
        np.isfinite(part), before + (after - before) * part, np.where(np.isinf(slope_after), before, after)
    )
    nearest = start + place[..., None] * along
    distance: Array = np.sqrt(((nearest - np.clip(nearest, lower_m, upper_m)) ** 2).sum(axis=-1))
    inside = distance <= 0.0
    if inside.any():
        shape = (*distance.shape, 3)
        at = start[inside][:, None] + _ALONG[:, None] * along[inside][:, None]
        low, high = np.broadcast_to(lower_m, shape)[inside], np.broadcast_to(upper_m, shape)[inside]
        depth = np.minimum(at - low[:, None], high[:, None] - at).min(axis=-1).max(axis=-1)
        distance[inside] = -np.maximum(depth, 0.0)
    return distance


def segments_to_segments(first_m: Array, second_m: Array) -> Array:
    """Distance of each segment to another [m].

    After C. Ericson, Real-Time Collision Detection (2005), 5.1.9, for all pairs at once.

    Args:
        first_m: Shape (..., 2, 3) [m].
        second_m: Shape (..., 2, 3) [m].

    Returns:
        Shape (...).
    """
    one, two = first_m[..., 0, :], second_m[..., 0, :]
    d1, d2 = first_m[..., 1, :] - one, second_m[..., 1, :] - two
    r = one - two
    a, e = (d1 * d1).sum(axis=-1), (d2 * d2).sum(axis=-1)
    b, c, f = (d1 * d2).sum(axis=-1), (d1 * r).sum(axis=-1), (d2 * r).sum(axis=-1)
    a, e = np.maximum(a, 1e-18), np.maximum(e, 1e-18)
    across = a * e - b * b
    s = np.clip((b * f - c * e) / np.maximum(across, 1e-18), 0.0, 1.0)
    t = np.clip((b * s + f) / e, 0.0, 1.0)
    s = np.clip((b * t - c) / a, 0.0, 1.0)
    distance: Array = np.sqrt(((r + s[..., None] * d1 - t[..., None] * d2) ** 2).sum(axis=-1))
    return distance
