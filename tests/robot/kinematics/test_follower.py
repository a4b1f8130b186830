"""A control loop's way through singularities: bounded speed and acceleration, and what the tool then does."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.errors import BadInput
from geometry.pose import Pose
from geometry.types import Array
from robot.kinematics import UR10E_LIMITS, Calibration, Kinematics, PoseFollower, links
from robot.trajectory import JointTrajectory

DT = 0.01
LIMITS = UR10E_LIMITS.scaled(0.8)
FASTEST, STRONGEST = np.array(LIMITS.velocity_rad_s), np.array(LIMITS.acceleration_rad_s2)
DOWN = np.diag([1.0, -1.0, -1.0])
ARM = Kinematics(Pose(np.eye(3), np.array([0.0, 0.0, 0.145])))
Path = Callable[[float], Pose]


def eased(t: float, seconds: float) -> float:
    """From 0 to 1 at rest at both ends."""
    u = min(max(t / seconds, 0.0), 1.0)
    return u**3 * (10.0 - 15.0 * u + 6.0 * u * u)


def sweep(path: Path, seconds: float, start: Array, arm: Kinematics = ARM) -> tuple[float, float, list[Array]]:
    """Furthest that the tool is off behind a trajectory [m, rad], and the joints; every bound is checked on the way."""
    joints = last = arm.any_joints(path(0.0), start)
    follower, trajectory = PoseFollower(arm, LIMITS, DT), JointTrajectory(LIMITS)
    follower.reset(joints)
    trajectory.reset(joints)
    speed, worst_m, worst_rad, rows = np.zeros(6), 0.0, 0.0, [joints]
    for k in range(round((seconds + 1.0) / DT)):
        pose = path(min((k + 1) * DT, seconds))
        joints = follower.step(pose).joints
        faster = (joints - last) / DT
        assert (np.abs(faster) <= FASTEST * (1 + 1e-6)).all()
        assert (np.abs(faster - speed) <= STRONGEST * DT * (1 + 1e-6)).all()
        moved, _, _ = trajectory.step(joints, faster, DT)
        off_m, off_rad = arm.tcp(moved).distance_to(pose)
        worst_m, worst_rad = max(worst_m, off_m), max(worst_rad, off_rad)
        last, speed = joints, faster
        rows.append(joints)
    assert off_m < 1e-3
    assert off_rad < 1e-3
    return worst_m, worst_rad, rows


WRIST = np.array([0.3, -1.4, 1.9, -2.0, 0.0, 0.5])


def past_the_wrist(off_rad: float, seconds: float) -> Path:
    middle = ARM.tcp(WRIST)
    tilt = Pose.from_rotvec(off_rad * np.array([math.cos(WRIST[0]), math.sin(WRIST[0]), 0.0]), np.zeros(3)).rotation

    def path(t: float) -> Pose:
        turn = Pose.from_rotvec([0.0, 0.0, eased(t, seconds) - 0.5], np.zeros(3)).rotation
        return Pose(turn @ tilt @ middle.rotation, middle.translation)

    return path


@pytest.mark.parametrize(
    ("off_rad", "seconds", "most_m", "most_rad"),
    [
        (0.0, 5.0, 1e-3, 1e-3),
        (1e-3, 5.0, 6e-3, 0.03),
        (1e-2, 5.0, 8e-3, 0.20),
        (3e-2, 5.0, 0.016, 0.30),
        (3e-2, 1.0, 0.016, 0.30),
    ],
)
def test_past_the_wrists_singularity(off_rad: float, seconds: float, most_m: float, most_rad: float) -> None:
    worst_m, worst_rad, _ = sweep(past_the_wrist(off_rad, seconds), seconds, WRIST)
    assert worst_m < most_m
    assert worst_rad < most_rad


def test_exact_joints_would_take_the_tool_off_by_centimetres() -> None:
    """What the test above is about: the same sweep with a trajectory behind the exact joints."""
    path = past_the_wrist(1e-2, 5.0)
    joints = ARM.any_joints(path(0.0), WRIST)
    trajectory, worst = JointTrajectory(LIMITS), 0.0
    trajectory.reset(joints)
    for k in range(500):
        pose = path((k + 1) * DT)
        following = ARM.any_joints(pose, joints)
        moved, _, _ = trajectory.step(following, (following - joints) / DT, DT)
        joints, worst = following, max(worst, ARM.tcp(moved).distance_to(pose)[0])
    assert worst > 0.02


STRETCHED = np.array([0.2, -1.2, 0.6, -1.0, -1.57, 0.3])


@pytest.mark.parametrize(("beyond_m", "most_m"), [(-2e-3, 0.01), (0.0, 0.012), (5e-3, 0.015)])
def test_to_full_stretch_and_back(beyond_m: float, most_m: float) -> None:
    start, at = ARM.tcp(STRETCHED), links(STRETCHED.tolist())
    reach = np.array(at.wrist_1) - [0.0, 0.0, ARM.model.d_m[0]]
    distance = float(np.linalg.norm(reach))
    way = ARM.model.reach_m - distance + beyond_m

    def path(t: float) -> Pose:
        return Pose(start.rotation, start.translation + way * math.sin(math.pi * t / 3.0) ** 2 * reach / distance)

    worst_m, _, rows = sweep(path, 3.0, STRETCHED)
    assert worst_m < most_m
    assert min(q[2] for q in rows) >= 0.0, "the elbow stays on its side"
    np.testing.assert_allclose(rows[-1], rows[0], atol=5e-3)


def test_past_the_base_axis_nearer_than_the_shoulder_allows() -> None:
    offset = ARM.model.d_m[3] - 0.01

    def path(t: float) -> Pose:
        return Pose(DOWN, np.array([-0.6 + 1.2 * eased(t, 12.0), offset, 0.55]))

    worst_m, _, _ = sweep(path, 12.0, np.array([0.0, -1.4, 1.9, -2.07, -1.57, 0.0]))
    assert worst_m < 0.015


def test_away_from_singularities_it_is_exact() -> None:
    start = ARM.any_joints(Pose(DOWN, np.array([-0.7, 0.1, 0.4])), [0.0, -1.4, 1.9, -2.07, -1.57, 0.0])
    follower = PoseFollower(ARM, LIMITS, DT)
    follower.reset(start)
    for k in range(1, 301):
        a = 2 * math.pi * eased(k * DT, 3.0)
        pose = Pose(DOWN, np.array([-0.7 + 0.15 * (1 - math.cos(a)), 0.1 + 0.15 * math.sin(a), 0.4]))
        found = follower.step(pose)
        assert found.is_exact
        assert ARM.tcp(found.joints).distance_to(pose)[0] < 1e-9
    np.testing.assert_allclose(found.joints, start, atol=1e-9)


def test_corners_of_the_path_pass_where_it_is_clear() -> None:
    """Straight lines between actions 100 ms apart: the joints are those of the pose, and the trajectory rounds them."""
    start = ARM.any_joints(Pose(DOWN, np.array([-0.7, 0.1, 0.4])), [0.0, -1.4, 1.9, -2.07, -1.57, 0.0])
    follower = PoseFollower(ARM, LIMITS, DT)
    follower.reset(start)
    knots = np.array([0.0, 0.1, 0.3, 0.2, 0.6, 1.0, 0.9, 0.4, 0.4, 0.0])
    for k in range(1, 91):
        u = float(np.interp(0.1 * k, np.arange(10), knots))
        assert follower.step(Pose(DOWN, np.array([-0.7 + 0.05 * u, 0.1 - 0.1 * u, 0.4]))).is_exact


def test_a_far_pose_is_approached_and_met() -> None:
    joints = np.array([0.3, -1.2, 1.4, -1.0, 1.2, 0.4])
    goal = joints + np.array([0.3, -0.2, 0.2, 0.1, -0.2, 0.4])
    follower = PoseFollower(ARM, LIMITS, DT)
    follower.reset(joints)
    found = [follower.step(ARM.tcp(goal)) for _ in range(300)]
    assert found[-1].is_exact
    np.testing.assert_allclose(found[-1].joints, goal, atol=1e-8)
    assert min(row.error_m for row in found) == 0.0


def test_out_of_reach_it_says_why_and_stays_near() -> None:
    follower = PoseFollower(ARM, LIMITS, DT)
    follower.reset([0.3, -1.2, 1.4, -1.0, 1.2, 0.4])
    for _ in range(400):
        found = follower.step(Pose(DOWN, np.array([-1.5, 0.2, 0.3])))
        assert ARM.limits.contains(found.joints)
    assert "bring the target nearer" in found.why
    assert not found.is_exact
    assert found.error_m == pytest.approx(ARM.tcp(found.joints).distance_to(Pose(DOWN, np.array([-1.5, 0.2, 0.3])))[0])


@given(
    st.integers(0, 2**32 - 1),
    st.lists(st.lists(st.floats(-1.0, 1.0), min_size=6, max_size=6), min_size=1, max_size=3),
    st.floats(0.0, 2.0),
)
@settings(max_examples=25, deadline=None, derandomize=True)
def test_bounds_are_kept_whatever_the_tool_should_do(seed: int, twists: list[list[float]], speed: float) -> None:
    joints = np.random.default_rng(seed).uniform(-3.0, 3.0, 6)
    follower, at = PoseFollower(ARM, LIMITS, DT), ARM.tcp(joints)
    follower.reset(joints)
    last, rate = joints, np.zeros(6)
    for twist in twists:
        moving = Pose.exp(speed * DT * np.array(twist))
        for _ in range(30):
            at = at @ moving
            found = follower.step(at)
            joints = found.joints
            faster = (joints - last) / DT
            assert LIMITS.contains(joints)
            assert (np.abs(faster) <= FASTEST * (1 + 1e-6)).all()
            # well clear of singularities the path's own corners pass
            assert found.is_exact or (np.abs(faster - rate) <= STRONGEST * DT * (1 + 1e-6) + 1e-6).all()
            assert math.sin(joints[2]) * math.sin(last[2]) >= -1e-12
            last, rate = joints, faster


def test_a_calibrated_arm() -> None:
    arm = Kinematics(ARM.flange_T_tcp, calibration=Calibration(theta_rad=(1e-3, -1e-3, 2e-3, 0.0, 1e-3, 0.0)))
    worst_m, _, _ = sweep(past_the_wrist(1e-2, 5.0), 5.0, WRIST, arm)
    assert worst_m < 0.01


def test_reset_takes_over_a_velocity() -> None:
    """Next to a singularity it cannot stop within a tick."""
    joints = np.array([0.3, -1.2, 1.4, -1.0, 0.1, 0.4])
    follower = PoseFollower(ARM, LIMITS, DT)
    follower.reset(joints, np.full(6, 0.5))
    found = follower.step(ARM.tcp(joints))
    assert ((found.joints - joints) / DT > 0.4).all()


def test_misuse() -> None:
    with pytest.raises(BadInput, match="period_s is 0"):
        PoseFollower(ARM, LIMITS, 0.0)
    follower = PoseFollower(ARM, LIMITS, DT)
    with pytest.raises(RuntimeError, match="call reset"):
        follower.step(ARM.tcp(WRIST))
    for joints, speeds in (([0.0] * 5, []), ([math.nan] * 6, []), ([0.0] * 6, [0.0] * 5)):
        with pytest.raises(BadInput, match="follower cannot start"):
            follower.reset(joints, speeds)
