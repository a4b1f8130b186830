"""Setpoints at the host's rate from commands at the control loop's.

Method: the commands are the control points of a uniform quadratic B-spline (C. de Boor, "A Practical Guide to Splines",
1978). The setpoints stay inside what three commands in succession span, so they never run ahead of the newest one nor
swing past it; their velocity is continuous and never above that of the commands, and their acceleration is the second
difference of the commands. At constant speed they are one and a half periods behind the newest command.

The spline is played at the control loop's rate, which is followed by a phase-locked loop: a command that comes a little
early or late moves nothing.
"""

from __future__ import annotations

import math
from collections import deque

from robot.arm import CommandMode
from robot.host.settings import JITTER_PERIODS

# of the phase's error, per period, and at most: the speed of the arm changes by as much
_GAIN, _MOST = 0.05, 0.05
# how much that may change per cycle
_SLEW = 5e-4
# commands that wait beyond this are skipped
_MOST_WAITING = 3.0


class Playback:
    """Plays the commands of one mode.

    Args:
        period_s: Period of the control loop [s].
        cycle_s: Period of the host [s].

    Attributes:
        mode: What the commands hold.
        starved: Whether the last setpoint would have needed a command that had not come.
    """

    def __init__(self, period_s: float, cycle_s: float) -> None:
        self._dt = cycle_s
        self._advance = cycle_s / period_s
        self._slack = self._advance + JITTER_PERIODS
        self.start([0.0] * 6, "position")

    def start(self, joints: list[float], mode: CommandMode) -> None:
        """Begin at rest at these joints [rad]."""
        self.mode: CommandMode = mode
        point = joints if mode == "position" else [0.0] * len(joints)
        self._points: deque[list[float]] = deque([list(point)] * 3, maxlen=8)
        # phases are counted in commands from the newest one, which is at 0; what was played is behind it
        self._phase = 0.0
        self._rate = self._wanted_rate = 1.0
        self._hungry_s = 0.0
        self.starved = False

    def offer(self, point: list[float], age_s: float) -> None:
        """Take in a command.

        Args:
            point: Joints [rad] or velocities [rad/s]; six finite values.
            age_s: Time since it was sent [s].
        """
        points = self._points
        resting = self._phase == 0.0 and points[-1] == points[-2] == points[-3]
        points.append(point)
        self._hungry_s = 0.0
        due = -1.0 - self._slack + age_s / self._dt * self._advance
        self._phase -= 1.0
        error = due - self._phase
        if resting or self._phase < -_MOST_WAITING:
            self._phase, self._wanted_rate = due, 1.0
        else:
            self._wanted_rate = 1.0 + min(max(_GAIN * error, -_MOST), _MOST)

    def step(self, joints: list[float]) -> list[float]:
        """Return the next setpoint [rad].

        Args:
            joints: The setpoint before [rad]; in velocity mode it is what moves.
        """
        self._rate += min(max(self._wanted_rate - self._rate, -_SLEW), _SLEW)
        phase = self._phase + self._advance * self._rate
        self.starved = phase > 0.0 and (self._points[-1] != self._points[-2] or self._velocity_left())
        if phase > 0.0:
            phase = self._starve()
        self._phase = phase
        segment = math.ceil(phase)
        u = phase - (segment - 1)
        a, b, c = (self._points[segment - 3], self._points[segment - 2], self._points[segment - 1])
        if self.mode == "velocity":
            dt = self._dt
            return [q + dt * (v + u * (w - v)) for q, v, w in zip(joints, b, c, strict=True)]
        first, last = 0.5 * (1.0 - u) * (1.0 - u), 0.5 * u * u
        middle = 1.0 - first - last
        return [first * x + middle * y + last * z for x, y, z in zip(a, b, c, strict=True)]

    def _velocity_left(self) -> bool:
        return self.mode == "velocity" and any(self._points[-1])

    def _starve(self) -> float:
        """Wait for the next command for a period; then take it that none comes."""
        self._hungry_s += self._dt
        if self._hungry_s < self._dt / self._advance or not self.starved:
            return 0.0
        self._hungry_s = 0.0
        last = self._points[-1]
        self._points.append(last if self.mode == "position" else [0.0] * len(last))
        return -1.0 + self._advance
