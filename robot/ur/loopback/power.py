"""Powering the arm up, one step at a time."""

from __future__ import annotations

from typing import Final

from robot.ur.loopback.modes import RobotMode

_STEPS: Final = (RobotMode.POWER_OFF, RobotMode.POWER_ON, RobotMode.IDLE, RobotMode.RUNNING)


class Power:
    """Power and brakes; at first the arm is powered and its brakes are off.

    Args:
        step_s: How long each step of powering up takes [s].
    """

    def __init__(self, step_s: float) -> None:
        self.mode = RobotMode.RUNNING
        self._goal = self.mode
        self._step_s = step_s
        self._due_s = 0.0

    def off(self) -> None:
        """Take the power away at once."""
        self.mode = self._goal = RobotMode.POWER_OFF

    def go(self, goal: RobotMode, now_s: float) -> None:
        """Go up to `IDLE` (powered, brakes on) or `RUNNING` (brakes off); never down."""
        self._goal = max(goal, self.mode)
        self._due_s = now_s + self._step_s

    def step(self, now_s: float) -> None:
        """Take the next step if it is due."""
        if self.mode < self._goal and now_s >= self._due_s:
            self.mode = _STEPS[_STEPS.index(self.mode) + 1]
            self._due_s = now_s + self._step_s
