"""speedj and speedl: a velocity that is gone towards and then kept."""

from __future__ import annotations

import numpy as np

from geometry.types import Array
from robot.ur.loopback.motion import UNREACHABLE, SanityCheck
from robot.ur.loopback.tool_space import ToolSpace


class JointSpeed:
    """speedj.

    Args:
        joints_rad: Shape (6,), where the joints are [rad].
        velocity_rad_s: Shape (6,), how fast they move [rad/s].
    """

    done = False

    def __init__(self, joints_rad: Array, velocity_rad_s: Array) -> None:
        self._at = joints_rad
        self._velocity = velocity_rad_s
        self._wanted: Array = velocity_rad_s
        self._acceleration = 1.0

    def aim(self, wanted: Array, acceleration: float) -> None:
        """Set the joint velocities wanted [rad/s] and the acceleration of the joint that changes most [rad/s^2]."""
        self._wanted = wanted
        self._acceleration = max(acceleration, 1e-3)

    def step(self, dt: float) -> Array:
        """One cycle."""
        change = self._wanted - self._velocity
        most = float(np.abs(change).max())
        if most > 0.0:
            self._velocity = self._velocity + change * min(1.0, self._acceleration * dt / most)
        self._at = self._at + self._velocity * dt
        return self._at


class ToolSpeed:
    """speedl: the same for the tool's velocity in the base; a turn of 1 rad/s counts as 1 m/s.

    Args:
        joints_rad: Shape (6,), where the joints are [rad].
        velocity_rad_s: Shape (6,), how fast they move [rad/s].
        tools: Kinematics of the tool point.
    """

    done = False

    def __init__(self, joints_rad: Array, velocity_rad_s: Array, tools: ToolSpace) -> None:
        self._tools = tools
        self._at = joints_rad
        self._tool = JointSpeed(np.zeros(6), tools.jacobian(joints_rad) @ velocity_rad_s)
        self._way: Array = np.zeros(6)

    def aim(self, wanted: Array, acceleration: float) -> None:
        """Set the tool's velocity wanted, shape (6,) [m/s, rad/s], and its acceleration [m/s^2]."""
        self._tool.aim(wanted, acceleration)

    def step(self, dt: float) -> Array:
        """One cycle.

        Raises:
            SanityCheck: Where the arm is singular.
        """
        before, self._way = self._way, self._tool.step(dt)
        change = self._tools.joint_change(self._at, self._way - before)
        if change is None:
            raise SanityCheck(UNREACHABLE, "the arm is singular here: its tool cannot be given any speed")
        self._at = self._at + change
        return self._at
