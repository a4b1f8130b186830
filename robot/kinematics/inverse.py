"""Inverse kinematics in closed form: every branch, and the one nearest to where the arm is.

Method: K. P. Hawkins, "Analytic Inverse Kinematics for the Universal Robots UR-5/UR-10 Arms", Georgia Institute of
Technology, 2013. The direction of the three parallel axes, z1 = (sin q1, -cos q1, 0), carries d4 alone, which gives
q1; the flange's axes projected on z1 are (sin q5 cos q6, -sin q5 sin q6, cos q5), which gives q5 and q6; what is left
is a planar arm of two links, which gives q3, q2, and q4 from the sum. q5 is taken from both its sine and its cosine, so
that no accuracy is lost near the wrist's singularity as it is with an arc cosine.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from deploy.errors import BadInput
from geometry.pose import Pose
from geometry.types import Array
from robot.kinematics.dh import UR10E, DhModel, Six
from robot.kinematics.limits import UR10E_LIMITS, JointLimits

_TURN = 2.0 * math.pi
# sin q5 below this: q4 and q6 turn about the same line and only their sum is defined
_SINGULAR = 1e-9
# arithmetic of a pose at full stretch can overshoot the reach by this much
_ROUNDING = 1e-9


class Unreachable(BadInput):
    """No joint angles inside the limits put the flange there. The message names position, reach and remedy."""


def inverse(base_T_flange: Pose, near: Sequence[float] | Array | None = None, model: DhModel = UR10E) -> list[Six]:
    """Return all branches that reach a pose, up to eight; empty if there are none.

    Args:
        base_T_flange: Where the flange should be.
        near: Shape (6,) [rad]; at the wrist's singularity joint 6 keeps this value (0 if not given).
        model: Figures of the arm.

    Returns:
        Joint angles [rad], each in (-pi, pi], in a fixed order: shoulder, wrist, elbow.

    Raises:
        deploy.errors.BadInput: If the pose is not finite.
    """
    (r00, r01, r02), (r10, r11, r12), (r20, r21, r22) = base_T_flange.rotation.tolist()
    px, py, pz = base_T_flange.translation.tolist()
    if not math.isfinite(px + py + pz + r00 + r01 + r02 + r10 + r11 + r12 + r20 + r21 + r22):
        raise BadInput(f"pose at {[px, py, pz]} m is not finite: drop the sample that it came from")
    d1, _, _, d4, d5, d6 = model.d_m
    a2, a3 = model.a_m[1], model.a_m[2]
    wx, wy, wz = px - d6 * r02, py - d6 * r12, pz - d6 * r22
    radius = math.hypot(wx, wy)
    if radius < abs(d4) - _ROUNDING:
        return []
    azimuth = math.atan2(wy, wx)
    lean = math.asin(max(-1.0, min(1.0, d4 / radius)))
    kept_q6 = 0.0 if near is None else float(near[5])
    branches: list[Six] = []
    for q1 in (azimuth + lean, azimuth + math.pi - lean):
        c1, s1 = math.cos(q1), math.sin(q1)
        along_x, along_y, c5 = r00 * s1 - r10 * c1, r01 * s1 - r11 * c1, r02 * s1 - r12 * c1
        sine = math.hypot(along_x, along_y)
        for side in (1.0, -1.0):
            q5 = math.atan2(side * sine, c5)
            q6 = math.atan2(-side * along_y, side * along_x) if sine > _SINGULAR else kept_q6
            c6, s6, s5 = math.cos(q6), math.sin(q6), side * sine
            # centre of the first wrist joint in the plane of the arm, seen from the shoulder
            bx, by = wx + d5 * (r00 * s6 + r01 * c6), wy + d5 * (r10 * s6 + r11 * c6)
            forward, up = c1 * bx + s1 * by, wz + d5 * (r20 * s6 + r21 * c6) - d1
            c3 = (forward * forward + up * up - a2 * a2 - a3 * a3) / (2.0 * a2 * a3)
            if abs(c3) > 1.0 + _ROUNDING:
                continue
            bend = math.acos(max(-1.0, min(1.0, c3)))
            # x axis of frame 4, whose angle in the plane is q2 + q3 + q4
            vx, vy, vz = c5 * c6, -c5 * s6, -s5
            sum_angle = math.atan2(
                r20 * vx + r21 * vy + r22 * vz,
                c1 * (r00 * vx + r01 * vy + r02 * vz) + s1 * (r10 * vx + r11 * vy + r12 * vz),
            )
            for q3 in (bend, -bend) if bend > 0.0 else (0.0,):
                q2 = math.atan2(up, forward) - math.atan2(a3 * math.sin(q3), a2 + a3 * math.cos(q3))
                branches.append((_wrap(q1), _wrap(q2), q3, _wrap(sum_angle - q2 - q3), q5, _wrap(q6)))
    return branches


def nearest(
    base_T_flange: Pose,
    reference_q: Sequence[float] | Array,
    limits: JointLimits = UR10E_LIMITS,
    model: DhModel = UR10E,
) -> Array:
    """Return the joint angles of a pose that are nearest to a reference, unwrapped by whole turns inside the limits.

    Args:
        base_T_flange: Where the flange should be.
        reference_q: Shape (6,), where the joints are [rad]; may lie outside (-pi, pi].
        limits: Ranges of the joints.
        model: Figures of the arm.

    Returns:
        Shape (6,) [rad], least sum of squared differences to `reference_q`.

    Raises:
        Unreachable: If no branch exists or none lies inside the limits.
        deploy.errors.BadInput: If the pose or the reference is not finite.
    """
    reference = [float(q) for q in reference_q]
    if not math.isfinite(sum(reference)):
        raise BadInput(f"reference joints {reference} are not finite: read the arm's state again")
    best: list[float] | None = None
    best_cost = math.inf
    branches = inverse(base_T_flange, reference, model)
    for branch in branches:
        cost = 0.0
        unwrapped: list[float] = []
        for q, near, low, high in zip(branch, reference, limits.lower_rad, limits.upper_rad, strict=True):
            angle = q + _TURN * round((near - q) / _TURN)
            if angle > high:
                angle -= _TURN
            elif angle < low:
                angle += _TURN
            cost += (angle - near) ** 2
            if not low <= angle <= high or cost >= best_cost:
                break
            unwrapped.append(angle)
        else:
            best, best_cost = unwrapped, cost
    if best is None:
        raise Unreachable(_why(base_T_flange, len(branches), model))
    return np.array(best)


def _wrap(angle: float) -> float:
    """The same direction in (-pi, pi]."""
    return angle - _TURN * math.ceil(angle / _TURN - 0.5)


def _why(base_T_flange: Pose, branches: int, model: DhModel) -> str:
    x, y, z = base_T_flange.translation.tolist()
    where = f"{model.name} cannot put its flange at ({x:.3f}, {y:.3f}, {z:.3f}) m in the base"
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
