"""The contract: each clause with the value that keeps it and the one that breaks it."""

from __future__ import annotations

from typing import Any

import pytest

from launch.config.budget import BudgetConfig
from launch.contract import judge
from launch.ledger import Ledger, Outcome, Reason, Rung, Stage
from launch.tally import Tally

MS = 1_000_000


def run(late_ms: int = 0, plan_ms: int = 10, photon_ms: int = 0, period_ms: int = 10, stop: bool = False) -> Tally:
    """Two ticks after a plan; the photons of the plan, and what went wrong."""
    ledger = Ledger()
    ledger.append(Stage.DETECT, 0, 5 * MS, 0, modelled_ns=8 * MS, measured_ns=500 * MS)
    ledger.append(Stage.PLAN, 0, 20 * MS, photon_ms * MS, modelled_ns=plan_ms * MS, measured_ns=plan_ms * MS)
    for number in range(2):
        now = (40 + number * period_ms) * MS
        ledger.append(Stage.IK, number, now, photon_ms * MS, input_sequence=0, modelled_ns=MS, wait_ns=late_ms * MS)
        ledger.append(Stage.SEND, number, now + MS, photon_ms * MS, input_sequence=number, modelled_ns=MS)
    if stop:
        ledger.append(Stage.LADDER, 0, 60 * MS, 0, decision=Reason.WATCHDOG, rung=Rung.STOP)
    tally = Tally(BUDGET, control_period_ns=10 * MS)
    tally.add(ledger.take())
    return tally


BUDGET = BudgetConfig(
    name="test", stages_ms={"detect": 15.0, "plan": 20.0}, hard_ms={"plan": 100.0}, reaction_ms=50.0,
    command_age_ms=80.0, control_period_ms=10.0, control_lateness_ms=2.0, detections_age_ms=30.0,
)  # fmt: skip


@pytest.mark.parametrize(
    ("what", "lost", "broken"),
    [
        ({}, 0, []),  # the detector's 500 ms were this machine's, not the run's
        ({"plan_ms": 21}, 0, ["stage.plan"]),
        ({"plan_ms": 101}, 0, ["stage.plan", "hard.plan"]),
        ({"late_ms": 3}, 0, ["control_lateness"]),
        ({"photon_ms": -20}, 0, ["reaction", "detections_age"]),
        ({"photon_ms": -50}, 0, ["reaction", "command_age", "detections_age"]),
        ({"period_ms": 11}, 0, ["control_period"]),
        ({"stop": True}, 0, ["safe_stop"]),
        ({}, 3, ["lost_rows"]),
    ],
)
def test_a_broken_clause_is_named(what: dict[str, Any], lost: int, broken: list[str]) -> None:
    contract = judge(run(**what), lost)
    assert [clause.clause for clause in contract.broken] == broken
    assert contract.kept is (not broken)


def test_a_clause_that_is_ignored_is_told_and_breaks_nothing() -> None:
    tally = run(plan_ms=21)
    tally.budget = BUDGET.model_copy(update={"ignore": ("stage.plan",)})
    contract = judge(tally)
    assert contract.kept
    told = {row["clause"]: (row["kept"], row["ignored"]) for row in contract.to_dict()["clauses"]}
    assert told["stage.plan"] == (False, True)


def test_a_budget_without_clauses_asks_for_no_safe_stop_and_nothing_lost() -> None:
    ledger = Ledger()
    ledger.append(Stage.IK, 0, 0, 0, outcome=Outcome.STALE, modelled_ns=900 * MS)
    tally = Tally(BudgetConfig())
    tally.add(ledger.take())
    assert [clause.clause for clause in judge(tally).clauses] == ["safe_stop", "lost_rows"]


def test_a_clause_says_value_and_limit() -> None:
    assert judge(run(plan_ms=21)).broken[0].describe() == "stage.plan: p99 21 ms, limit 20"


def test_an_arm_that_no_frame_ever_moved_kept_nothing() -> None:
    ledger = Ledger()
    ledger.append(Stage.CAPTURE, 0, 0, 0, camera=0)
    ledger.append(Stage.IK, 0, 10 * MS, -1, outcome=Outcome.HELD, modelled_ns=MS)
    tally = Tally(BUDGET)
    tally.add(ledger.take())
    assert [clause.describe() for clause in judge(tally).broken] == ["reaction: no command ever used a frame"]
