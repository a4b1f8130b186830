from __future__ import annotations

import math

import numpy as np
import pytest

from geometry.pose import Pose
from robot.kinematics import Kinematics, Unreachable, chain, forward

TOOL = Pose.from_rotvec([0.1, 0.0, 0.5], [0.01, -0.02, 0.145])


def test_joints_and_tcp_are_inverse() -> None:
    kinematics = Kinematics(TOOL)
    rng = np.random.default_rng(3)
    for joints in rng.uniform(-math.pi, math.pi, (100, 6)):
        pose = kinematics.tcp(joints)
        assert pose.distance_to(forward(joints) @ TOOL)[0] < 1e-12
        np.testing.assert_allclose(kinematics.joints(pose, joints), joints, atol=1e-6)


def test_points_for_the_governor() -> None:
    kinematics = Kinematics(TOOL)
    rng = np.random.default_rng(4)
    for joints in rng.uniform(-math.pi, math.pi, (100, 6)):
        tcp, lowest = kinematics.points(joints.tolist())
        np.testing.assert_allclose(tcp, kinematics.tcp(joints).translation, atol=1e-12)
        heights = [pose.translation[2] for pose in chain(joints)]
        assert lowest == pytest.approx(min(heights[1], heights[2], heights[4], heights[5]), abs=1e-12)


def test_unreachable_passes_through() -> None:
    with pytest.raises(Unreachable):
        Kinematics(TOOL).joints(Pose(np.eye(3), np.array([3.0, 0.0, 0.0])), np.zeros(6))
