"""The budget's section of the configuration: each mistake is one line with key, value and remedy."""

from __future__ import annotations

import pytest

from deploy.errors import BadInput
from launch.config import load_config
from launch.config.budget import CLAUSES, FENCED, STAGES, BudgetConfig, FallbackConfig, LadderConfig
from launch.config.load import PACKAGED

SIM = "sim_pick_place"


def error_of(*assignments: str) -> str:
    with pytest.raises(BadInput) as caught:
        load_config(SIM, ["budget=orin_agx", *assignments])
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 400
    return message


@pytest.mark.parametrize(
    ("assignment", "key", "expected"),
    [
        # numbers
        ("budget.reaction_ms=0", "budget.reaction_ms", "expected > 0 in milliseconds, found 0"),
        ("budget.reaction_ms=-57", "budget.reaction_ms", "expected > 0 in milliseconds, found -57"),
        ("budget.reaction_ms=57ms", "budget.reaction_ms", "expected a plain number in milliseconds, found '57ms'"),
        ("budget.command_age_ms=.nan", "budget.command_age_ms", "expected a finite number in milliseconds, found nan"),
        ("budget.ladder.hold_age_ms=.inf", "budget.ladder.hold_age_ms", "expected a finite number in milliseconds"),
        ("budget.ladder.watchdog_ms=0", "budget.ladder.watchdog_ms", "expected > 0 in milliseconds, found 0"),
        ("budget.ladder.failures=0", "budget.ladder.failures", "expected >= 1, found 0"),
        ("budget.ladder.failures=1.5", "budget.ladder.failures", "expected a whole number, found 1.5"),
        ("budget.ladder.overrun=perhaps", "budget.ladder.overrun", "expected true or false, found 'perhaps'"),
        ("budget.ladder.fallback.misses=0", "budget.ladder.fallback.misses", "expected >= 1, found 0"),
        ("budget.ladder.fallback.recover=0", "budget.ladder.fallback.recover", "expected >= 1, found 0"),
        # keys
        ("budget.reaction=57", "budget.reaction", "unknown key; did you mean reaction_ms? mind the unit"),
        ("budget.ladder.hold_age_s=2", "budget.ladder.hold_age_s", "did you mean hold_age_ms? mind the unit"),
        ("budget.ladder.watchdgo_ms=9", "budget.ladder.watchdgo_ms", "unknown key; did you mean watchdog_ms?"),
        ("budget.ladder.fallback.miss=3", "budget.ladder.fallback.miss", "unknown key; did you mean misses?"),
        ("budget.stages_ms.detct=9", "budget.stages_ms.detct", "no such stage; there are capture, detect, localize"),
        ("budget.hard_ms.send=9", "budget.hard_ms.send", "no stage whose late result can be fenced; there are detect"),
        ("budget.hard_ms.track=9", "budget.hard_ms.track", "no stage whose late result can be fenced; there are"),
        ("budget.ladder=fast", "budget.ladder", "expected keys with values: overrun, predict_age_ms, fallback"),
        ("budget.stages_ms=[1, 2]", "budget.stages_ms", "expected keys with values"),
        # what does not go together
        ("budget.ladder.hold_age_ms=500", "budget.ladder.hold_age_ms", "500 is less than fresh_age_ms, 600"),
        ("budget.ladder.stop_age_ms=2000", "budget.ladder.stop_age_ms", "2000 is less than hold_age_ms, 2100"),
        ("budget.ladder.hold_age_ms=2200", "budget.ladder.hold_age_ms", "2200 is more than command_age_ms, 2100: the"),
        (
            "budget.command_age_ms=2000",
            "budget",
            "2100 is more than command_age_ms, 2000: the contract would be broken",
        ),
        ("budget.hard_ms.detect=14", "budget.hard_ms.detect", "14 is less than the stage's p99, 15"),
        (
            "budget.ladder.fallback.misses=11",
            "budget.ladder.fallback.misses",
            "11 of the last 10 cannot be; expected at",
        ),
        ("budget.ignore=[stage.detct]", "budget.ignore", "no such clause 'stage.detct'; there are stage.capture, "),
        ("budget.ignore=reaction", "budget.ignore", "expected a list, found 'reaction'"),
        ("budget=orin", "budget 'orin'", "not found here or among the packaged ones: cpu_2core, orin_agx"),
    ],
)
def test_a_mistake_is_one_line_with_key_value_and_remedy(assignment: str, key: str, expected: str) -> None:
    message = error_of(assignment)
    assert key in message
    assert expected in message


def test_the_next_rung_that_is_there_is_compared() -> None:
    """A rung that is left out does not hide that the others are in the wrong order."""
    message = error_of("budget.ladder.hold_age_ms=null", "budget.ladder.stop_age_ms=500")
    assert "500 is less than fresh_age_ms, 600" in message


@pytest.mark.parametrize(
    "assignments",
    [
        ["budget.ladder.fresh_age_ms=null", "budget.ladder.hold_age_ms=100"],
        ["budget.ladder.hold_age_ms=600"],  # two rungs at one age: the higher one is taken
        ["budget.ladder.stop_age_ms=null"],
        ["budget.command_age_ms=null", "budget.ladder.hold_age_ms=3000"],
        ["budget.hard_ms.detect=15"],
        ["budget.stages_ms={}", "budget.hard_ms={detect: 1}"],
        ["budget.ladder.fallback=null"],
        ["budget.ladder.fallback.misses=10"],
        ["budget.ignore=[reaction, stage.detect, hard.plan, safe_stop]"],
        ["budget={}"],
    ],
)
def test_what_goes_together(assignments: list[str]) -> None:
    load_config(SIM, ["budget=orin_agx", *assignments])


@pytest.mark.parametrize("name", sorted(path.stem for path in (PACKAGED / "budgets").glob("*.yaml")))
def test_packaged_contracts_have_every_rung_in_order(name: str) -> None:
    budget = load_config(SIM, [f"budget={name}"]).budget
    rules = budget.ladder
    assert budget.name == name
    assert set(budget.stages_ms) == set(STAGES)
    ages = (rules.predict_age_ms, rules.fresh_age_ms, rules.hold_age_ms, rules.stop_age_ms)
    assert None not in ages
    assert list(ages) == sorted(ages)  # type: ignore[type-var]
    assert rules.feedback_age_ms is not None
    assert rules.watchdog_ms is not None
    # the watchdog must not bark at a tick that is only fenced
    assert rules.watchdog_ms > budget.hard_ms["ik"]
    # photons that a plan may start from must be young enough to be followed when it is there
    assert budget.detections_age_ms is not None
    assert rules.hold_age_ms is not None
    assert budget.detections_age_ms + budget.hard_ms["plan"] < rules.hold_age_ms


def test_no_contract_is_no_rung() -> None:
    """But for what costs nothing: overruns would be noted, and a stage that fails for ever ends the run."""
    rules = BudgetConfig().ladder
    assert rules == LadderConfig()
    ages = ("predict", "fresh", "hold", "stop", "feedback")
    assert [getattr(rules, f"{name}_age_ms") for name in ages] == [None] * 5
    assert rules.watchdog_ms is None
    assert (rules.overrun, rules.failures, rules.fallback) == (True, 3, FallbackConfig())


def test_each_stage_and_fence_is_a_clause() -> None:
    assert {f"stage.{name}" for name in STAGES} <= set(CLAUSES)
    assert {f"hard.{name}" for name in FENCED} <= set(CLAUSES)
    assert len(CLAUSES) == len(set(CLAUSES))
