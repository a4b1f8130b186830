"""Constant-velocity Kalman filter of many boxes at once whose axes do not know of one another.

All noise of a box, of its motion and of its measurement, is proportional to its size, and equal on its axes: centre u
and v, width, height. In units of the size the covariance of each axis then is the same three numbers, whatever the box
is: position-position, position-velocity, velocity-velocity. So a box takes eleven numbers, and all boxes are filtered
by a dozen operations on whole arrays.

State: one block of shape (11, N): position (4), velocity (4), covariances in sizes (3).
"""

from __future__ import annotations

import numpy as np

from geometry.types import Array, IntArray

ROWS = 11
POSITION, VELOCITY, COVARIANCE = slice(0, 4), slice(4, 8), slice(8, 11)
MOTION, GAINED = slice(0, 8), slice(8, 10)
# Of two ways to see that part of a block: by kind and axis.
_KINDS = (2, 4, -1)


class AxesFilter:
    """The filter's steps, in place.

    Args:
        walk: How far a velocity wanders in a second, one standard deviation [sizes per s per sqrt(s)].
        noise: Standard deviation of a measurement [sizes].
        initial_speed: Of something new, one standard deviation [sizes per s].
    """

    def __init__(self, walk: float, noise: float, initial_speed: float) -> None:
        self._walk = walk**2
        self._noise = noise**2
        self._first = np.array([[noise**2], [0.0], [initial_speed**2]])
        self._step_s = -1.0
        self._step: tuple[Array, Array] = (np.eye(3), np.zeros((3, 1)))

    def start(self, block: Array, measured: Array) -> None:
        """New boxes: at rest at what was measured (4, K), with the doubt of both."""
        block[POSITION] = measured
        block[COVARIANCE] = self._first

    def predict(self, block: Array, dt_s: float) -> None:
        """Move boxes forward in time: constant velocity, disturbed by white acceleration."""
        if dt_s != self._step_s:
            t = self._step_s = dt_s
            grown = self._walk * t
            self._step = (
                np.array([[1.0, 2.0 * t, t * t], [0.0, 1.0, t], [0.0, 0.0, 1.0]]),
                np.array([[grown * t * t / 3.0], [grown * t / 2.0], [grown]]),
            )
        transition, added = self._step
        block[POSITION] += dt_s * block[VELOCITY]
        covariance = block[COVARIANCE]
        np.add(transition @ covariance, added, covariance)

    def settle(self, block: Array, boxes: IntArray, keep: Array) -> None:
        """Let velocities decay: those of `boxes` are multiplied by `keep` (K,), their covariances accordingly."""
        part = block.take(boxes, 1)
        part[VELOCITY] *= keep
        part[9] *= keep
        part[10] *= keep * keep
        block[:, boxes] = part

    def correct(self, block: Array, boxes: IntArray, measured: Array, doubt: Array) -> None:
        """Weigh predictions against measurements.

        Args:
            block: Shape (11, N).
            boxes: Shape (K,), which of them were measured.
            measured: Shape (4, K).
            doubt: Shape (K,): factor of the measurement's standard deviation [1].
        """
        part = block.take(boxes, 1)
        gained = part[GAINED]
        doubt = doubt * doubt
        doubt *= self._noise
        doubt += part[8]
        gain = gained / doubt
        motion = part[MOTION].reshape(_KINDS)
        motion += gain[:, None] * (measured - part[POSITION])
        part[10] -= gain[1] * part[9]
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
