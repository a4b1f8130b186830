"""Faults on the virtual clock: what the ladder decides and when, what the arm does, and how it comes back.

Each run also has its whole ledger walked through (`rules.py`): no stale command was ever sent.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest

pytest.importorskip("mujoco", reason="the simulator's extra is not installed: pip install '.[sim]'")

from launch.config.budget import FallbackConfig
from launch.ledger import ROW_FIELDS, Outcome, Reason, Rung, Stage
from launch.schedulers.notes import STARVED
from launch.streams import Item
from launch.tally import Tally
from policy import ScheduleMode
from tests.launch.faults.parts import MS, PERIOD_NS, SECOND, BreakingControl, Run, grey_frame
from tests.launch.faults.virtual_cell import FOR_EVER, ORIN, VirtualCell, after, rules

KEPT = (Rung.DROP, Reason.KEPT_AGAIN)
KEPT_FALLBACK = (Rung.FALLBACK, Reason.KEPT_AGAIN)
BRAKING_NS = 500 * MS


def breaks(*calls: int) -> Callable[[int], None]:
    """A part that raises at these calls."""

    def fault(call: int) -> None:
        if call in calls:
            raise ArithmeticError(f"call {call} is broken")

    return fault


def always(call: int) -> None:
    """A part that raises from its tenth call on."""
    if call >= 10:
        raise ArithmeticError(f"call {call} is broken")


def test_nothing_breaks_and_nothing_is_decided() -> None:
    cell = VirtualCell()
    run = cell.run(3.0)
    assert run.decisions == []
    assert run.moves(SECOND)
    assert len(set(run.followed())) > 10
    assert cell.policy.resets == 1


# -- a slow detector ---------------------------------------------------------------------------------------------------


def test_a_detector_three_times_as_slow_is_noted_and_the_arm_goes_on() -> None:
    """The deadline of `reaction` is broken by each frame: that is no reason to hold."""
    cell = VirtualCell()
    cell.slow[Stage.DETECT] = after(1.0, cell, lambda took_ns: 3 * took_ns)
    run = cell.run(4.0)
    overruns = [d for d in run.decisions if d.rung is Rung.OVERRUN]
    assert len(overruns) == 30  # each frame of three seconds
    assert {(d.reason, d.stage, d.value_ns, d.limit_ns) for d in overruns} == {
        (Reason.LONGER_THAN_P99, Stage.DETECT, 45 * MS, 15 * MS)
    }
    slack = run.rows[(run.rows["stage"] == Stage.LADDER) & (run.rows["rung"] == Rung.OVERRUN)]["wait_ns"]
    assert set(slack.tolist()) == {(57 - 5 - 45 - 38) * MS}
    assert run.rungs() == []
    assert run.moves(SECOND)


def test_a_detector_ten_times_as_slow_has_every_other_frame_predicted() -> None:
    cell = VirtualCell(rules(predict_age_ms=250.0))
    cell.slow[Stage.DETECT] = after(1.0, cell, lambda took_ns: 10 * took_ns)
    run = cell.run(4.0)
    predicted = [d for d in run.decisions if d.rung is Rung.PREDICT]
    assert len(predicted) == 15
    for decision in predicted:
        assert decision.value_ns < decision.limit_ns == 15 * MS
    tracks = run.of(Stage.TRACK)
    without = tracks[tracks["rung"] == Rung.PREDICT]
    assert len(without) == len(predicted)
    seen = tracks[tracks["rung"] != Rung.PREDICT]
    for row in without:  # the photons behind a prediction are those of the last look
        assert row["photon_ns"] == seen[seen["order"] < row["order"]]["photon_ns"].max()
        assert row["other"] > row["frame"]
    assert run.rungs() == []
    assert run.moves(SECOND)


def test_a_camera_that_is_slow_by_itself_has_no_frame_left_out() -> None:
    """66 ms from exposure to arrival break the deadline of 57 ms each time: looking less often would not mend that."""
    cell = VirtualCell(frame_ns=33_333_333)
    cell.slow[Stage.CAPTURE] = lambda _took_ns, _engine: 66 * MS
    run = cell.run(4.0)
    assert len(run.of(Stage.DETECT)) == len(run.of(Stage.CAPTURE)) > 100
    assert {d.rung for d in run.decisions} == {Rung.OVERRUN}
    assert run.moves(SECOND)


def test_a_second_cameras_frame_from_before_a_prediction_is_left_out_and_no_failure() -> None:
    """The tracker has moved on to the predicted instant: it would refuse what is 100 ms older, look or no look."""
    cell = VirtualCell()
    executor = cell.executor

    def arrives(stamp_ms: int) -> Item:
        return executor.input_frame(grey_frame(stamp_ms * MS, stamp_ms), (stamp_ms + 5) * MS)

    executor.input_state(cell.arm.read_state(), 0)
    cell.world.advance(20 * MS)
    state = executor.input_state(cell.arm.read_state(), 20 * MS)
    seen = arrives(10)
    found = executor.detect(seen.published_ns, 0, seen.sequence)
    placed = executor.localize(found.published_ns, found.sequence, state.sequence)
    assert placed is not None
    executor.track(placed.published_ns, placed.sequence)
    assert not executor.comes_too_late(arrives(20))
    left_out = arrives(300)
    executor.predict(left_out.published_ns, 0, left_out.sequence)
    assert not executor.comes_too_late(arrives(200))
    assert executor.comes_too_late(arrives(199))
    executor.episode(1, 400 * MS)
    assert not executor.comes_too_late(arrives(1))


def test_a_detector_that_never_returns_is_followed_to_the_end_of_the_chunk_and_then_held_and_stopped() -> None:
    cell = VirtualCell()
    cell.slow[Stage.DETECT] = after(1.0, cell, lambda _: FOR_EVER)
    run = cell.run(20.0)
    seen_ns = run.decided(Rung.STOP, Reason.PHOTONS_TOO_OLD).photon_ns
    assert seen_ns < SECOND
    expected = [
        (Rung.CONTINUE, Reason.NO_FRESH_CHUNK, 600 * MS, 600 * MS),
        (Rung.HOLD, Reason.CHUNK_EXHAUSTED, 1500 * MS, 0),
        (Rung.STOP, Reason.PHOTONS_TOO_OLD, 4000 * MS, 4000 * MS),
    ]
    decided = [d for d in run.decisions if d.rung >= Rung.CONTINUE]
    assert [(d.rung, d.reason, d.limit_ns) for d in decided] == [(r, w, limit) for r, w, _, limit in expected]
    for decision, (_, _, age_ns, _) in zip(decided, expected, strict=True):
        assert age_ns < decision.now_ns - seen_ns <= age_ns + PERIOD_NS
    continued, held, stopped = decided
    assert run.moves(SECOND, held.now_ns)
    assert run.rests(held.now_ns + BRAKING_NS)
    assert run.of(Stage.IK)["now_ns"].max() <= stopped.now_ns + SECOND + PERIOD_NS
    assert run.said == [f"safe stop at {stopped.now_ns * 1e-9:.2f} s: the photons are too old: 4010 ms, limit 4000 ms"]
    overtaken = [d for d in run.decisions if (d.rung, d.reason) == (Rung.DROP, Reason.OVERTAKEN)]
    assert len(overtaken) > 40
    assert continued.photon_ns == seen_ns


def test_photons_become_too_old_before_the_chunk_ends() -> None:
    cell = VirtualCell(rules(hold_age_ms=900.0, stop_age_ms=2000.0))
    cell.slow[Stage.DETECT] = after(1.0, cell, lambda _: FOR_EVER)
    run = cell.run(20.0)
    held = run.decided(Rung.HOLD, Reason.PHOTONS_TOO_OLD)
    # the last command that follows must still be young enough when the next one comes
    assert 890 * MS < held.value_ns <= 900 * MS
    sent = run.of(Stage.SEND)
    followed = sent[(sent["now_ns"] < held.now_ns) & (sent["photon_ns"] >= 0)]
    assert (followed["now_ns"] - followed["photon_ns"]).max() <= 900 * MS
    assert run.rests(held.now_ns + BRAKING_NS)


def test_a_tick_that_takes_long_lets_no_photons_through_that_became_too_old_meanwhile() -> None:
    cell = VirtualCell(rules(hold_age_ms=880.0, stop_age_ms=2000.0))
    cell.slow[Stage.DETECT] = after(1.0, cell, lambda _: FOR_EVER)
    cell.slow[Stage.IK] = after(1.0, cell, lambda _: 40 * MS)  # less than its hard limit, more than a period
    run = cell.run(20.0)
    ticks, sent = run.of(Stage.IK), run.of(Stage.SEND)
    kept = np.isin(ticks["sequence"], sent["input"])
    refused = ticks[~kept & (ticks["outcome"] != Outcome.STALE) & (ticks["rung"] < Rung.HOLD)]
    assert len(refused) >= 1
    assert (refused["now_ns"] - refused["photon_ns"] <= 880 * MS).all()
    assert (refused["now_ns"] + refused["modelled_ns"] - refused["photon_ns"] > 880 * MS).all()


def test_a_smaller_engine_takes_over_and_gives_back() -> None:
    budget = rules(fallback=FallbackConfig(misses=3, of=10, recover=8))
    cell = VirtualCell(budget, fallback=True)
    slow = (1 * SECOND, 2 * SECOND)
    cell.slow[Stage.DETECT] = lambda took_ns, engine: (
        2 * took_ns if engine == 0 and slow[0] <= cell.now_ns < slow[1] else took_ns // 2
    )
    run = cell.run(5.0)
    changes = [(d.reason, d.engine, d.stage) for d in run.decisions if d.rung is Rung.FALLBACK]
    assert changes == [(Reason.MISSES, 1, Stage.DETECT), (Reason.KEPT_AGAIN, 0, Stage.DETECT)]
    taken, back = (d.now_ns for d in run.decisions if d.rung is Rung.FALLBACK)
    assert taken <= slow[0] + 3 * 100 * MS + 40 * MS
    looks = run.of(Stage.DETECT)
    for row in looks:
        assert row["engine"] == int(taken <= row["now_ns"] < back)
    assert np.count_nonzero(looks["engine"]) == 8
    assert cell.smaller is not None
    assert (cell.detector.looks, cell.smaller.looks) == (len(looks) - 8, 8)
    sent = run.of(Stage.SEND)  # each command says which engine is behind it
    assert set(sent[(sent["now_ns"] > taken + 300 * MS) & (sent["now_ns"] < back)]["engine"].tolist()) == {1}
    assert set(sent[sent["now_ns"] > back + 300 * MS]["engine"].tolist()) == {0}
    assert run.rungs() == [KEPT_FALLBACK]
    assert run.moves(SECOND)


def test_an_engine_that_stays_slow_is_tried_less_and_less_often() -> None:
    budget = rules(fallback=FallbackConfig(misses=2, of=4, recover=3), predict_age_ms=None)
    cell = VirtualCell(budget, fallback=True)
    cell.slow[Stage.DETECT] = lambda took_ns, engine: 40 * MS if engine == 0 else took_ns // 2
    run = cell.run(8.0)
    changes = [d for d in run.decisions if d.rung is Rung.FALLBACK]
    kept = [
        sum(1 for row in run.of(Stage.DETECT) if there.now_ns <= row["now_ns"] < back.now_ns)
        for there, back in zip(changes[::2], changes[1::2], strict=False)
    ]
    assert kept[:4] == [3, 6, 12, 24]


@pytest.mark.parametrize(("stage", "hard_ms"), [(Stage.DETECT, 200), (Stage.LOCALIZE, 50)])
def test_what_comes_later_than_its_hard_limit_is_used_by_nothing(stage: Stage, hard_ms: int) -> None:
    budget = ORIN.model_copy(update={"hard_ms": {**ORIN.hard_ms, "localize": 50.0}})
    cell = VirtualCell(budget)
    calls = iter(range(1000))
    cell.slow[stage] = lambda took_ns, _: 220 * MS if next(calls) % 3 == 1 else took_ns
    run = cell.run(4.0)
    fenced = run.decided(Rung.OVERRUN, Reason.FENCED, stage)
    assert (fenced.value_ns, fenced.limit_ns) == (220 * MS, hard_ms * MS)
    made = run.of(stage)
    late = made[made["outcome"] == Outcome.STALE]
    assert len(late) > 5
    used = run.of(Stage.LOCALIZE if stage is Stage.DETECT else Stage.TRACK)["input"]
    assert set(used.tolist()) == set(made["sequence"].tolist()) - set(late["sequence"].tolist())
    assert run.rungs() == []
    assert run.moves(SECOND)


def test_no_plan_is_made_from_old_photons() -> None:
    cell = VirtualCell(ORIN.model_copy(update={"detections_age_ms": 100.0}))
    cell.slow[Stage.DETECT] = after(1.0, cell, lambda _: 120 * MS)
    run = cell.run(4.0)
    refused = run.decided(Rung.CONTINUE, Reason.PHOTONS_TOO_OLD)
    assert (refused.stage, refused.limit_ns) == (Stage.PLAN, 100 * MS)
    assert refused.value_ns > 100 * MS
    plans = run.of(Stage.PLAN)
    assert (plans["now_ns"] - plans["photon_ns"] <= 100 * MS).all()
    held = run.decided(Rung.HOLD, Reason.CHUNK_EXHAUSTED)
    assert run.rests(held.now_ns + BRAKING_NS)


# -- a policy that raises, or is late ---------------------------------------------------------------------------------


def test_a_policy_that_raises_once_is_overcome() -> None:
    cell = VirtualCell()
    cell.policy.fault = breaks(10)
    run = cell.run(4.0)
    assert run.error is None
    failed = run.decided(Rung.CONTINUE, Reason.STAGE_FAILED)
    assert failed.stage is Stage.PLAN
    assert run.rungs() == [(Rung.CONTINUE, Reason.STAGE_FAILED)]
    plans = run.rows[run.rows["stage"] == Stage.PLAN]
    assert np.count_nonzero(plans["outcome"] == Outcome.ERROR) == 1
    assert run.moves(SECOND)
    assert max(run.followed()) == len(run.of(Stage.PLAN)) - 1
    assert run.notes == {"plan failed: ArithmeticError: call 10 is broken": 1}


def test_a_policy_that_always_raises_ends_the_run_with_a_stop() -> None:
    cell = VirtualCell()
    cell.policy.fault = always
    run = cell.run(4.0)
    assert isinstance(run.error, ArithmeticError)
    assert run.rungs() == [(Rung.CONTINUE, Reason.STAGE_FAILED)] * 2 + [(Rung.STOP, Reason.STAGE_FAILED)]
    assert run.decisions[-1].stage is Stage.PLAN
    assert run.told[-1][1] == "stop"
    cell.world.advance(cell.now_ns + SECOND)
    assert np.abs(cell.world.joint_velocities_rad_s).max() < 0.02
    assert run.said[0].endswith("a stage failed (plan)")


def test_a_chunk_that_comes_800_ms_late_is_fenced() -> None:
    cell = VirtualCell()
    plans = iter(range(1000))
    cell.slow[Stage.PLAN] = lambda took_ns, _: 800 * MS if next(plans) == 8 else took_ns
    run = cell.run(5.0)
    fenced = run.decided(Rung.OVERRUN, Reason.FENCED, Stage.PLAN)
    assert (fenced.value_ns, fenced.limit_ns) == (800 * MS, 400 * MS)
    (late,) = run.rows[(run.rows["stage"] == Stage.PLAN) & (run.rows["outcome"] == Outcome.STALE)]
    assert late["sequence"] not in run.followed()
    assert run.rungs() == [(Rung.CONTINUE, Reason.NO_FRESH_CHUNK), KEPT]  # the rest of the chunk before carries it
    assert run.moves(SECOND)


def test_a_policy_that_is_always_800_ms_late_ends_in_a_stop() -> None:
    cell = VirtualCell()
    cell.slow[Stage.PLAN] = after(1.0, cell, lambda _: 800 * MS)
    run = cell.run(20.0)
    assert run.rungs() == [
        (Rung.CONTINUE, Reason.NO_FRESH_CHUNK),
        (Rung.HOLD, Reason.CHUNK_EXHAUSTED),
        (Rung.STOP, Reason.PHOTONS_TOO_OLD),
    ]
    held = run.decided(Rung.HOLD, Reason.CHUNK_EXHAUSTED)
    assert run.followed(held.now_ns) == []
    assert run.rests(held.now_ns + BRAKING_NS)


def starved(run: Run) -> int:
    """Ticks without a chunk, as the ledger tells them."""
    tally = Tally(ORIN)
    tally.add(run.rows)
    return tally.starved_ticks


@pytest.mark.parametrize("mode", ["naive", "blend"])
def test_planning_that_takes_300_ms_is_asked_for_in_time(mode: ScheduleMode) -> None:
    """No horizon: the first chunks run dry while the delay is being learned, no later one does."""
    cell = VirtualCell(mode=mode, horizon_ns=0)
    cell.slow[Stage.PLAN] = lambda _took_ns, _engine: 300 * MS
    run = cell.run(12.0)
    plans = run.of(Stage.PLAN)
    # the 5th is the first that is asked for with 300 ms measured and 300 ms of margin: within a frame of 600 ms left
    left_ns = np.diff(plans["photon_ns"])[4:]
    assert len(left_ns) > 4
    asked_ns = 1500 * MS - (plans["now_ns"][5:] - plans["photon_ns"][4:-1])
    assert (asked_ns <= 600 * MS).all()
    assert (asked_ns >= 500 * MS).all()
    assert starved(run) == run.notes.get(STARVED, 0)
    assert all(d.now_ns < plans["now_ns"][4] for d in run.decisions if d.reason is Reason.CHUNK_EXHAUSTED)
    assert run.moves(SECOND)


def test_synchronous_waits_at_the_end_of_each_chunk_for_a_plan_from_new_photons() -> None:
    cell = VirtualCell(mode="synchronous")
    run = cell.run(8.0)
    plans = run.of(Stage.PLAN)
    assert len(plans) >= 4
    ends_ns = plans["photon_ns"][:-1] + 1500 * MS
    assert (plans["photon_ns"][1:] > ends_ns).all()
    held = [d for d in run.decisions if d.rung is Rung.HOLD and d.now_ns < plans["now_ns"][-1]]
    assert [d.reason for d in held] == [Reason.CHUNK_EXHAUSTED] * len(ends_ns)
    assert starved(run) == run.notes[STARVED] > 4 * len(ends_ns)


def test_an_ensemble_plans_from_each_frame() -> None:
    cell = VirtualCell(mode="ensemble")
    run = cell.run(3.0)
    assert len(run.of(Stage.PLAN)) == len(run.of(Stage.TRACK)) > 25
    assert starved(run) == 0
    assert run.moves(SECOND)


# -- a camera that stalls ---------------------------------------------------------------------------------------------


def test_a_camera_that_stalls_for_two_seconds_is_waited_for() -> None:
    cell = VirtualCell(stall=(1 * SECOND, 3 * SECOND))
    run = cell.run(5.0)
    assert run.rungs() == [(Rung.CONTINUE, Reason.NO_FRESH_CHUNK), (Rung.HOLD, Reason.CHUNK_EXHAUSTED), KEPT]
    held, back = run.decided(Rung.HOLD, Reason.CHUNK_EXHAUSTED), run.decided(*KEPT)
    assert run.rests(held.now_ns + BRAKING_NS, back.now_ns)
    assert run.notes[STARVED] == starved(run) == (back.now_ns - held.now_ns) // PERIOD_NS
    assert back.now_ns <= 3 * SECOND + 60 * MS + PERIOD_NS
    assert back.photon_ns == 3 * SECOND
    assert len(set(run.followed(back.now_ns))) > 5
    assert run.moves(back.now_ns + BRAKING_NS)
    assert cell.ladder.latched is None


def test_a_camera_that_never_comes_back_ends_in_a_stop() -> None:
    run = VirtualCell(stall=(1 * SECOND, FOR_EVER)).run(20.0)
    stopped = run.decided(Rung.STOP, Reason.PHOTONS_TOO_OLD)
    assert 4 * SECOND < stopped.value_ns <= 4 * SECOND + PERIOD_NS
    assert run.rests(stopped.now_ns)


# -- an arm whose feedback stops ---------------------------------------------------------------------------------------


def test_feedback_that_freezes_stops_the_arm() -> None:
    cell = VirtualCell()

    def freeze(now_ns: int) -> None:
        cell.arm.frozen = now_ns >= 1 * SECOND

    run = cell.run(20.0, during=freeze)
    stopped = run.decided(Rung.STOP, Reason.FEEDBACK_SILENT)
    assert 100 * MS < stopped.value_ns <= 100 * MS + PERIOD_NS
    assert stopped.now_ns <= 1 * SECOND + 100 * MS + PERIOD_NS
    assert run.rungs() == [(Rung.STOP, Reason.FEEDBACK_SILENT)]
    assert run.followed(stopped.now_ns) == []
    assert run.rests(stopped.now_ns + BRAKING_NS)
    assert run.said == [
        f"safe stop at {stopped.now_ns * 1e-9:.2f} s: the arm's feedback is silent: 110 ms, limit 100 ms"
    ]


def test_a_new_cell_lets_go_of_the_stop() -> None:
    cell = VirtualCell()

    def freeze(now_ns: int) -> None:
        cell.arm.frozen = 1 * SECOND <= now_ns < 2 * SECOND

    first = cell.run(20.0, during=freeze)
    assert first.rungs() == [(Rung.STOP, Reason.FEEDBACK_SILENT)]
    both = cell.run(2.0, during=freeze)
    again_ns = int(both.of(Stage.EPISODE)["now_ns"][1])
    assert both.rungs()[1:] == [(Rung.DROP, Reason.NEW_CELL)]
    assert both.moves(again_ns + SECOND)
    assert len(set(both.followed(again_ns))) > 5


# -- the control loop itself ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", [Stage.IK, Stage.SEND])
def test_a_control_loop_that_is_silent_is_stopped_by_the_watchdog(stage: Stage) -> None:
    """Also where the tick was sent in time: what counts is that the next one did not begin."""
    cell = VirtualCell()
    cell.slow[stage] = after(1.0, cell, lambda took_ns: 150 * MS if cell.ladder.latched is None else took_ns)
    run = cell.run(20.0)
    stopped = run.decided(Rung.STOP, Reason.WATCHDOG)
    assert stopped.now_ns <= 1 * SECOND + 100 * MS + PERIOD_NS
    assert 100 * MS < stopped.value_ns <= 101 * MS
    assert run.rungs() == [(Rung.STOP, Reason.WATCHDOG)]
    sent = run.of(Stage.SEND)
    assert (sent["now_ns"] < stopped.now_ns).all()
    assert run.told[-1] == (stopped.now_ns, "stop")
    assert run.rests(stopped.now_ns + BRAKING_NS)
    assert run.said[0].endswith("the control loop was silent: 100 ms, limit 100 ms")


def test_a_loop_that_falls_silent_while_it_brakes_is_stopped_too() -> None:
    cell = VirtualCell()
    cell.slow[Stage.IK] = lambda took_ns, _: took_ns if cell.ladder.latched is None else 150 * MS

    def freeze(now_ns: int) -> None:
        cell.arm.frozen = now_ns >= 1 * SECOND

    run = cell.run(20.0, during=freeze)
    assert run.rungs() == [(Rung.STOP, Reason.FEEDBACK_SILENT), (Rung.STOP, Reason.WATCHDOG)]
    first, second = (d for d in run.decisions if d.rung is Rung.STOP)
    assert second.now_ns <= first.now_ns + 100 * MS + PERIOD_NS
    assert run.told[-1] == (second.now_ns, "stop")
    assert run.rests(second.now_ns + BRAKING_NS)
    assert cell.ladder.latched is Reason.FEEDBACK_SILENT


def test_ticks_that_take_too_long_are_fenced_and_never_sent() -> None:
    cell = VirtualCell()
    ticks = iter(range(100_000))
    cell.slow[Stage.IK] = lambda took_ns, _: 60 * MS if next(ticks) % 20 == 0 else took_ns
    run = cell.run(3.0)
    made = run.rows[run.rows["stage"] == Stage.IK]
    fenced = made[made["outcome"] == Outcome.STALE]
    assert len(fenced) > 5
    assert not np.isin(fenced["sequence"], run.of(Stage.SEND)["input"]).any()
    assert run.rungs() == []
    assert run.fastest(2 * SECOND) > 0.1
    assert max(run.followed()) == len(run.of(Stage.PLAN)) - 1


def test_a_control_path_that_raises_stops_at_once() -> None:
    cell = VirtualCell()
    BreakingControl(cell.executor.graph, lambda: cell.now_ns == 1 * SECOND)
    run = cell.run(4.0)
    assert isinstance(run.error, ArithmeticError)
    assert run.rungs() == [(Rung.STOP, Reason.STAGE_FAILED)]
    stopped = run.decisions[-1]
    assert (stopped.now_ns, stopped.stage) == (1 * SECOND, Stage.IK)
    assert run.told[-1] == (1 * SECOND, "stop")
    cell.world.advance(2 * SECOND)
    assert np.abs(cell.world.joint_velocities_rad_s).max() < 0.02


# -- the system's clock, and two faults at once ------------------------------------------------------------------------


def test_a_system_clock_that_steps_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    before = VirtualCell().run(3.0)
    hour, steps = 3600 * SECOND, iter(range(10**9))
    real = time.time_ns

    def stepping() -> int:
        return real() + (hour if next(steps) % 2 else -hour)

    monkeypatch.setattr(time, "time_ns", stepping)
    monkeypatch.setattr(time, "time", lambda: stepping() * 1e-9)
    again = VirtualCell().run(3.0)
    for name in ROW_FIELDS:
        if name != "measured_ns":
            assert np.array_equal(before.rows[name], again.rows[name]), name


def test_a_camera_stalls_while_the_policy_raises() -> None:
    cell = VirtualCell(stall=(1 * SECOND, 3 * SECOND))

    left = [700 * MS, 3 * SECOND]  # the plan that was to carry it through the stall, and the first one after it

    def fault(_call: int) -> None:
        if left and cell.now_ns >= left[0]:
            left.pop(0)
            raise ArithmeticError("broken")

    cell.policy.fault = fault
    run = cell.run(6.0)
    assert run.error is None
    assert run.rungs() == [
        (Rung.CONTINUE, Reason.STAGE_FAILED), (Rung.CONTINUE, Reason.NO_FRESH_CHUNK),
        (Rung.HOLD, Reason.CHUNK_EXHAUSTED), (Rung.CONTINUE, Reason.STAGE_FAILED), KEPT,
    ]  # fmt: skip
    held, back = run.decided(Rung.HOLD, Reason.CHUNK_EXHAUSTED), run.decisions[-1]
    assert run.rests(held.now_ns + BRAKING_NS, back.now_ns)
    assert 3100 * MS < back.now_ns <= 3200 * MS
    assert run.moves(back.now_ns + BRAKING_NS)


def test_a_detector_never_returns_and_the_feedback_freezes() -> None:
    """The first reason to stop is the one that is reported."""
    cell = VirtualCell()
    cell.slow[Stage.DETECT] = after(1.0, cell, lambda _: FOR_EVER)

    def freeze(now_ns: int) -> None:
        cell.arm.frozen = now_ns >= 2 * SECOND

    run = cell.run(20.0, during=freeze)
    assert run.rungs() == [(Rung.CONTINUE, Reason.NO_FRESH_CHUNK), (Rung.STOP, Reason.FEEDBACK_SILENT)]
    stopped = run.decided(Rung.STOP, Reason.FEEDBACK_SILENT)
    assert 2 * SECOND < stopped.now_ns <= 2100 * MS + PERIOD_NS
    assert run.rests(stopped.now_ns + BRAKING_NS)


def test_everything_is_slow_at_once_and_the_arm_still_follows_its_plan() -> None:
    cell = VirtualCell(ORIN, frame_ns=33_333_333)
    for stage in (Stage.CAPTURE, Stage.DETECT, Stage.LOCALIZE, Stage.TRACK, Stage.PLAN):
        cell.slow[stage] = lambda took_ns, _: 4 * took_ns
    run = cell.run(4.0)
    assert run.rungs() == []
    assert run.moves(SECOND)
    assert {d.rung for d in run.decisions} == {Rung.DROP, Rung.OVERRUN, Rung.PREDICT}
