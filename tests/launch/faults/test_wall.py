"""Faults on the wall clock, with the loops on threads and the live simulated arm.

The machine may be late: tests wait for what is to happen, and assert what the ladder decided and on which figure, not
when. Each run has its whole ledger walked through (`rules.py`): no stale command was ever sent.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("mujoco", reason="the simulator's extra is not installed: pip install '.[sim]'")

from launch.config.budget import FallbackConfig
from launch.ledger import Outcome, Reason, Rung, Stage
from launch.schedulers import control_loop
from robot.arm import ArmFault, RobotState
from tests.launch.faults.parts import MS, SECOND, BreakingControl, Decision, Run
from tests.launch.faults.wall_cell import LIMIT_MS, SLACK_NS, WALL, WallCell, rules
from tests.launch.live_cell import LiveCell

KEPT = (Rung.DROP, Reason.KEPT_AGAIN)


def is_on_time(decision: Decision, limit_ms: float, early_ms: float = 0.0) -> bool:
    """Whether what was found is over the limit, and not by more than a late machine explains."""
    return (limit_ms - early_ms) * MS <= decision.value_ns <= limit_ms * MS + SLACK_NS


def broken(call: int) -> None:
    raise ArithmeticError(f"call {call} is broken")


class Once:
    """Something that breaks once, when something is so.

    Attributes:
        at_ns: When it began and when it was over [ns]; empty before.
    """

    def __init__(self, cell: WallCell, when: Callable[[], bool], fault: Callable[[], None]) -> None:
        self._cell, self._when, self._fault = cell, when, fault
        self.at_ns: list[int] = []

    def __call__(self, _number: int) -> None:
        if not self.at_ns and self._when():
            self.at_ns.append(self._cell.clock())
            self._fault()
            self.at_ns.append(self._cell.clock())


class Operator:
    """Resets a latched stop once, when something is so.

    Attributes:
        asked: Whether it was latched, and the arm's feedback alive, each time that they were asked.
    """

    def __init__(self, cell: WallCell, when: Callable[[], bool] = lambda: True) -> None:
        self._cell, self._when = cell, when
        self.asked: list[bool] = []
        self.has_reset = False

    def __call__(self) -> bool:
        self.asked.append(self._cell.ladder.latched is not None and not self._cell.arm.frozen)
        if self.has_reset or not self._when():
            return False
        self.has_reset = True
        return True

    @property
    def has_let_go(self) -> bool:
        """Whether the control loop has followed."""
        return self.has_reset and self._cell.ladder.latched is None


def went_on(cell: WallCell, run: Run, stopped: Decision) -> None:
    """The arm rests until the operator's reset, and goes on from where it stands along a plan that begins anew."""
    let_go = run.decided(Rung.DROP, Reason.OPERATOR_RESET)
    assert run.rested(stopped, let_go.now_ns)
    assert run.followed(stopped.now_ns + MS, let_go.now_ns) == []
    assert next(gap for t_ns, gap in cell.arm.gaps if t_ns >= let_go.now_ns) < 0.01
    assert len(set(run.followed(let_go.now_ns))) >= 1
    assert cell.policy.resets == 2
    assert cell.ladder.latched is None


# -- a slow detector ---------------------------------------------------------------------------------------------------


def test_a_detector_three_times_as_slow_is_noted_and_the_arm_goes_on(live: LiveCell) -> None:
    cell = WallCell(live)
    cell.detector.fault = lambda look: time.sleep(0.09 if look > 5 else 0.0)
    run = cell.run(lambda: cell.detector.looks >= 12 and cell.arm.moves)
    overruns = [d for d in run.decisions if (d.rung, d.stage) == (Rung.OVERRUN, Stage.DETECT)]
    assert len(overruns) >= 5
    assert all(d.value_ns >= 60 * MS and d.limit_ns == 60 * MS for d in overruns)
    assert cell.ladder.latched is None


def test_a_detector_ten_times_as_slow_has_frames_predicted(live: LiveCell) -> None:
    cell = WallCell(live)
    cell.detector.fault = lambda look: time.sleep(0.28 if look > 3 else 0.0)
    run = cell.run(lambda: cell.detector.looks >= 8 and cell.arm.moves)
    predicted = [d for d in run.decisions if d.rung is Rung.PREDICT]
    assert len(predicted) >= 2
    assert all(d.value_ns < d.limit_ns == 60 * MS for d in predicted)
    tracks = run.of(Stage.TRACK)
    without, seen = tracks[tracks["rung"] == Rung.PREDICT], tracks[tracks["rung"] != Rung.PREDICT]
    assert len(without) == len(predicted)
    for row in without:
        assert row["photon_ns"] == seen[seen["order"] < row["order"]]["photon_ns"].max()
    assert cell.ladder.latched is None


def test_a_detector_that_never_returns_is_held_and_then_stopped(live: LiveCell) -> None:
    cell = WallCell(live, rules(stop_age_ms=1500.0))
    returns = threading.Event()
    cell.detector.fault = Once(cell, lambda: cell.is_under_way, lambda: returns.wait(30.0) and None)

    def until() -> bool:
        if cell.has_stopped_for(0.7):
            returns.set()
        return returns.is_set()

    run = cell.run(until)
    held, stopped = run.decided(Rung.HOLD, Reason.PHOTONS_TOO_OLD), run.decided(Rung.STOP, Reason.PHOTONS_TOO_OLD)
    assert is_on_time(held, 1000, early_ms=10)  # the next command would be too old
    assert is_on_time(stopped, 1500)
    assert run.followed(held.now_ns) == []
    assert run.rested(held)
    found = f"{stopped.value_ns * 1e-6:.0f} ms, limit 1500 ms"
    assert run.said == [f"safe stop at {stopped.now_ns * 1e-9:.2f} s: the photons are too old: {found}"]


def test_detections_that_come_too_late_are_used_by_nothing(live: LiveCell) -> None:
    cell = WallCell(live, WALL.model_copy(update={"hard_ms": {"detect": 150.0}}))
    cell.detector.fault = lambda look: time.sleep(0.2 if look % 3 == 2 else 0.0)
    run = cell.run(lambda: cell.detector.looks >= 12)
    assert is_on_time(run.decided(Rung.OVERRUN, Reason.FENCED, Stage.DETECT), 150)
    made = run.of(Stage.DETECT)
    late = made[made["outcome"] == Outcome.STALE]
    assert len(late) >= 3
    assert not np.isin(late["sequence"], run.of(Stage.LOCALIZE)["input"]).any()
    assert cell.ladder.latched is None


def test_a_smaller_engine_takes_over_and_gives_back(live: LiveCell) -> None:
    cell = WallCell(live, rules(fallback=FallbackConfig(misses=2, of=4, recover=5)), fallback=True)
    cell.detector.fault = lambda look: time.sleep(0.08 if 4 <= look <= 7 else 0.0)
    run = cell.run(lambda: cell.detector.looks >= 12)
    changes = [d for d in run.decisions if d.rung is Rung.FALLBACK]
    assert [(d.reason, d.engine) for d in changes[:2]] == [(Reason.MISSES, 1), (Reason.KEPT_AGAIN, 0)]
    looks = run.of(Stage.DETECT)
    smaller = looks[looks["engine"] == 1]
    assert len(smaller) >= 5
    assert cell.smaller is not None
    assert cell.smaller.looks == len(smaller)
    between = (looks["now_ns"] >= changes[0].now_ns) & (looks["now_ns"] < changes[1].now_ns - 1)
    assert (looks["engine"][between] == 1).all()
    assert looks["engine"][-1] == 0


# -- a policy that raises, or is late ----------------------------------------------------------------------------------


def test_a_policy_that_raises_once_is_overcome(live: LiveCell) -> None:
    cell = WallCell(live)
    cell.policy.fault = lambda call: broken(call) if call == 3 else None
    run = cell.run(lambda: cell.policy.plans >= 6 and cell.arm.moves)
    assert run.error is None
    assert run.decided(Rung.CONTINUE, Reason.STAGE_FAILED).stage is Stage.PLAN
    assert cell.ladder.latched is None
    assert max(run.followed()) >= 3


def test_a_policy_that_always_raises_ends_the_run_with_a_stop(live: LiveCell) -> None:
    cell = WallCell(live)
    cell.policy.fault = lambda call: broken(call) if cell.is_under_way else None
    run = cell.run(lambda: False)
    assert isinstance(run.error, ArithmeticError)
    failed = [d.rung for d in run.decisions if (d.stage, d.reason) == (Stage.PLAN, Reason.STAGE_FAILED)]
    assert failed == [Rung.CONTINUE, Rung.CONTINUE, Rung.STOP]
    assert run.told[-1][1] == "stop"
    assert cell.comes_to_rest()
    assert run.said[0].endswith("a stage failed (plan)")


def test_a_chunk_that_comes_800_ms_late_is_fenced(live: LiveCell) -> None:
    """Two in a row: there would be time to follow the first one."""
    cell = WallCell(live, rules(hold_age_ms=5000.0))
    cell.policy.fault = lambda call: time.sleep(0.8 if call in (3, 4) else 0.0)
    run = cell.run(lambda: cell.policy.plans >= 6 and cell.arm.moves)
    fenced = run.decided(Rung.OVERRUN, Reason.FENCED, Stage.PLAN)
    assert is_on_time(fenced, 800)
    assert fenced.limit_ns == 400 * MS
    late = run.rows[(run.rows["stage"] == Stage.PLAN) & (run.rows["outcome"] == Outcome.STALE)]
    assert len(late) >= 2
    assert not set(late["sequence"].tolist()) & set(run.followed())
    assert max(run.followed()) > late["sequence"].min()
    assert cell.ladder.latched is None


# -- a camera that stalls ----------------------------------------------------------------------------------------------


def test_a_camera_that_stalls_for_three_seconds_is_waited_for(live: LiveCell) -> None:
    cell = WallCell(live)
    from_ns = cell.start_ns + 300 * MS
    cell.camera.stalls = (from_ns, from_ns + 3 * SECOND)
    run = cell.run(lambda: cell.clock() > from_ns + 3300 * MS and cell.arm.moves)
    held = run.decided(Rung.HOLD, Reason.PHOTONS_TOO_OLD)
    assert is_on_time(held, 1000, early_ms=10)
    back = next(d for d in run.decisions if (d.rung, d.reason) == KEPT and d.now_ns > held.now_ns)
    assert back.photon_ns >= from_ns + 3 * SECOND
    assert run.rested(held, back.now_ns)
    assert run.followed(held.now_ns, back.now_ns) == []
    assert len(run.followed(back.now_ns)) >= 2
    assert cell.ladder.latched is None


# -- an arm whose feedback stops, and the operator ---------------------------------------------------------------------


def test_feedback_that_freezes_stops_the_arm_until_it_is_back_and_the_operator_resets(live: LiveCell) -> None:
    cell = WallCell(live)
    operator = Operator(cell)
    thawed: list[bool] = []

    def until() -> bool:
        if cell.has_stopped_for(0.8):
            thawed.append(True)
        cell.arm.frozen = cell.arm.frozen or (cell.is_under_way and cell.arm.moves)
        cell.arm.frozen &= not thawed
        return operator.has_let_go and cell.arm.moves

    run = cell.run(until, reset_wanted=operator)
    stopped = run.decided(Rung.STOP, Reason.FEEDBACK_SILENT)
    assert is_on_time(stopped, LIMIT_MS)
    assert run.braked_ns(stopped) < run.decided(Rung.DROP, Reason.OPERATOR_RESET).now_ns
    went_on(cell, run, stopped)
    # nobody is asked while there is nothing to let go of, or while the last that is known of the arm is that it moves
    assert operator.asked
    assert all(operator.asked)


@pytest.mark.parametrize("call", ["read", "send"])
def test_an_arm_in_a_fault_is_left_alone_until_the_operator_resets(live: LiveCell, call: str) -> None:
    cell = WallCell(live)
    operator = Operator(cell, when=lambda: latched_for(cell, 0.3))
    hook = Once(
        cell, lambda: cell.is_under_way, lambda: cell.arm.fail(ArmFault("protective_stop", "arm: a protective stop"))
    )
    setattr(cell.arm, f"before_{call}", hook)
    run = cell.run(lambda: operator.has_let_go and cell.arm.moves, reset_wanted=operator)
    stopped = run.decided(Rung.STOP, Reason.ARM_FAULT)
    assert cell.arm.recoveries == 1
    let_go = run.decided(Rung.DROP, Reason.OPERATOR_RESET)
    assert not [what for t_ns, what in run.told if stopped.now_ns < t_ns < let_go.now_ns and what == "send"]
    assert any("a protective stop" in said for said in run.said)
    went_on(cell, run, stopped)


def test_an_arm_that_was_made_ready_late_waits_for_another_reset(
    live: LiveCell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody expects it to move by then."""
    monkeypatch.setattr(control_loop, "RECOVERY_NS", -1)
    cell = WallCell(live)
    first = Operator(cell, when=lambda: latched_for(cell, 0.3))

    def is_ready() -> bool:
        if cell.arm.recoveries == 1 and latched_for(cell, 1.2):
            monkeypatch.setattr(control_loop, "RECOVERY_NS", 4 * SECOND)
            return True
        return False

    second = Operator(cell, when=is_ready)
    cell.arm.before_read = Once(
        cell, lambda: cell.is_under_way, lambda: cell.arm.fail(ArmFault("disconnected", "arm: its host is gone"))
    )
    run = cell.run(
        lambda: second.has_let_go and cell.arm.moves, reset_wanted=lambda: second() if first.has_reset else first()
    )
    stopped = run.decided(Rung.STOP, Reason.ARM_FAULT)
    assert cell.arm.recoveries == 2
    assert any("it took another reset" in note for note in run.notes)
    assert run.decided(Rung.DROP, Reason.OPERATOR_RESET).now_ns > stopped.now_ns + 1200 * MS
    went_on(cell, run, stopped)


def test_an_arm_that_still_brakes_when_an_episode_begins_is_waited_for(live: LiveCell) -> None:
    cell = WallCell(live)
    read = cell.arm.read_state
    seen: list[int] = []

    def brakes() -> RobotState:
        state = read()
        if cell.elapsed_s < 0.5:
            seen.append(cell.clock())
            return replace(state, joint_velocities_rad_s=np.full(6, 0.3))
        return state

    cell.arm.read_state = brakes  # type: ignore[method-assign]
    run = cell.run(lambda: cell.is_under_way)
    assert len(seen) > 5
    sent = [t_ns for t_ns, what in run.told if what == "send"]
    assert sent[0] > seen[-1]
    assert run.rungs(Rung.STOP) == []


def latched_for(cell: WallCell, seconds: float) -> bool:
    """Whether the safe stop has been latched for so long; an arm in a fault gets no commands that could be counted."""
    since_ns = cell.ladder.latched_ns
    return since_ns is not None and cell.clock() > since_ns + seconds * SECOND


def test_an_arm_whose_fault_stays_is_not_let_go(live: LiveCell) -> None:
    cell = WallCell(live)
    cell.arm.stays = True
    operator = Operator(cell, when=lambda: latched_for(cell, 0.2))
    cell.arm.before_read = Once(
        cell, lambda: cell.is_under_way, lambda: cell.arm.fail(ArmFault("emergency_stop", "arm: pressed"))
    )
    run = cell.run(lambda: operator.has_reset and latched_for(cell, 1.0), reset_wanted=operator)
    stopped = run.decided(Rung.STOP, Reason.ARM_FAULT)
    assert cell.arm.recoveries == 1
    assert cell.ladder.latched is Reason.ARM_FAULT
    assert run.followed(stopped.now_ns + MS) == []
    assert any("not ready yet: arm: pressed" in note for note in run.notes)


def test_a_read_that_hangs_is_stopped_by_the_watchdog_and_reset(live: LiveCell) -> None:
    cell = WallCell(live)
    hang = cell.arm.before_read = Once(cell, lambda: cell.is_under_way, lambda: time.sleep(1.2))
    operator = Operator(cell)
    run = cell.run(lambda: operator.has_let_go and cell.arm.moves, reset_wanted=operator)
    stopped = run.decided(Rung.STOP, Reason.WATCHDOG)
    assert is_on_time(stopped, LIMIT_MS)
    went_on(cell, run, stopped)
    # the arm was told while the loop hung, and was sent nothing until the reset
    let_go = run.decided(Rung.DROP, Reason.OPERATOR_RESET)
    told = [(t_ns, what) for t_ns, what in run.told if hang.at_ns[0] < t_ns < let_go.now_ns]
    assert told[0][1] == "stop"
    assert told[0][0] < hang.at_ns[1]
    assert {what for _, what in told} == {"stop"}


def test_a_reset_that_the_loop_could_not_follow_at_once_is_void(live: LiveCell) -> None:
    """Nobody expects the arm to move on seconds after the reset."""
    cell = WallCell(live)
    hang = cell.arm.before_read = Once(cell, lambda: cell.has_stopped_for(0.2), lambda: time.sleep(1.4))
    operator = Operator(cell, when=lambda: bool(hang.at_ns))

    def until() -> bool:
        if cell.is_under_way:
            cell.ladder.latch(Reason.GOVERNOR, cell.clock())
        return len(hang.at_ns) == 2 and cell.clock() > hang.at_ns[1] + 200 * MS

    run = cell.run(until, reset_wanted=operator)
    assert operator.has_reset
    assert Reason.OPERATOR_RESET not in [d.reason for d in run.decisions]
    assert cell.ladder.latched is Reason.GOVERNOR
    assert run.rests(hang.at_ns[0])


def test_a_plan_that_is_under_way_when_the_operator_resets_is_not_followed(live: LiveCell) -> None:
    cell = WallCell(live, rules(hold_age_ms=4000.0).model_copy(update={"hard_ms": {}}))
    under_way: list[int] = []
    operator = Operator(cell, when=lambda: bool(under_way))

    def fault(_call: int) -> None:
        if cell.has_stopped_for(0.7) and not under_way:
            under_way.append(cell.executor.chunks.count)
            while not operator.has_let_go and cell.elapsed_s < 20:
                time.sleep(0.01)
            time.sleep(0.05)
        elif under_way:
            time.sleep(0.1)  # the next one takes its time: there would be ticks that follow the old one

    def until() -> bool:
        if cell.is_under_way and not operator.has_reset:
            cell.ladder.latch(Reason.GOVERNOR, cell.clock())
        return operator.has_let_go and cell.arm.moves

    cell.policy.fault = fault
    run = cell.run(until, reset_wanted=operator)
    went_on(cell, run, run.decided(Rung.STOP, Reason.GOVERNOR))
    assert under_way[0] not in run.followed()
    assert max(run.followed()) > under_way[0]


def test_a_command_that_hangs_on_its_way_is_not_the_last_word(live: LiveCell) -> None:
    """It reaches the arm after the watchdog's stop, so the arm is told to stop again."""
    cell = WallCell(live)
    cell.arm.before_send = Once(cell, lambda: cell.is_under_way, lambda: time.sleep(1.0))
    run = cell.run(lambda: cell.has_stopped_for(0.65))
    stopped = run.decided(Rung.STOP, Reason.WATCHDOG)
    words = [what for t_ns, what in run.told if t_ns > stopped.now_ns]
    assert words[:3] == ["stop", "send", "stop"]
    assert set(words[3:]) == {"stop"}
    assert run.rested(stopped)


def test_a_loop_that_hangs_while_it_brakes_is_stopped_too(live: LiveCell) -> None:
    cell = WallCell(live)
    hang = Once(cell, lambda: cell.ladder.latched is not None, lambda: time.sleep(1.0))

    def before_read(now_ns: int) -> None:
        cell.arm.frozen = cell.is_under_way
        hang(now_ns)

    cell.arm.before_read = before_read
    run = cell.run(lambda: cell.has_stopped_for(0.65))
    stops = [d.reason for d in run.decisions if d.rung is Rung.STOP]
    assert stops == [Reason.FEEDBACK_SILENT, Reason.WATCHDOG]
    assert cell.ladder.latched is Reason.FEEDBACK_SILENT
    barked = run.decided(Rung.STOP, Reason.WATCHDOG)
    assert is_on_time(barked, LIMIT_MS)
    assert {what for t_ns, what in run.told if t_ns > barked.now_ns} == {"stop"}
    assert run.rested(barked)


def test_a_loop_that_hangs_when_the_run_ends_has_its_arm_stopped_by_others(live: LiveCell) -> None:
    cell = WallCell(live, rules(watchdog_ms=None))
    returns = threading.Event()
    hang = cell.arm.before_read = Once(cell, lambda: cell.is_under_way, lambda: returns.wait(20.0) and None)
    stop, told_while_it_hung = cell.arm.stop, []

    def noted() -> None:
        told_while_it_hung.append(not returns.is_set())
        returns.set()
        stop()

    cell.arm.stop = noted  # type: ignore[method-assign]
    run = cell.run(lambda: False, interrupted=lambda: bool(hang.at_ns))
    assert told_while_it_hung[0]
    assert run.error is None
    assert cell.comes_to_rest()


def test_ticks_that_take_too_long_are_fenced_and_never_sent(live: LiveCell) -> None:
    cell = WallCell(live, WALL.model_copy(update={"hard_ms": {"ik": 100.0}}))
    ticks = iter(range(100_000))

    def slow() -> bool:
        time.sleep(0.15 if next(ticks) % 30 == 20 else 0.0)
        return False

    BreakingControl(cell.graph, slow)
    run = cell.run(lambda: cell.executor.commands.count > 90)
    fenced = run.rows[(run.rows["stage"] == Stage.IK) & (run.rows["outcome"] == Outcome.STALE)]
    assert len(fenced) >= 2
    assert not np.isin(fenced["sequence"], run.of(Stage.SEND)["input"]).any()
    assert is_on_time(run.decided(Rung.OVERRUN, Reason.FENCED, Stage.IK), 100)
    assert cell.ladder.latched is None


def test_a_control_path_that_raises_stops_at_once(live: LiveCell) -> None:
    cell = WallCell(live)
    BreakingControl(cell.graph, lambda: cell.is_under_way)
    run = cell.run(lambda: False)
    assert isinstance(run.error, ArithmeticError)
    assert run.decided(Rung.STOP, Reason.STAGE_FAILED).stage is Stage.IK
    assert cell.ladder.latched is Reason.STAGE_FAILED
    assert cell.arm.told[-1][1] == "stop"
    assert cell.comes_to_rest()


# -- the system's clock, and two faults at once ------------------------------------------------------------------------


def test_a_system_clock_that_steps_changes_nothing(live: LiveCell, monkeypatch: pytest.MonkeyPatch) -> None:
    cell = WallCell(live)
    hour, real = 3600 * SECOND, time.time_ns

    def stepping() -> int:
        return real() + (hour if int(cell.elapsed_s * 5) % 2 else -hour)

    monkeypatch.setattr(time, "time_ns", stepping)
    monkeypatch.setattr(time, "time", lambda: stepping() * 1e-9)
    run = cell.run(lambda: cell.elapsed_s > 1.2 and cell.arm.moves)
    assert cell.ladder.latched is None
    for stage in (Stage.CAPTURE, Stage.STATE, Stage.IK, Stage.SEND):
        rows = run.of(stage)
        assert (np.diff(rows["now_ns"]) > 0).all()
        assert (np.diff(rows["photon_ns"][rows["photon_ns"] >= 0]) >= 0).all()
    span_ns = run.rows["now_ns"].max() - run.rows["now_ns"].min()
    assert SECOND < span_ns < 60 * SECOND


def test_a_camera_stalls_while_the_policy_raises(live: LiveCell) -> None:
    cell = WallCell(live)
    from_ns = cell.start_ns + 500 * MS
    cell.camera.stalls = (from_ns, from_ns + 2_500 * MS)
    left = [cell.start_ns + 200 * MS, from_ns + SECOND]

    def fault(call: int) -> None:
        if left and cell.clock() > left[0]:
            left.pop(0)
            broken(call)

    cell.policy.fault = fault
    run = cell.run(lambda: not left and cell.clock() > from_ns + 2_700 * MS and cell.arm.moves)
    assert run.error is None
    assert [d.stage for d in run.decisions if d.reason is Reason.STAGE_FAILED] == [Stage.PLAN] * 2
    held = run.decided(Rung.HOLD, Reason.PHOTONS_TOO_OLD)
    back = next(d for d in run.decisions if (d.rung, d.reason) == KEPT and d.now_ns > held.now_ns)
    assert run.rested(held, back.now_ns)
    assert cell.ladder.latched is None


def test_a_detector_never_returns_and_the_feedback_freezes(live: LiveCell) -> None:
    cell = WallCell(live, rules(hold_age_ms=5000.0))
    returns = threading.Event()
    never = cell.detector.fault = Once(cell, lambda: cell.is_under_way, lambda: returns.wait(30.0) and None)

    def until() -> bool:
        cell.arm.frozen = bool(never.at_ns)
        if cell.has_stopped_for(0.7):
            returns.set()
        return returns.is_set()

    run = cell.run(until)
    stopped = run.decided(Rung.STOP, Reason.FEEDBACK_SILENT)
    assert is_on_time(stopped, LIMIT_MS)
    assert run.rested(stopped)
