"""Joint targets of a moving tool pose: exact where that can be, as near as speeds allow next to a singularity."""

from __future__ import annotations

from typing import Final

import numpy as np

from geometry.pose import Pose
from geometry.types import Array
from robot.kinematics import JointLimits, Kinematics, PoseFollower, Unreachable

# a pose that this branch does not reach is still gone for if the tool comes so near to it [m]
_NEAR_M: Final = 0.005


class PoseTargets:
    """Where the joints should be now and at the next tick, so that the tool is where a path says.

    The joints of the poses themselves, as long as no joint has to turn faster than it may. Next to a singularity one
    would: from there on a follower of bounded speed and acceleration takes over, and gives back once it is on the path
    again. Nothing ever flips into another branch.

    Args:
        kinematics: The arm with its tool.
        limits: Ranges, speeds and accelerations of the trajectory that these targets are for.
        period_s: Length of a tick [s].
    """

    def __init__(self, kinematics: Kinematics, limits: JointLimits, period_s: float) -> None:
        self._kinematics = kinematics
        self._follower = PoseFollower(kinematics, limits, period_s)
        self._fastest = period_s * np.array(limits.velocity_rad_s)
        self._period_s = period_s
        self._step: Array = np.zeros(6)
        self._damped: Array | None = None

    def reset(self) -> None:
        """Begin anew at rest."""
        self._step, self._damped = np.zeros(6), None

    def targets(self, base_T_now: Pose, base_T_next: Pose, reference: Array, here: Array | None) -> tuple[Array, Array]:
        """Joints of this tick and of the next.

        Args:
            base_T_now: Where the tool should be at this tick.
            base_T_next: Where it should be at the next.
            reference: Shape (6,), the targets of the last tick, or where the joints are [rad].
            here: Shape (6,), the joints of `base_T_now` if they are known from the last tick [rad].

        Returns:
            Two rows of shape (6,) [rad].

        Raises:
            robot.kinematics.Unreachable: If this branch does not reach the pose, nor nearly.
        """
        if self._damped is None:
            if here is None:
                here = self._kinematics.joints(base_T_now, reference)
            ahead = self._kinematics.joints(base_T_next, here)
            step = ahead - here
            if (np.abs(step) <= self._fastest).all():
                self._step = step
                return here, ahead
            self._follower.reset(here, self._step / self._period_s)
            self._damped = here
        before = self._damped
        followed = self._follower.step(base_T_next)
        if followed.why and followed.error_m > _NEAR_M:
            self.reset()
            raise Unreachable(followed.why)
        self._damped, self._step = followed.joints, followed.joints - before
        if followed.is_exact:
            self._damped = None
        return before, followed.joints
