"""Discrete-event scheduler: no threads, time is a number, a stage takes what the latency profile says.

The three loops (perception per frame, planning when the chunk runs low, control each period) never wait for each other;
what passes between them becomes visible when its modelled duration has passed. Slow rendering costs no simulated time.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

from launch.executor import Executor
from launch.ledger import Outcome, Rows, Stage
from launch.schedulers.notes import CHUNK_TOO_LATE, NO_POSE, TOO_LATE, Notes
from launch.streams import Item
from perception.frame import Frame
from policy.chunk_schedule import ChunkSchedule
from robot.arm import Arm

LEDGER_BLOCK_NS = 500_000_000


@dataclass(frozen=True, slots=True)
class VirtualCamera:
    """A simulated camera: `capture(stamp_ns, sequence)` renders the world as it is."""

    capture: Callable[[int, int], Frame]
    period_ns: int
    offset_ns: int = 0


@dataclass(order=True, slots=True)
class _Event:
    at_ns: int
    order: int
    act: Callable[[], None] = field(compare=False)


class VirtualScheduler:
    """Runs episodes of a simulated world.

    Args:
        executor: Runs and records the stages.
        advance: Moves the world to a time [ns].
        arm: The simulated arm.
        cameras: One per camera of the graph, in its order.
        control_period_ns: Period of the control loop [ns].
        replan_horizon_ns: The next chunk is asked for when less than this is left of the present one [ns].
        on_rows: Gets the ledger's rows and the present time, from time to time.
    """

    def __init__(
        self,
        executor: Executor,
        advance: Callable[[int], None],
        arm: Arm,
        cameras: list[VirtualCamera],
        control_period_ns: int,
        replan_horizon_ns: int,
        on_rows: Callable[[Rows, int], None],
    ) -> None:
        self._executor = executor
        self._advance = advance
        self._arm = arm
        self._cameras = cameras
        self._control_period_ns = control_period_ns
        self._schedule = ChunkSchedule(replan_horizon_ns)
        self._on_rows = on_rows
        self._frame_sequence = [0] * len(cameras)
        self.notes = Notes()
        self.now_ns = 0

    def run_episode(
        self, index: int, timeout_ns: int, finished: Callable[[], bool], interrupted: Callable[[], bool]
    ) -> None:
        """Run from the present time until `finished`, the timeout, or an interruption.

        Args:
            index: Number of the episode, for the ledger.
            timeout_ns: Longest duration [ns].
            finished: Asked once per control period.
            interrupted: Asked before each event.
        """
        self._executor.episode(index, self.now_ns)
        self._queue: list[_Event] = []
        self._order = 0
        self._waiting: list[Item | None] = [None] * len(self._cameras)
        self._perceiving = self._planning = False
        self._tracks: Item | None = None
        self._chunk: Item | None = None
        self._schedule.reset()
        self._rows_due_ns = self.now_ns + LEDGER_BLOCK_NS
        end_ns = self.now_ns + timeout_ns
        self._done = False
        self._finished = finished
        self._at(self.now_ns, self._tick)
        for camera in range(len(self._cameras)):
            self._at(self.now_ns + self._cameras[camera].offset_ns, partial(self._expose, camera))
        while self._queue and not self._done and self._queue[0].at_ns <= end_ns and not interrupted():
            event = heapq.heappop(self._queue)
            self.now_ns = event.at_ns
            event.act()
        self._flush()
        self.now_ns += self._control_period_ns  # the next episode starts on a fresh instant

    def _at(self, at_ns: int, act: Callable[[], None]) -> None:
        self._order += 1
        heapq.heappush(self._queue, _Event(at_ns, self._order, act))

    def _flush(self) -> None:
        self._on_rows(self._executor.ledger.take(), self.now_ns)

    # -- camera -----------------------------------------------------------------------------------------------------

    def _expose(self, camera: int) -> None:
        self._advance(self.now_ns)
        source = self._cameras[camera]
        started = time.perf_counter_ns()
        frame = source.capture(self.now_ns, self._frame_sequence[camera])
        measured = time.perf_counter_ns() - started
        self._frame_sequence[camera] += 1
        delay = self._executor.modelled(Stage.CAPTURE, measured)
        self._at(self.now_ns + delay, lambda: self._receive(camera, frame, delay, measured))
        self._at(self.now_ns + source.period_ns, partial(self._expose, camera))

    def _receive(self, camera: int, frame: Frame, delay_ns: int, measured_ns: int) -> None:
        item = self._executor.input_frame(replace(frame, received_ns=self.now_ns), self.now_ns, delay_ns, measured_ns)
        self._waiting[camera] = item
        self._perceive()

    # -- perception loop --------------------------------------------------------------------------------------------

    def _perceive(self) -> None:
        if self._perceiving:
            return
        ready = [item for item in self._waiting if item is not None]
        if not ready:
            return
        item = min(ready, key=lambda waiting: (waiting.photon_ns, waiting.camera))
        self._waiting[item.camera] = None
        if self._executor.comes_too_late(item):
            self.notes.add(TOO_LATE)
            self._perceive()
            return
        self._perceiving = True
        detections = self._executor.detect(self.now_ns, item.camera, item.sequence)
        self._at(detections.published_ns, lambda: self._locate(detections))

    def _locate(self, detections: Item) -> None:
        placed = self._executor.localize(self.now_ns, detections.sequence, self._executor.states.newest_sequence)
        if placed is None:
            self.notes.add(NO_POSE)
            self._perceiving = False
            self._perceive()
            return
        self._at(placed.published_ns, lambda: self._follow(placed))

    def _follow(self, placed: Item) -> None:
        tracks = self._executor.track(self.now_ns, placed.sequence)
        self._at(tracks.published_ns, lambda: self._publish_tracks(tracks))

    def _publish_tracks(self, tracks: Item) -> None:
        self._tracks = tracks
        self._perceiving = False
        self._maybe_plan()
        self._perceive()

    # -- planning loop ----------------------------------------------------------------------------------------------

    def _maybe_plan(self) -> None:
        if self._planning or self._tracks is None:
            return
        present = self._schedule.chunk
        if not self._schedule.needs_next(self.now_ns) or (present and present.stamp_ns >= self._tracks.photon_ns):
            return
        self._planning = True
        chunk = self._executor.plan(self.now_ns, self._tracks.sequence, self._executor.states.newest_sequence)
        self._at(chunk.published_ns, lambda: self._publish_chunk(chunk))

    def _publish_chunk(self, chunk: Item) -> None:
        self._planning = False
        if self._schedule.offer(chunk.value, self.now_ns) == "switched":
            self._chunk = chunk
        else:
            self.notes.add(CHUNK_TOO_LATE)

    # -- control loop -----------------------------------------------------------------------------------------------

    def _tick(self) -> None:
        self._advance(self.now_ns)
        if self._finished():
            self._done = True
            return
        state = self._executor.input_state(self._arm.read_state(), self.now_ns)
        command = self._executor.control(self.now_ns, self._chunk, state.sequence)
        if command.value.note and command.value.outcome is not Outcome.OK:
            self.notes.add(command.value.note, command.value.kind)
        self._at(command.published_ns, lambda: self._send(command))
        if self.now_ns >= self._rows_due_ns:
            self._flush()
            self._rows_due_ns = self.now_ns + LEDGER_BLOCK_NS
        self._at(self.now_ns + self._control_period_ns, self._tick)

    def _send(self, command: Item) -> None:
        self._advance(self.now_ns)
        started = time.perf_counter_ns()
        self._arm.send(command.value.setpoint)
        measured = time.perf_counter_ns() - started
        self._executor.sent(command, self.now_ns, self._executor.modelled(Stage.SEND, measured), measured)
