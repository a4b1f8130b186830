"""The folder of a run while it is being made: the bag with the ledger, and at the end configuration and summary."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from launch.bag import BagWriter
from launch.config import Config, to_yaml
from launch.executor import Executor
from launch.ladder import Ladder
from launch.ledger import Rows
from launch.machine import machine_facts
from launch.recorder import Recorder
from launch.recording import CONFIG, END, FACTS, NO_IMAGES, End, code_sha256
from launch.report import RunAccount
from launch.schedulers.notes import Notes
from launch.session import Progress, RunResult, finish_run
from launch.tally import Tally


class RunFolder:
    """Records a run and adds up its figures.

    Args:
        config: The configuration as resolved.
        path: The folder; it is made here.
        virtual: Whether the clock is virtual: then recording may slow the run down, on the wall clock it may not.
        epoch_offset_ns: Unix epoch minus run clock [ns].

    Attributes:
        discarded: Whether the run never began and its folder is gone.
    """

    def __init__(self, config: Config, path: Path, *, virtual: bool, epoch_offset_ns: int = 0) -> None:
        writer = BagWriter(path, compression=config.record.compression, epoch_offset_ns=epoch_offset_ns)
        self.config = config
        self.path = path
        self.recorder = Recorder(writer, blocking=virtual, images=config.record.images)
        self.account = RunAccount(config, Tally.of(config))
        self.details: list[dict[str, Any]] = []
        self.discarded = False
        self._facts: Callable[[], dict[str, Any]] | None = None
        self.recorder.text(CONFIG, to_yaml(config), 0)

    def ladder(self, executor: Executor, on_stop: Callable[[str], None]) -> Ladder:
        """The ladder that keeps this run's budget."""
        return Ladder(
            self.config.budget, executor.ledger, has_fallback=executor.graph.has_fallback,
            period_ns=round(1e9 / self.config.control.rate_hz), on_stop=on_stop,
        )  # fmt: skip

    def tell(self, executor: Executor, realtime: Callable[[], dict[str, Any]] = dict) -> None:
        """Have the run's machine and engines recorded, once the loops are under way.

        Args:
            executor: Whose engines.
            realtime: What the run was given of what it asked for.
        """
        models = [used.model for used in (self.config.detector, self.config.detector.fallback) if used is not None]
        engines = [
            {"role": role, "model": model, "fingerprint": fingerprint}
            for role, model, fingerprint in zip(
                ("detector", "fallback"), models, executor.graph.fingerprints, strict=False
            )
        ]
        self._facts = lambda: {"machine": {**machine_facts(), **realtime()}, "engines": engines}

    def on_rows(self, rows: Rows, now_ns: int) -> None:
        """Take a block of the ledger."""
        if self._facts is not None:
            self.account.facts, self._facts = self._facts(), None
            self.recorder.text(FACTS, json.dumps(self.account.facts), now_ns)
        self.account.tally.add(rows)
        self.recorder.rows(rows, now_ns)

    def episode(self, detail: dict[str, Any], progress: Progress) -> None:
        """Note an episode that came to its end, and say how it went if that is known."""
        self.details.append(detail)
        if detail["success"] is not None:
            outcome = "success" if detail["success"] else "failed"
            after = f" after {detail['simulated_s']:.1f} s simulated"
            progress(f"episode {len(self.details)}/{self.config.episodes}: {outcome}{after}")

    def discard(self) -> None:
        """The run did not begin: leave nothing behind."""
        self.discarded = True
        self.recorder.close()
        shutil.rmtree(self.path, ignore_errors=True)

    def finish(self, executor: Executor, now_ns: int, notes: Notes, *, judged: bool, interrupted: bool) -> RunResult:
        """Write what is left, close the bag, and write configuration and summary; also after a failure.

        Args:
            executor: Whose outputs were recorded.
            now_ns: The present time [ns].
            notes: Remarks of the scheduler.
            judged: Whether somebody knows if the episodes succeeded.
            interrupted: Whether the run was stopped from outside.

        Raises:
            OSError: If the recording could not be written, for example on a full disk.
        """
        try:
            executor.flush()
            self.on_rows(executor.ledger.take(), now_ns)
            lost = self.account.lost_rows = executor.ledger.lost + self.recorder.dropped
            if not self.config.record.images:
                notes.add(NO_IMAGES)
            if lost:
                notes.add(f"{lost} rows or frames could not be recorded: this run cannot be replayed to the same bytes")
            self.recorder.text(END, End(lost, code_sha256()).to_text(), now_ns)
        finally:
            self.recorder.close()
        successes = sum(bool(detail["success"]) for detail in self.details) if judged else None
        tally = self.account.tally
        result = RunResult(
            self.path, len(self.details), successes, tally.frames, tally.dropped_frames, tally.commands,
            executor.hash.hexdigest(), notes=notes.counts(), interrupted=interrupted,
            safe_stop=tally.latched.sentence if tally.latched is not None else None,
        )  # fmt: skip
        finish_run(self.path, result, self.account, self.details)
        return result
