"""Constant-velocity Kalman filter of many boxes at once whose axes do not know of one another.

All noise of a box, of its motion and of its measurement, is proportional to its size, and equal on its axes: centre u
and v, width, height. In units of the size the covariance of each axis then is the same three numbers, whatever the box
is: position-position, position-velocity, velocity-velocity. So a box takes eleven numbers, and all boxes are filtered
by a dozen operations on whole arrays.

State: one block of shape (11, N): position (4), velocity (4), covariances in sizes (3).
"""

from __future__ import annotations

import math

import numpy as np

from geometry.types import Array, IntArray

ROWS = 11
POSITION, VELOCITY, COVARIANCE = slice(0, 4), slice(4, 8), slice(8, 11)
MOTION, GAINED = slice(0, 8), slice(8, 10)
PP, PV, VV = 8, 9, 10
# Smallest width and height that a prediction may come to [px].
SMALLEST_PX = 1.0
# Of two ways to see that part of a block: by kind and axis.
_KINDS = (2, 4, -1)


class AxesFilter:
    """The filter's steps, in place.

    Args:
        walk: How far a velocity wanders in a second, one standard deviation [sizes per s per sqrt(s)].
        noise: Standard deviation of a certain detection's measurement [sizes].
        initial_speed: Of something new, one standard deviation [sizes per s].
        settle_s: Time constant with which a velocity that nobody measures decays [s].
    """

    def __init__(self, walk: float, noise: float, initial_speed: float, settle_s: float) -> None:
        self._walk = walk**2
        self._noise = noise**2
        self._first = np.array([[noise**2], [0.0], [initial_speed**2]])
        self._settle_s = settle_s
        self._dt_s = -1.0
        self._set_step(0.0)

    def _set_step(self, dt_s: float) -> None:
        """A step of a new length: the transition of the state, the noise that it adds, and the decay of velocities."""
        t = self._dt_s = dt_s
        transition, added, keep = np.eye(ROWS), np.zeros((ROWS, 1)), np.ones((ROWS, 1))
        transition[POSITION, VELOCITY] = t * np.eye(4)
        transition[COVARIANCE, COVARIANCE] = [[1.0, 2.0 * t, t * t], [0.0, 1.0, t], [0.0, 0.0, 1.0]]
        added[COVARIANCE, 0] = self._walk * t * np.array([t * t / 3.0, t / 2.0, 1.0])
        decay = math.exp(-t / self._settle_s)
        keep[VELOCITY] = keep[PV] = decay
        keep[VV] = decay * decay
        self._transition, self._added, self._keep = transition, added, keep

    def start(self, block: Array, measured: Array) -> None:
        """New boxes: at rest at what was measured (4, K), with the doubt of both."""
        block[POSITION] = measured
        block[VELOCITY] = 0.0
        block[COVARIANCE] = self._first

    def predict(self, block: Array, dt_s: float, settling: IntArray) -> None:
        """Move boxes forward in time: constant velocity, disturbed by white acceleration.

        Args:
            block: Shape (11, N).
            dt_s: Length of the step, > 0 [s].
            settling: Shape (K,): boxes whose velocity has long not been measured: it decays.
        """
        if dt_s != self._dt_s:
            self._set_step(dt_s)
        if len(settling):
            block[:, settling] = block.take(settling, 1) * self._keep
        np.add(self._transition @ block, self._added, out=block)
        sides = block[2:4]
        np.maximum(sides, SMALLEST_PX, out=sides)

    def correct(self, block: Array, boxes: IntArray, measured: Array, doubt: Array) -> None:
        """Weigh predictions against measurements.

        Args:
            block: Shape (11, N).
            boxes: Shape (K,), which of them were measured.
            measured: Shape (4, K).
            doubt: Shape (K,): factor of the measurement's variance [1].
        """
        part = block.take(boxes, 1)
        gained = part[GAINED]
        gain = gained / (self._noise * doubt + part[PP])
        motion = part[MOTION].reshape(_KINDS)
        motion += gain[:, None] * (measured - part[POSITION])
        part[VV] -= gain[1] * part[PV]
        gained -= gain[0] * gained
        block[:, boxes] = part


class AxesMotion:
    """`Motion` of a block."""

    __slots__ = ("_block",)

    def __init__(self, block: Array) -> None:
        self._block = block

    def position(self) -> Array:
        """Shape (N, 4) [px]."""
        return np.array(self._block[POSITION].T)

    def velocity(self) -> Array:
        """Shape (N, 4) [px/s]."""
        return np.array(self._block[VELOCITY].T)

    def covariance(self) -> Array:
        """Shape (N, 8, 8) [px^2, px^2/s, px^2/s^2]."""
        full = np.zeros((self._block.shape[1], 8, 8))
        pp, pv, vv = self._block[COVARIANCE] * (self._block[2] * self._block[3])
        at, on = np.arange(4), np.arange(4, 8)
        full[:, at, at], full[:, on, on] = pp[:, None], vv[:, None]
        full[:, at, on] = full[:, on, at] = pv[:, None]
        return full
