"""The table of latency figures: its rows, what stands out, and that it fits."""

from __future__ import annotations

import numpy as np
import pytest
from rich.console import Console

from deploy.latency import StageLatency, summarize
from deploy.latency_series import LatencySeries
from deploy.latency_table import COLUMNS, latency_table

MS = 1_000_000
RED = "\x1b[1;31m"
STAGES = (
    "capture", "detect", "localize", "track", "plan", "ik", "send",
    "reaction", "command_age", "control_period", "control_lateness",
)  # fmt: skip


def _render(
    stages: dict[str, StageLatency],
    verdicts: dict[str, bool] | None = None,
    corrected: dict[str, StageLatency] | None = None,
    *,
    width: int = 80,
    color: bool = False,
) -> str:
    console = Console(width=width, force_terminal=color, color_system="standard" if color else None)
    with console.capture() as capture:
        console.print(latency_table(stages, "path", verdicts, corrected))
    return capture.get()


def _rows(text: str) -> list[list[str]]:
    """Words of the header and of each row."""
    lines = [line.split() for line in text.splitlines()]
    begin = next(at for at, words in enumerate(lines) if words[:1] == ["stage"])
    end = next(at for at, words in enumerate(lines) if words[:1] == ["ms,"])
    return [lines[begin], *lines[begin + 2 : end]]


def _long_run() -> tuple[dict[str, StageLatency], dict[str, StageLatency]]:
    """What a run of an hour gives: wide figures everywhere, and a stall of 10 s."""
    durations = np.full(1_800_000, 88_880_000)
    durations[77] = 10_000 * MS
    series = LatencySeries(2100.0, 2 * MS)
    series.add(durations)
    corrected = series.corrected()
    assert corrected is not None
    return dict.fromkeys(STAGES, series.summary()), dict.fromkeys(STAGES, corrected)


def test_a_row_for_each_stage() -> None:
    stages = {"detect": summarize([10 * MS, 20 * MS], 15.0), "track": summarize([]), "send": summarize([MS], 5.0)}
    assert _rows(_render(stages, {"detect": False, "send": True})) == [
        ["stage", "budget", "n", "p50", "p90", "p99", "max", "misses", "run", "verdict"],
        ["detect", "15.00", "2", "10.00", "20.00", "20.00", "20.00", "1", "1", "BROKEN"],
        ["track", "-", "0", "-", "-", "-", "-", "-", "-", "-"],
        ["send", "5.00", "1", "1.00", "1.00", "1.00", "1.00", "0", "0", "kept"],
    ]


def test_columns_that_nothing_fills_are_not_there() -> None:
    few, many = summarize([MS] * 9999), summarize([MS] * 10_000)
    without = [name for name in COLUMNS if name not in ("p99.9", "verdict")]
    assert _rows(_render({"ik": few}))[0] == without
    assert _rows(_render({"ik": few, "send": many}, {}))[0] == list(COLUMNS)


def test_corrected_figures_are_a_second_row_where_they_differ() -> None:
    stages = {"ik": summarize([MS, 5 * MS], 2.0), "send": summarize([MS], 2.0)}
    corrected = {"ik": summarize([MS, 5 * MS, 3 * MS], 2.0), "send": stages["send"]}
    text = _render(stages, {"ik": False, "send": True}, corrected, color=True)
    assert [line.split()[0] for line in text.splitlines() if "\x1b[2m" in line and "corrected" in line] == ["\x1b[2m"]
    rows = _rows(_render(stages, {"ik": False, "send": True}, corrected))
    assert rows[2] == ["corrected", "3", "3.00", "5.00", "5.00", "5.00", "2", "2"]
    assert [row[0] for row in rows[1:]] == ["ik", "corrected", "send"]


@pytest.mark.parametrize(("budget_ms", "red"), [(15.0, True), (25.0, False)])
def test_a_p99_above_its_budget_stands_out(budget_ms: float, red: bool) -> None:
    assert (f"{RED}20.00" in _render({"detect": summarize([20 * MS], budget_ms)}, color=True)) is red


@pytest.mark.parametrize(("kept", "expected"), [(True, "\x1b[32m   kept"), (False, f"{RED} BROKEN")])
def test_a_broken_clause_stands_out(kept: bool, expected: str) -> None:
    assert expected in _render({"detect": summarize([MS])}, {"detect": kept}, color=True)


@pytest.mark.parametrize(
    ("width", "left_out"),
    [(120, []), (80, []), (74, ["p90"]), (60, ["p90", "n", "run", "budget"])],
)
def test_all_that_is_shown_is_shown_in_full(width: int, left_out: list[str]) -> None:
    stages, corrected = _long_run()
    text = _render(stages, dict.fromkeys(STAGES, False), corrected, width=width)
    rows = _rows(text)
    assert rows[0] == [column for column in COLUMNS if column not in left_out]
    assert [row[0] for row in rows[1:]] == [name for stage in STAGES for name in (stage, "corrected")]
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    assert ("no room for " + ", ".join(left_out) in " ".join(text.split())) is bool(left_out)


@pytest.mark.parametrize(
    ("count", "expected"),
    [(99_999, "99999"), (100_000, "100k"), (999_499, "999k"), (999_500, "1M"), (1_234_567, "1.23M")],
)
def test_large_numbers_are_short(count: int, expected: str) -> None:
    latency = StageLatency(count, 1.0, 1.0, 1.0, None, 1.0, 2.0, count, count)
    assert [_rows(_render({"ik": latency}))[1][at] for at in (2, 7, 8)] == [expected] * 3


@pytest.mark.parametrize(
    ("value_ms", "expected"),
    [(0.004, "0.00"), (99.994, "99.99"), (99.996, "100.0"), (999.96, "1000"), (12_345.6, "12346")],
)
def test_times_are_five_characters_at_most(value_ms: float, expected: str) -> None:
    assert _rows(_render({"ik": summarize([round(value_ms * MS)])}))[1][3] == expected


def test_a_table_of_nothing() -> None:
    assert _rows(_render({}))[0][0] == "stage"


def test_a_name_is_no_markup() -> None:
    assert _rows(_render({"[red]ik": summarize([MS])}))[1][0] == "[red]ik"
