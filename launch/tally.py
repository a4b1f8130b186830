"""What a ledger says in figures: durations per stage, reaction, command age, control period, dropped frames."""

from __future__ import annotations

from array import array
from typing import Any

import numpy as np
import numpy.typing as npt

from deploy.latency import StageLatency, summarize
from launch.config.budget import BudgetConfig
from launch.ledger import REPORTED, Outcome, Rows, Stage

Int64 = npt.NDArray[np.int64]


class Tally:
    """Adds up blocks of ledger rows, in their order.

    Args:
        budget: Limits to count misses against.
        virtual: Whether the run's clock was virtual: then instants follow modelled durations, on the wall clock the
            measured ones.
    """

    def __init__(self, budget: BudgetConfig, *, virtual: bool) -> None:
        self._budget = budget
        self._duration_field = "modelled_ns" if virtual else "measured_ns"
        self._measured: dict[Stage, list[Int64]] = {stage: [] for stage in REPORTED}
        self._modelled: dict[Stage, list[Int64]] = {stage: [] for stage in REPORTED}
        self._reaction, self._age, self._period = array("q"), array("q"), array("q")
        self._chunk_of_command: dict[int, int] = {}
        self._reacted = -1
        self._last_tick_ns: int | None = None
        self._unused: dict[int, list[int]] = {}
        self._newest_frame: dict[int, int] = {}
        self._dropped = 0
        self.frames = self.commands = self.episodes = 0

    def add(self, rows: Rows) -> None:
        """Add the next block."""
        worked = rows[rows["outcome"] != Outcome.DROPPED]
        for stage in REPORTED:
            of_stage = worked[worked["stage"] == stage]
            if len(of_stage):
                self._measured[stage].append(of_stage["measured_ns"].copy())
                self._modelled[stage].append(of_stage["modelled_ns"].copy())
        columns = ("stage", "camera", "sequence", "input", "now_ns", "photon_ns", self._duration_field)
        for stage, camera, sequence, source, now_ns, photon_ns, duration_ns in zip(
            *(rows[name].tolist() for name in columns), strict=True
        ):
            if stage == Stage.IK:
                self.commands += 1
                self._chunk_of_command[sequence] = source
                if self._last_tick_ns is not None:
                    self._period.append(now_ns - self._last_tick_ns)
                self._last_tick_ns = now_ns
            elif stage == Stage.SEND:
                chunk = self._chunk_of_command.pop(sequence, -1)
                if chunk >= 0:
                    age = now_ns + duration_ns - photon_ns
                    self._age.append(age)
                    if chunk > self._reacted:
                        self._reaction.append(age)
                        self._reacted = chunk
            elif stage == Stage.CAPTURE:
                self._capture(camera, sequence)
            elif stage == Stage.DETECT:
                self._use(camera, source)
            elif stage == Stage.EPISODE:
                self.episodes += 1
                self._dropped = self.dropped_frames
                self._unused.clear()
                self._newest_frame.clear()
                self._chunk_of_command.clear()
                self._last_tick_ns = None

    def _capture(self, camera: int, sequence: int) -> None:
        """A gap in the numbers tells of frames that never came."""
        self.frames += 1
        newest = self._newest_frame.get(camera)
        if newest is not None and sequence > newest + 1:
            self._dropped += sequence - newest - 1
        self._newest_frame[camera] = sequence
        self._unused.setdefault(camera, []).append(sequence)

    def _use(self, camera: int, sequence: int) -> None:
        """A frame that comes before one that was used, and was not used itself, was dropped."""
        unused = self._unused.get(camera, [])
        self._dropped += sum(number < sequence for number in unused)
        self._unused[camera] = [number for number in unused if number > sequence]

    @property
    def dropped_frames(self) -> int:
        """Frames that never came, and frames that a newer one overtook; the newest at an end was not overtaken."""
        return self._dropped + sum(max(0, len(unused) - 1) for unused in self._unused.values())

    def stages(self, *, modelled: bool = False) -> dict[str, StageLatency]:
        """Latency of each stage against its budget: measured on this machine, or as modelled."""
        durations = self._modelled if modelled else self._measured
        return {
            stage.label: summarize(_joined(durations[stage]), self._budget.stages_ms.get(stage.label))
            for stage in REPORTED
        }

    def report(self, *, modelled: bool = False) -> dict[str, Any]:
        """The latency report as plain data."""
        return {
            "stages": {name: latency.to_dict() for name, latency in self.stages(modelled=modelled).items()},
            "reaction": self.reaction.to_dict(),
            "command_age": self.command_age.to_dict(),
            "control_period": self.control_period.to_dict(),
        }

    @property
    def reaction(self) -> StageLatency:
        """From capture to the first command that uses that frame."""
        return summarize(np.array(self._reaction, dtype=np.int64), self._budget.reaction_ms)

    @property
    def command_age(self) -> StageLatency:
        """Age of the photons behind each command when it was sent."""
        return summarize(np.array(self._age, dtype=np.int64), self._budget.command_age_ms)

    @property
    def control_period(self) -> StageLatency:
        """Time between control ticks."""
        return summarize(np.array(self._period, dtype=np.int64), None)


def _joined(parts: list[Int64]) -> Int64:
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)
