"""Misses and the longest run of them are exact, however the durations come."""

from __future__ import annotations

from itertools import groupby

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.misses import Misses

MS = 1_000_000


@pytest.mark.parametrize(
    ("blocks_ms", "interval_ms", "count", "longest"),
    [
        ([[]], None, 0, 0),
        ([[1, 2, 3]], None, 1, 1),
        ([[3, 3, 1, 3]], None, 3, 2),
        ([[3], [], [3, 3], [3, 1]], None, 4, 4),
        ([[3], [1], [3]], None, 2, 1),
        # 9 is 9, 7, 5, 3 and with an interval of 1 also 2 and 1, which are none
        ([[9], [3]], 2, 5, 5),
        ([[9], [3]], 1, 8, 7),
        ([[3], [9], [3]], 1, 9, 7),
        ([[3], [9], [3]], 2, 6, 6),
    ],
)
def test_runs_cross_blocks(blocks_ms: list[list[int]], interval_ms: int | None, count: int, longest: int) -> None:
    misses = Misses(budget_ms=2.0)
    for block in blocks_ms:
        misses.add(np.array(block, dtype=np.int64) * MS, None if interval_ms is None else interval_ms * MS)
    assert (misses.count, misses.longest) == (count, longest)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    st.lists(st.lists(st.integers(0, 60), max_size=8), max_size=8),
    st.integers(1, 30),
    st.one_of(st.none(), st.integers(1, 40)),
)
def test_as_counted_one_by_one(blocks: list[list[int]], limit: int, interval: int | None) -> None:
    misses, terms = Misses(limit / MS), []
    for block in blocks:
        misses.add(np.array(block, dtype=np.int64), interval)
        for value in block:
            terms.append(value)
            while interval is not None and terms[-1] - interval >= interval:
                terms.append(terms[-1] - interval)
    runs = [len(list(run)) for above, run in groupby(term > limit for term in terms) if above]
    assert (misses.limit_ns, misses.count, misses.longest) == (limit, sum(runs), max(runs, default=0))


@pytest.mark.parametrize("budget_ms", [2.3, 0.29, 1.001, 57.0, 1e300])
def test_what_takes_as_long_as_the_budget_keeps_it(budget_ms: float) -> None:
    limit = min(round(budget_ms * MS), 2**63 - 1)
    misses = Misses(budget_ms)
    misses.add(np.array([limit]))
    assert misses.count == 0
    if limit < 2**63 - 1:
        misses.add(np.array([limit + 1]))
        assert misses.count == 1
