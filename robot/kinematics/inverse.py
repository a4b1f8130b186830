"""Inverse kinematics in closed form: every branch.

Method: K. P. Hawkins, "Analytic Inverse Kinematics for the Universal Robots UR-5/UR-10 Arms", Georgia Institute of
Technology, 2013. The direction of the three parallel axes, z1 = (sin q1, -cos q1, 0), carries d4 alone, which gives
q1; the flange's axes projected on z1 are (sin q5 cos q6, -sin q5 sin q6, cos q5), which gives q5 and q6; what is left
is a planar arm of two links, which gives q3, q2, and q4 from the sum. q5 is taken from both its sine and its cosine, so
that no accuracy is lost near the wrist's singularity as it is with an arc cosine.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from deploy.errors import BadInput
from geometry.pose import Pose
from geometry.types import Array
from robot.kinematics.dh import UR10E, DhModel, Six

_Planar = tuple[float, float]
_TURN = 2.0 * math.pi
# sin q5 below this: q4 and q6 turn about the same line and only their sum is defined
_SINGULAR = 1e-9
# below this joint 6 is so badly defined that its rounding alone may put the arm out of reach
_NEARLY_SINGULAR = 1e-6
# an orientation that is off by less is the same [rad]
_EXACT = 1e-12
# arithmetic of a pose at full stretch can overshoot the reach by this much
_ROUNDING = 1e-9


def inverse(base_T_flange: Pose, near: Sequence[float] | Array | None = None, model: DhModel = UR10E) -> list[Six]:
    """Return all branches that reach a pose, up to eight; empty if there are none.

    Args:
        base_T_flange: Where the flange should be.
        near: Shape (6,) [rad]; at the wrist's singularity joint 6 keeps this value (0 if not given), or
            takes the nearest one that is within reach.
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
            if sine < _NEARLY_SINGULAR:
                # joint 6 turns the first wrist joint about the third: any angle that leaves it within reach does
                there = (c1 * wx + s1 * wy, wz - d1)
                other = _within_reach(q6, there, (c1 * r00 + s1 * r10, r20), (c1 * r01 + s1 * r11, r21), (a2, a3, d5))
                if sine <= _SINGULAR or abs(math.remainder(other - q6, _TURN)) * sine < _EXACT:
                    q6 = other
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


def _within_reach(q6: float, there: _Planar, x: _Planar, y: _Planar, lengths_m: tuple[float, float, float]) -> float:
    """The angle nearest to q6 that keeps the first wrist joint between least and full reach, at a singular wrist.

    Args:
        q6: The angle wanted [rad].
        there: The third wrist joint in the plane of the arm, seen from the shoulder [m].
        x: The flange's x axis in that plane.
        y: Its y axis.
        lengths_m: a2, a3 and d5 [m].
    """
    a2, a3, d5 = lengths_m
    along_x, along_y = there[0] * x[0] + there[1] * x[1], there[0] * y[0] + there[1] * y[1]
    # its distance squared is base + swing cos(q6 - facing)
    base, swing = there[0] ** 2 + there[1] ** 2 + d5 * d5, 2.0 * d5 * math.hypot(along_x, along_y)
    facing = math.atan2(along_x, along_y)
    if swing < _ROUNDING:
        return q6
    least = math.acos(max(-1.0, min(1.0, ((abs(a2) + abs(a3)) ** 2 - base) / swing)))
    most = math.acos(max(-1.0, min(1.0, ((abs(a2) - abs(a3)) ** 2 - base) / swing)))
    away = _wrap(q6 - facing)
    if least <= abs(away) <= most:
        return q6
    return facing + math.copysign(min(max(abs(away), least), most), away)


def _wrap(angle: float) -> float:
    """The same direction in (-pi, pi]."""
    return angle - _TURN * math.ceil(angle / _TURN - 0.5)
