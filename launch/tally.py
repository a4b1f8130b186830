"""What a ledger says in figures: durations, waits, reaction, command age, control loop, frames, ladder decisions.

It takes the ledger block by block, in bounded memory, so the same code follows a run for days and reads a recording.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass

import numpy as np

from deploy.latency import StageLatency
from deploy.latency_series import LatencySeries
from launch.config import Config
from launch.config.budget import BudgetConfig
from launch.frame_count import FrameCount
from launch.ledger import REPORTED, Outcome, Reason, Rows, Rung, Stage

DECISIONS = 200
_REMEMBERED = 1024


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision of the ladder, as a report shows it."""

    now_ns: int
    rung: Rung
    reason: Reason
    stage: str | None
    value_ns: int
    limit_ns: int
    slack_ns: int


class Tally:
    """Adds up blocks of ledger rows, in their order.

    Args:
        budget: Limits to count misses against.
        control_period_ns: Period of the control loop [ns], for the correction of coordinated omission; 0 if unknown.
        frame_period_ns: Time between two frames of all cameras together [ns]; 0 if unknown.

    Attributes:
        rungs: How often the ladder decided for each rung.
        decisions: The newest decisions from rung 2 on, and the ways back.
        latched: Why the safe stop is latched at the end, if it is.
        stops: How often it latched.
        starved_ticks: Control ticks that held since the chunk had ended and no other had come.
        fenced: Results that came later than their hard limit.
        stale_commands_sent: Commands that followed photons above the limit, or a fenced result. There must be none.
    """

    def __init__(self, budget: BudgetConfig, *, control_period_ns: int = 0, frame_period_ns: int = 0) -> None:
        self.budget = budget
        control, frame = control_period_ns or None, frame_period_ns or None
        # only where a slow activation keeps the next one from being measured; frames are captured all the same
        every = dict.fromkeys((Stage.DETECT, Stage.LOCALIZE, Stage.TRACK), frame)
        every |= dict.fromkeys((Stage.IK, Stage.SEND), control)

        def series() -> dict[Stage, LatencySeries]:
            return {stage: LatencySeries(budget.stages_ms.get(stage.label), every.get(stage)) for stage in REPORTED}

        self._measured, self._modelled = series(), series()
        self._waits = {stage: LatencySeries() for stage in REPORTED}
        stall = frame and max(frame, round((budget.reaction_ms or 0.0) * 1e6))
        self._reaction = LatencySeries(budget.reaction_ms, stall)
        self._age, self._age_corrected = (LatencySeries(budget.command_age_ms) for _ in range(2))
        self._control_period_ns = control_period_ns
        self._sent: tuple[int, int] | None = None
        self._period = LatencySeries()
        self._lateness = LatencySeries(budget.control_lateness_ms, control)
        self._planned_from = LatencySeries(budget.detections_age_ms)
        self._command: dict[int, tuple[int, int, bool]] = {}
        self._stale_chunks: deque[int] = deque(maxlen=_REMEMBERED)
        self._limit_ns = None if budget.command_age_ms is None else round(budget.command_age_ms * 1e6)
        self._reacted = -1
        self._last_tick_ns: int | None = None
        self._frames = FrameCount()
        self.rungs: Counter[Rung] = Counter()
        self.decisions: deque[Decision] = deque(maxlen=DECISIONS)
        self.latched: Reason | None = None
        self.commands = self.episodes = self.stale_commands_sent = self.stops = 0
        self.fenced = self.starved_ticks = 0
        self._exhausted = False

    @classmethod
    def of(cls, config: Config) -> Tally:
        """A tally for runs of a configuration."""
        rate_hz = sum(camera.rate_hz for camera in config.rig.cameras)
        return cls(
            config.budget, control_period_ns=round(1e9 / config.control.rate_hz),
            frame_period_ns=round(1e9 / rate_hz) if rate_hz else 0,
        )  # fmt: skip

    @property
    def frames(self) -> int:
        """Frames that arrived."""
        return self._frames.arrived

    @property
    def dropped_frames(self) -> int:
        """Frames that never came, and frames that a newer one overtook; the newest at an end was not overtaken."""
        return self._frames.dropped

    def add(self, rows: Rows) -> None:
        """Add the next block."""
        worked = rows[(rows["outcome"] != Outcome.DROPPED) & (rows["outcome"] != Outcome.ERROR)]
        for stage in REPORTED:
            of_stage = worked[worked["stage"] == stage]
            if len(of_stage):
                self._measured[stage].add(of_stage["measured_ns"])
                self._modelled[stage].add(of_stage["modelled_ns"])
                if stage not in (Stage.CAPTURE, Stage.IK, Stage.SEND):
                    self._waits[stage].add(np.maximum(of_stage["wait_ns"], 0))
        plans = worked[worked["stage"] == Stage.PLAN]
        self._planned_from.add(np.maximum(plans["now_ns"] - plans["photon_ns"], 0))
        self.fenced += int(np.count_nonzero(rows["outcome"] == Outcome.STALE))
        self._stale_chunks.extend(plans["sequence"][plans["outcome"] == Outcome.STALE].tolist())
        ticks = rows[rows["stage"] == Stage.IK]
        self._lateness.add(np.maximum(ticks["wait_ns"], 0))
        self._walk(rows)

    def _walk(self, rows: Rows) -> None:
        """What depends on the rows' order."""
        columns = (
            "stage", "camera", "sequence", "input", "now_ns", "photon_ns", "modelled_ns", "rung", "outcome",
        )  # fmt: skip
        periods: list[int] = []
        ages: list[int] = []
        all_ages: list[int] = []
        reactions: list[int] = []
        for stage, camera, sequence, source, now_ns, photon_ns, took_ns, rung, outcome, row in zip(
            *(rows[name].tolist() for name in columns), rows, strict=True
        ):
            if stage == Stage.IK:
                self.commands += 1
                self.starved_ticks += self._exhausted and rung == Rung.HOLD
                self._command[sequence] = (source, rung, outcome == Outcome.STALE)
                if len(self._command) > _REMEMBERED:  # those that were fenced are never sent
                    self._command.pop(next(iter(self._command)))
                if self._last_tick_ns is not None:
                    periods.append(now_ns - self._last_tick_ns)
                self._last_tick_ns = now_ns
            elif stage == Stage.SEND:
                chunk, rung_then, stale = self._command.pop(sequence, (-1, 0, False))
                if chunk >= 0 and rung_then < Rung.HOLD:
                    age = now_ns + took_ns - photon_ns
                    ages.append(age)
                    all_ages.extend(self._unsent(now_ns + took_ns))
                    all_ages.append(age)
                    self._sent = (now_ns + took_ns, age)
                    too_old = self._limit_ns is not None and now_ns - photon_ns > self._limit_ns
                    self.stale_commands_sent += stale or too_old or chunk in self._stale_chunks
                    if chunk > self._reacted:
                        reactions.append(age)
                        self._reacted = chunk
                else:
                    self._sent = None  # a hold follows no photons: they do not age in it
            elif stage == Stage.CAPTURE:
                self._frames.arrive(camera, sequence)
            elif stage == Stage.DETECT:
                self._frames.use(camera, source)
            elif stage == Stage.LADDER:
                self._decide(row)
            elif stage == Stage.EPISODE:
                self.episodes += 1
                self._frames.begin()
                self._command.clear()
                self._last_tick_ns = self._sent = None
        self._period.add(periods)
        self._age.add(ages)
        self._age_corrected.add(all_ages)
        self._reaction.add(reactions)

    def _unsent(self, now_ns: int) -> range:
        """Ages of the photons at the ticks that a stall of the control loop left out."""
        if self._sent is None or not self._control_period_ns:
            return range(0)
        then_ns, age = self._sent
        missing = min((now_ns - then_ns) // self._control_period_ns - 1, _REMEMBERED)
        return range(
            age + self._control_period_ns, age + (missing + 1) * self._control_period_ns, self._control_period_ns
        )

    def _decide(self, row: Rows) -> None:
        rung, reason = Rung(int(row["rung"])), Reason(int(row["decision"]))
        if rung is Rung.HOLD:
            self._exhausted = reason is Reason.CHUNK_EXHAUSTED
        if rung is Rung.STOP:
            self.latched = reason
            self.stops += 1
        elif reason in (Reason.OPERATOR_RESET, Reason.NEW_CELL):
            self.latched = None
        if not reason.is_return:
            self.rungs[rung] += 1
        if rung >= Rung.PREDICT or reason.is_return:
            stage = int(row["other"])
            self.decisions.append(
                Decision(
                    int(row["now_ns"]), rung, reason, Stage(stage).label if stage >= 0 else None,
                    int(row["measured_ns"]), int(row["modelled_ns"]), int(row["wait_ns"]),
                )
            )  # fmt: skip

    # -- figures ----------------------------------------------------------------------------------------------------

    def series(self, name: str, *, modelled: bool = False) -> LatencySeries:
        """The durations of what goes by a name.

        Args:
            name: A stage, `reaction`, `command_age`, `control_period`, `control_lateness` or `detections_age`.
            modelled: For a stage: what the run's clock saw, not what this machine took.
        """
        others = {
            "reaction": self._reaction, "command_age": self._age, "control_period": self._period,
            "control_lateness": self._lateness, "detections_age": self._planned_from,
        }  # fmt: skip
        if name in others:
            return others[name]
        return (self._modelled if modelled else self._measured)[Stage[name.upper()]]

    def corrected(self, name: str, *, modelled: bool = False) -> StageLatency | None:
        """The figures corrected for coordinated omission; None where nothing can be left out."""
        if name == "command_age":
            return self._age_corrected.summary()
        return self.series(name, modelled=modelled).corrected()

    def wait(self, stage: str) -> LatencySeries:
        """How long results lay before the stage took them."""
        return self._waits[Stage[stage.upper()]]

    def stages(self, *, modelled: bool = False) -> dict[str, StageLatency]:
        """Latency of each stage against its budget: measured on this machine, or as the run's clock saw it."""
        return {stage.label: self.series(stage.label, modelled=modelled).summary() for stage in REPORTED}

    @property
    def reaction(self) -> StageLatency:
        """From capture to the first command that uses that frame."""
        return self._reaction.summary()

    @property
    def command_age(self) -> StageLatency:
        """Age of the photons behind each command that follows a chunk, when it was sent."""
        return self._age.summary()

    @property
    def control_period(self) -> StageLatency:
        """Time between control ticks."""
        return self._period.summary()

    @property
    def control_lateness(self) -> StageLatency:
        """How much later than planned the control ticks began."""
        return self._lateness.summary()
