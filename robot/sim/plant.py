"""The simulated arm as the plant that a loopback UR controller moves."""

from __future__ import annotations

import numpy as np

from geometry.types import Array
from robot.sim.clockwork import Clockwork


class WorldPlant:
    """Joints and gripper of the world under a controller's face; for the physics thread only.

    While a scene is being changed the arm stands at home and follows nothing.

    Args:
        clockwork: Whose arm it is; scenes come and go.
    """

    def __init__(self, clockwork: Clockwork) -> None:
        self._clockwork = clockwork

    def read(self) -> tuple[Array, Array, float]:
        """Joints, shape (6,) [rad], their speeds [rad/s], and the gripper's opening (0 closed, 1 open)."""
        world = self._clockwork.world
        return world.joint_positions_rad, world.joint_velocities_rad_s, world.gripper_opening

    def command(self, joints_rad: Array, opening: float) -> None:
        """Set the servos' targets [rad] and the gripper's, unless one is not finite: that would spoil the physics."""
        if self._clockwork.running and np.isfinite(joints_rad).all() and np.isfinite(opening):
            self._clockwork.world.set_targets(joints_rad, opening)
