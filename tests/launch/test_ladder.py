"""The ladder without a run: each rung, what lets go of it, and what may never trip it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from launch.config import load_config
from launch.config.budget import BudgetConfig, FallbackConfig
from launch.fallback import Fallback
from launch.ladder import NEVER, Ladder, nanoseconds
from launch.ledger import Ledger, Reason, Rows, Rung, Stage
from launch.streams import Item
from policy import ActionChunk

MS = 1_000_000
PERIOD = 10 * MS
ORIN = load_config("sim_pick_place", ["budget=orin_agx"]).budget


def rules(**changes: object) -> BudgetConfig:
    """The reference contract with other rules of the ladder."""
    return ORIN.model_copy(update={"ladder": ORIN.ladder.model_copy(update=changes)})


class Desk:
    """A ladder on a ledger of its own."""

    def __init__(self, budget: BudgetConfig = ORIN, *, has_fallback: bool = False) -> None:
        self.ledger = Ledger()
        self.said: list[str] = []
        self.ladder = Ladder(budget, self.ledger, has_fallback=has_fallback, period_ns=PERIOD, on_stop=self.said.append)

    def rows(self) -> Rows:
        rows = self.ledger.take()
        assert set(rows["stage"].tolist()) <= {int(Stage.LADDER)}
        return rows

    def decisions(self) -> list[tuple[Rung, Reason]]:
        return [(Rung(int(row["rung"])), Reason(int(row["decision"]))) for row in self.rows()]


def frame(photon_ms: float, sequence: int = 7) -> Item:
    return Item(sequence, None, round(photon_ms * MS), round(photon_ms * MS), 0, sequence)


def chunk(photon_ms: float, actions: int = 16, sequence: int = 3) -> Item:
    """A plan of so many actions, 100 ms apart, from photons of that time."""
    stamp_ns = round(photon_ms * MS)
    value = ActionChunk(stamp_ns, 100 * MS, "joint_position", np.zeros((actions, 7)))
    return Item(sequence, value, stamp_ns, stamp_ns, 0, 9)


def tick(ladder: Ladder, now_ms: float, plan: Item | None, feedback_ms: float = 0.0) -> Rung:
    now_ns = round(now_ms * MS)
    return ladder.tick(now_ns, plan, now_ns - round(feedback_ms * MS))


def test_a_limit_that_is_left_out_is_never_reached() -> None:
    assert nanoseconds(None) == NEVER
    assert nanoseconds(2.5) == 2_500_000


# -- control loop: rungs 4 to 6 ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("age_ms", "actions", "rung", "reason", "limit_ms"),
    [
        (0, 60, Rung.DROP, None, 0),
        (600, 60, Rung.DROP, None, 0),
        (600.001, 60, Rung.CONTINUE, Reason.NO_FRESH_CHUNK, 600),
        (1500, 16, Rung.CONTINUE, Reason.NO_FRESH_CHUNK, 600),
        (1500.001, 16, Rung.HOLD, Reason.CHUNK_EXHAUSTED, 0),
        # a command must still be young enough when the next one comes, a period later
        (2090, 60, Rung.CONTINUE, Reason.NO_FRESH_CHUNK, 600),
        (2090.001, 60, Rung.HOLD, Reason.PHOTONS_TOO_OLD, 2100),
        (4000, 60, Rung.HOLD, Reason.PHOTONS_TOO_OLD, 2100),
        (4000.001, 60, Rung.STOP, Reason.PHOTONS_TOO_OLD, 4000),
        (4000.001, 16, Rung.STOP, Reason.PHOTONS_TOO_OLD, 4000),
    ],
)
def test_the_age_of_the_photons_decides(
    age_ms: float, actions: int, rung: Rung, reason: Reason | None, limit_ms: float
) -> None:
    desk = Desk()
    assert tick(desk.ladder, 100 + age_ms, chunk(100, actions)) is rung
    rows = desk.rows()
    if reason is None:
        assert not len(rows)
        return
    (row,) = rows
    assert (row["rung"], row["decision"]) == (rung, reason)
    assert (row["now_ns"], row["photon_ns"]) == (round((100 + age_ms) * MS), 100 * MS)
    assert (row["modelled_ns"], row["input"], row["frame"]) == (round(limit_ms * MS), 3, 9)
    over_ms = age_ms - 100 * (actions - 1) if reason is Reason.CHUNK_EXHAUSTED else age_ms
    assert row["measured_ns"] == round(over_ms * MS)
    assert row["other"] == -1


def test_staying_on_a_rung_is_no_decision_and_the_way_back_is() -> None:
    desk = Desk()
    plan = chunk(0)
    for now_ms in (0, 590, 610, 620, 1490, 1510, 1800):
        tick(desk.ladder, now_ms, plan)
    fresher = chunk(1200)
    tick(desk.ladder, 1810, fresher)
    tick(desk.ladder, 1820, chunk(1810))
    assert desk.decisions() == [
        (Rung.CONTINUE, Reason.NO_FRESH_CHUNK),
        (Rung.HOLD, Reason.CHUNK_EXHAUSTED),
        (Rung.CONTINUE, Reason.KEPT_AGAIN),
        (Rung.DROP, Reason.KEPT_AGAIN),
    ]


def test_without_a_chunk_the_arm_waits_where_it_is_but_not_for_ever() -> None:
    desk = Desk()
    assert [tick(desk.ladder, now_ms, None) for now_ms in (0, 2_000, 3_900)] == [Rung.DROP] * 3
    assert desk.decisions() == []
    assert tick(desk.ladder, 5_000, None) is Rung.STOP
    assert desk.decisions() == [(Rung.STOP, Reason.PHOTONS_TOO_OLD)]


@pytest.mark.parametrize("anew", ["reset", "begin"])
def test_after_a_reset_and_in_a_new_episode_it_waits_anew(anew: str) -> None:
    desk = Desk()
    if anew == "reset":
        desk.ladder.reset(60_000 * 1_000_000, Reason.OPERATOR_RESET)
    else:
        desk.ladder.begin(60_000 * 1_000_000, new_cell=False)
    assert tick(desk.ladder, 62_000, None) is Rung.DROP
    assert tick(desk.ladder, 65_000, None) is Rung.STOP  # the cause is still there


@pytest.mark.parametrize(
    ("changes", "age_ms", "rung"),
    [
        ({"fresh_age_ms": None}, 2000, Rung.DROP),
        ({"fresh_age_ms": None, "hold_age_ms": None}, 3999, Rung.DROP),
        ({"hold_age_ms": None}, 3999, Rung.CONTINUE),
        ({"stop_age_ms": None}, 1e9, Rung.HOLD),
        ({"fresh_age_ms": None, "hold_age_ms": None, "stop_age_ms": None}, 1e6, Rung.DROP),
    ],
)
def test_a_rung_that_is_left_out_is_not_taken(changes: dict[str, None], age_ms: float, rung: Rung) -> None:
    desk = Desk(rules(**changes))
    endless = chunk(0, actions=20_000)
    assert tick(desk.ladder, min(age_ms, endless.value.end_ns / MS), endless) is rung


@pytest.mark.parametrize(("feedback_ms", "stops"), [(0, False), (100, False), (100.001, True), (1e9, True)])
@pytest.mark.parametrize("plan", [None, chunk(0)], ids=["no chunk", "a chunk"])
def test_silent_feedback_stops_with_or_without_a_chunk(plan: Item | None, feedback_ms: float, stops: bool) -> None:
    desk = Desk()
    assert (tick(desk.ladder, 50, plan, feedback_ms) is Rung.STOP) == stops
    rows = desk.rows()
    assert rows["decision"].tolist() == [Reason.FEEDBACK_SILENT] * stops
    assert rows["measured_ns"].tolist() == [round(feedback_ms * MS)] * stops


def test_rules_that_are_off_never_stop() -> None:
    desk = Desk(BudgetConfig())
    ladder = desk.ladder
    assert tick(ladder, 1e6, chunk(1e6 - 1), feedback_ms=1e6) is Rung.DROP
    assert not ladder.silent(NEVER - 1, 0)
    assert not ladder.leaves_out(10**12, frame(0))
    assert not ladder.too_old_to_plan(10**12, frame(0))
    assert not ladder.finished(Stage.DETECT, 10**12, 10**12, frame(0))
    assert desk.decisions() == []


# -- the latch --------------------------------------------------------------------------------------------------------


def test_the_latch_keeps_its_first_reason_and_ticks_stop_until_the_reset() -> None:
    desk = Desk()
    ladder = desk.ladder
    assert tick(ladder, 200, chunk(200), feedback_ms=150) is Rung.STOP
    assert tick(ladder, 210, chunk(205)) is Rung.STOP
    ladder.latch(Reason.GOVERNOR, 220 * MS, stage=Stage.IK)
    assert ladder.failed(Stage.IK, 230 * MS, chunk(205))
    assert (ladder.latched, ladder.latched_ns) == (Reason.FEEDBACK_SILENT, 200 * MS)
    ladder.reset(500 * MS, Reason.OPERATOR_RESET)
    assert (ladder.latched, ladder.latched_ns) == (None, None)
    assert tick(ladder, 510, chunk(505)) is Rung.DROP
    assert desk.decisions() == [(Rung.STOP, Reason.FEEDBACK_SILENT), (Rung.DROP, Reason.OPERATOR_RESET)]


def test_a_reset_without_a_stop_decides_nothing() -> None:
    desk = Desk()
    desk.ladder.reset(0, Reason.OPERATOR_RESET)
    assert desk.decisions() == []


@pytest.mark.parametrize(
    ("new_cell", "latched", "then"),
    [(True, None, [(Rung.DROP, Reason.NEW_CELL)]), (False, Reason.GOVERNOR, [])],
)
def test_an_episode_lets_go_only_with_a_new_cell(
    new_cell: bool, latched: Reason | None, then: list[tuple[Rung, Reason]]
) -> None:
    desk = Desk()
    desk.ladder.latch(Reason.GOVERNOR, 0)
    desk.rows()
    desk.ladder.begin(10 * MS, new_cell=new_cell)
    assert desk.ladder.latched is latched
    assert desk.decisions() == then
    assert tick(desk.ladder, 20, None) is (Rung.DROP if new_cell else Rung.STOP)


def test_a_stop_is_announced_once_with_its_figures_and_not_by_the_loop_that_latched_it() -> None:
    desk = Desk()
    tick(desk.ladder, 4201, chunk(200))
    assert desk.said == []
    desk.ladder.announce()
    desk.ladder.announce()
    assert desk.said == ["safe stop at 4.20 s: the photons are too old: 4001 ms, limit 4000 ms"]
    desk.ladder.reset(5000 * MS, Reason.OPERATOR_RESET)
    desk.ladder.latch(Reason.STAGE_FAILED, 6000 * MS, stage=Stage.PLAN)
    desk.ladder.announce()
    assert desk.said[1:] == ["safe stop at 6.00 s: a stage failed (plan)"]


def test_a_stop_that_was_let_go_is_not_announced_afterwards() -> None:
    desk = Desk()
    desk.ladder.latch(Reason.WATCHDOG, 0)
    desk.ladder.reset(MS, Reason.NEW_CELL)
    desk.ladder.announce()
    assert desk.said == []


def test_somebody_who_cannot_be_told_keeps_nothing_from_stopping() -> None:
    def fails(_sentence: str) -> None:
        raise OSError(28, "No space left on device")

    ladder = Ladder(ORIN, Ledger(), period_ns=PERIOD, on_stop=fails)
    assert ladder.silent(500 * MS, 0)
    assert ladder.latched is Reason.WATCHDOG
    with pytest.raises(OSError, match="No space"):
        ladder.announce()


# -- the watchdog, and what may be sent -------------------------------------------------------------------------------


@pytest.mark.parametrize(("silence_ms", "stops"), [(0, False), (100, False), (100.001, True)])
def test_a_silent_control_loop_stops_once_until_the_reset(silence_ms: float, stops: bool) -> None:
    desk = Desk()
    now_ns = round(silence_ms * MS)
    assert [desk.ladder.silent(now_ns, 0) for _ in range(3)] == [stops, False, False]
    assert desk.ladder.silenced == stops
    rows = desk.rows()
    assert rows["decision"].tolist() == [Reason.WATCHDOG] * stops
    assert rows["measured_ns"].tolist() == [now_ns] * stops
    desk.ladder.reset(now_ns, Reason.OPERATOR_RESET)
    assert desk.ladder.silent(now_ns, 0) == stops


def test_a_loop_that_falls_silent_while_it_brakes_is_no_less_silent() -> None:
    """The first reason stays, and the arm must be told all the same: nobody sends the braking any more."""
    desk = Desk()
    desk.ladder.latch(Reason.PHOTONS_TOO_OLD, 0)
    assert desk.ladder.silent(101 * MS, 0)
    assert desk.ladder.latched is Reason.PHOTONS_TOO_OLD
    assert desk.decisions() == [(Rung.STOP, Reason.PHOTONS_TOO_OLD), (Rung.STOP, Reason.WATCHDOG)]
    assert not desk.ladder.lets_through(Rung.STOP, 110 * MS, -1)


@pytest.mark.parametrize("rung", list(Rung))
def test_what_is_sent_after_a_stop(rung: Rung) -> None:
    ladder = Desk().ladder
    assert ladder.lets_through(rung, 0, 0)
    ladder.latch(Reason.FEEDBACK_SILENT, 0)
    assert ladder.lets_through(rung, 0, 0) == (rung is Rung.STOP)
    ladder.silent(200 * MS, 0)
    assert not ladder.lets_through(rung, 200 * MS, 0)
    ladder.reset(300 * MS, Reason.OPERATOR_RESET)
    assert ladder.lets_through(rung, 300 * MS, 300 * MS)


@pytest.mark.parametrize(
    ("rung", "age_ms", "photon", "sent"),
    [
        (Rung.DROP, 2100, True, True),
        (Rung.DROP, 2100.001, True, False),
        (Rung.CONTINUE, 2100.001, True, False),
        (Rung.CONTINUE, 2100.001, False, True),  # no chunk, so nothing that could be old
        (Rung.HOLD, 2100.001, True, True),  # braking is never too late
    ],
)
def test_photons_that_became_too_old_while_the_command_was_made(
    rung: Rung, age_ms: float, photon: bool, sent: bool
) -> None:
    now_ns = 5000 * MS
    photon_ns = now_ns - round(age_ms * MS) if photon else -1
    assert Desk().ladder.lets_through(rung, now_ns, photon_ns) == sent
    assert Desk(rules(hold_age_ms=None)).ladder.lets_through(rung, now_ns, photon_ns)


# -- perception loop: rungs 0 to 3 -------------------------------------------------------------------------------------


def looked(ladder: Ladder, photon_ms: float) -> None:
    """A look at the world that got as far as the tracker."""
    for stage in (Stage.DETECT, Stage.LOCALIZE, Stage.TRACK):
        ladder.finished(stage, round(photon_ms * MS) + 20 * MS, MS // 2, frame(photon_ms))


def test_a_dropped_frame_is_rung_0_with_its_age() -> None:
    desk = Desk()
    desk.ladder.dropped(130 * MS, frame(100, sequence=5), Reason.OVERTAKEN)
    (row,) = desk.rows()
    assert (row["rung"], row["decision"], row["measured_ns"]) == (Rung.DROP, Reason.OVERTAKEN, 30 * MS)
    assert (row["input"], row["photon_ns"], row["camera"]) == (5, 100 * MS, 0)


@pytest.mark.parametrize(
    ("seen_ms", "frame_age_ms", "left_out"),
    [
        (950, 42, False),  # 15 ms left: enough for the detector's p99
        (950, 42.001, True),
        (950, 500, True),  # the deadline has passed
        (850, 50, True),
        (849.999, 50, False),  # the last look is older than 150 ms: predicting would be guessing
        (None, 50, False),  # nobody has looked yet
    ],
)
def test_a_frame_is_left_out_where_time_is_short_and_the_last_look_is_young(
    seen_ms: float | None, frame_age_ms: float, left_out: bool
) -> None:
    desk = Desk()
    if seen_ms is not None:
        looked(desk.ladder, seen_ms)
    assert desk.ladder.leaves_out(1000 * MS, frame(1000 - frame_age_ms)) == left_out
    rows = desk.rows()
    assert rows["decision"].tolist() == [Reason.LITTLE_TIME_LEFT] * left_out
    if left_out:
        assert (rows["rung"][0], rows["other"][0], rows["modelled_ns"][0]) == (Rung.PREDICT, Stage.DETECT, 15 * MS)
        assert rows["wait_ns"][0] == rows["measured_ns"][0] == 57 * MS - round(frame_age_ms * MS)


@pytest.mark.parametrize(
    ("capture_ms", "waited_ms", "left_out"),
    [
        (5, 37, False),  # 15 ms left
        (5, 38, True),
        (42, 1, True),
        (43, 0, False),  # taken at once, and late all the same: so will be the next one
        (43, 100, False),
        (66, 30, False),
    ],
)
def test_a_camera_that_is_late_by_itself_is_looked_at(capture_ms: float, waited_ms: float, left_out: bool) -> None:
    ladder = Desk().ladder
    looked(ladder, 950)
    came_ns = round((1000 - waited_ms) * MS)
    waiting = Item(7, None, came_ns, came_ns - round(capture_ms * MS), 0, 7)
    assert ladder.leaves_out(1000 * MS, waiting) == left_out


def test_detections_that_never_reached_the_tracker_are_nothing_to_predict_from() -> None:
    ladder = Desk().ladder
    looked(ladder, 800)
    ladder.finished(Stage.DETECT, 995 * MS, MS, frame(980))  # then the arm's pose at that instant was not known
    assert not ladder.leaves_out(1000 * MS, frame(900))
    looked(ladder, 980)
    assert ladder.leaves_out(1000 * MS, frame(900))
    looked(ladder, 700)  # a second camera's frame that came late makes the tracks no older
    assert ladder.leaves_out(1000 * MS, frame(900))


def test_a_new_episode_has_looked_at_nothing() -> None:
    ladder = Desk().ladder
    looked(ladder, 980)
    ladder.begin(990 * MS, new_cell=True)
    assert not ladder.leaves_out(1000 * MS, frame(900))


def test_without_the_rule_no_frame_is_left_out() -> None:
    ladder = Desk(rules(predict_age_ms=None)).ladder
    looked(ladder, 990)
    assert not ladder.leaves_out(1000 * MS, frame(900))


@pytest.mark.parametrize(("age_ms", "too_old"), [(0, False), (500, False), (500.001, True)])
def test_no_plan_starts_from_old_photons(age_ms: float, too_old: bool) -> None:
    desk = Desk()
    assert desk.ladder.too_old_to_plan(1000 * MS, frame(1000 - age_ms)) == too_old
    assert desk.decisions() == [(Rung.CONTINUE, Reason.PHOTONS_TOO_OLD)] * too_old


@pytest.mark.parametrize(
    ("stage", "took_ms", "reason", "limit_ms", "left_ms"),
    [
        (Stage.DETECT, 15, None, 0, 0),
        # photons of 5 ms ago when the detector began; localize, track, plan, ik and send are still to come: 38 ms
        (Stage.DETECT, 16, Reason.LONGER_THAN_P99, 15, 57 - 5 - 16 - 38),
        (Stage.DETECT, 200, Reason.LONGER_THAN_P99, 15, 57 - 5 - 200 - 38),
        (Stage.DETECT, 200.001, Reason.FENCED, 200, 57 - 5 - 200.001 - 38),
        (Stage.LOCALIZE, 3, Reason.LONGER_THAN_P99, 2, 57 - 5 - 3 - 36),
        (Stage.TRACK, 1e3, Reason.LONGER_THAN_P99, 1, 57 - 5 - 1e3 - 35),
        (Stage.PLAN, 401, Reason.FENCED, 400, 57 - 5 - 401 - 15),
        # a tick follows a chunk for a second and more: what is left of its reaction says nothing
        (Stage.IK, 11, Reason.LONGER_THAN_P99, 10, 0),
        (Stage.IK, 51, Reason.FENCED, 50, 0),
        (Stage.SEND, 1e3, Reason.LONGER_THAN_P99, 5, 0),
    ],
)
def test_an_activation_that_took_too_long_is_noted_with_what_is_left_of_the_deadline(
    stage: Stage, took_ms: float, reason: Reason | None, limit_ms: float, left_ms: float
) -> None:
    desk = Desk()
    took_ns = round(took_ms * MS)
    assert desk.ladder.finished(stage, 1005 * MS + took_ns, took_ns, frame(1000)) == (reason is Reason.FENCED)
    rows = desk.rows()
    assert rows["decision"].tolist() == ([] if reason is None else [reason])
    if reason is not None:
        assert (rows["rung"][0], rows["other"][0]) == (Rung.OVERRUN, stage)
        assert (rows["measured_ns"][0], rows["modelled_ns"][0]) == (took_ns, limit_ms * MS)
        assert rows["wait_ns"][0] == round(left_ms * MS)


def test_overruns_that_are_not_noted_are_fenced_all_the_same() -> None:
    desk = Desk(rules(overrun=False))
    assert not desk.ladder.finished(Stage.PLAN, 0, 399 * MS, frame(0))
    assert desk.ladder.finished(Stage.PLAN, 0, 401 * MS, frame(0))
    assert desk.decisions() == [(Rung.OVERRUN, Reason.FENCED)]


@settings(max_examples=60, deadline=None)
@given(
    took_ms=st.lists(st.tuples(st.sampled_from(list(Stage)[:7]), st.floats(0, 5_000)), max_size=30),
    reaction_ms=st.one_of(st.none(), st.floats(0.001, 100)),
    age_ms=st.floats(0, 600),
)
def test_holding_and_stopping_never_follow_from_the_reaction(
    took_ms: list[tuple[Stage, float]], reaction_ms: float | None, age_ms: float
) -> None:
    """However late everything is: as long as photons and feedback are young, the arm follows its plan."""
    desk = Desk(ORIN.model_copy(update={"reaction_ms": reaction_ms}))
    ladder, now_ms = desk.ladder, 0.0
    for stage, took in took_ms:
        now_ms += took
        photons = frame(max(0.0, now_ms - took - 10))
        ladder.leaves_out(round(now_ms * MS), photons)
        ladder.finished(stage, round(now_ms * MS), round(took * MS), photons)
        assert tick(ladder, now_ms, chunk(now_ms - age_ms), feedback_ms=90) is Rung.DROP
    assert ladder.latched is None
    assert all(rung <= Rung.PREDICT for rung, _ in desk.decisions())


# -- stages that raise -------------------------------------------------------------------------------------------------


def test_a_stage_that_raises_too_often_in_a_row_stops() -> None:
    desk = Desk()
    ladder = desk.ladder
    assert [ladder.failed(Stage.PLAN, 0, frame(0)) for _ in range(2)] == [False, False]
    ladder.finished(Stage.DETECT, 0, 0, frame(0))  # another stage's success is not its own
    assert ladder.failed(Stage.PLAN, 0, frame(0))
    assert ladder.latched is Reason.STAGE_FAILED
    rows = desk.rows()
    assert rows["rung"].tolist() == [Rung.CONTINUE, Rung.CONTINUE, Rung.STOP]
    assert set(rows["other"].tolist()) == {int(Stage.PLAN)}


@pytest.mark.parametrize("between", ["a success", "a reset"])
def test_what_makes_the_count_of_failures_start_anew(between: str) -> None:
    ladder = Desk().ladder
    for _ in range(5):
        assert not ladder.failed(Stage.PLAN, 0, frame(0))
        assert not ladder.failed(Stage.PLAN, 0, frame(0))
        if between == "a success":
            ladder.finished(Stage.PLAN, 0, 0, frame(0))
        else:
            ladder.reset(0, Reason.NEW_CELL)
    assert ladder.latched is None


@pytest.mark.parametrize(("allowed", "calls"), [(1, 1), (2, 2), (7, 7)])
def test_how_often_is_a_rule(allowed: int, calls: int) -> None:
    ladder = Desk(rules(failures=allowed)).ladder
    assert [ladder.failed(Stage.DETECT, 0, frame(0)) for _ in range(calls)] == [*[False] * (calls - 1), True]


def test_a_control_path_that_raises_stops_at_once() -> None:
    desk = Desk(rules(failures=9))
    assert desk.ladder.failed(Stage.IK, 0, frame(0))
    assert desk.decisions() == [(Rung.STOP, Reason.STAGE_FAILED)]


# -- rung 3 ------------------------------------------------------------------------------------------------------------


def engines(fallback: Fallback, missed: str) -> str:
    """The engine after each activation; `x` is a miss."""
    after = ""
    for mark in missed:
        fallback.saw(mark == "x", fallback.engine)
        after += str(fallback.engine)
    return after


@pytest.mark.parametrize(
    ("missed", "after"),
    [
        ("..xx", "0000"),
        ("xxx", "001"),
        ("x...x...x", "000000001"),
        ("x........xx", "00000000000"),  # never three within nine
        ("xxx....", "0011110"),  # four kept in a row: back on trial
        ("xxx..x....", "0011111110"),  # a miss begins the row anew
        ("xxxxxxx....", "00111111110"),
    ],
)
def test_k_of_n_misses_and_the_way_back(missed: str, after: str) -> None:
    assert engines(Fallback(FallbackConfig(misses=3, of=9, recover=4)), missed) == after


def test_the_way_back_takes_twice_as_long_after_each_failed_trial_up_to_eight_times() -> None:
    fallback = Fallback(FallbackConfig(misses=1, of=2, recover=2))
    needed = []
    for _ in range(6):
        engines(fallback, "x")
        assert fallback.engine == 1
        kept = 0
        while fallback.engine == 1:
            engines(fallback, ".")
            kept += 1
        needed.append(kept)
    assert needed == [2, 4, 8, 16, 16, 16]


def test_a_trial_that_was_passed_is_forgiven() -> None:
    fallback = Fallback(FallbackConfig(misses=1, of=2, recover=2))
    engines(fallback, "x..x....")  # the second trial needed four
    assert fallback.engine == 0
    engines(fallback, "....")  # twice `of` kept on trial
    assert engines(fallback, "x..") == "110"


def test_a_result_of_the_other_engine_counts_for_neither() -> None:
    fallback = Fallback(FallbackConfig(misses=1, of=1, recover=1))
    assert fallback.saw(True, engine=1) is None
    assert fallback.engine == 0
    assert fallback.saw(True, engine=0) is Reason.MISSES
    assert fallback.saw(False, engine=0) is None  # begun before the change
    assert fallback.engine == 1
    assert fallback.saw(False, engine=1) is Reason.KEPT_AGAIN
    assert fallback.engine == 0


@pytest.mark.parametrize(
    ("has_fallback", "rule", "engine"),
    [(True, FallbackConfig(misses=2, of=3, recover=2), 1), (True, None, 0), (False, FallbackConfig(misses=2, of=3), 0)],
)
def test_the_fallback_needs_an_engine_and_a_rule(has_fallback: bool, rule: FallbackConfig | None, engine: int) -> None:
    desk = Desk(rules(fallback=rule, overrun=False), has_fallback=has_fallback)
    for _ in range(2):
        desk.ladder.finished(Stage.DETECT, 20 * MS, 16 * MS, frame(0), desk.ladder.engine)
    assert desk.ladder.engine == engine
    assert desk.decisions() == [(Rung.FALLBACK, Reason.MISSES)] * engine
    for _ in range(2):
        desk.ladder.finished(Stage.DETECT, 40 * MS, 15 * MS, frame(30), desk.ladder.engine)
    rows = desk.rows()
    assert desk.ladder.engine == 0
    assert rows["decision"].tolist() == [Reason.KEPT_AGAIN] * engine
    assert rows["engine"].tolist() == [0] * engine
