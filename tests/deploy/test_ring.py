"""RowRing: what is appended comes back in order, or is counted as lost."""

from __future__ import annotations

import struct
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.errors import BadInput
from deploy.ring import RowRing, row_format

PAIR = np.dtype([("a", "<i8"), ("b", "<i8")])


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        ([("a", "<i4")], "<i"),
        ([("a", "<i4"), ("b", "<f8")], "<id"),
        ([("a", "u1"), ("b", "?"), ("c", "<u2"), ("d", "<f4"), ("e", "<f2")], "<B?Hfe"),
        ([("joints", "<f8", (6,)), ("n", "<i8")], "<6dq"),
        ([("grid", "<i2", (2, 3))], "<6h"),
        ([("name", "S8"), ("flag", "S1")], "<8s1s"),
        (np.dtype([("a", "u1"), ("b", "<f8")], align=True), "<Bxxxxxxxd"),
        (np.dtype([("b", "<f8"), ("a", "u1")], align=True), "<dBxxxxxxx"),
    ],
)
def test_row_format_has_the_layout_of_the_type(dtype: object, expected: str) -> None:
    row = np.dtype(dtype)
    assert row_format(row) == expected
    assert struct.calcsize(expected) == row.itemsize


@pytest.mark.parametrize(
    ("dtype", "words"),
    [
        (np.dtype("<f8"), "structured"),
        ([("a", ">i4")], "'a'"),
        ([("who", "O")], "'who'"),
        ([("when", "<M8[ns]")], "'when'"),
        ([("label", "<U4")], "'label'"),
        ([("nested", [("x", "<f4")])], "'nested'"),
    ],
)
def test_types_that_cannot_be_packed_are_refused_by_name(dtype: object, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        RowRing(np.dtype(dtype), 4)


@pytest.mark.parametrize("capacity", [0, -1])
def test_capacity_must_be_positive(capacity: int) -> None:
    with pytest.raises(BadInput, match=f"capacity {capacity}"):
        RowRing(PAIR, capacity)


def test_values_of_all_kinds_come_back() -> None:
    dtype = np.dtype([("n", "<i8"), ("on", "?"), ("q", "<f8", (2,)), ("who", "S4")])
    ring = RowRing(dtype, 3)
    ring.append(np.int64(-5), True, 0.5, np.float64(1.5), b"abc")
    row = ring.drain()[0]
    assert (row["n"], row["on"], row["q"].tolist(), row["who"]) == (-5, True, [0.5, 1.5], b"abc")


@pytest.mark.parametrize("values", [(1,), (1, 2, 3), ("x", 2), (2**70, 0)])
def test_a_row_that_does_not_fit_is_refused_and_not_written(values: tuple[object, ...]) -> None:
    ring = RowRing(PAIR, 2)
    with pytest.raises(struct.error):
        ring.append(*values)
    assert len(ring) == 0
    assert len(ring.drain()) == 0


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.integers(1, 7), st.lists(st.integers(0, 12), max_size=12))
def test_behaves_like_a_bounded_queue(capacity: int, bursts: list[int]) -> None:
    ring, waiting, lost, number = RowRing(PAIR, capacity), list[int](), 0, 0
    for burst in bursts:
        for _ in range(burst):
            ring.append(number, -number)
            waiting.append(number)
            number += 1
        dropped = max(0, len(waiting) - capacity)
        lost += dropped
        waiting = waiting[dropped:]
        assert ring.lost == lost
        assert len(ring) == len(waiting)
        rows = ring.drain()
        assert rows["a"].tolist() == waiting
        assert rows["b"].tolist() == [-value for value in waiting]
        waiting = []


def test_drained_rows_are_a_copy() -> None:
    ring = RowRing(PAIR, 2)
    ring.append(1, 1)
    rows = ring.drain()
    for value in range(2, 6):
        ring.append(value, value)
    assert rows["a"].tolist() == [1]


def test_rows_overwritten_during_the_copy_are_lost_not_torn() -> None:
    ring = RowRing(PAIR, 4)
    for value in range(4):
        ring.append(value, value)

    class WriterGetsInBetween:
        def __init__(self, rows: np.ndarray) -> None:
            self.rows = rows

        def take(self, *args: object, **kwargs: object) -> np.ndarray:
            copy = self.rows.take(*args, **kwargs)
            for value in (4, 5):
                ring.append(value, value)
            return copy

    plain, ring._rows = ring._rows, WriterGetsInBetween(ring._rows)  # type: ignore[assignment]
    assert ring.drain()["a"].tolist() == [2, 3]
    assert ring.lost == 2
    ring._rows = plain
    assert ring.drain()["a"].tolist() == [4, 5]


def test_one_writer_and_one_reader_at_the_same_time() -> None:
    ring, count, taken = RowRing(PAIR, 64), 60_000, []
    done = threading.Event()

    def write() -> None:
        for value in range(count):
            ring.append(value, -value)
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not done.is_set():
        taken.append(ring.drain())
    writer.join()
    taken.append(ring.drain())
    rows = np.concatenate(taken)
    assert (rows["a"] == -rows["b"]).all()
    assert (np.diff(rows["a"]) > 0).all()
    assert len(rows) + ring.lost == count
