"""Joints that follow a moving pose with bounded speed and acceleration: what a control loop asks at each tick.

Bounded speed alone, as `Kinematics.follow` gives it, changes within one tick next to a singularity; the trajectory
behind it, which may not, would fall behind joint by joint and take the tool off by centimetres. So the change of a step
is bounded too, all joints together, and each joint keeps a speed that it can brake away before its end. The elbow's
side is such an end: a stretched arm stays on it.

Well clear of singularities the joints of the pose itself are taken as they come, corners of the path included: rounding
these off is the trajectory's part.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from deploy.errors import BadInput
from geometry.pose import Pose
from geometry.types import Array
from robot.kinematics.differential import clearances
from robot.kinematics.follow import Arm, Followed, damped_step, miss, stay_inside
from robot.kinematics.limits import JointLimits
from robot.kinematics.nearest import Unreachable

# an error is taken back in about this time [s]: faster swings past, as speeds change slowly; slower lags
_TAKE_BACK_S: Final = 0.1
# share of the acceleration that is used: the rest is for whoever smooths the joints after
_SHARE: Final = 0.6
# closer than this to a singularity speeds change slowly: sines, and a share of the reach
_CLOSE: Final = 0.3
_CLOSE_TO_AXIS: Final = 0.15
# slower than this share of the step in all joints is standing still
_STANDING: Final = 0.01


class PoseFollower:
    """Follows poses of the tool, one per tick.

    Args:
        arm: The arm and its tool.
        limits: Ranges, speeds and accelerations to keep; those of the trajectory behind it.
        period_s: Length of a tick [s].

    Raises:
        deploy.errors.BadInput: If the period is not positive.
    """

    def __init__(self, arm: Arm, limits: JointLimits, period_s: float) -> None:
        if not period_s > 0.0:
            raise BadInput(f"follower: period_s is {period_s}: expected > 0")
        self._arm = arm
        self._limits = limits
        self._period_s = period_s
        self._fastest = period_s * np.array(limits.velocity_rad_s)
        self._change = _SHARE * period_s**2 * np.array(limits.acceleration_rad_s2)
        self._joints: Array | None = None
        self._step = np.zeros(6)
        self._asked: Pose | None = None
        self._is_on_path = True

    def reset(
        self, joint_positions_rad: Sequence[float] | Array, velocities_rad_s: Sequence[float] | Array = ()
    ) -> None:
        """Start from where the arm is.

        Args:
            joint_positions_rad: Shape (6,) [rad].
            velocities_rad_s: Shape (6,) [rad/s]; at rest if empty.

        Raises:
            deploy.errors.BadInput: If a value is missing or not finite.
        """
        joints = np.array(joint_positions_rad, dtype=np.float64)
        speeds = np.array(velocities_rad_s, dtype=np.float64) if len(velocities_rad_s) else np.zeros(6)
        if joints.shape != (6,) or speeds.shape != (6,) or not np.isfinite(joints + speeds).all():
            raise BadInput(
                f"follower cannot start at {joints.tolist()} rad, {speeds.tolist()} rad/s: expected 6 finite values"
            )
        self._joints, self._step, self._asked = joints, self._period_s * speeds, None
        self._is_on_path = True

    def step(self, base_T_tcp: Pose) -> Followed:
        """Advance by one tick.

        Args:
            base_T_tcp: Where the tool point should be at the end of the tick.

        Returns:
            The joints then, how far the tool will be off, and why if this branch does not reach the pose at all. What
            to do about it is the caller's: to go on as near as it gets, or to brake and call `reset`.
        """
        if self._joints is None:
            raise RuntimeError("follower has no start: call reset with the arm's joint angles first")
        lowest, highest = self._bounds(self._joints)
        goal, why = None, ""
        try:
            goal = self._arm.joints(base_T_tcp, self._joints)
        except Unreachable as error:
            why = str(error)
        if goal is not None:
            way = goal - self._joints
            as_it_comes = self._is_on_path and (np.abs(way) <= self._fastest).all() and self._is_clear(goal)
            if as_it_comes or ((way >= lowest).all() and (way <= highest).all()):
                return self._move(goal, base_T_tcp, Followed(goal, 0.0, 0.0, is_exact=True))
        moved = self._nearest(base_T_tcp, goal, lowest, highest)
        rest = miss(self._arm.tcp(moved), base_T_tcp)
        return self._move(moved, base_T_tcp, Followed(moved, rest.error_m, rest.error_rad, is_exact=False, why=why))

    def _nearest(self, base_T_tcp: Pose, goal: Array | None, lowest: Array, highest: Array) -> Array:
        """Joints of the next tick where the pose itself is not within the bounds."""
        assert self._joints is not None
        at = self._arm.tcp(self._joints)
        before = at if self._asked is None else self._asked
        # what the pose moves on, and a part of what the tool is behind
        share = min(1.0, self._period_s / _TAKE_BACK_S)
        twist = miss(before, base_T_tcp).twist + share * miss(at, before).twist
        if self._asked is None:
            twist = share * twist
        step = damped_step(self._joints, twist, lowest, highest, self._arm.tool_in_flange_m, self._arm.model)
        if goal is not None and (np.abs(step) < _STANDING * self._fastest).all():
            # out of a singularity the tool's motion shows no way: the joints' own way to the goal does
            step = np.clip(share * (goal - self._joints), lowest, highest)
        return stay_inside(self._joints, step, self._limits)

    def _is_clear(self, joints: Array) -> bool:
        """Whether joints are well clear of every singularity."""
        shoulder_m, elbow, wrist = clearances(joints.tolist(), self._arm.model)
        return min(abs(elbow), abs(wrist)) > _CLOSE and abs(shoulder_m) > _CLOSE_TO_AXIS * self._arm.model.reach_m

    def _bounds(self, joints: Array) -> tuple[Array, Array]:
        """Least and greatest step of each joint [rad]: speed, acceleration, and what can brake before its end."""
        low, high = np.array(self._limits.lower_rad), np.array(self._limits.upper_rad)
        side = math.pi * math.floor(float(joints[2]) / math.pi)
        low[2], high[2] = max(low[2], side), min(high[2], side + math.pi)
        lowest = np.maximum(-self._fastest, -_brakeable(joints - low, self._change))
        highest = np.minimum(self._fastest, _brakeable(high - joints, self._change))
        # a speed that is too high already is braked as fast as may be
        lowest = np.minimum(np.maximum(lowest, self._step - self._change), self._step + self._change)
        highest = np.maximum(np.minimum(highest, self._step + self._change), self._step - self._change)
        return lowest, highest

    def _move(self, joints: Array, asked: Pose, followed: Followed) -> Followed:
        assert self._joints is not None
        self._step = joints - self._joints
        self._joints, self._asked, self._is_on_path = joints, asked, followed.is_exact
        return followed


def _brakeable(way: Array, change: Array) -> Array:
    """Longest step that leaves enough of a way [rad] for steps that shrink by `change` each tick.

    Steps of s, s - c, s - 2 c, ... take no more than (s + c / 2)^2 / (2 c).
    """
    left = np.maximum(way, 0.0)
    return np.maximum(np.sqrt(2.0 * change * left) - 0.5 * change, np.minimum(left, change))
