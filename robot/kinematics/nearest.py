"""Which of the branches to take: the nearest of all, or the one that the arm is in.

The eight branches of a pose differ by three flips: of the shoulder (the arm reaches over its own base), of the elbow
(up or down) and of the wrist. Each flip passes a singularity, see `robot.kinematics.differential`. To place an arm, any
branch will do; in mid-motion a flip would swing the tool through wherever the joints happen to pass.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from deploy.errors import BadInput
from geometry.pose import Pose
from geometry.types import Array
from robot.kinematics.dh import UR10E, DhModel, Six
from robot.kinematics.differential import clearances
from robot.kinematics.inverse import inverse
from robot.kinematics.limits import UR10E_LIMITS, JointLimits

# nearer to an end than this a branch costs more [rad]
MARGIN_RAD: Final = 0.1
# a joint at its end counts as much as one that has to make a whole turn
_CROWDED: Final = (2.0 * math.pi) ** 2
# a motion that goes on may pass a singularity of shoulder or wrist, as long as no joint turns further than this [rad]
_SMOOTH: Final = 0.5
# beyond an end by less than this is at the end [rad]
_ROUNDING: Final = 1e-9
_TURN: Final = 2.0 * math.pi
_FLIPS: Final = ("shoulder", "elbow", "wrist")


class Unreachable(BadInput):
    """No joint angles inside the limits put the flange there. The message names position, reach and remedy."""


def nearest(
    base_T_flange: Pose,
    reference_q: Sequence[float] | Array,
    limits: JointLimits = UR10E_LIMITS,
    model: DhModel = UR10E,
    margin_rad: float = MARGIN_RAD,
) -> Array:
    """Return the joint angles of a pose that are nearest to a reference, in any branch, unwrapped inside the limits.

    The cost of a branch is the sum over the joints of (q - reference)^2 [rad^2], and of (2 pi)^2 (1 - gap / margin)^2
    for a joint whose gap to its nearer end is less than the margin: a joint at its end counts as a whole turn.

    Args:
        base_T_flange: Where the flange should be.
        reference_q: Shape (6,), where the joints are [rad]; may lie outside (-pi, pi].
        limits: Ranges of the joints.
        model: Figures of the arm.
        margin_rad: The margin [rad]; 0 asks for the nearest alone.

    Returns:
        Shape (6,) [rad], the branch of least cost.

    Raises:
        Unreachable: If no branch exists or none lies inside the limits.
        deploy.errors.BadInput: If the pose or the reference is not finite.
    """
    reference = _finite(reference_q)
    branches = inverse(base_T_flange, reference, model)
    best = _best(branches, reference, limits, margin_rad, None)
    if best is None:
        raise Unreachable(_why(base_T_flange, len(branches), model))
    return np.array(best)


def continuing(
    base_T_flange: Pose,
    reference_q: Sequence[float] | Array,
    limits: JointLimits = UR10E_LIMITS,
    model: DhModel = UR10E,
) -> Array:
    """Return the joint angles of a pose in the branch that the arm is in: what a motion goes on with.

    The elbow never changes its side, no joint turns by more than half a turn (at a joint's end it would have to turn
    back by a whole one), and shoulder or wrist change theirs only by passing smoothly through the singularity.

    Args:
        base_T_flange: Where the flange should be.
        reference_q: Shape (6,), where the joints are [rad].
        limits: Ranges of the joints.
        model: Figures of the arm.

    Returns:
        Shape (6,) [rad], the nearest of those.

    Raises:
        Unreachable: If there are none; where only a far branch is left, the message says what would flip.
        deploy.errors.BadInput: If the pose or the reference is not finite.
    """
    reference = _finite(reference_q)
    branches = inverse(base_T_flange, reference, model)
    closest = _best(branches, reference, limits, 0.0, None)
    if closest is None:
        raise Unreachable(_why(base_T_flange, len(branches), model))
    if not _flips(reference, closest, model):
        return np.array(closest)
    found = _best(branches, reference, limits, 0.0, model)
    if found is None:
        raise Unreachable(_why_far(base_T_flange, reference, closest, model))
    return np.array(found)


def _best(
    branches: Sequence[Six], reference: list[float], limits: JointLimits, margin_rad: float, staying: DhModel | None
) -> list[float] | None:
    """The branch of least cost; with `staying`, of those that a motion of that arm can go on with."""
    best: list[float] | None = None
    best_cost = math.inf
    ranges = tuple(zip(reference, limits.lower_rad, limits.upper_rad, strict=True))
    for branch in branches:
        cost = 0.0
        unwrapped: list[float] = []
        for q, (near, low, high) in zip(branch, ranges, strict=True):
            angle = q + _TURN * round((near - q) / _TURN)
            if angle > high:
                angle = high if angle < high + _ROUNDING else angle - _TURN
            elif angle < low:
                angle = low if angle > low - _ROUNDING else angle + _TURN
            away = angle - near
            cost += away * away
            if cost >= best_cost:
                break
            if angle < low + margin_rad or angle > high - margin_rad:
                if angle < low or angle > high:
                    break
                if margin_rad > 0.0:
                    cost -= away * away
                    other = angle - _TURN if angle > high - margin_rad else angle + _TURN
                    turned = _joint_cost(other, near, low, high, margin_rad)
                    here = _joint_cost(angle, near, low, high, margin_rad)
                    angle, cost = (other, cost + turned) if turned < here else (angle, cost + here)
            unwrapped.append(angle)
        else:
            if cost < best_cost and (staying is None or not _flips(reference, unwrapped, staying)):
                best, best_cost = unwrapped, cost
    return best


def _joint_cost(angle: float, near: float, low: float, high: float, margin_rad: float) -> float:
    """What one joint adds to the cost of a branch; infinite outside of its range."""
    gap = min(angle - low, high - angle)
    if gap < 0.0:
        return math.inf
    return (angle - near) ** 2 + _CROWDED * max(0.0, 1.0 - gap / margin_rad) ** 2


def _flips(reference: list[float], joints: list[float], model: DhModel) -> str:
    """What a motion between the two would flip; empty if it can go on."""
    furthest = max([abs(a - b) for a, b in zip(joints, reference, strict=True)])
    if furthest <= _SMOOTH:
        # the two sides of the elbow meet where the arm is stretched out, and part again
        return "elbow" if math.sin(joints[2]) * math.sin(reference[2]) < -1e-12 else ""
    signs = zip(_FLIPS, clearances(reference, model), clearances(joints, model), strict=True)
    name = next((name for name, before, after in signs if before * after < -1e-12), "")
    return name or ("turn" if furthest > math.pi + 1e-9 else "")


def _finite(reference_q: Sequence[float] | Array) -> list[float]:
    reference = reference_q.tolist() if isinstance(reference_q, np.ndarray) else [float(q) for q in reference_q]
    if not math.isfinite(sum(reference)):
        raise BadInput(f"reference joints {reference} are not finite: read the arm's state again")
    return reference


def _why_far(base_T_flange: Pose, reference: list[float], far: list[float], model: DhModel) -> str:
    flip = _flips(reference, far, model)
    joint = max(range(6), key=lambda i: abs(far[i] - reference[i]))
    what = "whole turn back from its end" if flip == "turn" else f"flip of the {flip}"
    return (
        f"{_where(base_T_flange, model)} in the branch that the arm is in: the nearest other one is a {what} away and "
        f"turns joint {joint + 1} from {reference[joint]:.2f} to {far[joint]:.2f} rad; stop and place the arm anew, or "
        "move the target"
    )


def _where(base_T_flange: Pose, model: DhModel) -> str:
    x, y, z = base_T_flange.translation.tolist()
    return f"{model.name} cannot put its flange at ({x:.3f}, {y:.3f}, {z:.3f}) m in the base"


def _why(base_T_flange: Pose, branches: int, model: DhModel) -> str:
    where = _where(base_T_flange, model)
    if branches:
        return f"{where}: all {branches} branches leave the joint limits; move the target or widen the limits"
    d1, d4, d5, d6 = model.d_m[0], model.d_m[3], model.d_m[4], model.d_m[5]
    wx, wy, wz = (base_T_flange.translation - d6 * base_T_flange.rotation[:, 2]).tolist()
    radius = math.hypot(wx, wy)
    if radius < abs(d4):
        return (
            f"{where}: the wrist would be {radius:.3f} m from the base axis and {abs(d4):.3f} m is the least; "
            "move the target away from the base axis"
        )
    span = math.hypot(math.sqrt(radius * radius - d4 * d4), wz - d1)
    if span > model.reach_m:
        return (
            f"{where}: the wrist would be {span:.3f} m from the shoulder and the reach is {model.reach_m:.3f} m "
            f"(give or take {abs(d5):.3f} m); bring the target nearer to the base"
        )
    return (
        f"{where} in this orientation: the wrist would be {span:.3f} m from the shoulder, outside of "
        f"{abs(abs(model.a_m[1]) - abs(model.a_m[2])):.3f} to {model.reach_m:.3f} m after the wrist's offset of "
        f"{abs(d5):.3f} m; turn the tool or move the target"
    )
