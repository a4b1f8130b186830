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

from launch.control_path import LATCHING_BITS
from launch.executor import Executor
from launch.ladder import Ladder
from launch.ledger import Outcome, Reason, Rows, Rung, Stage
from launch.schedulers.attempts import Attempts
from launch.schedulers.cameras import VirtualCamera
from launch.schedulers.notes import CHUNK_TOO_LATE, NO_POSE, STARVED, TICKS_MISSED, TOO_LATE, Notes
from launch.streams import Item
from perception.frame import Frame
from policy.chunk_schedule import ChunkSchedule
from robot.arm import Arm

LEDGER_BLOCK_NS = 500_000_000
# nobody resets a simulated cell in the middle of an episode: the arm has come to rest by then, and the episode is over
AFTER_STOP_NS = 1_000_000_000


@dataclass(order=True, slots=True)
class _Event:
    at_ns: int
    order: int
    act: Callable[[], None] = field(compare=False)


class VirtualScheduler:
    """Runs episodes of a simulated world, or a recording under another machine's timing.

    Args:
        executor: Runs and records the stages.
        ladder: What is done about broken clauses of the budget.
        advance: Moves the world to a time [ns].
        arm: The simulated arm; None for cameras alone.
        cameras: One per camera of the graph, in its order.
        control_period_ns: Period of the control loop [ns].
        schedule: Says when the next chunk is asked for.
        on_rows: Gets the ledger's rows and the present time, from time to time.
    """

    def __init__(
        self,
        executor: Executor,
        ladder: Ladder,
        advance: Callable[[int], None],
        arm: Arm | None,
        cameras: list[VirtualCamera],
        control_period_ns: int,
        schedule: ChunkSchedule,
        on_rows: Callable[[Rows, int], None],
    ) -> None:
        self._executor = executor
        self._ladder = ladder
        executor.judge = ladder.finished
        self._advance = advance
        self._arm = arm
        self._cameras = cameras
        self._control_period_ns = control_period_ns
        self._schedule = schedule
        self._on_rows = on_rows
        self.notes = Notes()
        self._attempt = Attempts(ladder, self.notes)
        self.now_ns = 0

    def run_episode(
        self, index: int, timeout_ns: int, finished: Callable[[], bool], interrupted: Callable[[], bool]
    ) -> None:
        """Run from the present time until `finished`, the timeout, a second after a safe stop, or an interruption.

        Args:
            index: Number of the episode, for the ledger.
            timeout_ns: Longest duration [ns].
            finished: Asked once per control period.
            interrupted: Asked before each event.

        Raises:
            Exception: What a stage raised too often; the arm has been told to stop by then.
        """
        self._executor.episode(index, self.now_ns)
        self._ladder.begin(self.now_ns, new_cell=True)
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
        self._due_ns = self.now_ns
        if self._arm is not None:
            self._at(self.now_ns, partial(self._tick, self._arm))
        for camera in range(len(self._cameras)):
            self._wait_for_exposure(camera)
        try:
            while self._queue and not self._done and self._queue[0].at_ns <= end_ns and not interrupted():
                event = heapq.heappop(self._queue)
                self.now_ns = event.at_ns
                event.act()
                if self.now_ns >= self._rows_due_ns:
                    self._flush()
                    self._rows_due_ns = self.now_ns + LEDGER_BLOCK_NS
        except BaseException:
            if self._arm is not None:
                self._arm.stop()
            raise
        finally:
            self._flush()
        self.now_ns += self._control_period_ns  # the next episode starts on a fresh instant

    def _at(self, at_ns: int, act: Callable[[], None]) -> None:
        self._order += 1
        heapq.heappush(self._queue, _Event(at_ns, self._order, act))

    def _flush(self) -> None:
        self._on_rows(self._executor.ledger.take(), self.now_ns)
        self._ladder.announce()

    # -- camera -----------------------------------------------------------------------------------------------------

    def _wait_for_exposure(self, camera: int) -> None:
        at_ns = self._cameras[camera].next_ns(self.now_ns)
        if at_ns is not None:
            self._at(at_ns, partial(self._expose, camera))

    def _expose(self, camera: int) -> None:
        self._advance(self.now_ns)
        started = time.perf_counter_ns()
        frame = self._cameras[camera].expose(self.now_ns)
        measured = time.perf_counter_ns() - started
        delay = self._executor.timing(Stage.CAPTURE, measured)
        self._at(self.now_ns + delay, lambda: self._receive(camera, frame, delay, measured))
        self._wait_for_exposure(camera)

    def _receive(self, camera: int, frame: Frame, delay_ns: int, measured_ns: int) -> None:
        newest = self._executor.frames[camera].newest
        if newest is not None and newest.sequence >= frame.sequence:
            return  # a later frame came sooner: a camera delivers in order, so this one never came
        item = self._executor.input_frame(replace(frame, received_ns=self.now_ns), self.now_ns, delay_ns, measured_ns)
        overtaken = self._waiting[camera]
        if overtaken is not None:
            self._ladder.dropped(self.now_ns, overtaken, Reason.OVERTAKEN)
        self._waiting[camera] = item
        self._perceive()

    # -- perception loop --------------------------------------------------------------------------------------------

    def _perceive(self) -> None:
        """Take the oldest of the cameras' newest frames, unless one is being worked on."""
        while not self._perceiving:
            ready = [item for item in self._waiting if item is not None]
            if not ready:
                return
            item = min(ready, key=lambda waiting: (waiting.photon_ns, waiting.camera))
            self._waiting[item.camera] = None
            self._look(item)

    def _look(self, item: Item) -> None:
        executor, ladder, now_ns = self._executor, self._ladder, self.now_ns
        if executor.comes_too_late(item):
            ladder.dropped(now_ns, item, Reason.TOO_LATE)
            self.notes.add(TOO_LATE)
            return
        if ladder.leaves_out(now_ns, item):
            tracks = self._attempt(
                Stage.TRACK, now_ns, item, lambda: executor.predict(now_ns, item.camera, item.sequence)
            )
            self._then(tracks, self._publish_tracks)
            return
        detections = self._attempt(
            Stage.DETECT, now_ns, item, lambda: executor.detect(now_ns, item.camera, item.sequence, ladder.engine)
        )
        self._then(detections, self._locate)

    def _then(self, item: Item | None, act: Callable[[Item], None]) -> None:
        """Go on with a result when it is there; the loop is busy until then, also with one that will be fenced."""
        self._perceiving = item is not None
        if item is not None:
            self._at(item.published_ns, lambda: self._free() if item.stale else act(item))

    def _free(self) -> None:
        self._perceiving = False
        self._perceive()

    def _locate(self, detections: Item) -> None:
        executor, now_ns = self._executor, self.now_ns

        def place() -> Item | None:
            placed = executor.localize(now_ns, detections.sequence, executor.states.newest_sequence)
            if placed is None:
                self.notes.add(NO_POSE)
            return placed

        placed = self._attempt(Stage.LOCALIZE, now_ns, detections, place)
        if placed is None:
            self._free()
            return
        self._then(placed, self._follow)

    def _follow(self, placed: Item) -> None:
        tracks = self._attempt(
            Stage.TRACK, self.now_ns, placed, lambda: self._executor.track(self.now_ns, placed.sequence)
        )
        if tracks is None:
            self._free()
            return
        self._then(tracks, self._publish_tracks)

    def _publish_tracks(self, tracks: Item) -> None:
        self._tracks = tracks
        self._perceiving = False
        if self._arm is not None:
            self._maybe_plan(tracks)
        self._perceive()

    # -- planning loop ----------------------------------------------------------------------------------------------

    def _maybe_plan(self, tracks: Item) -> None:
        executor, now_ns, present = self._executor, self.now_ns, self._chunk
        if self._planning or not self._schedule.needs_next(now_ns, tracks.photon_ns):
            return
        if present is not None and present.photon_ns >= tracks.photon_ns:
            return  # a plan starts from fresh photons, or waits for the next ones
        if self._ladder.too_old_to_plan(now_ns, tracks):
            return
        chunk = self._attempt(
            Stage.PLAN, now_ns, tracks,
            lambda: executor.plan(
                now_ns, tracks.sequence, executor.states.newest_sequence,
                self._schedule.ahead_ns(now_ns, tracks.photon_ns), -1 if present is None else present.sequence,
            ),
        )  # fmt: skip
        if chunk is not None:
            self._planning = True
            self._at(chunk.published_ns, lambda: self._publish_chunk(chunk, now_ns))

    def _publish_chunk(self, chunk: Item, asked_ns: int) -> None:
        self._planning = False
        self._schedule.planned(chunk.published_ns - asked_ns)
        if chunk.stale:
            return
        if self._schedule.offer(chunk.value, self.now_ns) == "switched":
            self._chunk = chunk
        else:
            self.notes.add(CHUNK_TOO_LATE)

    # -- control loop -----------------------------------------------------------------------------------------------

    def _tick(self, arm: Arm) -> None:
        executor, ladder, now_ns = self._executor, self._ladder, self.now_ns
        self._advance(now_ns)
        stopped_ns = ladder.latched_ns
        if self._finished() or (stopped_ns is not None and now_ns - stopped_ns > AFTER_STOP_NS):
            self._done = True
            return
        state = executor.input_state(arm.read_state(), now_ns)
        rung = ladder.tick(now_ns, self._chunk, state.photon_ns)
        if rung is Rung.HOLD and self._schedule.is_starved(now_ns):
            self.notes.add(STARVED)
        command = self._attempt(
            Stage.IK, now_ns, state,
            lambda: executor.control(now_ns, self._chunk, state.sequence, rung, now_ns - self._due_ns),
        )  # fmt: skip
        assert command is not None  # a control tick that failed has ended the run
        if command.value.note and command.value.outcome is not Outcome.OK:
            self.notes.add(command.value.note, command.value.kind)
        if command.value.interventions & LATCHING_BITS:
            ladder.latch(Reason.GOVERNOR, now_ns, stage=Stage.IK, item=command)
        self._watch(arm, now_ns, command.published_ns)
        self._at(command.published_ns, lambda: self._send(arm, command, rung, now_ns))

    def _send(self, arm: Arm, command: Item, rung: Rung, ticked_ns: int) -> None:
        """Send a command, unless it is fenced, or while it was made the stop latched or its photons got too old."""
        ended_ns = self.now_ns
        if not command.stale and self._ladder.lets_through(rung, self.now_ns, command.photon_ns):
            self._advance(self.now_ns)
            started = time.perf_counter_ns()
            arm.send(command.value.setpoint)
            ended_ns += self._executor.sent(command, self.now_ns, time.perf_counter_ns() - started)
            self._watch(arm, ticked_ns, ended_ns)
        self._due_ns += self._control_period_ns
        late_ns = ended_ns - self._due_ns
        if late_ns > self._control_period_ns:
            self._due_ns += late_ns // self._control_period_ns * self._control_period_ns
            self.notes.add(TICKS_MISSED)
        self._at(max(self._due_ns, ended_ns), partial(self._tick, arm))

    def _watch(self, arm: Arm, ticked_ns: int, until_ns: int) -> None:
        """Let the watchdog look where the control loop will be silent for longer than it may."""
        bark_ns = ticked_ns + self._ladder.watchdog_ns + 1
        if until_ns <= bark_ns:
            return

        def bark() -> None:
            if self._ladder.silent(self.now_ns, ticked_ns):
                self._advance(self.now_ns)
                arm.stop()

        self._at(max(bark_ns, self.now_ns), bark)
