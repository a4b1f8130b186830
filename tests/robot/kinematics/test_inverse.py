from __future__ import annotations

import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.errors import BadInput
from geometry.pose import Pose
from geometry.types import Array
from robot.kinematics import (
    UR10E,
    UR10E_LIMITS,
    JointLimits,
    Kinematics,
    Unreachable,
    continuing,
    forward,
    inverse,
    nearest,
)

DOWN = np.diag([1.0, -1.0, -1.0])
TURN = 2 * math.pi


def distance(a: Pose, b: Pose) -> float:
    return float(np.abs(a.matrix - b.matrix).max())


def apart(a: Array, b: Array) -> float:
    """Largest difference of directions."""
    return float(np.abs((np.asarray(a) - np.asarray(b) + math.pi) % TURN - math.pi).max())


def seeded_joints() -> Array:
    """1000 configurations: anywhere, and near each joint's ends."""
    rng = np.random.default_rng(30)
    lower, upper = np.array(UR10E_LIMITS.lower_rad), np.array(UR10E_LIMITS.upper_rad)
    anywhere = rng.uniform(lower, upper, (700, 6))
    at_ends = np.where(rng.random((300, 6)) < 0.5, lower + 1e-6, upper - 1e-6)
    mixed = np.where(rng.random((300, 6)) < 0.3, at_ends, rng.uniform(lower, upper, (300, 6)))
    return np.vstack((anywhere, mixed))


def test_round_trip_and_original_found() -> None:
    for joints in seeded_joints():
        pose = forward(joints)
        found = nearest(pose, joints, margin_rad=0.0)
        assert distance(forward(found), pose) < 1e-7
        assert UR10E_LIMITS.contains(found)
        # at full stretch or at the wrist's singularity the joints are not defined by the pose
        if abs(math.sin(joints[2])) > 1e-3 and abs(math.sin(joints[4])) > 1e-3:
            np.testing.assert_allclose(found, joints, atol=1e-6)


def test_every_branch_reaches_the_pose() -> None:
    counts = set()
    for joints in seeded_joints():
        pose = forward(joints)
        branches = inverse(pose)
        counts.add(len(branches))
        assert 1 <= len(branches) <= 8
        for branch in branches:
            assert distance(forward(branch), pose) < 1e-7
            assert all(-math.pi - 1e-12 < q <= math.pi + 1e-12 for q in branch)
    assert 8 in counts


tiny = st.sampled_from([0.0, 1e-15, 1e-12, 1e-9, 1e-8, 1e-6, 1e-4, -1e-15, -1e-9, -1e-8, -1e-6])


@given(
    st.lists(st.floats(-TURN, TURN), min_size=6, max_size=6),
    st.sampled_from([None, 0.0, math.pi, -math.pi]),
    st.sampled_from([None, 0.0, math.pi, -math.pi]),
    st.booleans(),
    tiny,
    tiny,
)
@settings(max_examples=200, deadline=None, derandomize=True)
def test_round_trip_at_and_next_to_singularities(
    joints: list[float], wrist: float | None, elbow: float | None, shoulder: bool, off_wrist: float, off_elbow: float
) -> None:
    """Wrist, elbow and shoulder singular, each alone and together, exactly and nearly."""
    joints[4] = joints[4] if wrist is None else wrist + off_wrist
    joints[2] = joints[2] if elbow is None else elbow + off_elbow
    if shoulder:
        _, a2, a3, *_ = UR10E.a_m
        sine = -(a2 * math.cos(joints[1]) + a3 * math.cos(joints[1] + joints[2])) / UR10E.d_m[4]
        if abs(sine) <= 1.0:
            joints[3] = math.remainder(math.asin(sine) - joints[1] - joints[2] + off_wrist, TURN)
    start = UR10E_LIMITS.clamp(joints)
    pose = forward(start)
    for found in (nearest(pose, start, margin_rad=0.0), *map(np.array, inverse(pose, start))):
        assert distance(forward(found), pose) < 1e-8
    # where two singularities meet, or one meets a joint's end, rounding alone leads to other branches: `follow` stays
    inside = all(
        low + 1e-6 < q < high - 1e-6
        for low, q, high in zip(UR10E_LIMITS.lower_rad, start, UR10E_LIMITS.upper_rad, strict=True)
    )
    if shoulder + (wrist is not None) + (elbow is not None) <= 1 and inside:
        assert distance(forward(continuing(pose, start)), pose) < 1e-8
    followed = Kinematics().follow(pose, start, np.full(6, 0.02))
    assert distance(forward(followed.joints), pose) < 1e-8


def test_branches_are_different() -> None:
    branches = inverse(Pose(DOWN, np.array([-0.6, 0.1, 0.4])))
    assert len(branches) == 8
    for i, a in enumerate(branches):
        for b in branches[:i]:
            assert apart(np.array(a), np.array(b)) > 0.1


@given(
    st.lists(st.floats(-3.1, 3.1), min_size=6, max_size=6),
    st.lists(st.integers(-1, 1), min_size=6, max_size=6),
)
@settings(max_examples=200, deadline=None, derandomize=True)
def test_nearest_is_the_best_of_all_unwrapped_branches(joints: list[float], turns: list[int]) -> None:
    pose = forward(joints)
    reference = UR10E_LIMITS.clamp([q + TURN * k for q, k in zip(joints, turns, strict=True)])
    found = nearest(pose, reference, margin_rad=0.0)
    assert UR10E_LIMITS.contains(found)
    cost = float(((found - reference) ** 2).sum())
    for branch in inverse(pose, reference):
        choices = [
            [a for a in (q - TURN, q, q + TURN) if low <= a <= high]
            for q, low, high in zip(branch, UR10E_LIMITS.lower_rad, UR10E_LIMITS.upper_rad, strict=True)
        ]
        if all(choices):
            best = sum(min((a - r) ** 2 for a in row) for row, r in zip(choices, reference, strict=True))
            assert cost <= best + 1e-9


@pytest.mark.parametrize("q5", [0.0, math.pi, -math.pi, 1e-12])
def test_wrist_singularity_keeps_the_reference(q5: float) -> None:
    joints = np.array([0.4, -1.3, 1.6, -1.1, q5, 0.8])
    found = nearest(forward(joints), joints + np.array([0, 0, 0, 0, 0, 0.05]))
    assert found[5] == pytest.approx(0.85)
    assert distance(forward(found), forward(joints)) < 1e-9


@pytest.mark.parametrize("tilt", [1e-3, 1e-5, 1e-7])
def test_accurate_next_to_the_wrist_singularity(tilt: float) -> None:
    joints = np.array([0.4, -1.3, 1.6, -1.1, tilt, 0.8])
    np.testing.assert_allclose(nearest(forward(joints), joints), joints, atol=1e-7)


def test_follows_a_line_without_changing_branch() -> None:
    joints = nearest(Pose(DOWN, np.array([-0.5, 0.3, 0.4])), [0.0, -1.4, 1.9, -2.07, -1.57, 0.0])
    for u in np.linspace(0.0, 1.0, 200):
        following = nearest(Pose(DOWN, np.array([-0.5, 0.3 - 0.7 * u, 0.4 - 0.2 * u])), joints)
        assert np.abs(following - joints).max() < 0.03
        joints = following


@pytest.mark.parametrize(
    ("position", "rotation", "message"),
    [
        ([-1.6, 0.2, 0.3], DOWN, r"\(-1.600, 0.200, 0.300\) m .* 1.\d+ m from the shoulder .* 1.184 m .* nearer"),
        ([0.05, 0.05, 0.3], DOWN, r"\(0.050, 0.050, 0.300\) m .* 0.071 m from the base axis .* 0.174 m .* away"),
        ([0.0, 0.0, 2.5], np.eye(3), r"from the base axis .* move the target away"),
        # in reach of the wrist, but not once the tool points outwards
        ([-1.1, 0.0, 1.0], DOWN[[2, 0, 1]] @ DOWN, r"reach is 1.184 m|turn the tool"),
    ],
)
def test_unreachable_names_position_reach_and_remedy(position: list[float], rotation: Array, message: str) -> None:
    pose = Pose(rotation, np.array(position))
    assert inverse(pose) == []
    with pytest.raises(Unreachable, match=message) as raised:
        nearest(pose, np.zeros(6))
    assert isinstance(raised.value, BadInput)
    assert "UR10e" in str(raised.value)


def test_unreachable_within_limits() -> None:
    narrow = (0.1, 0.1, 0.1, 0.1, 0.1, 0.1)
    wide = UR10E_LIMITS
    limits = JointLimits(
        (-0.1, -0.1, -0.1, -0.1, -0.1, -0.1), narrow, wide.velocity_rad_s, wide.acceleration_rad_s2, wide.jerk_rad_s3
    )
    with pytest.raises(Unreachable, match=r"all 8 branches leave the joint limits; move the target or widen"):
        nearest(Pose(DOWN, np.array([-0.6, 0.1, 0.4])), np.zeros(6), limits)


@pytest.mark.parametrize(
    ("pose", "reference", "message"),
    [
        (Pose(DOWN, np.array([math.nan, 0, 0])), [0.0] * 6, "not finite"),
        (Pose(np.full((3, 3), math.inf), np.zeros(3)), [0.0] * 6, "not finite"),
        (Pose(DOWN, np.array([-0.6, 0.1, 0.4])), [0.0] * 5 + [math.nan], "reference joints"),
    ],
)
def test_values_that_are_not_numbers(pose: Pose, reference: list[float], message: str) -> None:
    with pytest.raises(BadInput, match=re.escape(message)):
        nearest(pose, reference)
