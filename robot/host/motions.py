"""The motions that the host makes by itself: to rest, and to the parking place.

Method: time-optimal, jerk-limited (the ruckig library; see `robot.trajectory`). Both go through the host's clamps like
any other setpoint.
"""

from __future__ import annotations

import math
from typing import Any, Final

import ruckig

from robot.kinematics.limits import JointLimits

_JOINTS: Final = 6
# of the velocity and acceleration limits: nobody watches an arm that parks by itself
PARKING_SPEED: Final = 0.15
_REFUSED: Final = (RuntimeError, getattr(ruckig, "RuckigError", RuntimeError))


class Motion:
    """A way of the joints over time. It stays where it ends.

    Attributes:
        duration_s: How long it takes [s].
    """

    def __init__(self, plan: Any, place: list[float]) -> None:
        self._plan, self._place = plan, place
        self.duration_s: float = plan.duration if plan is not None else 0.0

    def at(self, elapsed_s: float) -> list[float]:
        """Joints at a time since the beginning [rad]."""
        if self._plan is None:
            return self._place
        joints: list[float] = self._plan.at_time(min(elapsed_s, self.duration_s))[0]
        return joints


def to_rest(limits: JointLimits, joints: list[float], velocities: list[float], accelerations: list[float]) -> Motion:
    """Brake each joint from its present motion, along it [rad, rad/s, rad/s^2].

    An acceleration that still raises the speed is given up at once; one that lowers it is kept, but for what could not
    be given up by the time that the joint rests.
    """
    wish = _from_state(limits, joints)
    wish.control_interface = ruckig.ControlInterface.Velocity
    wish.synchronization = ruckig.Synchronization.No
    wish.current_velocity = velocities
    wish.current_acceleration = [
        math.copysign(min(abs(a), most, math.sqrt(2.0 * jerk * abs(v))), a) if a * v < 0.0 else 0.0
        for a, v, most, jerk in zip(
            accelerations, velocities, limits.acceleration_rad_s2, limits.jerk_rad_s3, strict=True
        )
    ]
    wish.target_velocity = [0.0] * _JOINTS
    return Motion(_planned(wish), joints)


def to_park(limits: JointLimits, joints: list[float], park_joints: list[float]) -> Motion | None:
    """Go slowly and straight in joint space to the parking place, from rest [rad]; None where no way was found."""
    wish = _from_state(limits.scaled(PARKING_SPEED), joints)
    wish.control_interface = ruckig.ControlInterface.Position
    wish.synchronization = ruckig.Synchronization.Phase
    wish.target_position = park_joints
    plan = _planned(wish)
    return None if plan is None else Motion(plan, joints)


def _from_state(limits: JointLimits, joints: list[float]) -> Any:
    wish = ruckig.InputParameter(_JOINTS)
    wish.max_velocity = list(limits.velocity_rad_s)
    wish.max_acceleration = list(limits.acceleration_rad_s2)
    wish.max_jerk = list(limits.jerk_rad_s3)
    wish.current_position = joints
    return wish


def _planned(wish: Any) -> Any:
    plan = ruckig.Trajectory(_JOINTS)
    try:
        result = ruckig.Ruckig(_JOINTS).calculate(wish, plan)
    except _REFUSED:
        return None
    return plan if result in (ruckig.Result.Working, ruckig.Result.Finished) else None
