"""What the motors are to do next: follow a command, hold a place, or nothing yet."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

import numpy as np

from geometry.types import Array
from robot.arm import JointCommand

# a velocity is a promise to send the next one soon
VELOCITY_HOLD_NS: Final = 200_000_000
# after a pause the goal does not catch up with more than this
_LONGEST_STEP_NS: Final = 100_000_000


class Goal:
    """The goal of the motors, cycle by cycle. `step` is for one thread, the rest for any.

    Args:
        speed_rad_s: No joint's goal moves faster than this, whatever is commanded [rad/s].
        clipped: Clips joint angles, shape (6,) [rad], to the joints' ends.
    """

    def __init__(self, speed_rad_s: float, clipped: Callable[[Array], Array]) -> None:
        self._speed, self._clipped = speed_rad_s, clipped
        self._lock = threading.Lock()
        self._command: JointCommand | None = None
        self._commanded_ns = self._stepped_ns = 0
        self._asked = self._holds = False
        self._joints: Array | None = None
        self._opening: float | None = None

    @property
    def opening(self) -> float | None:
        """Opening of the gripper that was wanted last; None before anything was."""
        return self._opening

    def follow(self, command: JointCommand, now_ns: int) -> None:
        """Follow a command from now on."""
        with self._lock:
            if self._command is None:
                self._joints, self._stepped_ns = None, now_ns
            self._command, self._commanded_ns = command, now_ns
            self._asked, self._holds = True, False

    def hold(self, *, anew: bool = False) -> None:
        """Hold the place that the next step measures. Again is the same as once: an arm that sags is not let sink.

        Args:
            anew: Take the place anew even if one is held.
        """
        with self._lock:
            if anew or not self._holds:
                self._command, self._joints = None, None
                self._asked = self._holds = True

    def step(self, measured_rad: Array, opening: float, now_ns: int) -> tuple[Array, float] | None:
        """Goal of this cycle.

        Args:
            measured_rad: Shape (6,), where the joints are [rad].
            opening: Where the gripper is.
            now_ns: Time of the cycle [ns].

        Returns:
            Joints, shape (6,) [rad], and the opening of the gripper; None as long as nobody has asked for anything: the
            motors then keep the goal that they have.
        """
        with self._lock:
            if not self._asked:
                return None
            if self._joints is None:
                self._joints = self._clipped(measured_rad)
            if self._opening is None:
                self._opening = opening
            if self._command is not None:
                self._joints = self._towards(self._command, self._joints, now_ns)
                self._opening = self._command.gripper_opening
            self._stepped_ns = now_ns
            return self._joints, self._opening

    def _towards(self, command: JointCommand, here: Array, now_ns: int) -> Array:
        passed_ns = min(now_ns - self._stepped_ns, _LONGEST_STEP_NS)
        if command.mode == "velocity":
            passed_ns = min(passed_ns, self._commanded_ns + VELOCITY_HOLD_NS - self._stepped_ns)
            way = command.joints * (max(0, passed_ns) * 1e-9)
        else:
            way = command.joints - here
        reach = self._speed * max(0, passed_ns) * 1e-9
        return self._clipped(here + np.clip(way, -reach, reach))
