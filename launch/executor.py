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
from launch.ledger import Ledger, Outcome, Stage
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


Duration = Callable[[Stage, int], int]
# The tracker takes frames that are a little older than the newest one, as when a second camera is slower.
LATE_NS = round(TrackerParameters().late_s * 1e9)


class Executor:
    """Streams, ledger and hash of one run.

    Args:
        graph: The stages.
        duration: Modelled duration [ns] of a stage, given its measured one; what the virtual clock advances by.
        sink: Recorder, if the run is recorded.
        keep: Values that each stream holds. Replay executes an activation when it ended, so it needs what the
            activation consumed for longer than the run did.
    """

    def __init__(self, graph: Graph, duration: Duration, sink: Sink | None = None, keep: int = 8) -> None:
        self.graph = graph
        self.ledger = Ledger()
        self.hash = OutputHash()
        self._duration = duration
        self._sink = sink
        self._tracked_ns = -1
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
            Stage.CAPTURE, frame.sequence, now_ns, frame.stamp_ns,
            camera=camera, modelled_ns=modelled_ns, measured_ns=measured_ns,
        )  # fmt: skip
        item = Item(frame.sequence, frame, now_ns, frame.stamp_ns, camera, frame.sequence)
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
        """Publish a robot state that was read."""
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
        self._tracked_ns = -1
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

    def comes_too_late(self, frame: Item) -> bool:
        """Whether a frame is so much older than one that was tracked already that the tracker cannot use it."""
        return frame.photon_ns < self._tracked_ns - LATE_NS

    # -- stages ---------------------------------------------------------------------------------------------------

    def detect(self, now_ns: int, camera: int, frame_sequence: int) -> Item:
        """Find objects in a frame."""
        source = self.frames[camera].get(frame_sequence)
        # a slow detector must find its frame again, however many came in the meantime
        self._detected.put(replace(source, sequence=self.detections.count))
        return self._run(
            Stage.DETECT, now_ns, source, self.detections,
            lambda: self.graph.detect(source.value),
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
        self._tracked_ns = max(self._tracked_ns, source.photon_ns)
        item = self._run(
            Stage.TRACK, now_ns, source, self.tracks,
            lambda: self.graph.track(placed.localized, placed.visibility),
            lambda value: ("tracks", codec.encode_tracks(value)),
        )  # fmt: skip
        self._record_frame(source.camera)
        return item

    def plan(self, now_ns: int, tracks_sequence: int, state_sequence: int) -> Item:
        """Ask the policy for the next chunk of actions."""
        source = self.tracks.get(tracks_sequence)
        states = self._new_states(self.graph.plan.last_state, state_sequence)
        return self._run(
            Stage.PLAN, now_ns, source, self.chunks,
            lambda: self.graph.plan(source.value, states),
            lambda value: ("chunks", codec.encode_chunk(value)),
            other=state_sequence,
        )  # fmt: skip

    def control(self, now_ns: int, chunk_item: Item | None, state_sequence: int) -> Item:
        """One control tick: sample the chunk, inverse kinematics, trajectory, governor."""
        state_item = self.states.get(state_sequence)
        chunk: ActionChunk | None = chunk_item.value if chunk_item is not None else None
        behind = chunk_item or Item(-1, None, now_ns, -1, -1, -1)

        def encode(value: Command) -> tuple[str, bytes]:
            payload = codec.encode_command(
                value, behind.photon_ns, behind.sequence, behind.camera, behind.frame_sequence, self.graph.engine
            )
            return "commands", payload

        item = self._run(
            Stage.IK, now_ns, behind, self.commands,
            lambda: self.graph.control(now_ns, chunk, state_item.value),
            encode, other=state_sequence, wait_ns=0,
        )  # fmt: skip
        if self._sink is not None:
            self._sink.command(item.value.setpoint, now_ns)
        return item

    def sent(self, command: Item, now_ns: int, modelled_ns: int, measured_ns: int) -> None:
        """Note that a command went to the arm, and how long that took."""
        self.ledger.append(
            Stage.SEND, command.sequence, now_ns, command.photon_ns, camera=command.camera,
            input_sequence=command.sequence, modelled_ns=modelled_ns, measured_ns=measured_ns,
        )  # fmt: skip

    # -- the common part ------------------------------------------------------------------------------------------

    def _new_states(self, after: int, upto: int) -> list[RobotState]:
        return [item.value for item in self.states.since(after, upto)]

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
    ) -> Item:
        sequence = stream.count
        wait = now_ns - source.published_ns if wait_ns is None else wait_ns
        started = time.perf_counter_ns()
        try:
            value: Detections | Placed | Tracks | ActionChunk | Command = call()
        except Exception as error:
            outcome = Outcome.DROPPED if isinstance(error, PoseUnavailable) else Outcome.ERROR
            self.ledger.append(
                stage, -1, now_ns, source.photon_ns, camera=source.camera, input_sequence=source.sequence,
                other=other, outcome=outcome, measured_ns=time.perf_counter_ns() - started, wait_ns=wait,
            )  # fmt: skip
            raise
        measured = time.perf_counter_ns() - started
        modelled = self._duration(stage, measured)
        outcome = value.outcome if isinstance(value, Command) else Outcome.OK
        decision = value.interventions if isinstance(value, Command) else 0
        self.ledger.append(
            stage, sequence, now_ns, source.photon_ns, camera=source.camera, input_sequence=source.sequence,
            other=other, outcome=outcome, decision=decision, modelled_ns=modelled, measured_ns=measured, wait_ns=wait,
        )  # fmt: skip
        item = Item(sequence, value, now_ns + modelled, source.photon_ns, source.camera, source.frame_sequence)
        if encode is not None:
            name, payload = encode(value)
            self.hash.update(name, sequence, payload)
            if self._sink is not None:
                self._sink.output(name, payload, now_ns)
        stream.put(item)
        return item

    def modelled(self, stage: Stage, measured_ns: int) -> int:
        """Modelled duration of a stage that the scheduler itself runs (capture, send)."""
        return self._duration(stage, measured_ns)
