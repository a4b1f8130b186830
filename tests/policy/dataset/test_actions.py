from __future__ import annotations

import numpy as np
import pytest

from policy.action_chunk import ActionChunk
from policy.dataset import label

DT_S = 0.1
TIMES = np.arange(60) * DT_S
JOINTS = np.stack([np.sin(TIMES + k) for k in range(6)], axis=1)
POSES = np.hstack((np.zeros((60, 6)), (TIMES > 3.0)[:, None].astype(float)))


def test_absolute_actions_are_the_path_whatever_was_measured() -> None:
    measured = JOINTS + 0.3
    assert (label("joint_position", POSES, JOINTS, measured, DT_S)[:, :6] == JOINTS).all()
    assert (label("ee_pose", POSES, JOINTS, measured, DT_S) == POSES).all()


@pytest.mark.parametrize("space", ["joint_position", "joint_delta", "joint_velocity", "ee_pose"])
def test_the_gripper_is_always_an_opening(space: str) -> None:
    assert (label(space, POSES, JOINTS, JOINTS, DT_S)[:, 6] == POSES[:, 6]).all()


def test_increments_from_the_path_make_the_path() -> None:
    before = np.vstack((JOINTS[:1], JOINTS[:-1]))
    increments = label("joint_delta", POSES, JOINTS, before, DT_S)
    chunk = ActionChunk(0, 100_000_000, "joint_delta", increments[20:36]).to_absolute(before[20])
    assert chunk.actions[:, :6] == pytest.approx(JOINTS[20:36])


def test_increments_lead_back_to_the_path() -> None:
    """Where the noise has pushed the arm off, increments that are followed from there come nearer, and do not pass."""
    path = np.zeros((60, 6))
    # an offset that fades as the noise does: half of it is left after 0.3 s
    measured = 0.1 * np.exp(-TIMES[:, None] / 0.45) * np.ones(6)
    increments = label("joint_delta", POSES, path, measured, DT_S)
    chunk = ActionChunk(0, 100_000_000, "joint_delta", increments[:16]).to_absolute(measured[0])
    off = chunk.actions[:, 0]
    assert (np.diff(off) < 0.0).all()
    assert abs(off[-1]) < 0.02
    assert off.min() > -0.02


def test_speeds_are_increments_over_time() -> None:
    measured = JOINTS + 0.02
    speeds = label("joint_velocity", POSES, JOINTS, measured, DT_S)
    increments = label("joint_delta", POSES, JOINTS, measured, DT_S)
    assert speeds[:, :6] * DT_S == pytest.approx(increments[:, :6])


def test_a_tool_that_points_down_has_one_rotation_vector() -> None:
    down = np.array((np.pi, 0.0, 0.0))
    poses = np.zeros((3, 7))
    poses[:, 3:6] = (-down, down * (1.0 - 1e-3), down)  # the first is the same turn
    label_ = label("ee_pose", poses, np.zeros((3, 6)), np.zeros((3, 6)), 0.1)
    np.testing.assert_allclose(label_[0, 3:6], down, atol=1e-9)
    np.testing.assert_array_equal(label_[1:], poses[1:])
