from __future__ import annotations

import pytest

from launch.config.budget import BudgetConfig
from launch.ledger import Ledger, Outcome, Reason, Rung, Stage
from launch.tally import Tally

MS = 1_000_000


def one_reaction() -> Ledger:
    """A frame of photons at 100 ms whose chunk is first used by the command of 150 ms; an older chunk came before."""
    ledger = Ledger()
    ledger.append(Stage.EPISODE, 0, 0, 0)
    ledger.append(Stage.CAPTURE, 0, 105 * MS, 100 * MS, camera=0, modelled_ns=5 * MS, measured_ns=40 * MS)
    ledger.append(
        Stage.DETECT, 0, 105 * MS, 100 * MS, camera=0, input_sequence=0, modelled_ns=15 * MS, measured_ns=20 * MS
    )
    ledger.append(Stage.IK, 0, 140 * MS, 20 * MS, input_sequence=0, modelled_ns=1 * MS, measured_ns=MS)
    ledger.append(Stage.SEND, 0, 141 * MS, 20 * MS, input_sequence=0, modelled_ns=1 * MS, measured_ns=MS)
    ledger.append(Stage.IK, 1, 150 * MS, 100 * MS, input_sequence=1, modelled_ns=1 * MS, measured_ns=MS)
    ledger.append(Stage.SEND, 1, 151 * MS, 100 * MS, input_sequence=1, modelled_ns=1 * MS, measured_ns=3 * MS)
    ledger.append(Stage.IK, 2, 160 * MS, 100 * MS, input_sequence=1, modelled_ns=1 * MS, measured_ns=MS)
    ledger.append(Stage.SEND, 2, 161 * MS, 100 * MS, input_sequence=1, modelled_ns=1 * MS, measured_ns=MS)
    return ledger


def test_reaction_is_the_first_command_of_a_frame_and_age_is_every_command() -> None:
    tally = Tally(BudgetConfig(stages_ms={"detect": 15.0}, reaction_ms=57.0))
    tally.add(one_reaction().take())
    assert tally.reaction.n == 2
    assert (tally.reaction.p50_ms, tally.reaction.max_ms, tally.reaction.misses) == (52.0, 122.0, 1)
    assert (tally.command_age.n, tally.command_age.max_ms) == (3, 122.0)
    assert (tally.control_period.n, tally.control_period.p50_ms) == (2, 10.0)
    assert tally.commands == 3


def test_stages_show_what_the_machine_took_unless_asked_for_the_model() -> None:
    tally = Tally(BudgetConfig(stages_ms={"detect": 15.0}))
    tally.add(one_reaction().take())
    assert (tally.stages()["detect"].p50_ms, tally.stages()["detect"].misses) == (20.0, 1)
    assert (tally.stages(modelled=True)["detect"].p50_ms, tally.stages(modelled=True)["detect"].misses) == (15.0, 0)
    assert list(tally.stages()) == ["capture", "detect", "localize", "track", "plan", "ik", "send"]
    assert tally.stages()["plan"].n == 0


def test_dropped_frames_are_overwritten_ones_and_gaps() -> None:
    ledger = Ledger()
    ledger.append(Stage.EPISODE, 0, 0, 0)
    for sequence in (0, 1, 4):  # 0 is overwritten by 1, 2 and 3 never came
        ledger.append(Stage.CAPTURE, sequence, 0, 0, camera=0)
        if sequence == 1:
            ledger.append(Stage.DETECT, 0, 0, 0, camera=0, input_sequence=1)
    ledger.append(Stage.EPISODE, 1, 0, 0)
    ledger.append(Stage.CAPTURE, 5, 0, 0, camera=0)
    tally = Tally(BudgetConfig())
    tally.add(ledger.take())
    assert (tally.frames, tally.dropped_frames, tally.episodes) == (4, 3, 2)


def test_an_activation_that_was_dropped_has_no_duration() -> None:
    ledger = Ledger()
    ledger.append(Stage.LOCALIZE, -1, 0, 0, outcome=Outcome.DROPPED, measured_ns=5 * MS)
    tally = Tally(BudgetConfig())
    tally.add(ledger.take())
    assert tally.stages()["localize"].n == 0


def test_a_failed_activation_has_no_duration() -> None:
    ledger = Ledger()
    ledger.append(Stage.PLAN, -1, 0, 0, outcome=Outcome.ERROR, measured_ns=5 * MS)
    tally = Tally(BudgetConfig())
    tally.add(ledger.take())
    assert tally.stages()["plan"].n == 0


def commands(*sends: tuple[int, int, int, int]) -> Ledger:
    """Control ticks and what was sent: time of the tick, photons' stamp [ms], rung, outcome of the tick."""
    ledger = Ledger()
    ledger.append(Stage.PLAN, 0, 0, 0, input_sequence=0)
    for number, (now, photon, rung, outcome) in enumerate(sends):
        ledger.append(
            Stage.IK, number, now * MS, photon * MS, input_sequence=0, rung=rung, outcome=outcome, wait_ns=number * MS
        )
        ledger.append(Stage.SEND, number, now * MS, photon * MS, input_sequence=number, modelled_ns=MS, rung=rung)
    return ledger


@pytest.mark.parametrize(
    ("sends", "stale", "ages"),
    [
        ([(10, 0, Rung.DROP, Outcome.OK), (20, 0, Rung.CONTINUE, Outcome.OK)], 0, 2),
        ([(60, 0, Rung.DROP, Outcome.OK)], 1, 1),  # photons of 60 ms, the limit is 50
        ([(60, 0, Rung.HOLD, Outcome.HELD)], 0, 0),  # a hold follows no photons
        ([(10, 0, Rung.DROP, Outcome.STALE)], 1, 1),  # a fenced command that was sent all the same
    ],
)
def test_a_stale_command_that_was_sent_is_counted(
    sends: list[tuple[int, int, int, int]], stale: int, ages: int
) -> None:
    tally = Tally(BudgetConfig(command_age_ms=50.0))
    tally.add(commands(*sends).take())
    assert (tally.stale_commands_sent, tally.command_age.n) == (stale, ages)


def test_a_command_of_a_fenced_chunk_is_stale() -> None:
    ledger = Ledger()
    ledger.append(Stage.PLAN, 0, 0, 0, outcome=Outcome.STALE)
    ledger.append(Stage.IK, 0, 10 * MS, 0, input_sequence=0)
    ledger.append(Stage.SEND, 0, 10 * MS, 0, input_sequence=0)
    tally = Tally(BudgetConfig())
    tally.add(ledger.take())
    assert tally.stale_commands_sent == 1


def test_a_stall_of_the_control_loop_is_corrected_in_the_ages() -> None:
    tally = Tally(BudgetConfig(command_age_ms=1000.0), control_period_ns=10 * MS)
    tally.add(commands((10, 0, 0, 0), (20, 0, 0, 0), (70, 60, 0, 0)).take())  # four ticks are missing
    assert (tally.command_age.n, tally.command_age.max_ms) == (3, 21.0)
    corrected = tally.corrected("command_age")
    assert corrected is not None
    assert (corrected.n, corrected.max_ms) == (7, 61.0)  # 31, 41, 51, 61 ms were never seen


def test_a_hold_is_no_stall() -> None:
    tally = Tally(BudgetConfig(command_age_ms=1000.0), control_period_ns=10 * MS)
    held = [(now, 0, Rung.HOLD, Outcome.HELD) for now in range(20, 70, 10)]
    tally.add(commands((10, 0, 0, 0), *held, (70, 60, 0, 0)).take())
    corrected = tally.corrected("command_age")
    assert corrected is not None
    assert (tally.command_age.n, corrected.n) == (2, 2)


def test_lateness_is_what_the_ticks_waited() -> None:
    tally = Tally(BudgetConfig(control_lateness_ms=1.5), control_period_ns=10 * MS)
    tally.add(commands(*[(10 * tick, 0, 0, 0) for tick in range(1, 4)]).take())
    lateness = tally.control_lateness
    assert (lateness.n, lateness.max_ms, lateness.misses) == (3, 2.0, 1)


def test_decisions_are_counted_by_rung_and_the_way_back_is_not_one() -> None:
    ledger = Ledger()
    for rung, reason in [
        (Rung.OVERRUN, Reason.LONGER_THAN_P99), (Rung.HOLD, Reason.CHUNK_EXHAUSTED), (Rung.DROP, Reason.KEPT_AGAIN),
        (Rung.STOP, Reason.FEEDBACK_SILENT),
    ]:  # fmt: skip
        ledger.append(Stage.LADDER, 0, MS, 0, decision=reason, rung=rung, other=Stage.PLAN)
    tally = Tally(BudgetConfig())
    tally.add(ledger.take())
    assert dict(tally.rungs) == {Rung.OVERRUN: 1, Rung.HOLD: 1, Rung.STOP: 1}
    assert [decision.reason for decision in tally.decisions] == [
        Reason.CHUNK_EXHAUSTED, Reason.KEPT_AGAIN, Reason.FEEDBACK_SILENT,
    ]  # fmt: skip
    assert tally.latched is Reason.FEEDBACK_SILENT
    ledger.append(Stage.LADDER, 0, MS, 0, decision=Reason.OPERATOR_RESET, rung=Rung.DROP, other=-1)
    tally.add(ledger.take())
    assert (tally.latched, tally.stops) == (None, 1)
