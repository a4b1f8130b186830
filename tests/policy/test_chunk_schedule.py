from __future__ import annotations

import numpy as np
import pytest

from policy.action_chunk import ActionChunk
from policy.chunk_schedule import ChunkSchedule

MS = 1_000_000


def chunk(stamp_ms: int, value: float = 0.0, size: int = 16) -> ActionChunk:
    actions = np.full((size, 7), value) + np.arange(size)[:, None]
    return ActionChunk(stamp_ms * MS, 100 * MS, "joint_position", actions)


def test_needs_next_when_little_is_left() -> None:
    schedule = ChunkSchedule(threshold_ns=500 * MS)
    assert schedule.needs_next(0)
    assert schedule.action(0) is None
    assert schedule.remaining_ns(0) == 0
    assert schedule.offer(chunk(0), 60 * MS) == "switched"
    assert not schedule.needs_next(1000 * MS)
    assert schedule.needs_next(1001 * MS)
    assert schedule.remaining_ns(9000 * MS) == 0


def test_switches_at_the_time_matched_action() -> None:
    schedule = ChunkSchedule(0)
    schedule.offer(chunk(0), 0)
    schedule.offer(chunk(400, value=50.0), 650 * MS)
    action = schedule.action(650 * MS)
    assert action is not None
    assert action[0] == pytest.approx(52.5)


@pytest.mark.parametrize(
    ("stamp_ms", "now_ms", "size", "outcome", "kept_ms"),
    [
        (1100, 1200, 16, "switched", 1100),
        (1000, 1200, 16, "older", 1000),
        (900, 1200, 16, "older", 1000),
        (1100, 9000, 16, "expired", 1000),
        (1100, 1100, 1, "switched", 1100),
        (1100, 1101, 1, "expired", 1000),
    ],
)
def test_never_goes_back(stamp_ms: int, now_ms: int, size: int, outcome: str, kept_ms: int) -> None:
    schedule = ChunkSchedule(0)
    schedule.offer(chunk(1000), 1000 * MS)
    assert schedule.offer(chunk(stamp_ms, size=size), now_ms * MS) == outcome
    assert schedule.chunk is not None
    assert schedule.chunk.stamp_ns == kept_ms * MS


def test_reset_forgets() -> None:
    schedule = ChunkSchedule(0)
    schedule.offer(chunk(1000), 1000 * MS)
    schedule.reset()
    assert schedule.chunk is None
    assert schedule.offer(chunk(500), 600 * MS) == "switched"


def test_increments_are_refused() -> None:
    with pytest.raises(ValueError, match="to_absolute"):
        ChunkSchedule(0).offer(ActionChunk(0, 1, "joint_delta", np.zeros((2, 7))), 0)


def test_bad_threshold() -> None:
    with pytest.raises(ValueError, match="threshold is -1 ns"):
        ChunkSchedule(-1)
