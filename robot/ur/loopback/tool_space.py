"""Poses as URScript writes them (x, y, z, rotation vector), and tool speeds as joint speeds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from deploy.errors import BadInput
from geometry.pose import Pose
from geometry.types import Array
from robot.kinematics import DhModel, JointLimits, chain, forward, nearest

_SINGULAR = 1e-4


def to_pose(six: Sequence[float]) -> Pose:
    """Pose of URScript's p[x, y, z, rx, ry, rz]: metres and a rotation vector."""
    return Pose.from_rotvec(list(six[3:6]), list(six[:3]))


def from_pose(pose: Pose) -> tuple[float, ...]:
    """URScript's six figures of a pose."""
    return (*pose.translation.tolist(), *pose.rotvec.tolist())


class ToolSpace:
    """Forward and inverse kinematics of the tool point of one arm.

    Args:
        model: Figures of the arm.
        limits: Its joint limits.
    """

    def __init__(self, model: DhModel, limits: JointLimits) -> None:
        self.model = model
        self.limits = limits
        self.flange_T_tool = Pose.identity()

    def pose(self, joints_rad: Sequence[float] | Array, flange_T_tool: Pose | None = None) -> Pose:
        """base_T_tool; with the tool that was set unless another is given."""
        return forward(joints_rad, self.model) @ (self.flange_T_tool if flange_T_tool is None else flange_T_tool)

    def joints(self, base_T_tool: Pose, near: Sequence[float] | Array) -> Array | None:
        """Shape (6,): the joint angles nearest to `near` that put the tool there; None if there are none."""
        try:
            return np.array(nearest(base_T_tool @ self.flange_T_tool.inverse(), near, self.limits, self.model))
        except BadInput:
            return None

    def joint_change(self, joints_rad: Array, tool_change: Array) -> Array | None:
        """Shape (6,): change of the joints [rad] for a small one of the tool, shape (6,) [m, rad]; None if singular."""
        jacobian = self.jacobian(joints_rad)
        if abs(np.linalg.det(jacobian)) < _SINGULAR:
            return None
        change: Array = np.linalg.solve(jacobian, tool_change).astype(np.float64)
        return change

    def jacobian(self, joints_rad: Array) -> Array:
        """Shape (6, 6): tool velocity in the base (m/s, then rad/s) per joint velocity [rad/s]."""
        frames = [Pose.identity(), *chain(joints_rad, self.model)]
        tool = (frames[-1] @ self.flange_T_tool).translation
        columns = []
        for frame in frames[:-1]:
            axis = frame.rotation[:, 2]
            columns.append(np.concatenate((np.cross(axis, tool - frame.translation), axis)))
        jacobian: Array = np.array(columns).T
        return jacobian
