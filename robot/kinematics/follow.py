"""Joints that follow a moving pose at bounded speed, through singularities too.

Where the pose asks for more than the joints may turn in a step, as next to a singularity, the step that brings the tool
nearest is taken instead: damped least squares of the differential kinematics (Y. Nakamura and H. Hanafusa, "Inverse
Kinematic Solutions With Singularity Robustness for Robot Manipulator Control", 1986; C. W. Wampler, "Manipulator
Inverse Kinematic Solutions Based on Vector Formulations and Damped Least-Squares Methods", 1986). The damping is no
matter of taste here: it is the least that keeps every joint within its step (a trust region, as of Levenberg and
Marquardt), so speeds are bounded by construction, and what is given up in return is reported.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

import numpy as np

from geometry.pose import Pose
from geometry.types import Array
from robot.kinematics.dh import DhModel
from robot.kinematics.differential import jacobian
from robot.kinematics.forward import Vector
from robot.kinematics.limits import JointLimits

# one radian of orientation counts as much as this distance: about what a hand's tool does [m]
_LENGTH_M: Final = 0.2
# a joint that may not move at all still gets this much, so that nothing divides by zero [rad]
_LEAST_RAD: Final = 1e-12
# halvings of the damping's exponent until a step fits
_HALVINGS: Final = 24
# a step that leads further off, as the linear picture's may next to a singularity, is tried again this much shorter
_SHARES: Final = (1.0, 0.5, 0.25, 0.125)
# a step that takes back less than a thousandth of what is left is none
_STUCK: Final = 0.999
# the elbow stays on its side by this much [rad]
_SIDE_RAD: Final = 1e-6


class Arm(Protocol):
    """What following needs of an arm with a tool."""

    @property
    def model(self) -> DhModel:
        """Figures of the arm."""

    @property
    def limits(self) -> JointLimits:
        """Ranges of its joints."""

    @property
    def tool_in_flange_m(self) -> Vector:
        """The tool point in the flange [m]."""

    def joints(self, base_T_tcp: Pose, reference_q: Sequence[float] | Array) -> Array:
        """Joint angles of a pose in the branch of a reference [rad]."""

    def tcp(self, joint_positions_rad: Sequence[float] | Array) -> Pose:
        """base_T_tcp of six joint angles [rad]."""


@dataclass(frozen=True, slots=True, eq=False)
class Followed:
    """One step of following a pose.

    Attributes:
        joints: Shape (6,) [rad].
        error_m: How far the tool point is off the pose [m].
        error_rad: How far its orientation is off [rad].
        is_exact: Whether the pose was reached.
        why: Why no joints of this branch reach the pose; empty if some do.
    """

    joints: Array
    error_m: float
    error_rad: float
    is_exact: bool
    why: str = ""


class Miss(NamedTuple):
    """What is left to a pose: a translation [m] and a rotation vector [rad], along the base's axes."""

    twist: Array
    error_m: float
    error_rad: float

    @property
    def size(self) -> float:
        """Both as one length [m]."""
        return math.hypot(self.error_m, _LENGTH_M * self.error_rad)


def miss(at: Pose, goal: Pose) -> Miss:
    """What is left from one pose to another in the same frame."""
    step = goal.translation - at.translation
    turn = at.rotation @ (at.inverse() @ goal).rotvec
    return Miss(np.concatenate((step, turn)), float(np.linalg.norm(step)), float(np.linalg.norm(turn)))


def damped_step(
    joints: Array, twist: Array, lowest_rad: Array, highest_rad: Array, tool_in_flange_m: Vector, model: DhModel
) -> Array:
    """Return the joint step that takes the tool along a twist as far as the bounds allow.

    Args:
        joints: Shape (6,) [rad].
        twist: Shape (6,), what the tool should move [m] and turn [rad] along the base's axes.
        lowest_rad: Shape (6,), least step of each joint, with its sign [rad].
        highest_rad: Shape (6,), greatest step [rad].
        tool_in_flange_m: The tool point in the flange [m].
        model: Figures of the arm.

    Returns:
        Shape (6,) [rad], each within its bounds: the least damped least-squares solution that is. What is damped is the
        way from the middle of the bounds.
    """
    middle, half = 0.5 * (lowest_rad + highest_rad), np.maximum(0.5 * (highest_rad - lowest_rad), _LEAST_RAD)
    weights = np.array((1.0, 1.0, 1.0, _LENGTH_M, _LENGTH_M, _LENGTH_M))
    matrix = jacobian(joints, tool_in_flange_m, model)
    left, strengths, right = np.linalg.svd(weights[:, None] * matrix * half)
    wanted = strengths * (left.T @ (weights * (twist - matrix @ middle)))
    # least and most damping: none that matters, and one that lets hardly anything move
    most = max(math.sqrt(float(np.abs(wanted).sum())), float(strengths[0]))
    low, high = math.log(1e-9 * strengths[0]), math.log(10.0 * most)
    squares = strengths**2
    step: Array = right.T @ (wanted / (squares + math.exp(2.0 * low)))
    if np.abs(step).max() > 1.0:
        for _ in range(_HALVINGS):
            between = 0.5 * (low + high)
            trial = right.T @ (wanted / (squares + math.exp(2.0 * between)))
            if np.abs(trial).max() > 1.0:
                low = between
            else:
                high, step = between, trial
    bounded: Array = middle + np.clip(step, -1.0, 1.0) * half
    return bounded


def nearest_step(
    at: Pose,
    base_T_tcp: Pose,
    joints: Array,
    goal: Array | None,
    max_step_rad: Array,
    arm: Arm,
) -> tuple[Array, Miss]:
    """Return where to go next, and what is then left to the pose.

    Args:
        at: Where the tool point is.
        base_T_tcp: Where it should be.
        joints: Shape (6,), where the joints are [rad].
        goal: Shape (6,), joints of this branch that reach the pose, if there are any [rad].
        max_step_rad: Shape (6,), how far each joint may turn [rad].
        arm: The arm and its tool.
    """
    left = miss(at, base_T_tcp)
    best, least = joints, left
    for share in _SHARES:
        bound = share * max_step_rad
        step = damped_step(joints, left.twist, -bound, bound, arm.tool_in_flange_m, arm.model)
        trial = stay_inside(joints, step, arm.limits)
        rest = miss(arm.tcp(trial), base_T_tcp)
        if rest.size < least.size:
            best, least = trial, rest
            break
    if goal is not None:
        # out of a singularity the tool's motion shows no way: the joints' own way to the goal does
        trial = joints + _towards(joints, goal, max_step_rad)
        rest = miss(arm.tcp(trial), base_T_tcp)
        if rest.size < least.size or least.size > _STUCK * left.size:
            best, least = trial, rest
    return best, least


def stay_inside(joints: Array, step: Array, limits: JointLimits) -> Array:
    """Shape (6,): where a step [rad] from joints leads, inside the limits and with the elbow on its side."""
    moved = np.clip(joints + step, np.minimum(limits.lower_rad, joints), np.maximum(limits.upper_rad, joints))
    if math.sin(moved[2]) * math.sin(joints[2]) < 0.0:
        edge = math.pi * round(float(joints[2]) / math.pi)
        moved[2] = edge + math.copysign(_SIDE_RAD, float(joints[2]) - edge)
    return moved


def _towards(joints: Array, goal: Array, max_step_rad: Array) -> Array:
    """Shape (6,): the step [rad] straight towards other joints, as far as the bounds allow."""
    way = goal - joints
    share = float(np.max(np.abs(way) / max_step_rad))
    return way if share <= 1.0 else way / share
