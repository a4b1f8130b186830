"""Constant-velocity Kalman filter of many objects at once whose axes do not know of one another.

Where the measurement's axes are independent too, as centre and size of a box in an image, the covariance of an axis is
three numbers, and all objects and axes are filtered by a handful of operations on whole arrays.

State: one block of shape (5, A, N): position, velocity, and the covariances position-position, position-velocity,
velocity-velocity of each axis and object.
"""

from __future__ import annotations

import numpy as np

from geometry.types import Array, IntArray

POSITION, VELOCITY, PP, PV, VV = range(5)


def predict(block: Array, coasting_s: float, noise: Array) -> None:
    """Move states forward in time, in place: constant velocity, disturbed by white acceleration.

    Args:
        block: Shape (5, A, N).
        coasting_s: Time to move forward, >= 0 [s].
        noise: Shape broadcast to (A, N): spectral density of the acceleration [unit^2 / s^3].
    """
    t = coasting_s
    position, velocity, pp, pv, vv = block
    position += t * velocity
    moved = t * vv
    pp += t * (2.0 * pv + moved)
    pv += moved
    grown = t * noise
    vv += grown
    pv += (0.5 * t) * grown
    pp += (t * t / 3.0) * grown


def settle(block: Array, tracks: IntArray, keep: Array) -> None:
    """Let velocities decay: those of `tracks` are multiplied by `keep`, their covariances accordingly."""
    part = block[:, :, tracks]
    part[VELOCITY] *= keep
    part[PV] *= keep
    part[VV] *= keep * keep
    block[:, :, tracks] = part


def correct(states: Array, measured: Array, noise: Array) -> None:
    """Weigh predicted states against measurements, in place.

    Args:
        states: Shape (5, A, K), predicted.
        measured: Shape (A, K).
        noise: Shape broadcast to (A, K): variance of the measurement, > 0.
    """
    gain = states[PP:VV] / (states[PP] + noise)
    states[:PP] += gain * (measured - states[POSITION])
    states[VV] -= gain[1] * states[PV]
    states[PP:VV] -= gain[0] * states[PP:VV]


class AxesMotion:
    """`Motion` of a block."""

    __slots__ = ("_block",)

    def __init__(self, block: Array) -> None:
        self._block = block

    def position(self) -> Array:
        """Shape (N, A)."""
        return np.array(self._block[POSITION].T)

    def velocity(self) -> Array:
        """Shape (N, A) [1/s]."""
        return np.array(self._block[VELOCITY].T)

    def covariance(self) -> Array:
        """Shape (N, 2 A, 2 A)."""
        _, axes, count = self._block.shape
        full = np.zeros((count, 2 * axes, 2 * axes))
        at, on = np.arange(axes), np.arange(axes) + axes
        full[:, at, at], full[:, on, on] = self._block[PP].T, self._block[VV].T
        full[:, at, on] = full[:, on, at] = self._block[PV].T
        return full
