"""Turns sampled targets into motion that respects the velocity, acceleration and jerk limits of every joint.

Method: at every control tick a new time-optimal, jerk-limited trajectory is made from the present motion to the target
(L. Berscheid and T. Kroeger, "Jerk-limited Real-time Trajectory Generation with Arbitrary Target States", RSS 2021; the
ruckig library), and one tick of it is taken. The target moves: aiming at where it is now leaves the arm behind by as
much as the time that it needs, so the aim is the point where the target will be when the arm can be there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import ruckig

from deploy.errors import BadInput
from geometry.types import Array
from robot.kinematics.limits import JointLimits

_JOINTS: Final = 6
# aims that are refined until the arm can meet the moving target there; two are nearly always enough
_AIMS: Final = 4
# a target is not extrapolated further than this [s]: beyond, its velocity says nothing about where it will be
_FURTHEST_S: Final = 1.0
# ruckig refuses a target velocity at its limit when rounding puts it beyond
_INSIDE: Final = 0.999

# what the binding raises: its own exception in newer releases
_REFUSED: Final = (RuntimeError, getattr(ruckig, "RuckigError", RuntimeError))

Motion = tuple[Array, Array, Array]


class JointTrajectory:
    """Motion of six joints that follows a target which is given anew at every control tick."""

    def __init__(self, limits: JointLimits, horizon_s: float = 0.08) -> None:
        """Prepare the generator; `reset` must come before the first step.

        Args:
            limits: Limits that the motion keeps. Where a governor guards the same arm, give `limits.scaled(0.8)` here.
            horizon_s: Shortest time in which a deviation from the target is taken back [s]. Shorter follows corners of
                the target more closely, longer smooths them; below about 50 ms the motion chatters.
        """
        self._limits = limits
        self._horizon_s = horizon_s
        self._ranges = tuple(
            zip(
                limits.lower_rad,
                limits.upper_rad,
                limits.velocity_rad_s,
                limits.acceleration_rad_s2,
                limits.jerk_rad_s3,
                strict=True,
            )
        )
        self._otg: Any = ruckig.Ruckig(_JOINTS)
        self._plan: Any = ruckig.Trajectory(_JOINTS)
        self._input: Any = ruckig.InputParameter(_JOINTS)
        self._input.max_velocity = list(limits.velocity_rad_s)
        self._input.max_acceleration = list(limits.acceleration_rad_s2)
        self._input.max_jerk = list(limits.jerk_rad_s3)
        self._q: list[float] | None = None
        self._v = [0.0] * _JOINTS
        self._a = [0.0] * _JOINTS

    def reset(
        self,
        joint_positions_rad: Sequence[float] | Array,
        velocities_rad_s: Sequence[float] | Array = (),
        accelerations_rad_s2: Sequence[float] | Array = (),
    ) -> None:
        """Start from where the arm is.

        Args:
            joint_positions_rad: Shape (6,) [rad].
            velocities_rad_s: Shape (6,) [rad/s]; at rest if empty.
            accelerations_rad_s2: Shape (6,) [rad/s^2]; none if empty.

        Raises:
            deploy.errors.BadInput: If a value is missing or not finite.
        """
        position = [float(q) for q in joint_positions_rad]
        velocity = [float(v) for v in velocities_rad_s] or [0.0] * _JOINTS
        acceleration = [float(a) for a in accelerations_rad_s2] or [0.0] * _JOINTS
        given = (position, velocity, acceleration)
        if any(len(row) != _JOINTS for row in given) or not math.isfinite(sum(map(sum, given))):
            raise BadInput(
                f"trajectory cannot start at {position} rad, {velocity} rad/s, {acceleration} rad/s^2: expected "
                f"{_JOINTS} finite values of each"
            )
        self._q, self._v, self._a = position, velocity, acceleration

    @property
    def limits(self) -> JointLimits:
        """Limits that the motion keeps."""
        return self._limits

    @property
    def is_ready(self) -> bool:
        """Whether `reset` has been called."""
        return self._q is not None

    @property
    def motion(self) -> Motion:
        """Position [rad], velocity [rad/s] and acceleration [rad/s^2] after the last step, each of shape (6,)."""
        if self._q is None:
            raise RuntimeError("trajectory has no start: call reset with the arm's joint angles first")
        return np.array(self._q), np.array(self._v), np.array(self._a)

    def step(self, target_q: Sequence[float] | Array, target_v: Sequence[float] | Array, dt: float) -> Motion:
        """Advance by one tick towards a target.

        Args:
            target_q: Shape (6,), where the joints should be at the end of this tick [rad]; clamped to the limits.
            target_v: Shape (6,), how fast the target moves then [rad/s]; clamped to the limits, and to what can stop
                before the joint's end.
            dt: Length of the tick [s].

        Returns:
            Position [rad], velocity [rad/s] and acceleration [rad/s^2] at the end of the tick, each of shape (6,).

        Raises:
            deploy.errors.BadInput: If the target is not finite; the motion is left as it was: `step_hold` can follow.
        """
        position, velocity = [float(q) for q in target_q], [float(v) for v in target_v]
        if len(position) != _JOINTS or len(velocity) != _JOINTS or not math.isfinite(sum(position) + sum(velocity)):
            raise BadInput(
                f"trajectory target {position} rad, {velocity} rad/s: expected {_JOINTS} finite values of each"
            )
        if self._is_on_target(position, velocity, dt):
            self._q, self._v, self._a = position, velocity, [0.0] * _JOINTS
            return np.array(position), np.array(velocity), np.zeros(_JOINTS)
        self._load_state(ruckig.ControlInterface.Position)
        lead = max(self._horizon_s, dt)
        found = False
        for _ in range(_AIMS):
            found = self._aim(position, velocity, lead - dt, lead)
            if not found or self._plan.duration <= lead + 1e-9 or lead >= _FURTHEST_S:
                break
            lead = min(self._plan.duration, _FURTHEST_S)
        if not (found and self._stays_inside()):
            # stopping at the target needs no run-up, so nothing swings past a joint's end
            found = self._aim(position, [0.0] * _JOINTS, 0.0, None) and self._stays_inside()
        return self._take(dt) if found else self.step_hold(dt)

    def step_velocity(self, target_v: Sequence[float] | Array, dt: float) -> Motion:
        """Advance by one tick towards velocities, jerk-limited; each joint stops before its end.

        A joint slows down as its end comes near, and no tick is taken after which braking would lead beyond it.

        Args:
            target_v: Shape (6,), how fast the joints should turn [rad/s]; clamped to the limits.
            dt: Length of the tick [s].

        Returns:
            As `step`.

        Raises:
            deploy.errors.BadInput: If a velocity is not finite; the motion is left as it was: `step_hold` can follow.
        """
        wanted = [float(v) for v in target_v]
        if len(wanted) != _JOINTS or not math.isfinite(sum(wanted)):
            raise BadInput(f"trajectory target {wanted} rad/s: expected {_JOINTS} finite values")
        self._load_state(ruckig.ControlInterface.Velocity)
        assert self._q is not None
        speeds = [
            _towards(v, q, low, high, fastest, acceleration, jerk)
            for v, q, (low, high, fastest, acceleration, jerk) in zip(wanted, self._q, self._ranges, strict=True)
        ]
        self._aim_velocity(speeds)
        ahead_q, ahead_v, ahead_a = self._plan.at_time(dt)
        self._input.current_position = ahead_q
        self._input.current_velocity = ahead_v
        self._input.current_acceleration = ahead_a
        self._aim_velocity([0.0] * _JOINTS)
        beyond = [
            extrema.max > max(high, q) or extrema.min < min(low, q)
            for extrema, q, (low, high, *_) in zip(self._plan.position_extrema, self._q, self._ranges, strict=True)
        ]
        self._load_state(ruckig.ControlInterface.Velocity)
        self._aim_velocity([0.0 if stop else v for v, stop in zip(speeds, beyond, strict=True)])
        return self._take(dt)

    def step_hold(self, dt: float) -> Motion:
        """Advance by one tick of braking; at rest it stays where it is.

        Args:
            dt: Length of the tick [s].

        Returns:
            As `step`.
        """
        self._load_state(ruckig.ControlInterface.Velocity)
        self._aim_velocity([0.0] * _JOINTS)
        return self._take(dt)

    def _aim_velocity(self, speeds: list[float]) -> None:
        """Plan to turn at these speeds [rad/s], each joint on its own."""
        self._input.target_velocity = speeds
        self._input.minimum_duration = None
        self._input.synchronization = ruckig.Synchronization.No
        if not self._calculate():
            raise RuntimeError(f"no motion from {self._q} rad, {self._v} rad/s, {self._a} rad/s^2: reset the motion")

    def _load_state(self, interface: Any) -> None:
        if self._q is None:
            raise RuntimeError("trajectory has no start: call reset with the arm's joint angles first")
        self._input.control_interface = interface
        self._input.current_position = self._q
        self._input.current_velocity = self._v
        self._input.current_acceleration = self._a

    def _is_on_target(self, position: list[float], velocity: list[float], dt: float) -> bool:
        """Whether going on as it is meets the target: rounding alone would make the planner swing out and back."""
        if self._q is None:
            return False
        return all(
            abs(q + v * dt - goal) < 1e-6
            and abs(v - rate) < 1e-5
            and abs(a) < 1e-3
            and low <= goal <= high
            and abs(rate) <= _speed_at(goal, low, high, fastest, acceleration, jerk)
            for q, v, a, goal, rate, (low, high, fastest, acceleration, jerk) in zip(
                self._q, self._v, self._a, position, velocity, self._ranges, strict=True
            )
        )

    def _aim(self, position: list[float], velocity: list[float], ahead_s: float, duration_s: float | None) -> bool:
        """Plan to meet the target `ahead_s` after the tick; whether a plan was found."""
        goal: list[float] = []
        speed: list[float] = []
        for q, v, (low, high, fastest, acceleration, jerk) in zip(position, velocity, self._ranges, strict=True):
            at = min(max(q + v * ahead_s, low), high)
            allowed = _speed_at(at, low, high, fastest, acceleration, jerk)
            goal.append(at)
            speed.append(min(max(v, -allowed), allowed))
        self._input.target_position = goal
        self._input.target_velocity = speed
        self._input.minimum_duration = duration_s
        self._input.synchronization = ruckig.Synchronization.Time
        if self._calculate():
            return True
        # stretching every joint to the slowest one's time has no solution for some states; each on its own has
        self._input.minimum_duration = None
        self._input.synchronization = ruckig.Synchronization.No
        return self._calculate()

    def _calculate(self) -> bool:
        try:
            result = self._otg.calculate(self._input, self._plan)
        except _REFUSED:
            return False
        return result in (ruckig.Result.Working, ruckig.Result.Finished)

    def _stays_inside(self) -> bool:
        """Whether the whole plan stays between the joints' ends, or comes back from where it already is."""
        assert self._q is not None
        for extrema, q, low, high in zip(
            self._plan.position_extrema, self._q, self._limits.lower_rad, self._limits.upper_rad, strict=True
        ):
            if extrema.max > max(high, q) + 1e-9 or extrema.min < min(low, q) - 1e-9:
                return False
        return True

    def _take(self, dt: float) -> Motion:
        position, self._v, self._a = self._plan.at_time(dt)
        # a plan that ends at a joint's end lands beyond it by rounding
        self._q = [
            min(max(q, low), high) if low - 1e-9 < q < high + 1e-9 else q
            for q, low, high in zip(position, self._limits.lower_rad, self._limits.upper_rad, strict=True)
        ]
        return np.array(self._q), np.array(self._v), np.array(self._a)


def _speed_at(at: float, low: float, high: float, fastest: float, acceleration: float, jerk: float) -> float:
    """Fastest speed at a place that leaves half of the way to the nearer end for stopping, or for the run-up.

    Stopping from v takes v^2 / (2 a) where the acceleration limits it, and v sqrt(v / j) where the jerk does.
    """
    return _speed_over(min(at - low, high - at), fastest, acceleration, jerk)


def _speed_over(way: float, fastest: float, acceleration: float, jerk: float) -> float:
    """Fastest speed that half of a way is enough to stop from."""
    way = max(0.0, way)
    return min(fastest * _INSIDE, math.sqrt(acceleration * way), math.pow(0.25 * jerk * way * way, 1.0 / 3.0))


def _towards(
    wanted: float, at: float, low: float, high: float, fastest: float, acceleration: float, jerk: float
) -> float:
    """A wanted speed, lowered to what can stop before the end that it leads to."""
    way = high - at if wanted > 0.0 else at - low
    allowed = _speed_over(way, fastest, acceleration, jerk)
    return min(max(wanted, -allowed), allowed)
