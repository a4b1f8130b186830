"""How alike a row of truth and a row of tracks are, from 0 to 1."""

from __future__ import annotations

import numpy as np

from geometry.types import Array
from tracking.assignment import box_iou

# What is at a threshold in decimals may be below it by the rounding of floats.
ROUNDING = 1e-9


def overlap(truth_ltwh: Array, tracks_ltwh: Array) -> Array:
    """Intersection over union of boxes.

    Args:
        truth_ltwh: Shape (N, 4): left, top, width, height [px].
        tracks_ltwh: Shape (M, 4).

    Returns:
        Shape (N, M), in [0, 1]; 0 for a box of no size.
    """
    return box_iou(_corners(truth_ltwh)[:, None], _corners(tracks_ltwh)[None])


def nearness(truth_m: Array, tracks_m: Array, half_m: float) -> Array:
    """How near places are to each other: 1 at the same place, 0.5 at a distance of `half_m`, 0 from twice that on.

    It is the similarity of TrackEval for points, max(0, 1 - d / zero_distance), with a zero distance of `2 half_m`: a
    similarity of 0.5 is a distance of `half_m`, and the .05 to .95 of HOTA are 1.9 to 0.1 times that.

    Args:
        truth_m: Shape (N, 3) [m].
        tracks_m: Shape (M, 3) [m], in the same frame of reference.
        half_m: Distance of the similarity 0.5 [m].

    Returns:
        Shape (N, M), in [0, 1].
    """
    distance_m = np.linalg.norm(truth_m[:, None] - tracks_m[None], axis=-1)
    near: Array = np.maximum(0.0, 1.0 - distance_m / (2.0 * half_m))
    return near


def _corners(ltwh: Array) -> Array:
    return np.hstack((ltwh[:, :2], ltwh[:, :2] + ltwh[:, 2:]))
