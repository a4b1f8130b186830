from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from launch.trace.timeline import lanes


@pytest.mark.parametrize(
    ("begin", "end", "lane"),
    [
        ([], [], []),
        ([0, 10, 20], [10, 20, 30], [0, 0, 0]),  # one begins where the other ends
        ([0, 10, 20], [15, 25, 30], [0, 1, 0]),
        ([20, 0, 10], [30, 15, 25], [0, 0, 1]),  # in any order
        ([0, 1, 2, 3], [9, 9, 9, 9], [0, 1, 2, 3]),
        ([5, 5, 6], [5, 5, 6], [0, 1, 0]),  # of no length, at one instant
        ([5, 5], [9, 5], [1, 0]),
    ],
)
def test_lanes(begin: list[int], end: list[int], lane: list[int]) -> None:
    assert lanes(np.array(begin, dtype=np.int64), np.array(end, dtype=np.int64)).tolist() == lane


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 20)), max_size=40))
def test_lanes_are_as_few_as_overlaps_demand(spans: list[tuple[int, int]]) -> None:
    begin = np.array([start for start, _ in spans], dtype=np.int64)
    end = begin + np.array([length for _, length in spans], dtype=np.int64)
    lane = lanes(begin, end)
    for number in range(len(spans)):
        others = np.flatnonzero((lane == lane[number]) & (np.arange(len(spans)) != number))
        assert not np.any((begin[others] < end[number]) & (end[others] > begin[number]))
        assert not np.any(begin[others] == begin[number])
    # a slice of no length takes its instant
    taken = np.maximum(end, begin + 1)
    most = max((int(np.count_nonzero((begin <= at) & (at < taken))) for at in range(72)), default=0)
    assert lane.max(initial=-1) + 1 == most
