"""How the tool moves with the joints: Jacobian, and how far the arm is from its three singularities."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from geometry.types import Array
from robot.kinematics.dh import UR10E, DhModel
from robot.kinematics.forward import Links, Vector, links


class Clearances(NamedTuple):
    """How far an arm is from each of its singularities; the signs name the branch that it is in.

    The determinant of the flange's Jacobian is a2 a3 times the product of the three.

    Attributes:
        shoulder_m: Distance of the third wrist joint from the base axis within the arm's plane [m]; at 0 the first
            joint cannot move it.
        elbow: Sine of joint 3: 0 where the arm is stretched out or folded.
        wrist: Sine of joint 5: 0 where joints 4 and 6 turn about parallel lines.
    """

    shoulder_m: float
    elbow: float
    wrist: float


def clearances(joint_positions_rad: Sequence[float], model: DhModel = UR10E) -> Clearances:
    """Return how far joint angles [rad] are from the singularities."""
    _, q2, q3, q4, q5, _ = joint_positions_rad
    q23 = q2 + q3
    radial = model.a_m[1] * math.cos(q2) + model.a_m[2] * math.cos(q23) + model.d_m[4] * math.sin(q23 + q4)
    return Clearances(radial, math.sin(q3), math.sin(q5))


def jacobian(
    joint_positions_rad: Sequence[float] | Array, tool_in_flange_m: Vector = (0.0, 0.0, 0.0), model: DhModel = UR10E
) -> Array:
    """Return the geometric Jacobian of a tool point.

    Args:
        joint_positions_rad: Six angles [rad].
        tool_in_flange_m: The tool point in the flange [m].
        model: Figures of the arm.

    Returns:
        Shape (6, 6): velocity of the tool point [m/s] over angular velocity [rad/s], both along the base's axes, per
        joint velocity [rad/s].
    """
    at = links([float(q) for q in joint_positions_rad], model)
    return jacobian_at(at, float(joint_positions_rad[0]), at.point(tool_in_flange_m), model)


def jacobian_at(at: Links, q1: float, tool_m: Vector, model: DhModel) -> Array:
    """`jacobian` where the links are known: the first angle [rad], and the tool point in the base [m]."""
    parallel = (math.sin(q1), -math.cos(q1), 0.0)
    wx, wy, wz = (c - b for c, b in zip(at.wrist_3, at.wrist_2, strict=True))
    d5 = model.d_m[4]
    shoulder = (0.0, 0.0, model.d_m[0])
    axes = ((0.0, 0.0, 1.0), parallel, parallel, parallel, (wx / d5, wy / d5, wz / d5), at.z)
    origins = (shoulder, shoulder, at.elbow, at.wrist_1, at.wrist_3, at.flange)
    px, py, pz = tool_m
    columns = []
    for (ax, ay, az), (ox, oy, oz) in zip(axes, origins, strict=True):
        x, y, z = px - ox, py - oy, pz - oz
        columns.append((ay * z - az * y, az * x - ax * z, ax * y - ay * x, ax, ay, az))
    matrix: Array = np.array(columns).T
    return matrix
