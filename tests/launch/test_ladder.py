"""The ladder without a run: each rung, what lets go of it, and what may never trip it."""

from __future__ import annotations

import numpy as np
import pytest

from launch.config import load_config
from launch.config.budget import BudgetConfig
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


# -- control loop: rungs 4 to 6 ----------------------------------------------------------------------------------------


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


def test_without_a_chunk_the_arm_is_left_where_it_is_and_nothing_is_decided() -> None:
    desk = Desk()
    assert [tick(desk.ladder, now_ms, None) for now_ms in (0, 5_000, 50_000)] == [Rung.DROP] * 3
    assert desk.decisions() == []


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


# -- the latch ---------------------------------------------------------------------------------------------------------


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


# -- the watchdog, and what may be sent --------------------------------------------------------------------------------


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
