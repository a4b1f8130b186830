from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.errors import BadInput
from robot.lerobot.joints import JointMap

SIX = ("a", "b", "c", "d", "e", "f")
KEYS = [f"{name}.pos" for name in (*SIX, "gripper")]


def found(**options: Any) -> JointMap:
    joints = JointMap(**({"motors": SIX} | options))
    joints.find(KEYS, KEYS)
    return joints


@pytest.mark.parametrize(
    ("options", "value", "angle"),
    [
        ({}, 90.0, math.pi / 2),
        ({"units": "radians"}, 0.5, 0.5),
        ({"signs": [-1] * 6}, 90.0, -math.pi / 2),
        ({"signs": [-1] * 6, "offsets_rad": [0.25] * 6}, 90.0, 0.25 - math.pi / 2),
        ({"units": "normalised", "ranges_rad": [[-1.0, 2.0]] * 6}, -100.0, -1.0),
        ({"units": "normalised", "ranges_rad": [[-1.0, 2.0]] * 6}, 0.0, 0.5),
        ({"units": "normalised", "ranges_rad": [[2.0, -1.0]] * 6}, 100.0, -1.0),
    ],
)
def test_values_become_angles_and_back(options: dict[str, Any], value: float, angle: float) -> None:
    joints = found(**options)
    observation = dict.fromkeys(KEYS, value)
    assert joints.positions(observation) == pytest.approx([angle] * 6)
    action = joints.action(joints.positions(observation), 1.0)
    assert action.pop("gripper.pos") == 100.0
    assert action == pytest.approx(dict.fromkeys(KEYS[:6], value))


@given(
    st.lists(st.floats(-6.0, 6.0), min_size=6, max_size=6),
    st.sampled_from(["degrees", "radians"]),
    st.lists(st.sampled_from([1, -1]), min_size=6, max_size=6),
    st.lists(st.floats(-3.0, 3.0), min_size=6, max_size=6),
    st.floats(0.0, 1.0),
)
def test_an_action_is_observed_as_what_was_wanted(
    angles: list[float], units: str, signs: list[int], offsets: list[float], opening: float
) -> None:
    joints = found(units=units, signs=signs, offsets_rad=offsets, gripper_values=[80.0, 5.0])
    action = joints.action(np.array(angles), opening)
    assert joints.positions(action) == pytest.approx(angles, abs=1e-9)
    assert joints.opening(action) == pytest.approx(opening, abs=1e-9)


def test_five_joints_leave_the_sixth_at_zero() -> None:
    joints = found(motors=SIX[:5])
    assert joints.names == (*SIX[:5], "none_6")
    assert joints.positions(dict.fromkeys(KEYS, 180.0))[5] == 0.0
    assert "f.pos" not in joints.action(np.ones(6), 0.0)
    joints.check(np.array([1.0] * 5 + [0.0]), "position")
    for mode in ("position", "velocity"):
        with pytest.raises(BadInput, match=r"joint 6 is commanded to 0\.500 rad, but the arm has no such joint"):
            joints.check(np.array([0.0] * 5 + [0.5]), mode)


def test_a_joint_in_between_may_be_missing() -> None:
    joints = found(motors=["a", None, "b"], gripper=None)
    assert joints.names == ("a", "none_2", "b", "none_4", "none_5", "none_6")
    assert joints.positions({"a.pos": 180.0, "b.pos": 90.0}) == pytest.approx([math.pi, 0, math.pi / 2, 0, 0, 0])
    assert joints.opening({}) is None


def test_commands_beyond_an_end_are_refused_and_rounding_is_clipped() -> None:
    joints = found(ranges_rad=[[-1.0, 1.0], *[None] * 5])
    with pytest.raises(BadInput, match=r"joint a is commanded to 1\.500 rad: it goes from -1\.000 to 1\.000 rad"):
        joints.check(np.array([1.5, 0, 0, 0, 0, 0]), "position")
    joints.check(np.array([1.5, 0, 0, 0, 0, 0]), "velocity")
    just = np.array([1.01, 9.0, 0, 0, 0, 0])
    joints.check(just, "position")
    assert joints.clipped(just).tolist() == [1.0, 9.0, 0, 0, 0, 0]
    with pytest.raises(BadInput, match="joint 2 is commanded to nan"):
        joints.check(np.array([0, math.nan, 0, 0, 0, 0]), "position")


def test_features_that_are_not_called_pos() -> None:
    joints = JointMap(["left.q", "right"], gripper=None)
    features = ["left.q", "right.pos", "battery"]
    joints.find(features, features)
    assert set(joints.keys) == {"left.q", "right.pos"}


@pytest.mark.parametrize(
    ("observed", "commanded", "message"),
    [
        (KEYS[1:], KEYS, r"motor 'a': a\.pos is not observed by this robot; it has b\.pos"),
        (KEYS, KEYS[:-1], r"motor 'gripper': gripper\.pos is not commanded"),
        ([], [], "it has nothing"),
    ],
)
def test_a_motor_that_is_not_there(observed: list[str], commanded: list[str], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        JointMap(SIX).find(observed, commanded)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"motors": []}, "one to 6"),
        ({"motors": [None]}, "one to 6"),
        ({"motors": "abc"}, "one to 6"),
        ({"motors": list("abcdefg")}, "one to 6"),
        ({"motors": ["a", "a"]}, "named twice"),
        ({"motors": ["gripper"]}, "named twice"),
        ({"units": "gradians"}, "units 'gradians': expected degrees, radians, normalised"),
        ({"units": "normalised"}, "ranges_rad of joint a is missing"),
        ({"units": "normalised", "ranges_rad": [[-1, 1]] * 6, "signs": [1] * 6}, "leave signs and offsets_rad out"),
        ({"signs": [1] * 5}, r"signs \[1, 1, 1, 1, 1\]: expected 6 finite numbers"),
        ({"signs": [2] * 6}, "expected 1 or -1"),
        ({"offsets_rad": ["x"] * 6}, "offsets_rad"),
        ({"offsets_rad": [math.nan] * 6}, "offsets_rad"),
        ({"ranges_rad": [[-1, 1]] * 5}, "ranges_rad has 5 entries, joints 6"),
        ({"ranges_rad": [[1, 1]] * 6}, "two different angles"),
        ({"gripper_values": [5, 5]}, "closed and open are the same"),
    ],
)
def test_options_that_cannot_be_used(options: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        JointMap(**({"motors": SIX} | options))
