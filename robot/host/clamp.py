"""The host's own limits of position, velocity and acceleration, whatever the main process sends.

It shares no code with the governor: an error there must not be one here. It rests on the same kind of invariant, that
from the last setpoint the joint can still brake before its end.
"""

from __future__ import annotations

import math

from robot.host.events import EventKind
from robot.kinematics.limits import JointLimits

Clamped = tuple[EventKind, int, float, float]
# what rounding may add to a limit
_ROUNDING = 1.0 + 1e-9
# what of the acceleration is used to come back to a setpoint; the rest is for what that one does meanwhile
_CATCH_UP = 0.5


class SetpointClamp:
    """Setpoints that follow the wanted ones as closely as the limits allow; one cycle after the other.

    A wanted setpoint that is within the limits passes unchanged, to the bit.

    Args:
        limits: What is allowed. Jerk is not limited here.
        period_s: Length of a cycle [s].

    Attributes:
        joints: The last setpoint [rad]; six values.
        velocities: What it moved in the last cycle, per second [rad/s]; six values.
        accelerations: What that changed by, per second [rad/s^2]; six values.
        clamped: The first joint that was not given what was asked for in the last cycle: kind, joint, what was asked,
            what is allowed. None if there is none.
    """

    def __init__(self, limits: JointLimits, period_s: float) -> None:
        self._dt = period_s
        self._rows = list(
            zip(limits.lower_rad, limits.upper_rad, limits.velocity_rad_s, limits.acceleration_rad_s2, strict=True)
        )
        self.clamped: Clamped | None = None
        self.reset([0.0] * len(self._rows))

    def reset(self, joints_rad: list[float]) -> None:
        """The arm rests at these joints, and stays there; beyond a joint's end it may only come back."""
        self.joints = list(joints_rad)
        self.velocities = [0.0] * len(self._rows)
        self.accelerations = [0.0] * len(self._rows)
        self._wanted = list(joints_rad)
        self.clamped = None

    @property
    def rests(self) -> bool:
        """Whether the setpoint did not move in the last cycle."""
        return not any(self.velocities)

    def follow(self, wanted: list[float]) -> list[float]:
        """Take one cycle towards a setpoint.

        Args:
            wanted: Where the joints should be at the end of the cycle [rad]; six finite values.

        Returns:
            Where they may be then [rad].
        """
        dt, joints, velocities, accelerations = self._dt, self.joints, self.velocities, self.accelerations
        self.clamped = None
        for joint, (low, high, fastest, acceleration) in enumerate(self._rows):
            goal, last = wanted[joint], velocities[joint]
            asked = (goal - joints[joint]) / dt
            change = asked - last
            room = high - goal if asked > 0.0 else goal - low
            if (
                low <= goal <= high
                and abs(asked) <= fastest * _ROUNDING
                and abs(change) <= acceleration * dt * _ROUNDING
                and asked * asked <= 2.0 * acceleration * room
            ):
                speed = asked
                joints[joint] = goal
            else:
                speed = self._allowed(joint, goal, asked)
                joints[joint] += speed * dt
                change = speed - last
            velocities[joint] = speed
            accelerations[joint] = change / dt
        self._wanted = wanted
        return joints

    def _allowed(self, joint: int, wanted: float, asked: float) -> float:
        """The speed of a joint that cannot, or perhaps cannot, have what was asked for."""
        low, high, fastest, acceleration = self._rows[joint]
        dt, place, last = self._dt, self.joints[joint], self.velocities[joint]
        goal = min(max(wanted, low), high)
        before = min(max(self._wanted[joint], low), high)
        # go with the target, and come nearer to it no faster than can be braked away again
        drift = min(max((goal - before) / dt, -fastest), fastest)
        behind = before - place
        speed = drift + math.copysign(_brakable(abs(behind), _CATCH_UP * acceleration, dt), behind)
        speed = min(max(speed, last - acceleration * dt), last + acceleration * dt)
        speed = min(max(speed, -fastest), fastest)
        above, below = high - place, place - low
        speed = max(min(speed, _brakable(above, acceleration, dt)), -_brakable(below, acceleration, dt))
        if self.clamped is None and abs(speed - asked) > 1e-9:
            if goal != wanted:
                self.clamped = ("position", joint, wanted, goal)
            elif abs(asked) > fastest:
                self.clamped = ("velocity", joint, asked, fastest)
            else:
                self.clamped = ("acceleration", joint, (asked - last) / dt, acceleration)
        return speed


def _brakable(room: float, acceleration: float, dt: float) -> float:
    """The speed of one cycle after which lowering it by a*dt a cycle uses up no more than the room.

    The room needed is dt (v + (v - w) + (v - 2w) + ...) <= dt (v + w/2)^2 / (2w), with w = a*dt.
    """
    if room <= 0.0:
        return 0.0
    step = acceleration * dt
    return max(math.sqrt(2.0 * acceleration * room) - 0.5 * step, min(room / dt, step))
