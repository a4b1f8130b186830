from __future__ import annotations

from typing import Any

import pytest

from launch.config.budget import BudgetConfig
from launch.ledger import Rows, Rung, Stage
from launch.report_series import report_series
from tests.launch.test_report_series import MS, Run, two_frames

BUDGET = BudgetConfig(stages_ms={"capture": 5.0, "detect": 15.0, "track": 1.0, "ik": 2.0}, reaction_ms=57.0)


def worst(rows: Rows) -> list[dict[str, Any]]:
    frames: list[dict[str, Any]] = report_series(rows, BUDGET)["worst"]
    return frames


def parts(frame: dict[str, Any]) -> list[tuple[str, float]]:
    return [(segment["name"], segment["ms"]) for segment in frame["segments"]]


def test_the_longest_reaction_is_first_and_its_time_is_told_piece_by_piece() -> None:
    slow, quick = worst(two_frames().rows())
    assert (slow["frame"], slow["chunk"], slow["command"], slow["t_s"], slow["total_ms"]) == (1, 1, 3, 0.1, 102.0)
    assert parts(slow) == [
        ("capture", 5.0), ("detect", 60.0), ("wait for localize", 1.0), ("localize", 2.0), ("track", 0.5),
        ("plan", 20.0), ("wait for tick", 11.5), ("ik", 1.0), ("send", 1.0),
    ]  # fmt: skip
    assert [segment["name"] for segment in slow["segments"] if segment["over"]] == ["detect"]
    assert (slow["over"], quick["over"], quick["total_ms"]) == (True, False, 52.0)


@pytest.mark.parametrize("index", [0, 1])
def test_segments_follow_each_other_and_add_up(index: int) -> None:
    frame = worst(two_frames().rows())[index]
    at_ms = 0.0
    for segment in frame["segments"]:
        assert segment["start_ms"] == pytest.approx(at_ms, abs=1e-9)
        at_ms += segment["ms"]
    assert at_ms == pytest.approx(frame["total_ms"], abs=1e-9)


def test_waits_have_no_budget_and_stages_their_own() -> None:
    frame = worst(two_frames().rows())[0]
    budgets = {segment["name"]: segment["budget_ms"] for segment in frame["segments"]}
    assert (budgets["detect"], budgets["plan"], budgets["wait for tick"]) == (15.0, None, None)


def test_a_plan_out_of_a_prediction_passes_the_prediction() -> None:
    run = Run()
    run.episode(0)
    run.frame(0)
    run.ledger.append(
        Stage.TRACK,
        1,
        30 * MS,
        0,
        camera=0,
        input_sequence=-1,
        other=1,
        modelled_ns=MS // 2,
        rung=Rung.PREDICT,
        frame=0,
    )
    run.ledger.append(Stage.PLAN, 1, 31 * MS, 0, camera=0, input_sequence=1, modelled_ns=4 * MS, frame=0)
    run.command(40, 1, 0)
    (frame,) = worst(run.rows())
    assert parts(frame)[4:] == [
        ("track", 0.5), ("wait for track", 6.5), ("predict", 0.5), ("wait for plan", 0.5), ("plan", 4.0),
        ("wait for tick", 5.0), ("ik", 1.0), ("send", 1.0),
    ]  # fmt: skip
    assert frame["segments"][6]["kind"] == "track"


def test_what_was_lost_is_a_segment_of_its_own() -> None:
    rows = two_frames().rows()
    (frame,) = worst(rows[rows["sequence"] != 1][1:])[:1]
    assert parts(frame)[0][0] == "not in the ledger"
    assert sum(ms for _, ms in parts(frame)) == pytest.approx(frame["total_ms"])


def test_ten_frames_at_most() -> None:
    run = Run()
    run.episode(0)
    for index in range(14):
        chunk = run.frame(100.0 * index)
        run.command(100.0 * index + 50 + index, chunk, 100.0 * index)
    frames = worst(run.rows())
    assert [frame["frame"] for frame in frames] == list(range(13, 3, -1))


def test_a_run_without_commands_has_no_worst_frames() -> None:
    run = Run()
    run.frame(0)
    assert worst(run.rows()) == []
