"""Sweeps of the tool through every singularity: speeds stay bounded, what is given up is bounded and taken back."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geometry.pose import Pose
from geometry.types import Array
from robot.kinematics import UR10E_LIMITS, Calibration, Kinematics, Unreachable, clearances, links

DT = 0.01
STEP = 0.8 * DT * np.array(UR10E_LIMITS.velocity_rad_s)
DOWN = np.diag([1.0, -1.0, -1.0])
TOOL = Pose(np.eye(3), np.array([0.0, 0.0, 0.145]))
ARM = Kinematics(TOOL)
Path = Callable[[float], Pose]


@dataclass
class Sweep:
    """What a sweep did, step by step."""

    joints: list[Array] = field(default_factory=list)
    errors_m: list[float] = field(default_factory=list)
    errors_rad: list[float] = field(default_factory=list)
    damped: int = 0


def sweep(path: Path, seconds: float, start: Array, arm: Kinematics = ARM, settle_s: float = 0.7) -> Sweep:
    """Follow a path and stay at its end; every step is checked against its bound, every report against the truth."""
    joints, done = arm.any_joints(path(0.0), start), Sweep()
    done.joints.append(joints)
    for k in range(1, round((seconds + settle_s) / DT) + 1):
        pose = path(min(k * DT, seconds))
        found = arm.follow(pose, joints, STEP, tolerance_m=0.05, tolerance_rad=0.3)
        assert (np.abs(found.joints - joints) <= STEP * (1 + 1e-9)).all()
        assert arm.limits.contains(found.joints)
        assert math.sin(found.joints[2]) * math.sin(joints[2]) >= -1e-12
        error_m, error_rad = arm.tcp(found.joints).distance_to(pose)
        assert error_m == pytest.approx(found.error_m, abs=1e-7)
        assert error_rad == pytest.approx(found.error_rad, abs=1e-7)
        joints = found.joints
        done.joints.append(joints)
        done.errors_m.append(error_m)
        done.errors_rad.append(error_rad)
        done.damped += not found.is_exact
    assert done.errors_m[-1] < 1e-6
    assert done.errors_rad[-1] < 1e-6
    return done


WRIST = np.array([0.3, -1.4, 1.9, -2.0, 0.0, 0.5])


def past_the_wrist(off_rad: float, rad_s: float) -> Path:
    """The tool turns half a radian to either side of where joints 4 and 6 are parallel, tilted off it."""
    middle = ARM.tcp(WRIST)
    tilt = Pose.from_rotvec(off_rad * np.array([math.cos(WRIST[0]), math.sin(WRIST[0]), 0.0]), np.zeros(3)).rotation

    def path(t: float) -> Pose:
        turn = Pose.from_rotvec([0.0, 0.0, rad_s * t - 0.5], np.zeros(3)).rotation
        return Pose(turn @ tilt @ middle.rotation, middle.translation)

    return path


@pytest.mark.parametrize(
    ("off_rad", "rad_s", "most_m", "most_rad"),
    [
        (0.0, 0.2, 1e-6, 1e-6),
        (1e-6, 0.2, 1e-4, 1e-4),
        (1e-4, 0.2, 1e-4, 1e-3),
        (1e-3, 0.2, 2e-4, 4e-3),
        (1e-2, 0.2, 2e-3, 0.04),
        (3e-2, 0.2, 4e-3, 0.07),
        (1e-3, 1.0, 2e-4, 6e-3),
        (3e-2, 1.0, 4e-3, 0.10),
    ],
)
def test_past_the_wrists_singularity(off_rad: float, rad_s: float, most_m: float, most_rad: float) -> None:
    done = sweep(past_the_wrist(off_rad, rad_s), 1.0 / rad_s, WRIST)
    assert max(done.errors_m) < most_m
    assert max(done.errors_rad) < most_rad


def test_without_damping_the_wrist_would_spin() -> None:
    """What the test above is about: the exact joints next to the singularity ask for ten times the speed there is."""
    path = past_the_wrist(1e-3, 0.2)
    joints, fastest = ARM.any_joints(path(0.0), WRIST), 0.0
    for k in range(1, 501):
        following = ARM.any_joints(path(k * DT), joints)
        fastest, joints = max(fastest, float(np.max(np.abs(following - joints) / STEP))), following
    assert fastest > 10.0


STRETCHED = np.array([0.2, -1.2, 0.6, -1.0, -1.57, 0.3])


@pytest.mark.parametrize(
    ("beyond_m", "m_s", "most_m"),
    [(-1e-3, 0.1, 5e-4), (0.0, 0.1, 1e-3), (2e-3, 0.1, 2e-3), (1e-2, 0.1, 8e-3), (0.0, 0.5, 0.012), (1e-2, 0.5, 0.016)],
)
def test_to_full_stretch_and_back(beyond_m: float, m_s: float, most_m: float) -> None:
    """Out along the arm to its reach, or past it, and back; the elbow comes back on its side."""
    start, at = ARM.tcp(STRETCHED), links(STRETCHED.tolist())
    reach = np.array(at.wrist_1) - [0.0, 0.0, ARM.model.d_m[0]]
    distance = float(np.linalg.norm(reach))
    way = ARM.model.reach_m - distance + beyond_m

    def path(t: float) -> Pose:
        return Pose(start.rotation, start.translation + min(m_s * t, max(0.0, 2 * way - m_s * t)) * reach / distance)

    done = sweep(path, 2 * way / m_s, STRETCHED)
    assert max(done.errors_m) < most_m
    assert done.joints[-1][2] > 0.0
    np.testing.assert_allclose(done.joints[-1], done.joints[0], atol=1e-5)


@pytest.mark.parametrize(
    ("off_m", "m_s", "most_m"),
    [
        (-1e-2, 0.1, 0.012),
        (-2e-3, 0.1, 3e-3),
        (0.0, 0.1, 1e-6),
        (2e-3, 0.1, 1e-6),
        (-1e-2, 0.5, 0.06),
        (1e-2, 0.5, 0.06),
    ],
)
def test_past_the_base_axis(off_m: float, m_s: float, most_m: float) -> None:
    """A line past the base at the least distance that the shoulder's offset allows, a little nearer and further."""
    offset = ARM.model.d_m[3] + off_m
    done = sweep(
        lambda t: Pose(DOWN, np.array([-0.6 + m_s * t, offset, 0.55])), 1.2 / m_s, [0, -1.4, 1.9, -2.07, -1.57, 0]
    )
    assert max(done.errors_m) < most_m


@given(
    st.lists(st.floats(-3.0, 3.0), min_size=6, max_size=6),
    st.lists(st.floats(-1.0, 1.0), min_size=6, max_size=6),
    st.floats(0.0, 1.0),
)
@settings(max_examples=30, deadline=None, derandomize=True)
def test_any_motion_keeps_the_steps_bounded(start: list[float], twist: list[float], spin: float) -> None:
    """Straight tool motions from anywhere, through whatever comes; refusals leave the arm where it is."""
    joints = np.array(start)
    at, moving = ARM.tcp(joints), Pose.exp(DT * np.array([*(0.5 * np.array(twist[:3])), *(spin * np.array(twist[3:]))]))
    for _ in range(40):
        at = at @ moving
        try:
            found = ARM.follow(at, joints, STEP)
        except Unreachable as error:
            assert "cannot put its flange" in str(error)  # noqa: PT017
            continue
        assert (np.abs(found.joints - joints) <= STEP * (1 + 1e-9)).all()
        assert math.sin(found.joints[2]) * math.sin(joints[2]) >= -1e-12
        joints = found.joints


def test_a_step_that_fits_is_exact() -> None:
    joints = np.array([0.3, -1.2, 1.4, -1.0, 1.2, 0.4])
    found = ARM.follow(ARM.tcp(joints + 0.01), joints, STEP)
    assert found.is_exact
    assert (found.error_m, found.error_rad) == (0.0, 0.0)
    np.testing.assert_allclose(found.joints, joints + 0.01, atol=1e-9)


def test_a_far_pose_is_approached_at_full_speed() -> None:
    joints = np.array([0.3, -1.2, 1.4, -1.0, 1.2, 0.4])
    goal = joints + np.array([0.5, -0.4, 0.3, 0.2, -0.3, 0.6])
    pose, ticks, found = ARM.tcp(goal), 0, None
    while found is None or not found.is_exact:
        found = ARM.follow(pose, joints, STEP)
        assert (np.abs(found.joints - joints) <= STEP * (1 + 1e-9)).all()
        joints, ticks = found.joints, ticks + 1
        assert ticks < 80
    np.testing.assert_allclose(joints, goal, atol=1e-8)


def test_what_this_branch_never_reaches_is_refused() -> None:
    joints = np.array([0.3, -1.2, 1.4, -1.0, 1.2, 0.4])
    with pytest.raises(Unreachable, match="bring the target nearer"):
        ARM.follow(Pose(DOWN, np.array([-1.8, 0.0, 0.3])), joints, STEP)
    # a little out of reach is a little off
    stretched = np.array([0.3, -1.2, 1e-4, -1.0, 1.2, 0.4])
    pose = ARM.tcp(stretched)
    out = np.array(links(stretched.tolist()).wrist_1) - [0.0, 0.0, ARM.model.d_m[0]]
    near = Pose(pose.rotation, pose.translation + 0.003 * out / np.linalg.norm(out))
    found = ARM.follow(near, stretched, STEP)
    assert not found.is_exact
    assert 1e-4 < found.error_m < 0.005
    with pytest.raises(Unreachable):
        ARM.follow(near, stretched, STEP, tolerance_m=1e-5)


def test_a_calibrated_arm_follows_too() -> None:
    arm = Kinematics(TOOL, calibration=Calibration(theta_rad=(1e-3, -1e-3, 2e-3, 0, 1e-3, 0), alpha_rad=(1e-3,) * 6))
    done = sweep(past_the_wrist(1e-2, 0.2), 5.0, WRIST, arm)
    assert max(done.errors_m) < 4e-3
    assert max(done.errors_rad) < 0.08
    assert done.damped


def test_the_branch_is_kept_through_a_long_motion() -> None:
    """Circles of the tool well inside the reach: each clearance keeps its sign, and the arm comes back."""
    joints = start = ARM.any_joints(Pose(DOWN, np.array([-0.7, 0.1, 0.4])), [0.0, -1.4, 1.9, -2.07, -1.57, 0.0])
    signs = np.sign(clearances(start.tolist()))
    for k in range(1, 401):
        a = 2 * math.pi * k / 200
        at = np.array([-0.7 + 0.15 * (1 - math.cos(a)), 0.1 + 0.15 * math.sin(a), 0.4])
        found = ARM.follow(Pose(DOWN, at), joints, STEP)
        assert found.is_exact
        joints = found.joints
        assert (np.sign(clearances(joints.tolist())) == signs).all()
    np.testing.assert_allclose(joints, start, atol=1e-9)
