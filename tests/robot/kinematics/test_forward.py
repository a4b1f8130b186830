from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from scipy.spatial.transform import Rotation

from geometry.pose import Pose
from robot.kinematics import UR10E, UR10E_LIMITS, chain, forward, links

HALF = math.pi / 2


@pytest.mark.parametrize(
    ("joints", "flange_m", "z_axis"),
    [
        # d4 and d6 point along -y of the base, d5 down: read off the drawing of the arm
        ([0, 0, 0, 0, 0, 0], [-1.18425, -0.2907, 0.06085], [0, -1, 0]),
        ([0, -HALF, 0, -HALF, 0, 0], [0, -0.2907, 1.4848], [0, -1, 0]),
        ([math.pi, 0, 0, 0, 0, 0], [1.18425, 0.2907, 0.06085], [0, 1, 0]),
        ([0, -HALF, HALF, -HALF, -HALF, 0], [-0.6914, -0.17415, 0.67685], [0, 0, -1]),
    ],
)
def test_reference_poses(joints: list[float], flange_m: list[float], z_axis: list[float]) -> None:
    pose = forward(joints)
    np.testing.assert_allclose(pose.translation, flange_m, atol=1e-12)
    np.testing.assert_allclose(pose.rotation[:, 2], z_axis, atol=1e-12)


def test_closed_form_equals_product_of_link_transforms() -> None:
    rng = np.random.default_rng(1)
    for joints in rng.uniform(-2 * math.pi, 2 * math.pi, (500, 6)):
        frames = chain(joints)
        np.testing.assert_allclose(forward(joints).matrix, frames[-1].matrix, atol=1e-14)
        at = links(joints.tolist())
        np.testing.assert_allclose(at.elbow, frames[1].translation, atol=1e-14)
        np.testing.assert_allclose(at.wrist_2, frames[3].translation, atol=1e-14)
        np.testing.assert_allclose(at.wrist_3, frames[4].translation, atol=1e-14)


def test_point_of_the_flange() -> None:
    joints = [0.3, -1.2, 1.5, -1.0, 0.7, 2.0]
    np.testing.assert_allclose(links(joints).point((0.01, -0.02, 0.145)), forward(joints).apply([0.01, -0.02, 0.145]))


def test_agrees_with_the_manufacturers_description(shared_data: Path) -> None:
    folder = shared_data / "ur10e_description" / "config" / "ur10e"
    steps = yaml.safe_load((folder / "default_kinematics.yaml").read_text())["kinematics"]
    names = ["shoulder", "upper_arm", "forearm", "wrist_1", "wrist_2", "wrist_3"]
    rng = np.random.default_rng(2)
    for joints in rng.uniform(-math.pi, math.pi, (50, 6)):
        pose = Pose.identity()
        for name, q in zip(names, joints, strict=True):
            step = steps[name]
            turn = Rotation.from_euler("xyz", [step["roll"], step["pitch"], step["yaw"]]).as_matrix()
            about_z = Rotation.from_euler("z", q).as_matrix()
            pose = pose @ Pose(turn @ about_z, np.array([step["x"], step["y"], step["z"]]))
        np.testing.assert_allclose(forward(joints).matrix, pose.matrix, atol=1e-8)


def test_agrees_with_pinocchio(shared_data: Path) -> None:
    """The same description in another library's chain, to a nanometre."""
    pin = pytest.importorskip("pinocchio")
    folder = shared_data / "ur10e_description" / "config" / "ur10e"
    steps = yaml.safe_load((folder / "default_kinematics.yaml").read_text())["kinematics"]
    model, parent = pin.Model(), 0
    for name in ("shoulder", "upper_arm", "forearm", "wrist_1", "wrist_2", "wrist_3"):
        step = steps[name]
        turn = pin.rpy.rpyToMatrix(step["roll"], step["pitch"], step["yaw"])
        place = pin.SE3(turn, np.array([step["x"], step["y"], step["z"]]))
        parent = model.addJoint(parent, pin.JointModelRZ(), place, name)
    data = model.createData()
    for joints in np.random.default_rng(3).uniform(-2 * math.pi, 2 * math.pi, (1000, 6)):
        pin.forwardKinematics(model, data, joints)
        np.testing.assert_allclose(forward(joints).matrix, data.oMi[parent].homogeneous, atol=1e-9, rtol=0)


def test_limits_agree_with_the_manufacturers_description(shared_data: Path) -> None:
    class Loader(yaml.SafeLoader):
        pass

    def degrees(loader: Any, node: Any) -> float:
        return math.radians(float(loader.construct_scalar(node)))

    Loader.add_constructor("!degrees", degrees)
    text = (shared_data / "ur10e_description" / "config" / "ur10e" / "joint_limits.yaml").read_text()
    rows = yaml.load(text, Loader)["joint_limits"]
    order = ["shoulder_pan", "shoulder_lift", "elbow", "wrist_1", "wrist_2", "wrist_3"]
    for i, name in enumerate(order):
        row = rows[f"{name}_joint"]
        assert UR10E_LIMITS.lower_rad[i] == pytest.approx(row["min_position"])
        assert UR10E_LIMITS.upper_rad[i] == pytest.approx(row["max_position"])
        assert UR10E_LIMITS.velocity_rad_s[i] == pytest.approx(row["max_velocity"])


def test_reach() -> None:
    assert UR10E.reach_m == pytest.approx(1.18425)
