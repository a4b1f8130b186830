from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policy.action_chunk import ActionChunk
from policy.chunk_schedule import ChunkSchedule
from policy.seam import ScheduleMode

MS = 1_000_000


def chunk(stamp_ms: int, value: float = 0.0, size: int = 16) -> ActionChunk:
    actions = np.full((size, 7), value) + np.arange(size)[:, None]
    return ActionChunk(stamp_ms * MS, 100 * MS, "joint_position", actions)


def needs(schedule: ChunkSchedule, now_ms: int, photon_ms: int | None = None) -> bool:
    return schedule.needs_next(now_ms * MS, (now_ms if photon_ms is None else photon_ms) * MS)


def test_needs_next_when_little_is_left() -> None:
    schedule = ChunkSchedule(500 * MS)
    assert needs(schedule, 0)
    assert schedule.chunk is None
    assert schedule.remaining_ns(0) == 0
    assert schedule.offer(chunk(0), 60 * MS) == "switched"
    assert not needs(schedule, 1000)
    assert needs(schedule, 1001)
    assert schedule.remaining_ns(9000 * MS) == 0


@pytest.mark.parametrize(
    ("horizon_ms", "margin_ms", "delays_ms", "threshold_ms"),
    [
        (500, 100, (), 500),  # nothing is known yet
        (500, 100, (800, 800, 800), 500),  # the first plans warm the engine up
        (500, 100, (1, 1, 1, 390), 500),
        (500, 100, (1, 1, 1, 450, 20), 550),  # of few, the longest
        (0, 100, (1, 1, 1, *(10,) * 99, 70), 110),  # the p99 of a hundred
    ],
)
def test_the_next_chunk_is_asked_for_by_the_time_until_starvation(
    horizon_ms: int, margin_ms: int, delays_ms: tuple[int, ...], threshold_ms: int
) -> None:
    schedule = ChunkSchedule(horizon_ms * MS, margin_ms * MS)
    schedule.offer(chunk(0), 0)
    for delay_ms in delays_ms:
        schedule.planned(delay_ms * MS)
    assert schedule.threshold_ns == threshold_ms * MS
    assert not needs(schedule, 1500 - threshold_ms)
    assert needs(schedule, 1501 - threshold_ms)


def test_what_planning_takes_is_remembered_beyond_an_episode() -> None:
    schedule = ChunkSchedule(0, 0)
    for _ in range(4):
        schedule.planned(300 * MS)
    schedule.reset()
    assert schedule.threshold_ns == 300 * MS


@pytest.mark.parametrize(
    ("mode", "now_ms", "photon_ms", "expected"),
    [
        ("synchronous", 1490, 1480, False),
        ("synchronous", 1600, 1500, False),  # these photons were caught while the arm was still on its way
        ("synchronous", 1600, 1510, True),
        ("ensemble", 10, 5, True),
        ("naive", 900, 890, False),
        ("blend", 900, 890, False),
    ],
)
def test_modes_ask_at_their_own_times(mode: ScheduleMode, now_ms: int, photon_ms: int, expected: bool) -> None:
    schedule = ChunkSchedule(500 * MS, 100 * MS, mode)
    assert needs(schedule, 0)
    schedule.offer(chunk(0), 0)
    assert needs(schedule, now_ms, photon_ms) is expected


@settings(deadline=None)
@given(
    delays_ms=st.lists(st.integers(0, 600), min_size=4, max_size=40),
    frame_ms=st.integers(5, 100),
    seed=st.integers(0, 2**32 - 1),
)
def test_no_chunk_ends_before_the_next_comes_while_planning_takes_what_it_took(
    delays_ms: list[int], frame_ms: int, seed: int
) -> None:
    """Delays of less than half a chunk: of longer ones nothing is left when they arrive."""
    schedule = ChunkSchedule(0, frame_ms * MS)
    for delay_ms in (0, 0, 0, *delays_ms):
        schedule.planned(delay_ms * MS)
    numbers = np.random.default_rng(seed)
    now_ms, arrives_ms, stamp_ms = 0, None, 0
    schedule.offer(chunk(0), 0)
    for _ in range(60):
        now_ms += frame_ms
        if arrives_ms is not None and arrives_ms <= now_ms:
            assert not schedule.is_starved(arrives_ms * MS)
            assert schedule.offer(chunk(stamp_ms), arrives_ms * MS) == "switched"
            arrives_ms = None
        if arrives_ms is None and needs(schedule, now_ms):
            stamp_ms, arrives_ms = now_ms, now_ms + int(numbers.choice(delays_ms))


def test_starved_is_beyond_the_last_action() -> None:
    schedule = ChunkSchedule()
    assert not schedule.is_starved(0)
    schedule.offer(chunk(0), 0)
    assert not schedule.is_starved(1500 * MS)
    assert schedule.is_starved(1501 * MS)


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
    schedule = ChunkSchedule()
    schedule.offer(chunk(1000), 1000 * MS)
    assert schedule.offer(chunk(stamp_ms, size=size), now_ms * MS) == outcome
    assert schedule.chunk is not None
    assert schedule.chunk.stamp_ns == kept_ms * MS


def test_reset_forgets() -> None:
    schedule = ChunkSchedule()
    schedule.offer(chunk(1000), 1000 * MS)
    schedule.reset()
    assert schedule.chunk is None
    assert schedule.offer(chunk(500), 600 * MS) == "switched"


def test_increments_are_refused() -> None:
    with pytest.raises(ValueError, match="to_absolute"):
        ChunkSchedule().offer(ActionChunk(0, 1, "joint_delta", np.zeros((2, 7))), 0)


@pytest.mark.parametrize(("horizon_ns", "margin_ns", "named"), [(-1, 0, "horizon is -1 ns"), (0, -2, "margin is -2")])
def test_bad_times(horizon_ns: int, margin_ns: int, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        ChunkSchedule(horizon_ns, margin_ns)
