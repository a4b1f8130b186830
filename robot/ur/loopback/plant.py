"""What stands behind the controller: an arm with joint servos and a gripper."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from geometry.types import Array
from robot.arm import JOINTS

CYCLE_S = 0.002


class Plant(Protocol):
    """An arm's joint servos. Read and commanded once per cycle, in the thread that calls `UrFront.step`."""

    def read(self) -> tuple[Array, Array, float]:
        """Joint positions, shape (6,) [rad]; velocities, shape (6,) [rad/s]; gripper opening, 0 closed to 1 open."""
        ...

    def command(self, joints_rad: Array, opening: float) -> None:
        """Set the servos' targets: joint positions, shape (6,) [rad], and the gripper's opening, 0 to 1."""
        ...


@runtime_checkable
class HomingPlant(Protocol):
    """A plant that can be put back where it was at first."""

    def home(self) -> None:
        """Be where it was at first, at once and at rest."""
        ...


class IdealPlant:
    """An arm without mass: each joint closes on its target exponentially, the gripper at a constant speed.

    Time passes in `command`, one cycle per call.

    Args:
        joints_rad: Shape (6,), where the joints are at first [rad].
        joint_lag_s: Time constant of the joints [s]; 0 follows the target exactly.
        gripper_stroke_s: How long the gripper takes from open to closed [s].
    """

    def __init__(
        self, joints_rad: Sequence[float] | Array, joint_lag_s: float = 0.008, gripper_stroke_s: float = 0.5
    ) -> None:
        self._start: Array = np.array(joints_rad, dtype=np.float64)
        self._position = self._start
        self._velocity: Array = np.zeros(JOINTS)
        self._follow = 1.0 if joint_lag_s == 0.0 else 1.0 - math.exp(-CYCLE_S / joint_lag_s)
        self._stroke = CYCLE_S / gripper_stroke_s
        self._opening = 1.0
        self.blocked = False

    def read(self) -> tuple[Array, Array, float]:
        """Joint positions, velocities, gripper opening."""
        return self._position, self._velocity, self._opening

    def home(self) -> None:
        """Be where it was at first, at once and at rest, the gripper open."""
        self._position, self._velocity, self._opening = self._start, np.zeros(JOINTS), 1.0
        self.blocked = False

    def command(self, joints_rad: Array, opening: float) -> None:
        """Let one cycle pass towards these targets; a `blocked` arm stays where it is, whatever it is told."""
        moved = np.zeros(JOINTS) if self.blocked else self._follow * (joints_rad - self._position)
        self._position = self._position + moved
        self._velocity = moved / CYCLE_S
        self._opening += min(self._stroke, max(-self._stroke, opening - self._opening))
