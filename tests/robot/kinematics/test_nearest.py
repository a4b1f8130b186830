from __future__ import annotations

import dataclasses
import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.errors import BadInput
from geometry.pose import Pose
from robot.kinematics import (
    UR10E,
    UR10E_LIMITS,
    Kinematics,
    Unreachable,
    clearances,
    continuing,
    forward,
    inverse,
    nearest,
)

DOWN = np.diag([1.0, -1.0, -1.0])
TURN = 2 * math.pi
angles = st.lists(st.floats(-3.1, 3.1), min_size=6, max_size=6)


def gap(joints: np.ndarray) -> float:
    """To the nearest end of any joint."""
    return float(min(np.min(joints - UR10E_LIMITS.lower_rad), np.min(np.array(UR10E_LIMITS.upper_rad) - joints)))


def test_a_branch_with_room_is_preferred_to_a_nearer_one_at_an_end() -> None:
    at_end = np.array([0.3, -1.2, 1.4, -1.0, 1.2, TURN - 1e-3])
    pose = forward(at_end)
    np.testing.assert_allclose(nearest(pose, at_end, margin_rad=0.0), at_end, atol=1e-9)
    with_room = nearest(pose, at_end, margin_rad=0.1)
    assert gap(with_room) > 0.1
    assert pose.distance_to(forward(with_room))[0] < 1e-9


@given(angles, st.lists(st.floats(-6.2, 6.2), min_size=6, max_size=6))
@settings(max_examples=150, deadline=None, derandomize=True)
def test_nearest_is_of_least_cost(joints: list[float], reference: list[float]) -> None:
    """Against the documented cost, over all branches and all their turns."""
    margin, pose = 0.3, forward(joints)
    found = nearest(pose, reference, margin_rad=margin)

    def cost(candidate: np.ndarray) -> float:
        room = np.minimum(candidate - UR10E_LIMITS.lower_rad, np.array(UR10E_LIMITS.upper_rad) - candidate)
        crowd = TURN**2 * np.maximum(0.0, 1.0 - room / margin) ** 2
        return float(((candidate - reference) ** 2 + crowd).sum())

    for branch in inverse(pose, reference):
        per_joint = []
        for i, q in enumerate(branch):
            turns = [q + k * TURN for k in (-2, -1, 0, 1, 2)]
            inside = [a for a in turns if UR10E_LIMITS.lower_rad[i] <= a <= UR10E_LIMITS.upper_rad[i]]
            others = np.array(reference)
            per_joint.append(min((cost(np.where(np.arange(6) == i, a, others)), a) for a in inside)[1])
        assert cost(found) <= cost(np.array(per_joint)) + 1e-6


@given(angles, st.lists(st.floats(-0.1, 0.1), min_size=6, max_size=6))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_a_small_motion_goes_on_in_its_branch(joints: list[float], step: list[float]) -> None:
    """What lies a small step of the joints ahead is found there, or as near by in the tool's way."""
    ahead = np.clip(np.array(joints) + step, -3.1, 3.1)
    ahead[2] = joints[2] if ahead[2] * joints[2] <= 0.0 else ahead[2]
    found = continuing(forward(ahead), joints)
    assert forward(found).distance_to(forward(ahead))[0] < 1e-7
    if abs(math.sin(ahead[4])) > 1e-6:  # else joints 4 and 6 share one turn as they like
        assert np.abs(found - joints).max() <= np.linalg.norm(ahead - joints) + 1e-6
    assert clearances(found.tolist()).elbow * math.sin(joints[2]) >= -1e-9


@pytest.mark.parametrize(
    ("which", "name"),
    [(0, "shoulder"), (1, "elbow"), (2, "wrist")],
)
def test_far_branches_are_refused_by_name(which: int, name: str) -> None:
    """The reference sits in a branch that differs by one flip."""
    start = np.array([0.3, -1.2, 1.4, -1.0, 1.2, 0.4])
    pose = forward(start)
    signs = np.sign(clearances(start.tolist()))
    wanted = signs.copy()
    wanted[which] *= -1
    (other,) = [b for b in inverse(pose) if (np.sign(clearances(b)) == wanted).all()]
    # limits so narrow that only the branch of the start fits
    limits = dataclasses.replace(UR10E_LIMITS, lower_rad=tuple(start - 0.05), upper_rad=tuple(start + 0.05))
    with pytest.raises(Unreachable, match=rf"in the branch that the arm is in: .* a flip of the {name} away") as raised:
        continuing(pose, other, limits)
    assert "turns joint" in str(raised.value)
    assert "stop and place the arm anew" in str(raised.value)
    np.testing.assert_allclose(nearest(pose, other, limits, margin_rad=0.0), start, atol=1e-9)


def test_a_whole_turn_back_is_refused() -> None:
    at_end = np.array([0.3, -1.2, 1.4, -1.0, 1.2, TURN - 1e-3])
    kinematics = Kinematics()
    beyond = Pose(kinematics.tcp(at_end + np.array([0, 0, 0, 0, 0, 2e-3])).rotation, kinematics.tcp(at_end).translation)
    assert abs(kinematics.any_joints(beyond, at_end)[5] - at_end[5]) > 1.0
    with pytest.raises(Unreachable, match="in the branch that the arm is in"):
        kinematics.joints(beyond, at_end)
    # where nothing else fits, the message says that it is the joint's end
    low, high = at_end - 0.1, at_end + 0.1
    one_branch = dataclasses.replace(UR10E_LIMITS, lower_rad=(*low[:5], -TURN), upper_rad=(*high[:5], TURN))
    with pytest.raises(Unreachable, match=r"whole turn back from its end away and turns joint 6 from 6.28 to 0.00 rad"):
        Kinematics(limits=one_branch).joints(beyond, at_end)


def test_the_wrist_passes_its_singularity_smoothly() -> None:
    """Straight through: joint 5 changes its sign, and nothing else moves much."""
    kinematics, joints = Kinematics(), np.array([0.4, -1.3, 1.6, -1.1, 0.05, 0.8])
    for q5 in np.linspace(0.05, -0.05, 21):
        following = kinematics.joints(forward([0.4, -1.3, 1.6, -1.1, q5, 0.8]), joints)
        assert np.abs(following - joints).max() < 0.01
        joints = following
    assert joints[4] == pytest.approx(-0.05)


def test_nothing_at_all_says_what_is_out_of_reach() -> None:
    with pytest.raises(Unreachable, match="from the shoulder and the reach is"):
        continuing(Pose(DOWN, np.array([-1.6, 0.2, 0.3])), np.zeros(6))
    with pytest.raises(BadInput, match=re.escape("not finite")):
        continuing(Pose(DOWN, np.array([-0.6, 0.2, 0.3])), [math.nan] * 6)


def test_clearances_are_the_factors_of_the_determinant() -> None:
    from robot.kinematics import jacobian

    for joints in np.random.default_rng(5).uniform(-math.pi, math.pi, (100, 6)):
        shoulder, elbow, wrist = clearances(joints.tolist())
        expected = UR10E.a_m[1] * UR10E.a_m[2] * shoulder * elbow * wrist
        assert abs(np.linalg.det(jacobian(joints))) == pytest.approx(abs(expected), abs=1e-12)
