"""The histogram answers within 0.1 %, for every int64, in memory that does not grow."""

from __future__ import annotations

import doctest
import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from deploy import histogram
from deploy.errors import BadInput
from deploy.histogram import BINS, Histogram, nearest_rank

LARGEST = 2**63 - 1
DURATIONS = st.lists(
    st.one_of(st.integers(0, 3000), st.integers(0, 10**11), st.integers(0, LARGEST)), min_size=1, max_size=200
)
QUANTILES = [0.001, 0.25, 0.5, 0.9, 0.99, 0.999, 1.0]


def _counted(values: list[int]) -> Histogram:
    found = Histogram()
    found.add(values)
    return found


def _with_missing(values: list[int], interval: int) -> list[int]:
    """`recordValueWithExpectedInterval`, one value at a time."""
    found = []
    for value in values:
        found.append(value)
        while value - interval >= interval:
            value -= interval
            found.append(value)
    return found


def test_examples() -> None:
    assert doctest.testmod(histogram) == (0, 4)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(DURATIONS)
def test_quantiles_are_the_nearest_rank_within_a_thousandth(values: list[int]) -> None:
    found = _counted(values)
    for quantile in QUANTILES:
        expected = int(np.quantile(np.array(values), quantile, method="inverted_cdf"))
        assert abs(found.quantile(quantile) - expected) * 1024 <= expected
    assert (found.count, found.max) == (len(values), max(values))


def test_bins_meet_at_powers_of_two() -> None:
    for value in [2**power + off for power in range(1, 63) for off in (-1, 0, 1)]:
        found = _counted([0, value, LARGEST])
        assert abs(found.at_rank(2) - value) * 1024 <= value
        assert found.count_above(value - 1 - value // 512) == 2
        assert found.count_above(value) == 1


@settings(max_examples=100, deadline=None, derandomize=True)
@given(DURATIONS, st.integers(-5, LARGEST))
def test_count_above_is_right_but_for_the_bin_of_the_limit(values: list[int], limit: int) -> None:
    found = _counted(values).count_above(limit)
    assert sum(value > limit + limit // 512 + 1 for value in values) <= found <= sum(value > limit for value in values)


@pytest.mark.parametrize("steps", [0, 3, histogram.STEPS], ids=lambda steps: f"{steps} steps")
@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=30), st.integers(1, 10**6))
@example([12, 3, 5], 3)  # a term that is the interval itself is the last
def test_missing_values_are_those_of_one_at_a_time(steps: int, values: list[int], interval: int) -> None:
    interval = max(interval, max(values) // 500)
    found, expected = Histogram(), _counted(_with_missing(values, interval))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(histogram, "STEPS", steps)
        found.add_with_interval(values, interval)
    assert [part.tolist() for part in found.bins()] == [part.tolist() for part in expected.bins()]
    assert (found.count, found.max) == (expected.count, expected.max)


def test_a_stall_of_years_is_counted_at_once() -> None:
    found = Histogram()
    found.add_with_interval([2**62, 5], 2)
    assert found.count == 2**61 + 2
    assert found.quantile(0.5) == pytest.approx(2**61, rel=1e-3)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(st.integers(0, 10**12), max_size=50), st.lists(st.integers(0, 10**12), max_size=50))
def test_merged_is_counted_together(left: list[int], right: list[int]) -> None:
    found, expected = _counted(left), _counted(left + right)
    found.merge(_counted(right))
    assert [part.tolist() for part in found.bins()] == [part.tolist() for part in expected.bins()]
    assert (found.count, found.max) == (expected.count, expected.max)


def test_without_values() -> None:
    found = _counted([])
    found.merge(Histogram())
    assert (found.count, found.max, found.quantile(0.5), found.count_above(0)) == (0, 0, 0, 0)
    assert [part.tolist() for part in found.bins()] == [[], []]


def test_memory_comes_with_the_first_value_and_does_not_grow() -> None:
    tracemalloc.start()
    try:
        found = Histogram()
        before = tracemalloc.get_traced_memory()[0]
        assert before < 2000
        for power in range(63):
            found.add([2**power, 2**power + 1])
        assert tracemalloc.get_traced_memory()[0] - before < 8 * BINS + 4096
    finally:
        tracemalloc.stop()
    assert 8 * BINS <= 250_000


@pytest.mark.parametrize("count", [1, 7, 100, 101, 4096, 999_999_937])
def test_nearest_rank_is_free_of_rounding(count: int) -> None:
    percents = range(1, 101)
    assert [nearest_rank(count, percent / 100) for percent in percents] == [-(-p * count // 100) for p in percents]
    assert nearest_rank(1000 * count, 0.999) == 999 * count


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: _counted([5, -3]), r"-3 ns.*monotonic"),
        (lambda: _counted([1]).quantile(0.0), r"quantile 0\.0: .*0\.99"),
        (lambda: _counted([1]).quantile(99), r"quantile 99: .*0\.99"),
        (lambda: _counted([1]).at_rank(0), r"rank 0 of 1 values: expected 1 to 1"),
        (lambda: _counted([1]).at_rank(2), r"rank 2 of 1 values"),
        (lambda: Histogram().add_with_interval([1], 0), r"interval 0 ns: expected >= 1"),
        (lambda: Histogram().add_with_interval([-1], 1), r"-1 ns"),
    ],
)
def test_wrong_values_are_told(call: Callable[[], object], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        call()
