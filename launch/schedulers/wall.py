"""The loops on threads, in real time: capture, perception, planning, control.

Loops never wait for each other: what passes between them is the newest value. The control loop keeps absolute
deadlines. Every way out ends with the arm told to stop: decelerate and hold.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from launch.executor import Executor
from launch.ledger import Outcome, Rows, Stage
from launch.schedulers.virtual import TOO_LATE
from launch.streams import Item
from perception.source import Source
from policy.chunk_schedule import ChunkSchedule
from robot.arm import Arm

LEDGER_PERIOD_S = 0.25
NO_FRAME_TIMEOUT_S = 5.0


class RunClock:
    """The run clock: monotonic nanoseconds since the run began."""

    def __init__(self) -> None:
        self._start = time.monotonic_ns()

    def __call__(self) -> int:
        """Now [ns]."""
        return time.monotonic_ns() - self._start


class WallScheduler:
    """Runs a graph on live sources, and on an arm if it has one.

    Args:
        executor: Runs and records the stages.
        clock: The run clock; the sources stamp their frames with it.
        sources: One per camera of the graph, in its order.
        arm: The arm, connected; None for cameras alone.
        control_period_ns: Period of the control loop [ns].
        replan_horizon_ns: The next chunk is asked for when less than this is left of the present one [ns].
        on_rows: Gets the ledger's rows and the present time, from time to time.
    """

    def __init__(
        self,
        executor: Executor,
        clock: RunClock,
        sources: list[Source],
        arm: Arm | None,
        control_period_ns: int,
        replan_horizon_ns: int,
        on_rows: Callable[[Rows, int], None],
    ) -> None:
        self._executor = executor
        self._clock = clock
        self._sources = sources
        self._arm = arm
        self._control_period_ns = control_period_ns
        self._schedule = ChunkSchedule(replan_horizon_ns)
        self._on_rows = on_rows
        self.notes: dict[str, int] = {}

    def run_episode(
        self, index: int, timeout_ns: int | None, finished: Callable[[], bool], interrupted: Callable[[], bool]
    ) -> None:
        """Run until `finished`, the timeout, the end of the streams, or an interruption.

        Raises:
            Exception: What a loop raised first; the arm has been told to stop by then.
        """
        self._stop = threading.Event()
        self._error: BaseException | None = None
        self._frame_ready = threading.Condition()
        self._tracks_ready = threading.Condition()
        self._waiting: list[Item | None] = [None] * len(self._sources)
        self._ended = 0
        self._tracks: Item | None = None
        self._chunk: Item | None = None
        self._schedule.reset()
        self._finished = finished
        self._executor.episode(index, self._clock())
        loops: list[tuple[str, Callable[[], None]]] = [("perception", self._perceive)]
        loops += [(f"capture-{i}", partial(self._capture, i)) for i in range(len(self._sources))]
        if self._arm is not None:
            loops += [("planning", self._plan), ("control", self._control)]
        threads = [
            threading.Thread(target=self._guard, args=(loop,), name=f"eyehand-{name}", daemon=True)
            for name, loop in loops
        ]
        deadline_ns = None if timeout_ns is None else self._clock() + timeout_ns
        try:
            for thread in threads:
                thread.start()
            while not self._stop.wait(LEDGER_PERIOD_S):
                self._flush()
                if interrupted() or (deadline_ns is not None and self._clock() >= deadline_ns):
                    break
        finally:
            self._stop.set()
            if self._arm is not None:
                self._arm.stop()
            for condition in (self._frame_ready, self._tracks_ready):
                with condition:
                    condition.notify_all()
            for thread in threads:
                thread.join(timeout=NO_FRAME_TIMEOUT_S)
            if self._arm is not None:
                self._arm.stop()  # again: a command in flight may have crossed the first
            self._flush()
        if self._error is not None:
            raise self._error

    def _flush(self) -> None:
        self._on_rows(self._executor.ledger.take(), self._clock())

    def _guard(self, loop: Callable[[], None]) -> None:
        try:
            loop()
        except BaseException as error:
            if self._error is None:
                self._error = error
            self._stop.set()

    # -- loops ------------------------------------------------------------------------------------------------------

    def _capture(self, camera: int) -> None:
        source = self._sources[camera]
        while not self._stop.is_set():
            frame = source.read()
            if frame is None:
                break
            now_ns = self._clock()
            frame = replace(frame, received_ns=now_ns)
            item = self._executor.input_frame(frame, now_ns, 0, max(0, now_ns - frame.stamp_ns))
            with self._frame_ready:
                self._waiting[camera] = item
                self._frame_ready.notify()
        with self._frame_ready:
            self._ended += 1
            self._frame_ready.notify()

    def _perceive(self) -> None:
        executor = self._executor
        while True:
            with self._frame_ready:
                while not (ready := [item for item in self._waiting if item is not None]):
                    if self._stop.is_set() or self._ended == len(self._sources):
                        self._stop.set()
                        return
                    self._frame_ready.wait(timeout=0.1)
                item = min(ready, key=lambda waiting: (waiting.photon_ns, waiting.camera))
                self._waiting[item.camera] = None
            if executor.comes_too_late(item):
                self.note(TOO_LATE)
                continue
            detections = executor.detect(self._clock(), item.camera, item.sequence)
            placed = executor.localize(self._clock(), detections.sequence, executor.states.newest_sequence)
            if placed is None:
                self.note("no arm pose at the frame's stamp: frame skipped")
                continue
            tracks = executor.track(self._clock(), placed.sequence)
            with self._tracks_ready:
                self._tracks = tracks
                self._tracks_ready.notify()

    def _plan(self) -> None:
        seen_ns = -1
        while not self._stop.is_set():
            with self._tracks_ready:
                self._tracks_ready.wait(timeout=0.1)
                tracks = self._tracks
            if tracks is None or tracks.photon_ns <= seen_ns:
                continue
            seen_ns = tracks.photon_ns  # a plan starts from fresh photons, or waits for the next ones
            if not self._schedule.needs_next(self._clock()):
                continue
            chunk = self._executor.plan(self._clock(), tracks.sequence, self._executor.states.newest_sequence)
            if self._schedule.offer(chunk.value, self._clock()) == "switched":
                self._chunk = chunk
            else:
                self.note("a chunk came too late to be used")

    def _control(self) -> None:
        assert self._arm is not None
        self._real_time()
        period_s = self._control_period_ns * 1e-9
        due_ns = self._clock()
        while not self._stop.is_set():
            now_ns = self._clock()
            if self._finished():
                self._stop.set()
                return
            state = self._executor.input_state(self._arm.read_state(), now_ns)
            chunk = self._chunk.sequence if self._chunk is not None else -1
            command = self._executor.control(now_ns, chunk, state.sequence)
            if command.value.note and command.value.outcome is not Outcome.OK:
                self.note(command.value.note)
            if self._stop.is_set():
                return
            started_ns = self._clock()
            self._arm.send(command.value.setpoint)
            sent_ns = self._clock()
            self._executor.sent(command, started_ns, self._executor.modelled(Stage.SEND, 0), sent_ns - started_ns)
            due_ns += self._control_period_ns
            late_ns = self._clock() - due_ns
            if late_ns > self._control_period_ns:
                missed = late_ns // self._control_period_ns
                due_ns += missed * self._control_period_ns
                self.note("control ticks missed")
            time.sleep(max(0.0, min(period_s, (due_ns - self._clock()) * 1e-9)))

    def _real_time(self) -> None:
        """Ask for real-time scheduling of this thread; say so where it is refused."""
        try:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50))
        except (OSError, AttributeError):
            self.note("control loop without real-time priority: allow it with `ulimit -r 50` or CAP_SYS_NICE")

    def note(self, text: str) -> None:
        """Count a remark for the person who runs this."""
        self.notes[text] = self.notes.get(text, 0) + 1
