"""Runs one activation of a stage: resolves what it consumes, times it, writes its row, publishes, hashes and records.

The executor never decides *when*: the schedulers do (`launch/schedulers`). The same executor serves the virtual clock,
the wall clock and replay, so a stage cannot tell them apart.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

from geometry import PoseUnavailable
from launch import codec
from launch.control_path import Command
from launch.graph import Graph, Placed
from launch.ledger import Ledger, Outcome, Rung, Stage, plan_word, read_plan_word
from launch.streams import Item, OutputHash, Stream
from perception.detections import Detections
from perception.frame import Frame
from policy import ActionChunk
from robot.arm import JointCommand, RobotState
from tracking import TrackerParameters, Tracks


class Sink(Protocol):
    """Where inputs and outputs are recorded."""

    def frame(self, frame: Frame, now_ns: int) -> None:
        """Record a frame that the pipeline received."""

    def state(self, state: RobotState, now_ns: int) -> None:
        """Record a robot state that the pipeline read."""

    def output(self, stream: str, payload: bytes, now_ns: int) -> None:
        """Record one row of an output stream."""

    def command(self, command: JointCommand, now_ns: int) -> None:
        """Record a setpoint as others can read it; the row of its stream says more."""


Timing = Callable[[Stage, int, int], int]
# The tracker takes frames that are a little older than the newest one, as when a second camera is slower.
LATE_NS = round(TrackerParameters().late_s * 1e9)
# The chunk that is executed is told to a plan if no more than so many came after it: streams hold a few values.
HELD_CHUNKS = 8


def as_measured(_stage: Stage, measured_ns: int, _engine: int) -> int:
    """The timing of the wall clock: a stage takes what it takes."""
    return measured_ns


Judge = Callable[[Stage, int, int, Item, int], bool]
"""Stage, end [ns], duration [ns], what was consumed, engine; returns whether the result came too late to be used."""


class Executor:
    """Streams, ledger and hash of one run.

    Args:
        graph: The stages.
        timing: Duration [ns] of an activation on the run's clock, given its stage, its measured duration and the
            detector's engine.
        sink: Recorder, if the run is recorded.
        keep: Values that each stream holds. Replay executes an activation when it ended, so it needs what the
            activation consumed for longer than the run did.

    Attributes:
        judge: Told about each activation that ended; says whether its result is fenced.
    """

    def __init__(self, graph: Graph, timing: Timing, sink: Sink | None = None, keep: int = 8) -> None:
        self.graph = graph
        self.ledger = Ledger()
        self.hash = OutputHash()
        self.judge: Judge | None = None
        self._timing = timing
        self._engines = [codec.engine_number(text) for text in graph.fingerprints]
        self._sink = sink
        self._tracked: Item | None = None
        self._tracks_ns = -1  # the instant that the tracker is at, by a look or by a prediction
        self._reset_ns = self._anew_ns = -1
        self._unrecorded: dict[int, tuple[Frame, int]] = {}
        self.frames = [Stream(f"frames of {name}", keep) for name in graph.cameras]
        self.states = Stream("robot states", 128 * keep)
        self._detected = Stream("frames in use", keep)
        self.detections = Stream("detections", keep)
        self.placed = Stream("placed", keep)
        self.tracks = Stream("tracks", keep)
        self.chunks = Stream("chunks", keep)
        self.commands = Stream("commands", 16 * keep)

    # -- inputs ---------------------------------------------------------------------------------------------------

    def input_frame(self, frame: Frame, now_ns: int, modelled_ns: int = 0, measured_ns: int = 0) -> Item:
        """Publish a frame that arrived."""
        camera = self.graph.cameras.index(frame.camera_name)
        self._record_frame(camera)
        self._unrecorded[camera] = (frame, now_ns)
        self.ledger.append(
            Stage.CAPTURE, frame.sequence, now_ns, frame.stamp_ns, camera=camera,
            modelled_ns=modelled_ns, measured_ns=measured_ns, frame=frame.sequence,
        )  # fmt: skip
        item = Item(frame.sequence, frame, now_ns, frame.stamp_ns, camera, frame.sequence)
        self._is_late(Stage.CAPTURE, now_ns, modelled_ns, item, 0)
        self.frames[camera].put(item)
        return item

    def _record_frame(self, camera: int) -> None:
        """Hand a frame over for recording. That waits until the frame was worked on: recording is in no hurry."""
        held = self._unrecorded.pop(camera, None)
        if held is not None and self._sink is not None:
            self._sink.frame(*held)

    def flush(self) -> None:
        """Hand over what still waits to be recorded."""
        for camera in range(len(self.frames)):
            self._record_frame(camera)

    def input_state(self, state: RobotState, now_ns: int) -> Item:
        """Publish a robot state that was read; one that was published already is not news."""
        known = self.states.newest
        if known is not None and known.sequence == state.sequence:
            return known
        if self._sink is not None:
            self._sink.state(state, now_ns)
        self.ledger.append(Stage.STATE, state.sequence, now_ns, state.stamp_ns)
        item = Item(state.sequence, state, now_ns, state.stamp_ns, -1, -1)
        self.states.put(item)
        return item

    def episode(self, index: int, now_ns: int) -> None:
        """Begin an episode: every stage forgets, streams are emptied, numbering goes on."""
        self.ledger.append(Stage.EPISODE, index, now_ns, now_ns)
        self.graph.reset()
        self._tracked, self._tracks_ns = None, -1
        for stream in (
            *self.frames,
            self._detected,
            self.states,
            self.detections,
            self.placed,
            self.tracks,
            self.chunks,
            self.commands,
        ):
            stream.clear()

    def operator_reset(self, now_ns: int) -> None:
        """Start the control path anew from where the arm is; the ladder writes the row that a replay finds this by.

        The policy forgets what it was about when it first plans from photons that are newer than the reset: its loop
        may be planning at this moment, and a replay comes to that plan after this row.
        """
        self.graph.control.reset()
        self._reset_ns = now_ns

    def repeat(self, row: Any) -> None:
        """Write a decision of the recorded run: a replay takes them, and makes none."""
        self.ledger.append(
            Stage.LADDER, int(row["sequence"]), int(row["now_ns"]), int(row["photon_ns"]), camera=int(row["camera"]),
            input_sequence=int(row["input"]), other=int(row["other"]), decision=int(row["decision"]),
            modelled_ns=int(row["modelled_ns"]), measured_ns=int(row["measured_ns"]), wait_ns=int(row["wait_ns"]),
            frame=int(row["frame"]), engine=int(row["engine"]), rung=int(row["rung"]),
        )  # fmt: skip

    def comes_too_late(self, frame: Item) -> bool:
        """Whether a frame is so much older than where the tracker is already that it would be refused."""
        return frame.photon_ns < self._tracks_ns - LATE_NS

    # -- stages ---------------------------------------------------------------------------------------------------

    def detect(self, now_ns: int, camera: int, frame_sequence: int, engine: int = 0) -> Item:
        """Find objects in a frame, with the configured engine (0) or its fallback (1)."""
        source = replace(self.frames[camera].get(frame_sequence), engine=engine)
        # a slow detector must find its frame again, however many came in the meantime
        self._detected.put(replace(source, sequence=self.detections.count))
        return self._run(
            Stage.DETECT, now_ns, source, self.detections,
            lambda: self.graph.detect(source.value, engine),
            lambda value: ("detections", codec.encode_detections(value, camera)),
        )  # fmt: skip

    def localize(self, now_ns: int, detections_sequence: int, state_sequence: int) -> Item | None:
        """Place detections in `base` with the camera's pose at exposure time; None if that pose is not known."""
        source = self.detections.get(detections_sequence)
        frame: Frame = self._detected.get(detections_sequence).value
        states = self._new_states(self.graph.locate.last_state, state_sequence)
        try:
            return self._run(
                Stage.LOCALIZE, now_ns, source, self.placed,
                lambda: self.graph.locate(source.value, frame, states),
                other=state_sequence,
            )  # fmt: skip
        except PoseUnavailable:
            return None

    def track(self, now_ns: int, placed_sequence: int) -> Item:
        """Update identities with placed detections."""
        source = self.placed.get(placed_sequence)
        placed: Placed = source.value
        item = self._run(
            Stage.TRACK, now_ns, source, self.tracks,
            lambda: self.graph.track(placed),
            lambda value: ("tracks", codec.encode_tracks(value)),
        )  # fmt: skip
        if self._tracked is None or source.photon_ns > self._tracked.photon_ns:
            self._tracked = source
        self._tracks_ns = max(self._tracks_ns, source.photon_ns)
        self._record_frame(source.camera)
        return item

    def predict(self, now_ns: int, camera: int, frame_sequence: int) -> Item:
        """Tracks at the stamp of a frame that is left out; the photons behind them are those of the last look."""
        frame, seen = self.frames[camera].get(frame_sequence), self._tracked
        assert seen is not None  # before the first look there is nothing to predict from
        source = replace(seen, sequence=-1, published_ns=frame.published_ns)
        item = self._run(
            Stage.TRACK, now_ns, source, self.tracks,
            lambda: self.graph.predict(frame.photon_ns),
            lambda value: ("tracks", codec.encode_tracks(value)),
            other=frame_sequence, rung=Rung.PREDICT, left_out_of=camera,
        )  # fmt: skip
        self._tracks_ns = max(self._tracks_ns, frame.photon_ns)
        self._record_frame(camera)
        return item

    def plan(
        self, now_ns: int, tracks_sequence: int, state_sequence: int, ahead_ns: int = 0, present: int = -1
    ) -> Item:
        """Ask the policy for the next chunk of actions.

        Args:
            now_ns: Time of the request [ns].
            tracks_sequence: Number of the tracks to plan from.
            state_sequence: Number of the arm's newest state.
            ahead_ns: Time from the photons behind the tracks to when the chunk is expected to take over [ns].
            present: Number of the chunk that is being executed; -1 = none.
        """
        source = self.tracks.get(tracks_sequence)
        back = self.chunks.count - present if present >= 0 else 0
        word = plan_word(ahead_ns, back if back <= HELD_CHUNKS else 0)
        ahead_ns, back = read_plan_word(word)
        executed: ActionChunk | None = self.chunks.get(self.chunks.count - back).value if back else None
        if source.photon_ns > self._reset_ns > self._anew_ns:
            self._anew_ns = self._reset_ns
            self.graph.plan.reset()
        states = self._new_states(self.graph.plan.last_state, state_sequence)
        frame: Frame | None = None
        if self.graph.plan.reads_images:
            frame = self.frames[source.camera].get(source.frame_sequence).value
        return self._run(
            Stage.PLAN, now_ns, source, self.chunks,
            lambda: self.graph.plan(source.value, states, ahead_ns, executed, frame),
            lambda value: ("chunks", codec.encode_chunk(value)),
            other=state_sequence, decision=word,
        )  # fmt: skip

    def control(
        self, now_ns: int, chunk_item: Item | None, state_sequence: int, rung: Rung = Rung.DROP, late_ns: int = 0
    ) -> Item:
        """One control tick: sample the chunk, inverse kinematics, trajectory, governor.

        Args:
            now_ns: Time of the tick [ns].
            chunk_item: The chunk to follow, if there is one.
            state_sequence: Number of the arm's newest state.
            rung: The ladder's decision.
            late_ns: How much later than planned the tick began [ns].
        """
        state_item = self.states.get(state_sequence)
        chunk: ActionChunk | None = chunk_item.value if chunk_item is not None else None
        behind = chunk_item or Item(-1, None, now_ns, -1, -1, -1)
        engine = self._engines[behind.engine]

        def encode(value: Command) -> tuple[str, bytes]:
            payload = codec.encode_command(
                value, behind.photon_ns, behind.sequence, behind.camera, behind.frame_sequence, engine
            )
            return "commands", payload

        item = self._run(
            Stage.IK, now_ns, behind, self.commands,
            lambda: self.graph.control(now_ns, chunk, state_item.value, behind.photon_ns, rung),
            encode, other=state_sequence, wait_ns=late_ns, rung=rung,
        )  # fmt: skip
        if self._sink is not None:
            self._sink.command(item.value.setpoint, now_ns)
        return item

    def sent(self, command: Item, now_ns: int, measured_ns: int) -> int:
        """Note that a command went to the arm, and how long that took: returns the duration on the run's clock [ns]."""
        modelled = self._timing(Stage.SEND, measured_ns, 0)
        self.ledger.append(
            Stage.SEND, command.sequence, now_ns, command.photon_ns, camera=command.camera,
            input_sequence=command.sequence, modelled_ns=modelled, measured_ns=measured_ns,
            frame=command.frame_sequence, engine=command.engine,
        )  # fmt: skip
        self._is_late(Stage.SEND, now_ns + modelled, modelled, command, 0)
        return modelled

    # -- the common part ------------------------------------------------------------------------------------------

    def _new_states(self, after: int, upto: int) -> list[RobotState]:
        return [item.value for item in self.states.since(after, upto)]

    def _is_late(self, stage: Stage, end_ns: int, duration_ns: int, source: Item, engine: int) -> bool:
        return self.judge is not None and self.judge(stage, end_ns, duration_ns, source, engine)

    def _run(
        self,
        stage: Stage,
        now_ns: int,
        source: Item,
        stream: Stream,
        call: Callable[[], Any],
        encode: Callable[[Any], tuple[str, bytes]] | None = None,
        other: int = -1,
        wait_ns: int | None = None,
        rung: Rung = Rung.DROP,
        left_out_of: int | None = None,
        decision: int = 0,
    ) -> Item:
        sequence, engine = stream.count, source.engine
        camera = source.camera if left_out_of is None else left_out_of
        wait = now_ns - source.published_ns if wait_ns is None else wait_ns
        started = time.perf_counter_ns()
        try:
            value: Detections | Placed | Tracks | ActionChunk | Command = call()
        except Exception as error:
            outcome = Outcome.DROPPED if isinstance(error, PoseUnavailable) else Outcome.ERROR
            self.ledger.append(
                stage, -1, now_ns, source.photon_ns, camera=camera, input_sequence=source.sequence,
                other=other, outcome=outcome, measured_ns=time.perf_counter_ns() - started, wait_ns=wait,
                frame=source.frame_sequence, engine=engine, rung=rung, decision=decision,
            )  # fmt: skip
            raise
        measured = time.perf_counter_ns() - started
        modelled = self._timing(stage, measured, engine)
        stale = self._is_late(stage, now_ns + modelled, modelled, source, engine)
        outcome = Outcome.STALE if stale else value.outcome if isinstance(value, Command) else Outcome.OK
        if isinstance(value, Command):
            decision = value.interventions
        # by position, in the order of `Ledger.append`: a fifth less than by keyword
        self.ledger.append(
            stage, sequence, now_ns, source.photon_ns, camera, source.sequence, other, outcome, decision,
            modelled, measured, wait, source.frame_sequence, engine, rung,
        )  # fmt: skip
        item = Item(
            sequence, value, now_ns + modelled, source.photon_ns, source.camera, source.frame_sequence, engine, stale
        )
        if encode is not None:
            name, payload = encode(value)
            self.hash.update(name, sequence, payload)
            if self._sink is not None:
                self._sink.output(name, payload, now_ns)
        stream.put(item)
        return item

    def timing(self, stage: Stage, measured_ns: int) -> int:
        """Duration [ns] on the run's clock of a stage that the scheduler itself runs (capture)."""
        return self._timing(stage, measured_ns, 0)
