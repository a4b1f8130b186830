from __future__ import annotations

import doctest
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.report import html_page
from deploy.report.ladder import MEANINGS
from launch import thinning
from launch.config import Config
from launch.config.budget import BudgetConfig
from launch.config.load import load_config
from launch.ledger import ROW, Ledger, Outcome, Reason, Rows, Rung, Stage
from launch.report import RunAccount
from launch.report_series import report_series
from launch.tally import Tally
from launch.thinning import largest_of_stretches
from tests.deploy.report.documents import Parsed, at

MS = 1_000_000
BUDGET = BudgetConfig(
    stages_ms={"capture": 5.0, "detect": 15.0, "ik": 2.0},
    reaction_ms=57.0,
    command_age_ms=100.0,
    control_lateness_ms=2.0,
)


class Run:
    """A ledger in which each frame has a chunk, and each chunk a few commands."""

    def __init__(self) -> None:
        self.ledger = Ledger(capacity=1 << 14)
        self.frames = self.commands = 0

    def episode(self, at_ms: float) -> None:
        self.ledger.append(Stage.EPISODE, 0, round(at_ms * MS), round(at_ms * MS))

    def frame(self, photon_ms: float, detect_ms: float = 15.0) -> int:
        """Capture 5, detect, localize 2 after a wait of 1, track 0.5, plan 20; returns the chunk."""
        n, photon, at_ns = self.frames, round(photon_ms * MS), round((photon_ms + 5) * MS)
        self.frames += 1
        detect, common = round(detect_ms * MS), {"camera": 0, "frame": n}
        self._row(Stage.CAPTURE, n, at_ns, photon, 5 * MS, **common)
        self._row(Stage.DETECT, n, at_ns, photon, detect, input_sequence=n, **common)
        self._row(Stage.LOCALIZE, n, at_ns + detect + MS, photon, 2 * MS, input_sequence=n, wait_ns=MS, **common)
        at_ns += detect + 3 * MS
        self._row(Stage.TRACK, n, at_ns, photon, MS // 2, input_sequence=n, **common)
        self._row(Stage.PLAN, n, at_ns + MS // 2, photon, 20 * MS, input_sequence=n, **common)
        return n

    def command(
        self, tick_ms: float, chunk: int, photon_ms: float, *, rung: int = 0, late_ms: float = 0.0, outcome: int = 0
    ) -> None:
        """A tick: 1 ms of inverse kinematics, 1 ms of sending."""
        tick, photon = round(tick_ms * MS), round(photon_ms * MS) if chunk >= 0 else -1
        common = {"camera": 0 if chunk >= 0 else -1, "frame": chunk}
        failed = outcome == Outcome.ERROR
        self._row(
            Stage.IK, -1 if failed else self.commands, tick, photon, MS, input_sequence=chunk, rung=rung,
            wait_ns=round(late_ms * MS), outcome=outcome, **common,
        )  # fmt: skip
        if not failed:
            self._row(Stage.SEND, self.commands, tick + MS, photon, MS, input_sequence=self.commands, **common)
            self.commands += 1

    def decision(self, at_ms: float, rung: Rung, reason: Reason, value_ms: float = 0.0, limit_ms: float = 0.0) -> None:
        self.ledger.append(
            Stage.LADDER, 0, round(at_ms * MS), -1, rung=rung, decision=reason, other=Stage.DETECT,
            measured_ns=round(value_ms * MS), modelled_ns=round(limit_ms * MS), wait_ns=-MS,
        )  # fmt: skip

    def _row(self, stage: Stage, sequence: int, now_ns: int, photon_ns: int, took_ns: int, **more: Any) -> None:
        self.ledger.append(stage, sequence, now_ns, photon_ns, modelled_ns=took_ns, measured_ns=took_ns + 7, **more)

    def rows(self) -> Rows:
        return self.ledger.take()


def two_frames() -> Run:
    """Reactions of 52 and 102 ms, ages of 52, 62, 102 ms; a command before any chunk."""
    run = Run()
    run.episode(0)
    run.command(0, -1, 0)
    chunk = run.frame(0)
    run.command(50, chunk, 0)
    run.command(60, chunk, 0, late_ms=2.5)
    chunk = run.frame(100, detect_ms=60)
    run.command(200, chunk, 100)
    return run


def series(rows: Rows, **options: Any) -> dict[str, Any]:
    """As the page gets it: through JSON."""
    made: dict[str, Any] = json.loads(json.dumps(report_series(rows, BUDGET, **options), allow_nan=False))
    return made


def test_the_timeline_is_ages_and_reactions_when_commands_were_sent() -> None:
    found = series(two_frames().rows())["timeline"]
    assert found["command_age"]["t_s"] == [0.052, 0.062, 0.202]
    assert found["command_age"]["ms"] == [52.0, 62.0, 102.0]
    assert (found["reaction"]["t_s"], found["reaction"]["ms"]) == ([0.052, 0.202], [52.0, 102.0])
    assert (found["command_age"]["limit_ms"], found["reaction"]["limit_ms"]) == (100.0, 57.0)


@pytest.mark.parametrize("between", ["held", "without a chunk", "episode"])
def test_where_no_command_followed_a_chunk_the_line_has_a_gap(between: str) -> None:
    run = two_frames()
    if between == "episode":
        run.episode(205)
    else:
        run.command(210, 1 if between == "held" else -1, 100, rung=Rung.HOLD if between == "held" else 0)
    run.command(220, 1, 100)
    ages = series(run.rows())["timeline"]["command_age"]
    assert ages["ms"] == [52.0, 62.0, 102.0, None, 122.0]
    assert ages["t_s"] == sorted(ages["t_s"])
    assert ages["n"] == ages["shown"] == 4


def test_distributions_say_which_fraction_took_at_least_as_long() -> None:
    found = series(two_frames().rows())["ccdf"]
    assert list(found) == [*(stage.label for stage in tuple(Stage)[:7]), "reaction", "command_age", "control_lateness"]
    assert found["command_age"] == {
        "n": 3, "ms": [52.0, 62.0, 102.0], "fraction": [1.0, 0.66667, 0.33333], "limit_ms": 100.0, "statistic": "max"
    }  # fmt: skip
    assert found["control_lateness"]["ms"] == [0.001, 2.5]
    assert found["detect"]["ms"] == [15.0, 60.0]
    assert (found["track"]["limit_ms"], found["track"]["statistic"]) == (None, "p99")


def test_distributions_are_of_this_machine_or_of_the_runs_clock_and_the_course_is_of_the_runs() -> None:
    ledger = Ledger()
    ledger.append(Stage.DETECT, 0, 0, 0, modelled_ns=15 * MS, measured_ns=40 * MS)
    rows = ledger.take()
    assert series(rows)["ccdf"]["detect"]["ms"] == [40.0]
    assert series(rows, modelled=True)["ccdf"]["detect"]["ms"] == [15.0]
    assert [lane["n"] for lane in series(rows)["marks"] if lane["lane"] == "detect"] == [0]


@pytest.mark.parametrize("outcome", [Outcome.ERROR, Outcome.DROPPED])
def test_an_activation_that_failed_took_no_time(outcome: Outcome) -> None:
    ledger = Ledger()
    ledger.append(Stage.DETECT, -1, 0, 0, measured_ns=40 * MS, outcome=outcome)
    assert series(ledger.take())["ccdf"]["detect"]["n"] == 0


def test_misses_are_marks_when_they_happened() -> None:
    lanes = {lane["lane"]: lane for lane in series(two_frames().rows())["marks"] if lane["kind"] == "miss"}
    found = {name: (lane["t_s"], lane["value_ms"], lane["count"]) for name, lane in lanes.items() if lane["n"]}
    assert found == {
        "detect": ([0.165], [60.0], [1]),
        "reaction": ([0.202], [102.0], [1]),
        "command_age": ([0.202], [102.0], [1]),
        "control_lateness": ([0.06], [2.5], [1]),
    }
    assert lanes["track"]["limit_ms"] is None


@pytest.mark.parametrize(
    ("rung", "reason", "lane"),
    [
        (Rung.DROP, Reason.OVERTAKEN, "drop"), (Rung.OVERRUN, Reason.LONGER_THAN_P99, "overrun"),
        (Rung.PREDICT, Reason.LITTLE_TIME_LEFT, "predict"), (Rung.FALLBACK, Reason.MISSES, "fallback"),
        (Rung.CONTINUE, Reason.NO_FRESH_CHUNK, "continue"), (Rung.HOLD, Reason.CHUNK_EXHAUSTED, "hold"),
        (Rung.STOP, Reason.WATCHDOG, "stop"), (Rung.DROP, Reason.KEPT_AGAIN, "back"),
        (Rung.FALLBACK, Reason.KEPT_AGAIN, "back"), (Rung.DROP, Reason.OPERATOR_RESET, "back"),
        (Rung.DROP, Reason.NEW_CELL, "back"),
    ],
)  # fmt: skip
def test_each_decision_is_a_mark_with_its_reason(rung: Rung, reason: Reason, lane: str) -> None:
    run = two_frames()
    run.decision(70, rung, reason, value_ms=20.0, limit_ms=15.0)
    found = [made for made in series(run.rows())["marks"] if made["kind"] == "ladder" and made["n"]]
    assert found == [
        {
            "lane": lane, "kind": "ladder", "n": 1, "t_s": [0.07], "value_ms": [20.0], "count": [1],
            "limit_ms": [15.0], "slack_ms": [-1.0], "reason": [reason.sentence], "stage": ["detect"],
        }
    ]  # fmt: skip


def test_spans_are_what_the_control_loop_did() -> None:
    run = two_frames()
    for tick_ms, rung in ((210, 4), (220, 4), (230, 5), (240, 0), (250, 6), (260, 6)):
        run.command(tick_ms, 1, 100, rung=rung)
    run.episode(300)
    run.command(310, -1, 0, rung=Rung.STOP)
    assert series(run.rows())["spans"] == {
        "from_s": [0.21, 0.23, 0.25, 0.31], "to_s": [0.23, 0.24, 0.26, 0.31],
        "rung": ["continue", "hold", "stop", "stop"],
    }  # fmt: skip


def test_episodes_and_the_span_of_the_run() -> None:
    run = two_frames()
    run.episode(300)
    found = series(run.rows())
    assert found["episodes"] == {"t_s": [0.0, 0.3], "number": [0, 0]}
    assert found["span_s"] == [0.0, 0.3]


def test_a_run_of_nothing_has_empty_series() -> None:
    found = series(np.empty(0, ROW))
    assert found["worst"] == []
    assert found["spans"] == {"from_s": [], "to_s": [], "rung": []}
    assert all(curve["n"] == 0 for curve in found["ccdf"].values())
    assert found["timeline"]["command_age"]["ms"] == []


def test_a_long_run_stays_small_and_keeps_its_peaks() -> None:
    run = Run()
    run.episode(0)
    chunk = run.frame(0)
    for tick in range(6000):
        peak = tick == 4321
        run.command(10.0 * tick + 50, chunk, 10.0 * tick - (400 if peak else tick % 7))
    found = series(run.rows())
    ages = found["timeline"]["command_age"]
    assert ages["shown"] == len(ages["ms"]) == 2000
    assert ages["n"] == 6000
    assert max(ages["ms"]) == 452.0
    assert ages["t_s"][ages["ms"].index(452.0)] == 43.262
    assert len(found["ccdf"]["command_age"]["ms"]) <= 200
    missed = next(lane for lane in found["marks"] if lane["lane"] == "command_age")
    assert (missed["n"], missed["value_ms"]) == (1, [452.0])
    assert len(json.dumps(found)) < 120_000


def test_marks_that_fall_together_are_counted() -> None:
    run = two_frames()
    for index in range(1000):
        run.decision(1000 + index, Rung.OVERRUN, Reason.LONGER_THAN_P99, value_ms=15.0 + index % 10, limit_ms=15.0)
    lane = next(lane for lane in series(run.rows())["marks"] if lane["lane"] == "overrun")
    assert (lane["n"], sum(lane["count"]), max(lane["value_ms"])) == (1000, 1000, 24.0)
    assert len(lane["t_s"]) == len(lane["reason"]) <= 200


@given(st.lists(st.tuples(st.integers(0, 10**12), st.integers(0, 10**9)), max_size=60), st.integers(1, 20))
def test_thinning_keeps_the_largest_and_loses_none(events: list[tuple[int, int]], count: int) -> None:
    at_ns = np.array([event[0] for event in events], dtype=np.int64)
    values = np.array([event[1] for event in events], dtype=np.int64)
    kept, together = largest_of_stretches(at_ns, values, count)
    assert len(kept) <= count or len(kept) == len(events) <= count
    assert together.sum() == len(events)
    assert kept.tolist() == sorted(set(kept.tolist()))
    if events:
        assert values[kept].max() == values.max()


def test_the_example_of_thinning_is_true() -> None:
    assert doctest.testmod(thinning).failed == 0


def test_every_rung_has_a_meaning_on_the_page() -> None:
    assert list(MEANINGS) == [rung.name.lower() for rung in Rung]


def test_series_and_report_agree_and_make_a_page() -> None:
    config: Config = load_config("sim_pick_place")
    run = two_frames()
    run.command(210, 1, 100, rung=Rung.HOLD)
    run.command(220, -1, 0, outcome=Outcome.ERROR)
    run.decision(230, Rung.STOP, Reason.STAGE_FAILED)
    rows = run.rows()
    tally = Tally.of(config)
    tally.add(rows)
    report = RunAccount(config, tally).document()
    found = report_series(rows, config.budget)
    for name in ("reaction", "command_age", "control_lateness"):
        assert found["ccdf"][name]["n"] == report[name]["n"]
        assert found["ccdf"][name]["ms"][-1] == pytest.approx(report[name]["max_ms"], abs=1.1e-3)
    misses = {lane["lane"]: lane["n"] for lane in found["marks"] if lane["kind"] == "miss"}
    for name in ("reaction", "command_age", "control_lateness"):
        assert misses[name] == report[name]["misses"]
    for key, value in Parsed(html_page(report, found, "run")).figures:
        assert at(found if key.startswith("worst.") else report, key) == value, key
