"""Where the expert has seen the object, and whether it moves."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from geometry.types import Array
from policy.expert_parameters import ExpertParameters
from policy.observation import Observation

# once it is believed to move, a share of what is needed to believe it is enough
_HYSTERESIS = 0.5
_TINY_M2_S2 = 1e-12


class Sighting(NamedTuple):
    """The object at an instant, and how it goes on from there.

    Attributes:
        position: Shape (3,), its centre in the base at `stamp_ns` [m].
        velocity: Shape (3,), horizontal; 0 for one that is not believed to move [m/s].
        stamp_ns: The instant [ns].
    """

    position: Array
    velocity: Array
    stamp_ns: int

    @property
    def moves(self) -> bool:
        """Whether it is believed to move."""
        return bool(self.velocity.any())

    def at(self, t_ns: int) -> Array:
        """Where it is at a time, shape (3,) [m]."""
        return self.position + self.velocity * ((t_ns - self.stamp_ns) * 1e-9)


class Eye:
    """Makes sightings of observations.

    A tracker gives everything a velocity, also what lies still. One is believed that is fast enough and stands out of
    its own uncertainty; it is let go when half of either is left.

    Args:
        parameters: `moving_m_s` and `moving_sigma`.
    """

    def __init__(self, parameters: ExpertParameters) -> None:
        self._p = parameters
        self._moves = False

    def reset(self) -> None:
        """Believe that nothing moves."""
        self._moves = False

    def see(self, observation: Observation) -> Sighting:
        """The object as a fresh observation shows it."""
        velocity = np.array((*observation.object_velocity_m_s[:2], 0.0))
        share = _HYSTERESIS if self._moves else 1.0
        speed, sigmas = math.hypot(velocity[0], velocity[1]), _sigmas(observation)
        self._moves = speed >= share * self._p.moving_m_s and sigmas >= share * self._p.moving_sigma
        return Sighting(
            observation.object_position_m, velocity if self._moves else np.zeros(3), observation.object_stamp_ns
        )


def _sigmas(observation: Observation) -> float:
    """How far the horizontal velocity is from rest [standard deviations]."""
    velocity = observation.object_velocity_m_s[:2]
    (a, b), (c, d) = (observation.object_velocity_covariance[:2, :2] + _TINY_M2_S2 * np.eye(2)).tolist()
    x, y = velocity.tolist()
    squared = (d * x * x - (b + c) * x * y + a * y * y) / (a * d - b * c)
    return math.sqrt(max(squared, 0.0))
