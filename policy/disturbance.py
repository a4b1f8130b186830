"""Smooth random offsets of a tool that come and go."""

from __future__ import annotations

from typing import Final

import numpy as np

from geometry.types import Array

_SPAN_S: Final = 120.0
_LENGTH_S: Final = (0.7, 1.6)
_PAUSE_S: Final = (0.0, 0.8)
# a bump is no longer than the longest offset, and most are not much shorter
_SIZE: Final = (0.3, 1.0)


class Disturbance:
    """Bumps, one after the other with pauses between them: each has a direction, a size, and comes and goes smoothly.

    A bump is 64 u^3 (1 - u)^3 of its size at the part u of its length: at both ends it has neither speed nor
    acceleration.

    Args:
        numbers: Where the bumps are drawn from.
        offset_m: Longest offset [m].
        turn_rad: Largest turn [rad].
    """

    def __init__(self, numbers: np.random.Generator, offset_m: float, turn_rad: float) -> None:
        starts, lengths, offsets, turns = [], [], [], []
        at = float(numbers.uniform(0.0, _LENGTH_S[1]))
        while at < _SPAN_S:
            length = float(numbers.uniform(*_LENGTH_S))
            starts.append(at)
            lengths.append(length)
            size = numbers.uniform(*_SIZE)
            offsets.append(size * offset_m * _direction(numbers))
            turns.append(size * turn_rad * _direction(numbers))
            at += length + float(numbers.uniform(*_PAUSE_S))
        self._starts, self._lengths = np.array(starts), np.array(lengths)
        self._offsets, self._turns = np.array(offsets), np.array(turns)

    def at(self, t_s: float) -> tuple[Array, Array]:
        """The disturbance of a time since the start of the episode [s].

        Returns:
            Offset [m] and rotation vector [rad], shape (3,) each; zeros between two bumps and after two minutes.
        """
        bump = int(np.searchsorted(self._starts, t_s, side="right")) - 1
        u = (t_s - self._starts[bump]) / self._lengths[bump] if bump >= 0 else 1.0
        if not 0.0 < u < 1.0:
            return np.zeros(3), np.zeros(3)
        share = 64.0 * (u * (1.0 - u)) ** 3
        return share * self._offsets[bump], share * self._turns[bump]


def _direction(numbers: np.random.Generator) -> Array:
    """Shape (3,), of length 1, any direction alike."""
    vector = numbers.normal(size=3)
    direction: Array = vector / np.linalg.norm(vector)
    return direction
