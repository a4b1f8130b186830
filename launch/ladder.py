"""The ladder: what the run time does about a clause of the budget that is broken, and a ledger row for each decision.

The schedulers ask it before the detector runs (rungs 0, 2, 3), at each control tick (4, 5, 6) and when the control loop
is silent (6); the executor tells it how long each stage took (1, 3). It reads no clock: every instant is given, so the
virtual clock and the wall clock are governed by the same rules, and a replay takes its decisions from the rows.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from typing import Final

from launch.config.budget import BudgetConfig
from launch.fallback import Fallback
from launch.ledger import Ledger, Reason, Rung, Stage
from launch.streams import Item

NEVER: Final = 1 << 62
# the stages whose end leaves less time until the deadline of `reaction`
_PATH: Final = (Stage.CAPTURE, Stage.DETECT, Stage.LOCALIZE, Stage.TRACK, Stage.PLAN, Stage.IK, Stage.SEND)


def nanoseconds(limit_ms: float | None) -> int:
    """A limit in nanoseconds; one that was left out is never reached."""
    return NEVER if limit_ms is None else round(limit_ms * 1e6)


class Ladder:
    """Enforces one budget over a run.

    One thread calls each group of methods: the perception loop, the control loop. The latch may be set from any.

    Args:
        budget: The contract.
        ledger: Where decisions are written.
        has_fallback: Whether the detector has a smaller engine.
        period_ns: Control period [ns]: a command must still be young enough when the next one comes.
        on_stop: Told in one line why the safe stop latched, by `announce`.

    Attributes:
        latched: Why the safe stop is latched; None while it is not.
        latched_ns: Since when [ns].
        silenced: Whether the watchdog has told the arm to stop since the last reset.
    """

    def __init__(
        self,
        budget: BudgetConfig,
        ledger: Ledger,
        *,
        has_fallback: bool = False,
        period_ns: int = 0,
        on_stop: Callable[[str], None] | None = None,
    ) -> None:
        rules = budget.ladder
        self._ledger = ledger
        self._p99 = {stage: nanoseconds(budget.stages_ms.get(stage.label)) for stage in _PATH}
        self._hard = {stage: nanoseconds(budget.hard_ms.get(stage.label)) for stage in _PATH}
        self._rest = {
            stage: sum(self._p99[later] for later in _PATH[stage + 1 :] if self._p99[later] < NEVER) for stage in _PATH
        }
        self._notes_overruns = rules.overrun
        self._reaction = nanoseconds(budget.reaction_ms)
        self._predict_age = nanoseconds(rules.predict_age_ms) if rules.predict_age_ms is not None else -1
        self._detections_age = nanoseconds(budget.detections_age_ms)
        self._fresh, self._hold = nanoseconds(rules.fresh_age_ms), nanoseconds(rules.hold_age_ms)
        self._stop, self._feedback = nanoseconds(rules.stop_age_ms), nanoseconds(rules.feedback_age_ms)
        self.watchdog_ns = nanoseconds(rules.watchdog_ms)
        self._failures_allowed = rules.failures
        self._period = period_ns
        self._on_stop = on_stop
        self._fallback = Fallback(rules.fallback) if has_fallback and rules.fallback is not None else None
        self._numbers = itertools.count()
        self._latch = threading.Lock()
        self.latched: Reason | None = None
        self.latched_ns: int | None = None
        self.silenced = False
        self._untold: str | None = None
        self._rung = Rung.DROP
        self._failures: dict[Stage, int] = {}
        self._tracked_ns = -1
        self._since_ns = 0

    # -- perception loop ------------------------------------------------------------------------------------------

    @property
    def engine(self) -> int:
        """Which of the detector's engines is to run: 0 the configured one, 1 its fallback."""
        return self._fallback.engine if self._fallback is not None else 0

    def dropped(self, now_ns: int, frame: Item, reason: Reason) -> None:
        """Rung 0: a frame is left out."""
        self._write(Rung.DROP, reason, now_ns, frame, value_ns=now_ns - frame.photon_ns)

    def leaves_out(self, now_ns: int, frame: Item) -> bool:
        """Rung 2: whether the tracker should predict instead of the detector looking at this frame.

        That makes up for a frame that had to wait: the next one is taken as soon as it comes. Where the photons are too
        old when a frame comes, the next one is no better, and to leave it out would only make what is known older.
        """
        left_ns = self._reaction - (now_ns - frame.photon_ns)
        needed_ns = self._p99[Stage.DETECT]
        if left_ns >= needed_ns or needed_ns == NEVER or self._tracked_ns < 0:
            return False
        if left_ns + (now_ns - frame.published_ns) < needed_ns:
            return False
        if now_ns - self._tracked_ns > self._predict_age:
            return False
        self._write(
            Rung.PREDICT, Reason.LITTLE_TIME_LEFT, now_ns, frame,
            stage=Stage.DETECT, value_ns=left_ns, limit_ns=needed_ns, slack_ns=left_ns,
        )  # fmt: skip
        return True

    def too_old_to_plan(self, now_ns: int, tracks: Item) -> bool:
        """Whether tracks are of photons that no plan may start from."""
        age_ns = now_ns - tracks.photon_ns
        if age_ns <= self._detections_age:
            return False
        self._write(
            Rung.CONTINUE, Reason.PHOTONS_TOO_OLD, now_ns, tracks,
            stage=Stage.PLAN, value_ns=age_ns, limit_ns=self._detections_age,
        )  # fmt: skip
        return True

    # -- any loop ---------------------------------------------------------------------------------------------------

    def finished(self, stage: Stage, end_ns: int, duration_ns: int, source: Item, engine: int = 0) -> bool:
        """Rungs 1 and 3: account for an activation that ended.

        Args:
            stage: Which stage.
            end_ns: When its result was there [ns].
            duration_ns: What it took [ns].
            source: What it consumed.
            engine: Which of the detector's engines ran.

        Returns:
            Whether the result came later than the stage's hard limit: it is fenced.
        """
        if self._failures:
            self._failures.pop(stage, None)
        p99, hard = self._p99[stage], self._hard[stage]
        stale = duration_ns > hard
        if stale or (self._notes_overruns and duration_ns > p99):
            of_path = source.photon_ns >= 0 and stage <= Stage.PLAN
            left_ns = self._reaction - (end_ns - source.photon_ns) - self._rest[stage] if of_path else 0
            self._write(
                Rung.OVERRUN, Reason.FENCED if stale else Reason.LONGER_THAN_P99, end_ns, source, stage=stage,
                value_ns=duration_ns, limit_ns=hard if stale else p99, slack_ns=left_ns if left_ns < NEVER // 2 else 0,
            )  # fmt: skip
        if stage is Stage.TRACK:  # not before: detections that were not placed are nothing to predict from
            self._tracked_ns = max(self._tracked_ns, source.photon_ns)
        if stage is Stage.DETECT and self._fallback is not None:
            reason = self._fallback.saw(duration_ns > p99, engine)
            if reason is not None:
                self._write(
                    Rung.FALLBACK, reason, end_ns, source, stage=stage, value_ns=duration_ns, limit_ns=p99,
                    engine=self._fallback.engine,
                )  # fmt: skip
        return stale

    def failed(self, stage: Stage, now_ns: int, source: Item) -> bool:
        """Account for a stage that raised.

        Returns:
            Whether the run must end: the stage failed too often in a row, or commands depend on it now. The safe stop
            is latched then.
        """
        count = self._failures[stage] = self._failures.get(stage, 0) + 1
        if stage is Stage.IK or count >= self._failures_allowed:
            self.latch(Reason.STAGE_FAILED, now_ns, stage=stage, item=source)
            return True
        self._write(Rung.CONTINUE, Reason.STAGE_FAILED, now_ns, source, stage=stage)
        return False

    # -- control loop -----------------------------------------------------------------------------------------------

    def tick(self, now_ns: int, chunk: Item | None, state_stamp_ns: int) -> Rung:
        """Rungs 4 to 6: what this control tick may do.

        Args:
            now_ns: Time of the tick [ns].
            chunk: The present chunk.
            state_stamp_ns: When the arm's newest state was measured [ns].
        """
        if self.latched is not None:
            return Rung.STOP
        silent_ns = now_ns - state_stamp_ns
        if silent_ns > self._feedback:
            self.latch(Reason.FEEDBACK_SILENT, now_ns, value_ns=silent_ns, limit_ns=self._feedback)
            return Rung.STOP
        if chunk is None:
            waited_ns = now_ns - self._since_ns
            if waited_ns > self._stop:  # nobody expects an arm to move that has waited for so long
                self.latch(Reason.PHOTONS_TOO_OLD, now_ns, value_ns=waited_ns, limit_ns=self._stop)
                return Rung.STOP
            return self._move(Rung.DROP, Reason.KEPT_AGAIN, now_ns, None, 0, 0)
        age_ns = now_ns - chunk.photon_ns
        if age_ns > self._stop:
            self.latch(Reason.PHOTONS_TOO_OLD, now_ns, item=chunk, value_ns=age_ns, limit_ns=self._stop)
            return Rung.STOP
        if now_ns > chunk.value.end_ns:
            over_ns = now_ns - chunk.value.end_ns
            return self._move(Rung.HOLD, Reason.CHUNK_EXHAUSTED, now_ns, chunk, over_ns, 0)
        if age_ns + self._period > self._hold:
            return self._move(Rung.HOLD, Reason.PHOTONS_TOO_OLD, now_ns, chunk, age_ns, self._hold)
        if age_ns > self._fresh:
            return self._move(Rung.CONTINUE, Reason.NO_FRESH_CHUNK, now_ns, chunk, age_ns, self._fresh)
        return self._move(Rung.DROP, Reason.KEPT_AGAIN, now_ns, chunk, age_ns, self._fresh)

    def lets_through(self, rung: Rung, now_ns: int, photon_ns: int) -> bool:
        """Whether a command may still be sent.

        Nothing that follows a chunk is sent once the safe stop has latched, or where its photons have become too old
        while it was made. After a silent control loop nothing is sent at all: the watchdog has told the arm to stop,
        and the loop does not know where it came to rest.

        Args:
            rung: What the tick was allowed to do.
            now_ns: When the command is to be sent [ns].
            photon_ns: Capture stamp of the photons behind it [ns], -1 without a chunk.
        """
        if self.silenced or self.latched is not None:
            return rung is Rung.STOP and not self.silenced
        return rung >= Rung.HOLD or photon_ns < 0 or now_ns - photon_ns <= self._hold

    def silent(self, now_ns: int, last_tick_ns: int) -> bool:
        """Rung 6: whether the control loop has just been silent for too long, and the arm must be told to stop.

        The safe stop is latched then. One that was latched before is no help: its braking needs the control loop, too.
        """
        silence_ns = now_ns - last_tick_ns
        if silence_ns <= self.watchdog_ns or self.silenced:
            return False
        self.silenced = True
        if not self.latch(Reason.WATCHDOG, now_ns, value_ns=silence_ns, limit_ns=self.watchdog_ns):
            self._write(Rung.STOP, Reason.WATCHDOG, now_ns, None, value_ns=silence_ns, limit_ns=self.watchdog_ns)
        return True

    def latch(
        self,
        reason: Reason,
        now_ns: int,
        *,
        stage: Stage | None = None,
        item: Item | None = None,
        value_ns: int = 0,
        limit_ns: int = 0,
        detail: str = "",
    ) -> bool:
        """Latch the safe stop; the first reason stays. Whoever asks is in a hurry: `announce` tells people about it.

        Args:
            reason: Why.
            now_ns: Time [ns].
            stage: Which stage it is about.
            item: What that stage had consumed.
            value_ns: What was measured [ns].
            limit_ns: What is allowed [ns].
            detail: What else there is to say about it.

        Returns:
            Whether it was not latched before.
        """
        of = f" ({stage.label})" if stage is not None else ""
        figures = f": {value_ns * 1e-6:.0f} ms, limit {limit_ns * 1e-6:.0f} ms" if limit_ns else ""
        with self._latch:
            if self.latched is not None:
                return False
            self.latched, self.latched_ns = reason, now_ns
            told = f": {detail}" if detail else ""
            self._untold = f"safe stop at {now_ns * 1e-9:.2f} s: {reason.sentence}{of}{figures}{told}"
        self._rung = Rung.STOP
        self._write(Rung.STOP, reason, now_ns, item, stage=stage, value_ns=value_ns, limit_ns=limit_ns)
        return True

    def announce(self) -> None:
        """Say once why the safe stop latched, from a thread that may wait for a disk or a terminal, or fail there."""
        with self._latch:
            sentence, self._untold = self._untold, None
        if sentence is not None and self._on_stop is not None:
            self._on_stop(sentence)

    def begin(self, now_ns: int, *, new_cell: bool) -> None:
        """An episode begins. A new simulated cell lets go of the latch; an arm that is there stays stopped."""
        self._rung = Rung.DROP if self.latched is None else Rung.STOP
        self._tracked_ns = -1
        self._since_ns = now_ns
        if new_cell:
            self.reset(now_ns, Reason.NEW_CELL)

    def reset(self, now_ns: int, reason: Reason) -> None:
        """Let go of the latch."""
        with self._latch:
            was = self.latched
            self.latched, self.latched_ns, self._untold, self.silenced = None, None, None, False
        self._rung = Rung.DROP
        self._since_ns = now_ns
        self._failures.clear()
        if was is not None:
            self._write(Rung.DROP, reason, now_ns, None)

    # -- the common part --------------------------------------------------------------------------------------------

    def _move(self, rung: Rung, reason: Reason, now_ns: int, chunk: Item | None, value_ns: int, limit_ns: int) -> Rung:
        """Go to a rung; a change is a decision, staying is not."""
        if rung != self._rung:
            reason = reason if rung > self._rung else Reason.KEPT_AGAIN
            self._rung = rung
            self._write(rung, reason, now_ns, chunk, value_ns=value_ns, limit_ns=0 if limit_ns == NEVER else limit_ns)
        return rung

    def _write(
        self,
        rung: Rung,
        reason: Reason,
        now_ns: int,
        item: Item | None,
        *,
        stage: Stage | None = None,
        value_ns: int = 0,
        limit_ns: int = 0,
        slack_ns: int = 0,
        engine: int = 0,
    ) -> None:
        self._ledger.append(
            Stage.LADDER, next(self._numbers), now_ns, item.photon_ns if item is not None else -1,
            camera=item.camera if item is not None else -1, input_sequence=item.sequence if item is not None else -1,
            other=stage if stage is not None else -1, decision=reason, modelled_ns=limit_ns, measured_ns=value_ns,
            wait_ns=slack_ns, frame=item.frame_sequence if item is not None else -1, engine=engine, rung=rung,
        )  # fmt: skip
