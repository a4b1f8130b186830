"""Latency figures: nearest-rank percentiles and misses."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.errors import BadInput
from deploy.latency import StageLatency, summarize

MS = 1_000_000


@pytest.mark.parametrize(
    ("durations_ms", "budget_ms", "expected"),
    [
        ([], None, StageLatency(0, 0.0, 0.0, 0.0, None, 0.0, None, 0, 0)),
        ([], 5.0, StageLatency(0, 0.0, 0.0, 0.0, None, 0.0, 5.0, 0, 0)),
        ([7], None, StageLatency(1, 7.0, 7.0, 7.0, None, 7.0, None, 0, 0)),
        ([4, 1, 3, 2], 2.0, StageLatency(4, 2.0, 4.0, 4.0, None, 4.0, 2.0, 2, 1)),
        (list(range(1, 101)), 99.0, StageLatency(100, 50.0, 90.0, 99.0, None, 100.0, 99.0, 1, 1)),
        (list(range(1, 102)), None, StageLatency(101, 51.0, 91.0, 100.0, None, 101.0, None, 0, 0)),
        ([5, 5, 5], 5.0, StageLatency(3, 5.0, 5.0, 5.0, None, 5.0, 5.0, 0, 0)),
        ([6, 1, 6, 6, 6, 1], 5.0, StageLatency(6, 6.0, 6.0, 6.0, None, 6.0, 5.0, 4, 3)),
    ],
)
def test_summarize(durations_ms: list[int], budget_ms: float | None, expected: StageLatency) -> None:
    assert summarize(np.array(durations_ms, dtype=np.int64) * MS, budget_ms) == expected


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(st.integers(0, 10**10), min_size=1, max_size=300))
def test_percentiles_are_durations_that_were_measured(durations_ns: list[int]) -> None:
    found = summarize(durations_ns)
    expected = np.percentile(np.array(durations_ns), [50, 90, 99, 100], method="inverted_cdf") / MS
    assert [found.p50_ms, found.p90_ms, found.p99_ms, found.max_ms] == expected.tolist()


@pytest.mark.parametrize(("count", "p999_ms"), [(9999, None), (10_000, 9990.0), (20_000, 19_980.0)])
def test_p999_takes_ten_thousand(count: int, p999_ms: float | None) -> None:
    assert summarize(np.arange(1, count + 1) * MS).p999_ms == p999_ms


@pytest.mark.parametrize("budget_ms", [0.0, -1.0, math.nan, math.inf])
def test_a_budget_must_be_positive(budget_ms: float) -> None:
    with pytest.raises(BadInput, match="budget"):
        summarize([1], budget_ms)


def test_a_negative_duration_is_a_broken_clock() -> None:
    with pytest.raises(BadInput, match=r"-3 ns.*monotonic"):
        summarize([5, -3])


def test_to_dict_is_json_without_nan() -> None:
    text = json.dumps(summarize([]).to_dict(), allow_nan=False)
    assert json.loads(text) == {
        "n": 0, "p50_ms": 0.0, "p90_ms": 0.0, "p99_ms": 0.0, "p999_ms": None, "max_ms": 0.0,
        "budget_ms": None, "misses": 0, "longest_miss_run": 0,
    }  # fmt: skip


@pytest.mark.parametrize(("budget_ms", "within"), [(None, True), (3.0, True), (2.99, False)])
def test_within_budget_compares_the_p99(budget_ms: float | None, within: bool) -> None:
    assert summarize([1 * MS, 3 * MS], budget_ms).within_budget is within
