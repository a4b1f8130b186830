"""RowRing: what is appended comes back in order, or is counted as lost."""

from __future__ import annotations

import struct
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.errors import BadInput
from deploy.ring import BLOCK, RowRing, row_format

PAIR = np.dtype([("number", "<i8"), ("value", "<i8")])


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
        ([("order", "<i4"), ("x", "<f4")], "first field 'order'"),
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
    dtype = np.dtype([("number", "<i8"), ("n", "<i8"), ("on", "?"), ("q", "<f8", (2,)), ("who", "S4")])
    ring = RowRing(dtype, 3)
    ring.append(np.int64(-5), True, 0.5, np.float64(1.5), b"abc")
    row = ring.drain()[0]
    assert (row["number"], row["n"], row["on"], row["q"].tolist(), row["who"]) == (0, -5, True, [0.5, 1.5], b"abc")


@pytest.mark.parametrize(
    ("values", "left"), [((), []), ((1, 2, 3), []), ((1, "x"), [(0, 1, 0)]), ((2**70, 1), [(0, 0, 0)])]
)
def test_values_that_do_not_fit_are_refused(values: tuple[object, ...], left: list[tuple[int, ...]]) -> None:
    ring = RowRing(np.dtype([("number", "<i8"), ("a", "<i8"), ("b", "<i8")]), 2)
    with pytest.raises(struct.error):
        ring.append(*values)
    assert ring.drain().tolist() == left


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    st.sampled_from([1, 2, 3, 7, BLOCK - 1, BLOCK + 3]), st.lists(st.integers(0, 12), max_size=12), st.integers(0, 3)
)
def test_behaves_like_a_bounded_queue(capacity: int, bursts: list[int], scale: int) -> None:
    ring, waiting, lost, number = RowRing(PAIR, capacity), list[int](), 0, 0
    for burst in bursts:
        for _ in range(burst * 10**scale // 10):
            ring.append(-number)
            waiting.append(number)
            number += 1
        dropped = max(0, len(waiting) - capacity)
        lost += dropped
        waiting = waiting[dropped:]
        assert ring.lost == lost
        rows = ring.drain()
        assert rows["number"].tolist() == waiting
        assert rows["value"].tolist() == [-value for value in waiting]
        waiting = []


def test_drained_rows_are_a_copy() -> None:
    ring = RowRing(PAIR, 2)
    ring.append(1)
    rows = ring.drain()
    for value in range(2, 6):
        ring.append(value)
    assert rows["value"].tolist() == [1]


def test_a_row_that_is_still_being_written_holds_back_those_behind_it() -> None:
    ring = RowRing(PAIR, 4)
    ring.append(10)
    begun = next(ring.numbers)
    ring.append(12)
    assert ring.drain()["value"].tolist() == [10]
    ring.pack_into(ring.buffer, begun % ring.slots * ring.row_bytes, begun, 11)
    assert ring.drain()["value"].tolist() == [11, 12]


def test_a_row_that_is_never_written_is_counted_when_its_slot_is_used_again() -> None:
    ring = RowRing(PAIR, 4)
    next(ring.numbers)
    for value in range(1, 6):
        ring.append(value)
    assert ring.drain()["number"].tolist() == [2, 3, 4, 5]
    assert ring.lost == 2


@pytest.mark.parametrize(("late", "kept"), [(0, [0, 1, 2, 3]), (2, [2, 3]), (4, [])])
def test_rows_overwritten_during_the_copy_are_lost_not_torn(late: int, kept: list[int]) -> None:
    ring = RowRing(PAIR, 4)
    for value in range(4):
        ring.append(value)

    class WritersGetInBetween:
        def __init__(self, rows: np.ndarray) -> None:
            self.rows = rows

        def __getitem__(self, window: slice) -> np.ndarray:
            copy = self.rows[window].copy()
            for value in range(4, 4 + late):
                ring.append(value)
            ring._rows = self.rows
            return copy

    ring._rows = WritersGetInBetween(ring._rows)  # type: ignore[assignment]
    taken = np.concatenate([ring.drain(), ring.drain()])
    assert taken["value"].tolist() == kept + list(range(4, 4 + late))
    assert ring.lost == late


def test_writers_and_a_reader_at_the_same_time() -> None:
    ring, count, taken = RowRing(PAIR, 1024), 20_000, []

    def write(writer: int) -> None:
        for value in range(count):
            ring.append(writer * count + value)

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(3)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        taken.append(ring.drain())
    rows = np.concatenate([*taken, ring.drain()])
    assert (np.diff(rows["number"]) > 0).all()
    assert len(rows) + ring.lost == 3 * count
    for writer in range(3):
        values = rows["value"][rows["value"] // count == writer]
        assert (np.diff(values) > 0).all()
