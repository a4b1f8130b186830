from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policy.planning_delay import PlanningDelay


@settings(deadline=None)
@given(delays=st.lists(st.integers(0, 10**9), max_size=80), window=st.integers(1, 40), warm_up=st.integers(0, 5))
def test_it_is_the_nearest_rank_of_the_newest_delays_after_the_warm_up(
    delays: list[int], window: int, warm_up: int
) -> None:
    estimate = PlanningDelay(window, warm_up)
    for delay in delays:
        estimate.add(delay)
    counted = sorted(delays[warm_up:][-window:])
    assert estimate.p99_ns == (counted[math.ceil(0.99 * len(counted)) - 1] if counted else 0)


@pytest.mark.parametrize(("window", "warm_up"), [(0, 0), (5, -1)])
def test_bad_sizes(window: int, warm_up: int) -> None:
    with pytest.raises(ValueError, match=f"window is {window}"):
        PlanningDelay(window, warm_up)
