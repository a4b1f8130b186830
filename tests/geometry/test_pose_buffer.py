"""PoseBuffer: what it answers, what it refuses, and that readers see whole samples while a writer writes."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geometry import Pose, PoseBuffer, PoseUnavailable

MS = 1_000_000


def at_x(x: float, angle: float = 0.0) -> Pose:
    return Pose.from_rotvec([0.0, 0.0, angle], [x, 0.0, 0.0])


def filled(stamps_ms: list[int], capacity: int = 16, limit_ms: int = 0) -> PoseBuffer:
    """Buffer of a motion at 1 m/s and 2 rad/s."""
    buffer = PoseBuffer(capacity=capacity, max_extrapolation_ns=limit_ms * MS)
    for ms in stamps_ms:
        buffer.push(ms * MS, at_x(ms / 1000.0, 2.0 * ms / 1000.0))
    return buffer


@pytest.mark.parametrize(
    ("query_ms", "x"),
    [
        (0, 0.0),
        (5, 0.005),
        (10, 0.010),
        (12.5, 0.0125),
        (29, 0.029),
        (30, 0.030),
        (100, 0.1),
        (108, 0.108),
        (120, 0.120),
    ],
)
def test_answers(query_ms: float, x: float) -> None:
    pose = filled([0, 10, 30, 100], limit_ms=20).at(int(query_ms * MS))
    np.testing.assert_allclose(pose.translation, [x, 0.0, 0.0], atol=1e-12)
    np.testing.assert_allclose(pose.rotvec, [0.0, 0.0, 2.0 * x], atol=1e-12)


def test_a_sample_comes_back_itself() -> None:
    buffer, poses = PoseBuffer(capacity=4), [at_x(0.1), at_x(0.2), at_x(0.3)]
    for i, pose in enumerate(poses):
        buffer.push(i * MS, pose)
    assert [buffer.at(i * MS) is pose for i, pose in enumerate(poses)] == [True, True, True]


def test_extrapolation_uses_the_last_two_samples_only() -> None:
    buffer = PoseBuffer(capacity=8, max_extrapolation_ns=10 * MS)
    for ms, x in ((0, 5.0), (10, 0.0), (20, 0.1)):
        buffer.push(ms * MS, at_x(x))
    np.testing.assert_allclose(buffer.at(25 * MS).translation[0], 0.15)


@pytest.mark.parametrize(
    ("stamps_ms", "limit_ms", "query_ms", "message"),
    [
        ([], 5, 0, "pose at 0 ns: the buffer is empty"),
        ([10, 20], 5, 9, r"pose at 9000000 ns: poses are held for \[10000000, 20000000\] ns, 1000000 ns too old"),
        ([10, 20], 5, 26, r"held for \[10000000, 20000000\] ns, 6000000 ns ahead .* limit is 5000000 ns"),
        ([10, 20], 0, 21, "limit is 0 ns; wait for a newer robot state"),
        ([10], 5, 12, "extrapolation needs two samples"),
        ([10], 5, 8, "too old"),
    ],
)
def test_refuses_stamps_that_it_cannot_answer_for(
    stamps_ms: list[int], limit_ms: int, query_ms: int, message: str
) -> None:
    with pytest.raises(PoseUnavailable, match=message):
        filled(stamps_ms, limit_ms=limit_ms).at(query_ms * MS)


def test_unavailable_is_a_lookup_error() -> None:
    assert issubclass(PoseUnavailable, LookupError)


def test_one_sample_answers_for_its_own_stamp() -> None:
    assert filled([10]).at(10 * MS).translation[0] == 0.01


def test_the_oldest_is_overwritten() -> None:
    buffer = filled(list(range(0, 100, 10)), capacity=3)
    assert len(buffer) == 3
    assert buffer.at(75 * MS).translation[0] == pytest.approx(0.075)
    assert buffer.at(70 * MS).translation[0] == pytest.approx(0.070)
    with pytest.raises(PoseUnavailable, match=r"\[70000000, 90000000\].*capacity of 3"):
        buffer.at(69 * MS)


@pytest.mark.parametrize("stamp_ms", [20, 19, -1])
def test_stamps_must_increase(stamp_ms: int) -> None:
    buffer = filled([10, 20])
    with pytest.raises(ValueError, match=f"{stamp_ms * MS} ns is not later than the newest, 20000000 ns"):
        buffer.push(stamp_ms * MS, at_x(0.0))
    assert len(buffer) == 2


def test_clear_starts_again() -> None:
    buffer = filled([10, 20, 30])
    buffer.clear()
    assert len(buffer) == 0
    with pytest.raises(PoseUnavailable, match="empty"):
        buffer.at(20 * MS)
    buffer.push(5 * MS, at_x(1.0))
    assert buffer.at(5 * MS).translation[0] == 1.0


@pytest.mark.parametrize(
    ("arguments", "message"), [({"capacity": 1}, "capacity 1"), ({"max_extrapolation_ns": -1}, "-1")]
)
def test_refuses_settings(arguments: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PoseBuffer(**arguments)


def test_stamps_of_years_keep_their_nanoseconds() -> None:
    """Float64 has 256 ns steps at today's epoch stamps; differences are taken in integers."""
    buffer, epoch = PoseBuffer(capacity=4), 1_800_000_000_000_000_001
    buffer.push(epoch, at_x(0.0))
    buffer.push(epoch + 100, at_x(1.0))
    assert buffer.at(epoch + 25).translation[0] == pytest.approx(0.25)
    assert buffer.at(np.int64(epoch + 75)).translation[0] == pytest.approx(0.75)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.lists(st.integers(1, 50), min_size=2, max_size=30),
    st.integers(2, 12),
    st.floats(0.0, 1.0),
)
def test_search_agrees_with_numpy(gaps: list[int], capacity: int, where: float) -> None:
    stamps = np.cumsum(gaps)
    values = np.sin(stamps)
    buffer = PoseBuffer(capacity=capacity)
    for stamp, value in zip(stamps, values, strict=True):
        buffer.push(stamp, at_x(value))
    held = slice(max(0, len(stamps) - capacity), None)
    query = int(stamps[held][0] + where * (stamps[-1] - stamps[held][0]))
    assert buffer.at(query).translation[0] == pytest.approx(np.interp(query, stamps[held], values[held]), abs=1e-12)


def test_readers_see_whole_samples_while_the_writer_laps_them() -> None:
    buffer, stop, wrong = PoseBuffer(capacity=4, max_extrapolation_ns=MS), threading.Event(), []
    answered = 0

    def write() -> None:
        for i in range(1, 6000):
            buffer.push(i * 1000, at_x(i * 1000e-9))
        stop.set()

    writer = threading.Thread(target=write)
    buffer.push(0, at_x(0.0))
    writer.start()
    while not stop.is_set():
        newest = buffer._stamps[(buffer._pushed - 1) % 4]
        for query in (newest - 1500, newest - 500, newest):
            try:
                x = buffer.at(query).translation[0]
            except PoseUnavailable:
                continue
            answered += 1
            if abs(x - query * 1e-9) > 1e-12:
                wrong.append((query, x))
    writer.join()
    assert not wrong
    assert answered
