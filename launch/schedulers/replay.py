"""Re-executes recorded activations: the ledger's rows are the schedule, frames and robot states the inputs."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import Any, TypeVar

from launch.executor import Executor
from launch.graph import Graph
from launch.ledger import Outcome, Reason, Rows, Rung, Stage, read_plan_word
from launch.streams import OUTPUTS, Item, NotHeld, OutputHash
from perception.frame import Frame
from robot.arm import JointCommand, RobotState

Value = TypeVar("Value")


class ReplayScheduler:
    """Feeds an executor with recorded inputs and rows, and compares what comes out with what was recorded.

    It is the executor's sink, so that it sees each output.

    Args:
        graph: The stages that the recording's configuration describes.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._frames: dict[str, dict[int, Frame]] = {name: {} for name in graph.cameras}
        self._states: dict[int, RobotState] = {}
        self._recorded: dict[str, deque[bytes]] = {name: deque() for name in OUTPUTS}
        self._produced: dict[str, deque[bytes]] = {name: deque() for name in OUTPUTS}
        self._compared = dict.fromkeys(OUTPUTS, 0)
        self.recorded_hash = OutputHash()
        self.difference: str | None = None
        self.missing: str | None = None

    def attach(self, executor: Executor) -> None:
        """Take the executor that runs the stages."""
        self._executor = executor
        executor.judge = self._judge

    def timing(self, _stage: Stage, _measured_ns: int, _engine: int) -> int:
        """What the activation took in the recorded run."""
        return int(self._row["modelled_ns"])

    def _judge(self, _stage: Stage, _end_ns: int, _duration_ns: int, _source: Item, _engine: int) -> bool:
        """Whether the recorded run fenced the activation."""
        return bool(self._row["outcome"] == Outcome.STALE)

    def recorded_frame(self, frame: Frame) -> None:
        """A recorded frame, in log order."""
        self._frames[frame.camera_name][frame.sequence] = frame

    def recorded_state(self, state: RobotState) -> None:
        """A recorded robot state, in log order."""
        self._states[state.sequence] = state

    def recorded_output(self, stream: str, payload: bytes) -> None:
        """A recorded row of an output stream."""
        self.recorded_hash.update(stream, self.recorded_hash.rows[stream], payload)
        self._recorded[stream].append(payload)
        self._compare(stream)

    def frame(self, frame: Frame, now_ns: int) -> None:
        """Inputs are the recording's own."""

    def state(self, state: RobotState, now_ns: int) -> None:
        """Inputs are the recording's own."""

    def command(self, command: JointCommand, now_ns: int) -> None:
        """The commands' own stream is what is compared."""

    def output(self, stream: str, payload: bytes, now_ns: int) -> None:  # noqa: ARG002 - a sink's signature
        """A row that the replay produced."""
        self._produced[stream].append(payload)
        self._compare(stream)

    def rows(self, rows: Rows) -> None:
        """Execute a block of rows, up to the first whose inputs the recording lacks: `missing` tells it."""
        for row in rows:
            if self.missing is not None:
                return
            try:
                self._execute(row)
            except NotHeld as error:
                where = f"{Stage(int(row['stage'])).label} (row {int(row['order'])})"
                self.missing = f"the recording is not complete: {where} used what it lacks: {error}"

    def finish(self) -> None:
        """Compare what is left: rows on one side only."""
        for name in OUTPUTS:
            left = len(self._recorded[name]), len(self._produced[name])
            if any(left) and self.difference is None:
                self.difference = f"{name}: {left[0]} recorded rows and {left[1]} replayed ones have no counterpart"

    def _compare(self, stream: str) -> None:
        recorded, produced = self._recorded[stream], self._produced[stream]
        while recorded and produced:
            if recorded.popleft() != produced.popleft() and self.difference is None:
                self.difference = f"{stream} row {self._compared[stream]} differs"
            self._compared[stream] += 1

    def _execute(self, row: Any) -> None:
        self._row = row
        executor, now_ns = self._executor, int(row["now_ns"])
        stage, outcome = Stage(int(row["stage"])), Outcome(int(row["outcome"]))
        source, other, sequence = int(row["input"]), int(row["other"]), int(row["sequence"])
        try:
            if stage is Stage.CAPTURE:
                executor.input_frame(self._next_frame(row), now_ns, int(row["modelled_ns"]), int(row["measured_ns"]))
            elif stage is Stage.STATE:
                executor.input_state(self._next_state(row), now_ns)
            elif stage is Stage.EPISODE:
                executor.episode(sequence, now_ns)
            elif stage is Stage.DETECT:
                executor.detect(now_ns, int(row["camera"]), source, int(row["engine"]))
            elif stage is Stage.LOCALIZE:
                executor.localize(now_ns, source, other)
            elif stage is Stage.TRACK and row["rung"] == Rung.PREDICT:
                executor.predict(now_ns, int(row["camera"]), other)
            elif stage is Stage.TRACK:
                executor.track(now_ns, source)
            elif stage is Stage.PLAN:
                ahead_ns, back = read_plan_word(int(row["decision"]))
                executor.plan(now_ns, source, other, ahead_ns, executor.chunks.count - back if back else -1)
            elif stage is Stage.IK:
                chunk = executor.chunks.get(source) if source >= 0 else None
                executor.control(now_ns, chunk, other, Rung(int(row["rung"])), int(row["wait_ns"]))
            elif stage is Stage.SEND:
                executor.sent(executor.commands.get(source), now_ns, int(row["measured_ns"]))
            elif stage is Stage.LADDER:
                if row["decision"] == Reason.OPERATOR_RESET:
                    executor.operator_reset(now_ns)
                executor.repeat(row)
        except NotHeld:
            raise
        except Exception:
            if outcome is not Outcome.ERROR:  # where the stage failed in the recorded run too, it is the same behaviour
                raise

    def _next_frame(self, row: Any) -> Frame:
        """The frame of a row, by its number; those before it were not used."""
        name, sequence = self._executor.graph.cameras[int(row["camera"])], int(row["sequence"])
        frame = _take(self._frames[name], sequence, f"frame {sequence} of camera {name}")
        return replace(frame, stamp_ns=int(row["photon_ns"]), received_ns=int(row["now_ns"]))

    def _next_state(self, row: Any) -> RobotState:
        sequence = int(row["sequence"])
        return _take(self._states, sequence, f"robot state {sequence}")


def _take(waiting: dict[int, Value], sequence: int, what: str) -> Value:
    for older in [number for number in waiting if number < sequence]:
        del waiting[older]
    if sequence not in waiting:
        raise NotHeld(what)
    return waiting.pop(sequence)
