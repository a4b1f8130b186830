"""What both trackers refuse: stamps and scores in other units than theirs."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from deploy.errors import BadInput
from geometry.types import Array

# Differences of two stamps within this fit into int64 [ns].
FARTHEST_NS = 2**62
# Probabilities of a quantized model may come to a little more than 1.
HIGHEST_SCORE = 1.05
# What is farther away is no place in a picture [px].
FARTHEST_PX = 1e7


def check_stamp(stamp_ns: Any) -> int:
    """Check one stamp.

    Raises:
        BadInput: If it is not a whole number, as seconds would not be, or too far from 0.

    Example:
        >>> check_stamp(np.int64(33_000_000))
        33000000
    """
    try:
        whole = operator.index(stamp_ns)
    except TypeError:
        raise BadInput(f"stamp_ns = {stamp_ns!r}: expected a whole number of ns; round(1e9 * t) of seconds") from None
    if not -FARTHEST_NS < whole < FARTHEST_NS:
        raise BadInput(f"stamp_ns = {whole}: expected within 2**62 ns of 0, which is 146 years")
    return whole


def check_scores(scores: Array) -> None:
    """Check scores (M,).

    Raises:
        BadInput: If one is above 1, as percents and raw outputs of a classifier are.
    """
    if np.count_nonzero(scores > HIGHEST_SCORE):
        raise BadInput(f"score {np.nanmax(scores):g}: expected 0..1; divide percents by 100, pass none if not known")


def check_pixels(boxes: Array) -> None:
    """Check that boxes (M, 4) of a whole picture are not in parts of its width and height.

    Raises:
        BadInput: If all that have an area lie within 0..1, or hardly out of it. Slivers in the picture's corner may.
    """
    real = boxes[(boxes[:, 2:] > boxes[:, :2]).all(axis=1)]
    if len(real) and real.min() > -0.5 and real.max() < 1.5 and real[:, :2].any():
        raise BadInput(
            f"boxes within {real.min():.3g}..{real.max():.3g}: expected pixels; multiply normalised ones by the width "
            "and height of the picture"
        )


def without_damage(boxes: Array) -> Array:
    """Boxes (M, 4); those that are not finite, or far from any picture, as zeros, which have no area."""
    near = np.abs(boxes) < FARTHEST_PX
    if np.count_nonzero(near) == boxes.size:
        return boxes
    return np.where(near.all(axis=1, keepdims=True), boxes, 0.0)
