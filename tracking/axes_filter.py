"""Constant-velocity Kalman filter of many boxes at once whose axes do not know of one another.

All noise of a box, of its motion and of its measurement, is proportional to its size, and equal on its axes: centre u
and v, width, height. In units of the size the covariance of each axis then is the same three numbers, whatever the box
is: position-position, position-velocity, velocity-velocity. So a box takes eleven numbers, and all boxes are filtered
by a dozen operations on whole arrays.

State: one block of shape (11, N): position (4), velocity (4), covariances in sizes (3).
"""

from __future__ import annotations

import math
from collections.abc import Callable

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
_REST = np.eye(ROWS)
# Where the transition of a state is not that of something at rest.
_INTO = np.array([0, 1, 2, 3, PP, PP, PV, 4, 5, 6, 7, PV, VV])
_FROM = np.array([4, 5, 6, 7, PV, VV, VV, 4, 5, 6, 7, PV, VV])


class AxesFilter:
    """The filter's steps, in place.

    Args:
        walk: How far a velocity wanders in a second, one standard deviation [sizes per s per sqrt(s)].
        noise: Standard deviation of a certain detection's measurement [sizes].
        initial_speed: Of something new, one standard deviation [sizes per s].
        settle_s: Time constant with which a velocity that nobody measures decays [s].
    """

    def __init__(self, walk: float, noise: float, initial_speed: float, settle_s: float) -> None:
        self._figures = walk, noise, initial_speed, settle_s
        self._walk = walk**2
        self._noise = noise**2
        self._first = np.array([[noise**2], [0.0], [initial_speed**2]])
        self._settle_s = settle_s
        self._step = (0.0, self._coast(0.0), self._settle(0.0))

    def _coast(self, t: float) -> tuple[Array, Array]:
        """Transition (11, 11) and noise (11, 1) of constant velocity, disturbed by white acceleration."""
        q = self._walk
        return _transition(t, 1.0), _noise(q * t**3 / 3.0, q * t * t / 2.0, q * t)

    def _settle(self, t: float) -> tuple[Array, Array]:
        """The same, while the velocity decays (Ornstein-Uhlenbeck process)."""
        tau = self._settle_s
        u = t / tau
        keep, gone = math.exp(-u), -math.expm1(-u)
        q, square = self._walk * tau, 0.5 * gone * gone
        # Of short times only the first terms of the series are left over.
        place = u**3 * (1.0 / 3.0 - u / 4.0) if u < 1e-4 else u - gone - square
        noise = _noise(q * tau * tau * place, q * tau * square, q * (gone - square))
        return _transition(tau * gone, keep), noise

    def start(self, block: Array, measured: Array) -> None:
        """New boxes: at rest at what was measured (4, K), with the doubt of both."""
        block[POSITION] = measured
        block[VELOCITY] = 0.0
        block[COVARIANCE] = self._first

    def __reduce__(self) -> tuple[type[AxesFilter], tuple[float, float, float, float]]:
        return AxesFilter, self._figures  # tracks that are pickled take the filter along

    def move(self, seen_ns: IntArray, believed_ns: int, block: Array, from_ns: int, to_ns: int) -> None:
        """`predict` between two stamps.

        Args:
            seen_ns: Shape (N,): when each box was last measured [ns].
            believed_ns: How long after that its velocity is constant [ns].
            block: Shape (11, N).
            from_ns: Stamp of the block [ns].
            to_ns: A later one [ns].
        """
        dt_ns, since_ns = to_ns - from_ns, to_ns - believed_ns
        late = (seen_ns < since_ns).nonzero()[0]
        begin_s = None
        if len(late) and np.count_nonzero(seen_ns <= since_ns - dt_ns) < len(late):
            begin_s = np.maximum(dt_ns - (since_ns - seen_ns[late]), 0) * 1e-9
        self.predict(block, dt_ns * 1e-9, late, begin_s)

    def predict(self, block: Array, dt_s: float, late: IntArray, begin_s: Array | None) -> None:
        """Move boxes forward in time: at constant velocity; those not measured for long slow down.

        Both motions are exact, also their noise: two steps are as good as one of the same length.

        Args:
            block: Shape (11, N).
            dt_s: Length of the step, > 0 [s].
            late: Shape (K,): boxes that slow down at the end of the step.
            begin_s: Shape (K,): how long after its beginning they do so, >= 0 [s]. None: all at once.
        """
        # In one piece, since tracks may be predicted in another thread meanwhile.
        step = self._step
        if dt_s != step[0]:
            step = self._step = (dt_s, self._coast(dt_s), self._settle(dt_s))
        before = block.take(late, 1) if len(late) else block
        transition, noise = step[1]
        np.add(transition @ block, noise, out=block)
        if len(late):
            transition, noise = step[2]
            block[:, late] = transition @ before + noise
        if begin_s is not None:
            for t in np.unique(begin_s[begin_s > 0.0]).tolist():
                k = (begin_s == t).nonzero()[0]
                block[:, late[k]] = self._slow_down(before.take(k, 1), t, dt_s - t)
        sides = block[2:4]
        np.maximum(sides, SMALLEST_PX, out=sides)

    def _slow_down(self, part: Array, coasting_s: float, settling_s: float) -> Array:
        """Boxes (11, K) after some time at constant velocity, and some of slowing down."""
        for transition, noise in (self._coast(coasting_s), self._settle(settling_s)):
            part = transition @ part + noise
        return part

    def correct(self, block: Array, boxes: IntArray, measured: Array, doubt: Array) -> None:
        """Weigh predictions against measurements.

        Args:
            block: Shape (11, N).
            boxes: Shape (K,), which of them were measured.
            measured: Shape (4, K).
            doubt: Shape (K,): factor of the measurement's variance [1].
        """
        part = block.take(boxes, 1)
        gained, noise = part[GAINED], self._noise * doubt
        gain = gained / (noise + part[PP])
        motion = part[MOTION].reshape(_KINDS)
        motion += gain[:, None] * (measured - part[POSITION])
        part[VV] -= gain[1] * part[PV]
        # (1 - gain) P = noise P / (P + noise), without the difference, which would cancel where P is large.
        np.multiply(noise, gain, out=gained)
        block[:, boxes] = part


def _transition(reach_s: float, keep: float) -> Array:
    """Shape (11, 11): p += reach v, v *= keep, and what that makes of their covariance."""
    transition: Array = _REST.copy()
    transition[_INTO, _FROM] = (
        *(reach_s,) * 4, 2.0 * reach_s, reach_s * reach_s, keep * reach_s, *(keep,) * 5, keep * keep,
    )  # fmt: skip
    return transition


def _noise(pp: float, pv: float, vv: float) -> Array:
    """Shape (11, 1): what is added to a state."""
    noise = np.zeros((ROWS, 1))
    noise[COVARIANCE, 0] = pp, pv, vv
    return noise


class AxesMotion:
    """`Motion` of a block.

    Args:
        block: Shape (11, N); not changed any more.
        move: Moves such a block from one stamp to another, in place.
    """

    __slots__ = ("_block", "_move")

    def __init__(self, block: Array, move: Callable[[Array, int, int], None]) -> None:
        self._block = block
        self._move = move

    def later(self, from_ns: int, to_ns: int) -> AxesMotion:
        """The same boxes at a later instant."""
        block = self._block.copy()
        self._move(block, from_ns, to_ns)
        return AxesMotion(block, self._move)

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
