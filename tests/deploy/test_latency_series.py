"""A series says the same as all its durations at once would, in bounded memory."""

from __future__ import annotations

import doctest
import tracemalloc
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy import latency_series
from deploy.errors import BadInput
from deploy.latency import StageLatency, summarize
from deploy.latency_series import EXACT, POINTS, LatencySeries

MS = 1_000_000
TIMES = ("p50_ms", "p90_ms", "p99_ms", "p999_ms")


def _durations(seed: int, count: int, stalls: int = 0) -> npt.NDArray[np.int64]:
    """Around 1 ms, some stalls of up to 100 ms among them."""
    rng = np.random.default_rng(seed)
    durations = (MS * np.exp(rng.normal(0.0, 0.3, count))).astype(np.int64)
    durations[rng.integers(0, count, stalls)] *= rng.integers(2, 100, stalls)
    return durations


def _series(
    durations_ns: npt.ArrayLike, budget_ms: float | None = None, interval_ns: int | None = None
) -> LatencySeries:
    series = LatencySeries(budget_ms, interval_ns)
    series.add(durations_ns)
    return series


def _with_missing(durations_ns: npt.NDArray[np.int64], interval_ns: int) -> list[int]:
    found = []
    for value in durations_ns.tolist():
        found.append(value)
        while found[-1] - interval_ns >= interval_ns:
            found.append(found[-1] - interval_ns)
    return found


def _assert_same(found: StageLatency | None, expected: StageLatency) -> None:
    """Percentiles within 0.1 % and on the right side of the budget; all else exactly."""
    assert found is not None
    figures, exact = found.to_dict(), expected.to_dict()
    for name in TIMES:
        value, limit = figures.pop(name), exact.pop(name)
        assert value == (None if limit is None else pytest.approx(limit, rel=1e-3))
    assert figures == exact
    assert found.within_budget == expected.within_budget


def test_examples() -> None:
    assert doctest.testmod(latency_series) == (0, 3)


@pytest.mark.parametrize("count", [0, 1, EXACT])
def test_few_durations_are_summarized_exactly(count: int) -> None:
    durations = _durations(count, count, stalls=min(count, 20))
    assert _series(durations, 1.2).summary() == summarize(durations, 1.2)


@pytest.mark.parametrize("budget_ms", [None, 0.5, 1.2, 2.0, 30.0])
@pytest.mark.parametrize("count", [EXACT + 1, 9999, 10_000, 50_000])
def test_many_durations_are_summarized_within_a_thousandth(count: int, budget_ms: float | None) -> None:
    durations = _durations(count, count, stalls=count // 90)
    found = _series(durations, budget_ms).summary()
    _assert_same(found, summarize(durations, budget_ms))
    assert (found.p999_ms is None) == (count < 10_000)


@pytest.mark.parametrize("above", [0, 99, 100, 101, 200])
@pytest.mark.parametrize("off_ns", [1, 500])
def test_the_p99_is_on_the_side_of_the_budget_that_the_count_of_misses_says(above: int, off_ns: int) -> None:
    # all in the bin of the budget, where the histogram alone cannot tell them apart
    durations = np.full(10_000, 10 * MS - off_ns)
    durations[:above] = 10 * MS + off_ns
    found = _series(durations, 10.0).summary()
    assert found.misses == found.longest_miss_run == above
    assert found.within_budget is (above <= 100)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    st.integers(0, 99),
    st.sampled_from([10, 1000, EXACT, EXACT + 1, 12_345]),
    st.lists(st.floats(0.0, 1.0), max_size=12),
    st.sampled_from([None, 2 * MS, 7 * MS]),
    st.booleans(),
)
def test_blocks_do_not_matter(seed: int, count: int, cuts: list[float], interval: int | None, read: bool) -> None:
    durations = _durations(seed, count, stalls=seed % 7)
    whole, parts = _series(durations, 1.5, interval), LatencySeries(1.5, interval)
    for begin, end in pairwise([0, *sorted(int(cut * count) for cut in cuts), count]):
        parts.add(durations[begin:end])
        if read:
            parts.summary(), parts.corrected(), parts.ccdf()
    assert parts.summary() == whole.summary()
    assert parts.corrected() == whole.corrected()
    assert [axis.tolist() for axis in parts.ccdf()] == [axis.tolist() for axis in whole.ccdf()]


@pytest.mark.parametrize("interval_ms", [1, 2, 10])
@pytest.mark.parametrize(("count", "stalls"), [(0, 0), (500, 3), (EXACT, 0), (EXACT, 50), (6000, 40), (20_000, 5)])
def test_corrected_is_the_summary_of_what_should_have_been_measured(count: int, stalls: int, interval_ms: int) -> None:
    durations = _durations(stalls, count, stalls)
    expected = summarize(_with_missing(durations, interval_ms * MS), 1.5)
    _assert_same(_series(durations, 1.5, interval_ms * MS).corrected(), expected)


def test_a_stall_shows_in_the_corrected_percentiles_only() -> None:
    durations = np.full(50_000, MS)
    durations[25_000] = 10_000 * MS
    series = _series(durations, 1.5, 2 * MS)
    found, corrected = series.summary(), series.corrected()
    assert (found.n, found.p999_ms, found.misses, found.longest_miss_run) == (50_000, 1.0, 1, 1)
    assert corrected is not None
    assert (corrected.n, corrected.misses, corrected.longest_miss_run) == (54_999, 5000, 5000)
    assert corrected.p99_ms == pytest.approx(8902.0, rel=1e-3)


def test_without_an_expected_interval_nothing_is_corrected() -> None:
    assert _series([1, 2]).corrected() is None


@pytest.mark.parametrize("count", [1, 150, EXACT, 30_000])
def test_ccdf_is_the_fraction_that_took_at_least_as_long(count: int) -> None:
    durations = _durations(1, count, stalls=count // 100)
    x_ms, fraction = _series(durations).ccdf()
    assert x_ms.shape == fraction.shape
    assert min(count, POINTS // 2) <= len(x_ms) <= POINTS
    assert (np.diff(x_ms) > 0).all()
    assert (np.diff(fraction) < 0).all()
    for x, share in zip(x_ms * MS, fraction, strict=True):
        assert np.mean(durations >= x * 1.001) <= share <= np.mean(durations >= x * 0.999)
    assert (fraction[0], x_ms[-1]) == (1.0, pytest.approx(durations.max() / MS, rel=1e-3))


def test_ccdf_of_nothing_is_empty() -> None:
    assert [len(axis) for axis in LatencySeries().ccdf()] == [0, 0]


def test_memory_does_not_grow() -> None:
    durations = _durations(0, 100_000, stalls=100)
    tracemalloc.start()
    try:
        series = LatencySeries(1.5, 2 * MS)
        sizes = []
        for _ in range(4):
            series.add(durations)
            series.add([10_000_000 * MS])
            series.summary(), series.corrected()
            sizes.append(tracemalloc.get_traced_memory()[0])
        assert max(sizes) < 550_000
        assert sizes[-1] - sizes[0] < 4096
    finally:
        tracemalloc.stop()


def test_a_block_with_a_wrong_duration_is_not_taken() -> None:
    series = _series([MS, 2 * MS])
    with pytest.raises(BadInput, match=r"-3 ns.*monotonic"):
        series.add([MS, -3])
    assert series.summary().n == 2


@pytest.mark.parametrize(
    ("budget_ms", "interval_ns", "message"),
    [(0.0, None, "budget 0.0 ms"), (float("nan"), None, "budget nan ms"), (None, 0, "interval 0 ns")],
)
def test_wrong_limits_are_told_at_once(budget_ms: float | None, interval_ns: int | None, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        LatencySeries(budget_ms, interval_ns)
