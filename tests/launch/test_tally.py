from __future__ import annotations

from launch.config.budget import BudgetConfig
from launch.ledger import Ledger, Outcome, Stage
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
    tally = Tally(BudgetConfig(stages_ms={"detect": 15.0}, reaction_ms=57.0), virtual=True)
    tally.add(one_reaction().take())
    assert tally.reaction.n == 2
    assert (tally.reaction.p50_ms, tally.reaction.max_ms, tally.reaction.misses) == (52.0, 122.0, 1)
    assert (tally.command_age.n, tally.command_age.max_ms) == (3, 122.0)
    assert (tally.control_period.n, tally.control_period.p50_ms) == (2, 10.0)
    assert tally.commands == 3


def test_stages_show_what_the_machine_took_unless_asked_for_the_model() -> None:
    tally = Tally(BudgetConfig(stages_ms={"detect": 15.0}), virtual=True)
    tally.add(one_reaction().take())
    assert (tally.stages()["detect"].p50_ms, tally.stages()["detect"].misses) == (20.0, 1)
    assert (tally.stages(modelled=True)["detect"].p50_ms, tally.stages(modelled=True)["detect"].misses) == (15.0, 0)
    assert list(tally.stages()) == ["capture", "detect", "localize", "track", "plan", "ik", "send"]
    assert tally.stages()["plan"].n == 0


def test_on_the_wall_clock_instants_follow_measured_durations() -> None:
    tally = Tally(BudgetConfig(), virtual=False)
    tally.add(one_reaction().take())
    assert tally.reaction.p50_ms == 54.0


def test_dropped_frames_are_overwritten_ones_and_gaps() -> None:
    ledger = Ledger()
    ledger.append(Stage.EPISODE, 0, 0, 0)
    for sequence in (0, 1, 4):  # 0 is overwritten by 1, 2 and 3 never came
        ledger.append(Stage.CAPTURE, sequence, 0, 0, camera=0)
        if sequence == 1:
            ledger.append(Stage.DETECT, 0, 0, 0, camera=0, input_sequence=1)
    ledger.append(Stage.EPISODE, 1, 0, 0)
    ledger.append(Stage.CAPTURE, 5, 0, 0, camera=0)
    tally = Tally(BudgetConfig(), virtual=True)
    tally.add(ledger.take())
    assert (tally.frames, tally.dropped_frames, tally.episodes) == (4, 3, 2)


def test_an_activation_that_was_dropped_has_no_duration() -> None:
    ledger = Ledger()
    ledger.append(Stage.LOCALIZE, -1, 0, 0, outcome=Outcome.DROPPED, measured_ns=5 * MS)
    tally = Tally(BudgetConfig(), virtual=True)
    tally.add(ledger.take())
    assert tally.stages()["localize"].n == 0
