"""What holds for the ledger of every run, whatever broke in it: above all that no stale command was ever sent."""

from __future__ import annotations

from typing import Any

from launch.config.budget import BudgetConfig
from launch.ladder import nanoseconds
from launch.ledger import Outcome, Reason, Rows, Rung, Stage

_LETS_GO = (Reason.OPERATOR_RESET, Reason.NEW_CELL)


def check_ledger(rows: Rows, budget: BudgetConfig, *, threads: bool) -> None:
    """Walk through all rows of a run in their order.

    Args:
        rows: All of them.
        budget: The contract that the run was to keep.
        threads: Whether the loops ran on threads of their own: then a stop that one loop latches may find one command
            of the control loop on its way.
    """
    assert rows["order"].tolist() == list(range(len(rows))), "rows are lost, or out of order"
    decisions = rows["sequence"][rows["stage"] == Stage.LADDER]
    assert sorted(decisions.tolist()) == list(range(len(decisions)))
    walk = _Walk(nanoseconds(budget.ladder.hold_age_ms), int(threads))
    for row in rows:
        walk.step(row)


class _Walk:
    def __init__(self, hold_ns: int, on_their_way: int) -> None:
        self._hold_ns = hold_ns
        self._may_be_on_their_way = on_their_way
        self._stopped: Any = None  # row of the stop that is latched
        self._silenced: Any = None  # row of the watchdog's
        self._on_their_way = 0
        self._from_ns = -1  # the operator's reset: older photons are not acted on
        self._fenced: dict[int, set[int]] = {Stage.DETECT: set(), Stage.LOCALIZE: set(), Stage.PLAN: set()}
        self._begin()

    def _begin(self) -> None:
        """An episode: time goes on, chunks and photons start anew."""
        self._ticks: dict[int, Any] = {}
        self._chunks: dict[int, int] = {}
        self._newest: dict[tuple[str, int], int] = {}

    def _rises(self, what: str, number: int, value: int, *, strictly: bool) -> None:
        before = self._newest.get((what, number))
        if before is not None:
            assert value > before if strictly else value >= before, f"{what}: {value} after {before}"
        self._newest[what, number] = value

    def step(self, row: Any) -> None:
        stage, now_ns, photon_ns = Stage(int(row["stage"])), int(row["now_ns"]), int(row["photon_ns"])
        sequence, source, outcome = int(row["sequence"]), int(row["input"]), Outcome(int(row["outcome"]))
        if outcome is not Outcome.ERROR and stage in self._fenced and outcome is Outcome.STALE:
            self._fenced[stage].add(sequence)
        if stage is Stage.EPISODE:
            self._begin()
        elif stage is Stage.CAPTURE:
            assert photon_ns <= now_ns
            self._rises("photons of a camera", int(row["camera"]), photon_ns, strictly=True)
        elif stage is Stage.LOCALIZE:
            assert source not in self._fenced[Stage.DETECT], "detections that were fenced were placed"
        elif stage is Stage.TRACK and row["rung"] != Rung.PREDICT:
            assert source not in self._fenced[Stage.LOCALIZE], "what was fenced was tracked"
        elif stage is Stage.PLAN:
            self._rises("photons of a plan", 0, photon_ns, strictly=False)
            if outcome is not Outcome.ERROR:
                self._chunks[sequence] = photon_ns
        elif stage is Stage.IK and outcome is not Outcome.ERROR:
            self._rises("control tick", 0, now_ns, strictly=True)
            self._ticks[sequence] = row
        elif stage is Stage.SEND:
            self._sent(row, self._ticks.pop(source))  # a command that was never made, or was sent before, is not there
        elif stage is Stage.LADDER:
            self._decided(row)

    def _decided(self, row: Any) -> None:
        reason, rung = Reason(int(row["decision"])), Rung(int(row["rung"]))
        if rung is Rung.STOP:
            assert self._stopped is None or reason is Reason.WATCHDOG, f"stopped again: {reason.sentence}"
            if self._stopped is None:
                self._stopped, self._on_their_way = row, self._may_be_on_their_way
            if reason is Reason.WATCHDOG:
                assert self._silenced is None
                self._silenced = row
        elif reason in _LETS_GO:
            assert self._stopped is not None
            self._stopped = self._silenced = None
            if reason is Reason.OPERATOR_RESET:
                self._from_ns = int(row["now_ns"])

    def _sent(self, row: Any, tick: Any) -> None:
        now_ns, photon_ns = int(row["now_ns"]), int(row["photon_ns"])
        chunk, rung = int(tick["input"]), Rung(int(tick["rung"]))
        self._rises("sending", 0, now_ns, strictly=True)
        assert tick["outcome"] != Outcome.STALE, "a command that was fenced was sent"
        assert now_ns >= tick["now_ns"]
        assert photon_ns == tick["photon_ns"]
        if self._silenced is not None or (self._stopped is not None and rung is not Rung.STOP):
            stop = self._silenced if self._silenced is not None else self._stopped
            assert tick["order"] < stop["order"], f"a command of rung {rung.name} was made and sent after a stop"
            self._on_their_way -= 1
            assert self._on_their_way >= 0, "more than the one command that was on its way was sent after a stop"
        if chunk >= 0 and rung < Rung.HOLD:
            assert chunk not in self._fenced[Stage.PLAN], "a chunk that was fenced was followed"
            assert photon_ns == self._chunks[chunk], "the command carries photons that are not its chunk's"
            assert now_ns - photon_ns <= self._hold_ns, f"photons of {(now_ns - photon_ns) * 1e-6:.1f} ms were sent"
            assert photon_ns > self._from_ns, "a chunk from before the operator's reset was followed"
            self._rises("photons of a command", 0, photon_ns, strictly=False)
