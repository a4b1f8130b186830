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
# a command is missed for so many periods before it is taken that none comes
_PATIENCE = 2.0


class Playback:
    """Plays the commands of one mode.

    Args:
        period_s: Period of the control loop [s].
        cycle_s: Period of the host [s].

    Attributes:
        mode: What the commands hold.
    """

    def __init__(self, period_s: float, cycle_s: float) -> None:
        self._dt = cycle_s
        self._advance = cycle_s / period_s
        self._slack = self._advance + JITTER_PERIODS
        self._period_s = period_s
        self.start([0.0] * 6, [0.0] * 6, "position")

    def start(self, joints: list[float], velocities: list[float], mode: CommandMode) -> None:
        """Begin at these joints [rad], moving like this [rad/s]."""
        self.mode: CommandMode = mode
        point = joints if mode == "position" else velocities
        self._points: deque[list[float]] = deque([list(point)] * 3, maxlen=8)
        # of the way before the first command; a velocity is in the points already
        self._steps = [v * self._period_s if mode == "position" else 0.0 for v in velocities]
        # phases are counted in commands from the newest one, which is at 0; what was played is behind it
        self._phase = 0.0
        self._rate = self._wanted_rate = 1.0
        self._missed_s = 0.0

    def offer(self, point: list[float], age_s: float) -> None:
        """Take in a command.

        Args:
            point: Joints [rad] or velocities [rad/s]; six finite values.
            age_s: Time since it was sent [s].
        """
        points = self._points
        anew = self._phase >= 1.0 or (self._phase == 0.0 and points[-1] == points[-2] == points[-3])
        due = -1.0 - self._slack + age_s / self._dt * self._advance
        if any(self._steps):
            self._come_from(due)
        points.append(point)
        self._phase -= 1.0
        self._missed_s = 0.0
        if anew or self._phase < -_MOST_WAITING:
            self._phase, self._wanted_rate = due, 1.0
        else:
            self._wanted_rate = 1.0 + min(max(_GAIN * (due - self._phase), -_MOST), _MOST)

    def _come_from(self, due: float) -> None:
        """Lay the points before the first command so that its playing begins where the arm is, as fast as it moves.

        The spline of points on a straight line runs along it, half a step behind.
        """
        start, steps = self._points[-1], self._steps
        for k in (-3, -2, -1):
            self._points.append([q + (k + 0.5 - due) * step for q, step in zip(start, steps, strict=True)])
        self._steps = [0.0] * len(steps)

    def step(self, joints: list[float]) -> list[float] | None:
        """Return the next setpoint [rad]; None while the command that it needs has not come.

        A missing command is played from where it would be by now, once it comes.

        Args:
            joints: The setpoint before [rad]; in velocity mode it is what moves.
        """
        self._rate += min(max(self._wanted_rate - self._rate, -_SLEW), _SLEW)
        phase = self._phase + self._advance * self._rate
        if phase > 0.0:
            points = self._points
            if points[-1] == points[-2] and (self.mode == "position" or not any(points[-1])):
                phase = 0.0
            else:
                self._missed_s += self._dt
                if self._missed_s * self._advance < _PATIENCE * self._dt:
                    self._phase = min(phase, 1.0)
                    return None
                points.append(points[-1] if self.mode == "position" else [0.0] * len(joints))
                phase, self._missed_s = self._advance - 1.0, 0.0
        self._phase = phase
        segment = math.ceil(phase)
        u = phase - (segment - 1)
        a, b, c = self._points[segment - 3], self._points[segment - 2], self._points[segment - 1]
        if self.mode == "velocity":
            dt = self._dt
            return [q + dt * (v + u * (w - v)) for q, v, w in zip(joints, b, c, strict=True)]
        first, last = 0.5 * (1.0 - u) * (1.0 - u), 0.5 * u * u
        middle = 1.0 - first - last
        return [first * x + middle * y + last * z for x, y, z in zip(a, b, c, strict=True)]
