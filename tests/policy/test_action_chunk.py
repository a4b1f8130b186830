from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geometry.pose import Pose
from policy.action_chunk import ActionChunk

MS = 1_000_000
START = 5_000 * MS


def chunk(actions: Any, space: Any = "joint_position", dt_ns: int = 100 * MS) -> ActionChunk:
    return ActionChunk(START, dt_ns, space, np.array(actions, dtype=float))


RAMP = np.arange(21.0).reshape(3, 7)


@pytest.mark.parametrize(
    ("at_ms", "expected"),
    [
        (-1000, RAMP[0]),
        (-1, RAMP[0]),
        (0, RAMP[0]),
        (25, RAMP[0] + 0.25 * 7),
        (100, RAMP[1]),
        (150, RAMP[1] + 3.5),
        (200, RAMP[2]),
        (201, RAMP[2]),
        (9000, RAMP[2]),
    ],
)
@pytest.mark.parametrize("space", ["joint_position", "ee_pose"])
def test_sample_is_time_matched(space: str, at_ms: int, expected: Any) -> None:
    actions = RAMP.copy()
    if space == "ee_pose":
        # one rotation, so that the row is compared as it is
        actions[:, 3:6] = expected[3:6] = np.array([0.1, 0.2, 0.3])
    sampled = chunk(actions, space).sample(START + at_ms * MS)
    np.testing.assert_allclose(sampled, expected, atol=1e-12)
    sampled[:] = 0.0  # a copy: the chunk stays as it is
    np.testing.assert_allclose(chunk(actions, space).sample(START + at_ms * MS), expected, atol=1e-12)


def test_end() -> None:
    assert len(chunk(RAMP)) == 3
    assert chunk(RAMP).end_ns == START + 200 * MS
    assert chunk(RAMP[:1]).end_ns == START
    np.testing.assert_array_equal(chunk(RAMP[:1]).sample(START + 50 * MS), RAMP[0])


vectors = st.lists(st.floats(-math.pi, math.pi), min_size=3, max_size=3)


@given(vectors, vectors, st.integers(0, 100))
@settings(max_examples=150, deadline=None, derandomize=True)
def test_rotation_follows_the_shortest_arc(a: list[float], b: list[float], percent: int) -> None:
    pair = chunk([[0, 0, 0, *a, 1], [0, 0, 0, *b, 0]], "ee_pose")
    first, last = Pose.from_rotvec(a, np.zeros(3)), Pose.from_rotvec(b, np.zeros(3))
    angle = first.distance_to(last)[1]
    if angle > 3.1:  # two arcs are equally short
        return
    row = pair.sample(START + percent * MS)
    turned = Pose.from_rotvec(row[3:6], np.zeros(3))
    assert first.distance_to(turned)[1] == pytest.approx(angle * percent / 100, abs=1e-6)
    assert turned.distance_to(last)[1] == pytest.approx(angle * (1 - percent / 100), abs=1e-6)
    assert percent in (0, 100) or np.linalg.norm(row[3:6]) <= math.pi + 1e-9
    assert row[6] == pytest.approx(1 - percent / 100)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_tool_that_points_down_does_not_spin(sign: float) -> None:
    """Next to a half turn, two nearly equal rotations have opposite rotation vectors."""
    pair = chunk([[0, 0, 0, 3.14, 0, 0, 1], [0, 0, 0, sign * 3.14, 0, 0, 1]], "ee_pose")
    down = Pose.from_rotvec([math.pi, 0, 0], np.zeros(3))
    for percent in range(0, 101, 10):
        row = pair.sample(START + percent * MS)
        assert down.distance_to(Pose.from_rotvec(row[3:6], np.zeros(3)))[1] < 0.002


def test_increments_are_accumulated_from_the_capture() -> None:
    steps = np.full((4, 7), 0.1)
    steps[:, 6] = [1.0, 1.0, 0.0, 0.0]
    delta = chunk(steps, "joint_delta")
    with pytest.raises(ValueError, match="to_absolute"):
        delta.sample(START)
    absolute = delta.to_absolute(np.arange(6.0))
    assert absolute.space == "joint_position"
    assert (absolute.stamp_ns, absolute.dt_ns) == (START, 100 * MS)
    # the first actions are skipped when the chunk arrives late, and what they moved is not lost
    np.testing.assert_allclose(absolute.sample(START + 250 * MS), [*(np.arange(6.0) + 0.35), 0.0])
    assert absolute.to_absolute(np.zeros(6)) is absolute


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"actions": np.zeros((3, 6))}, r"shape \(3, 6\): expected \(K, 7\)"),
        ({"actions": np.zeros((0, 7))}, "K >= 1"),
        ({"actions": np.zeros(7)}, r"shape \(7,\)"),
        ({"dt_ns": 0}, "dt_ns is 0: expected > 0"),
        ({"space": "torque"}, "space is 'torque': expected one of ee_pose"),
    ],
)
def test_chunks_that_cannot_be(change: dict[str, Any], message: str) -> None:
    fields: dict[str, Any] = {"stamp_ns": 0, "dt_ns": 1, "space": "ee_pose", "actions": np.zeros((2, 7))}
    with pytest.raises(ValueError, match=message):
        ActionChunk(**{**fields, **change})


def test_actions_are_private_and_read_only() -> None:
    source = RAMP.copy()
    kept = ActionChunk(0, 1, "ee_pose", source)
    source[0, 0] = 99.0
    assert kept.actions[0, 0] == 0.0
    with pytest.raises(ValueError, match="read-only"):
        kept.actions[0, 0] = 1.0
