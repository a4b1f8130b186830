"""Forward kinematics: joint angles to poses, in the controller's (DH) base."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from geometry.pose import Pose
from geometry.types import Array
from robot.kinematics.dh import UR10E, DhModel

Vector = tuple[float, float, float]


class Links(NamedTuple):
    """The flange's axes and the points along the arm, in the base, as plain floats for the control path.

    Attributes:
        x: Flange x axis.
        y: Flange y axis.
        z: Flange z axis, out of the flange.
        flange: Origin of the flange [m].
        elbow: Origin of the elbow [m].
        wrist_1: Centre of the first wrist joint, in the plane of the arm [m].
        wrist_2: Origin of the second wrist joint [m].
        wrist_3: Origin of the third wrist joint [m].
    """

    x: Vector
    y: Vector
    z: Vector
    flange: Vector
    elbow: Vector
    wrist_1: Vector
    wrist_2: Vector
    wrist_3: Vector

    def point(self, offset: Vector) -> Vector:
        """A point given in the flange [m], in the base [m]."""
        a, b, c = offset
        return (
            self.flange[0] + a * self.x[0] + b * self.y[0] + c * self.z[0],
            self.flange[1] + a * self.x[1] + b * self.y[1] + c * self.z[1],
            self.flange[2] + a * self.x[2] + b * self.y[2] + c * self.z[2],
        )


def links(joint_positions_rad: Sequence[float], model: DhModel = UR10E) -> Links:
    """Place the arm's points in closed form, about ten times faster than a product of matrices.

    Joints 2 to 4 turn about one direction, so their angles add up in the arm's plane.

    Args:
        joint_positions_rad: Six angles [rad], as plain floats.
        model: Figures of the arm.
    """
    q1, q2, q3, q4, q5, q6 = joint_positions_rad
    d1, _, _, d4, d5, d6 = model.d_m
    a2, a3 = model.a_m[1], model.a_m[2]
    c1, s1, c5, s5, c6, s6 = math.cos(q1), math.sin(q1), math.cos(q5), math.sin(q5), math.cos(q6), math.sin(q6)
    q23 = q2 + q3
    q234 = q23 + q4
    c4, s4 = math.cos(q234), math.sin(q234)
    # x4, y4, z4: the frame after joint 4; y4 is the direction of the three parallel axes
    x4x, x4y, x4z = c1 * c4, s1 * c4, s4
    y4x, y4y = s1, -c1
    z4x, z4y, z4z = c1 * s4, s1 * s4, -c4
    reach, height = a2 * math.cos(q2), d1 + a2 * math.sin(q2)
    elbow = (c1 * reach, s1 * reach, height)
    reach, height = reach + a3 * math.cos(q23), height + a3 * math.sin(q23)
    wrist_1 = (c1 * reach, s1 * reach, height)
    wrist_2 = (wrist_1[0] + d4 * y4x, wrist_1[1] + d4 * y4y, height)
    wrist_3 = (wrist_2[0] + d5 * z4x, wrist_2[1] + d5 * z4y, height + d5 * z4z)
    x5x, x5y, x5z = c5 * x4x + s5 * y4x, c5 * x4y + s5 * y4y, c5 * x4z
    z6 = (c5 * y4x - s5 * x4x, c5 * y4y - s5 * x4y, -s5 * x4z)
    return Links(
        x=(c6 * x5x - s6 * z4x, c6 * x5y - s6 * z4y, c6 * x5z - s6 * z4z),
        y=(-s6 * x5x - c6 * z4x, -s6 * x5y - c6 * z4y, -s6 * x5z - c6 * z4z),
        z=z6,
        flange=(wrist_3[0] + d6 * z6[0], wrist_3[1] + d6 * z6[1], wrist_3[2] + d6 * z6[2]),
        elbow=elbow,
        wrist_1=wrist_1,
        wrist_2=wrist_2,
        wrist_3=wrist_3,
    )


def forward(joint_positions_rad: Sequence[float] | Array, model: DhModel = UR10E) -> Pose:
    """Return base_T_flange.

    Args:
        joint_positions_rad: Shape (6,), base to wrist [rad].
        model: Figures of the arm.

    Example:
        >>> forward([0.0] * 6).translation.round(5).tolist()
        [-1.18425, -0.2907, 0.06085]
    """
    at = links([float(q) for q in joint_positions_rad], model)
    return Pose(np.array((at.x, at.y, at.z)).T, np.array(at.flange))


def chain(joint_positions_rad: Sequence[float] | Array, model: DhModel = UR10E) -> list[Pose]:
    """Return base_T_link of all six DH frames, first to flange, as the plain product of link transforms."""
    base_T_link, poses = Pose.identity(), []
    for q, a, d, alpha in zip(joint_positions_rad, model.a_m, model.d_m, model.alpha_rad, strict=True):
        c, s, ca, sa = math.cos(q), math.sin(q), math.cos(alpha), math.sin(alpha)
        rotation = np.array(((c, -s * ca, s * sa), (s, c * ca, -c * sa), (0.0, sa, ca)))
        base_T_link = base_T_link @ Pose(rotation, np.array((a * c, a * s, d)))
        poses.append(base_T_link)
    return poses
