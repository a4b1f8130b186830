"""Latency figures: nearest-rank percentiles, misses, and the table."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from deploy.errors import BadInput
from deploy.latency import StageLatency, summarize
from deploy.latency_table import COLUMNS, latency_table

MS = 1_000_000


@pytest.mark.parametrize(
    ("durations_ms", "budget_ms", "expected"),
    [
        ([], None, StageLatency(0, 0.0, 0.0, 0.0, 0.0, None, 0)),
        ([], 5.0, StageLatency(0, 0.0, 0.0, 0.0, 0.0, 5.0, 0)),
        ([7], None, StageLatency(1, 7.0, 7.0, 7.0, 7.0, None, 0)),
        ([4, 1, 3, 2], 2.0, StageLatency(4, 2.0, 4.0, 4.0, 4.0, 2.0, 2)),
        (list(range(1, 101)), 99.0, StageLatency(100, 50.0, 90.0, 99.0, 100.0, 99.0, 1)),
        (list(range(1, 102)), None, StageLatency(101, 51.0, 91.0, 100.0, 101.0, None, 0)),
        ([5, 5, 5], 5.0, StageLatency(3, 5.0, 5.0, 5.0, 5.0, 5.0, 0)),
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
        "n": 0, "p50_ms": 0.0, "p90_ms": 0.0, "p99_ms": 0.0, "max_ms": 0.0, "budget_ms": None, "misses": 0,
    }  # fmt: skip


@pytest.mark.parametrize(("budget_ms", "within"), [(None, True), (3.0, True), (2.99, False)])
def test_within_budget_compares_the_p99(budget_ms: float | None, within: bool) -> None:
    assert summarize([1 * MS, 3 * MS], budget_ms).within_budget is within


def _render(stages: dict[str, StageLatency], *, color: bool = False) -> str:
    console = Console(width=100, force_terminal=color, color_system="standard" if color else None)
    with console.capture() as capture:
        console.print(latency_table(stages, title="path"))
    return capture.get()


def test_table_has_a_row_for_each_stage() -> None:
    text = _render({"detect": summarize([10 * MS, 20 * MS], 15.0), "track": summarize([]), "send": summarize([MS])})
    lines = {line.split()[1]: line.replace("│", " ").split() for line in text.splitlines() if line.startswith("│")}
    assert lines["detect"] == ["detect", "15.00", "2", "10.00", "20.00", "20.00", "20.00", "1"]
    assert lines["track"] == ["track", "-", "0", "-", "-", "-", "-", "-"]
    assert lines["send"] == ["send", "-", "1", "1.00", "1.00", "1.00", "1.00", "-"]
    assert [word for word in text.replace("┃", " ").split() if word in COLUMNS] == list(COLUMNS)


@pytest.mark.parametrize(("budget_ms", "red"), [(15.0, True), (25.0, False)])
def test_a_p99_above_its_budget_stands_out(budget_ms: float, red: bool) -> None:
    assert ("\x1b[1;31m20.00" in _render({"detect": summarize([20 * MS], budget_ms)}, color=True)) is red
