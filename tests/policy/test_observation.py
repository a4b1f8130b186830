from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from geometry.pose import Pose
from policy.features import environment, state
from policy.observation import Observation


def observation(**change: Any) -> Observation:
    fields: dict[str, Any] = {
        "stamp_ns": 7,
        "joint_positions_rad": np.arange(6.0),
        "gripper_opening": 0.5,
        "base_T_tcp": Pose.identity(),
        "object_position_m": np.array([0.1, 0.2, 0.3]),
        "object_covariance_m2": np.eye(3),
        "object_visible_age_s": 0.0,
    }
    return Observation(**{**fields, **change})


def test_state_is_joints_gripper_object() -> None:
    np.testing.assert_array_equal(state(observation())[:7], [0, 1, 2, 3, 4, 5, 0.5])
    np.testing.assert_array_equal(environment(observation()), [0.1, 0.2, 0.3, 0, 0, 0, 1])


@pytest.mark.parametrize(
    ("position", "seen"),
    [([0.1, 0.2, 0.3], True), ([math.nan] * 3, False), ([0.1, math.nan, 0.3], False), ([0.1, 0.2, math.inf], False)],
)
def test_sees_object(position: list[float], seen: bool) -> None:
    assert observation(object_position_m=np.array(position)).sees_object is seen


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("joint_positions_rad", np.zeros(7), r"joint_positions_rad has shape \(7,\): expected \(6,\)"),
        ("object_position_m", np.zeros((1, 3)), r"object_position_m has shape \(1, 3\): expected \(3,\)"),
        ("object_covariance_m2", np.zeros(3), r"object_covariance_m2 has shape \(3,\): expected \(3, 3\)"),
    ],
)
def test_shapes(field: str, value: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        observation(**{field: value})


def test_arrays_are_private_and_read_only() -> None:
    joints = np.zeros(6)
    kept = observation(joint_positions_rad=joints)
    joints[0] = 1.0
    assert kept.joint_positions_rad[0] == 0.0
    with pytest.raises(ValueError, match="read-only"):
        kept.object_position_m[0] = 1.0
