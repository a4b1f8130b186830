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

from deploy.errors import Missing
from launch.executor import Executor
from launch.ledger import Outcome, Rows, Stage
from launch.schedulers.notes import CHUNK_TOO_LATE, NO_POSE, TOO_LATE, Notes
from launch.streams import Item
from perception.source import Source
from policy.chunk_schedule import ChunkSchedule
from robot.arm import Arm

LEDGER_PERIOD_S = 0.25
JOIN_TIMEOUT_S = 10.0
CONTROL = "control"


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
        self.executor = executor
        self.clock = clock
        self.sources = sources
        self.arm = arm
        self.control_period_ns = control_period_ns
        self.replan_horizon_ns = replan_horizon_ns
        self.notes = Notes()
        self._on_rows = on_rows

    def run_episode(
        self, index: int, timeout_ns: int | None, finished: Callable[[], bool], interrupted: Callable[[], bool]
    ) -> None:
        """Run until `finished`, the timeout, the end of the streams, or an interruption.

        Args:
            index: Number of the episode, for the ledger.
            timeout_ns: Longest duration [ns]; None for no limit.
            finished: Asked once per control period.
            interrupted: Asked a few times per second.

        Raises:
            Exception: What a loop raised first; the arm has been told to stop by then.
        """
        self.executor.episode(index, self.clock())
        episode = _Episode(self, finished)
        deadline_ns = None if timeout_ns is None else self.clock() + timeout_ns
        try:
            episode.start()
            while not episode.stop.wait(LEDGER_PERIOD_S):
                self._flush()
                if interrupted() or (deadline_ns is not None and self.clock() >= deadline_ns):
                    break
        finally:
            try:
                episode.end()
            finally:
                self._flush()
        if episode.error is not None:
            raise episode.error

    def _flush(self) -> None:
        self._on_rows(self.executor.ledger.take(), self.clock())


class _Episode:
    """The loops of one episode, with what passes between them; an episode that is over shares nothing with the next."""

    def __init__(self, run: WallScheduler, finished: Callable[[], bool]) -> None:
        self.stop = threading.Event()
        self.error: BaseException | None = None
        self._run, self._executor, self._clock, self._notes = run, run.executor, run.clock, run.notes
        self._finished = finished
        self._schedule = ChunkSchedule(run.replan_horizon_ns)
        self._frame_ready, self._tracks_ready = threading.Condition(), threading.Condition()
        self._waiting: list[Item | None] = [None] * len(run.sources)
        self._ended = 0
        self._tracks: Item | None = None
        self._chunk: Item | None = None
        loops: dict[str, Callable[[], None]] = {"perception": self._perceive}
        loops |= {f"capture-{source.name}": partial(self._capture, i) for i, source in enumerate(run.sources)}
        if run.arm is not None:
            loops |= {"planning": self._plan, CONTROL: partial(self._control, run.arm)}
        self._threads = {
            name: threading.Thread(target=self._guard, args=(loop,), name=f"eyehand-{name}", daemon=True)
            for name, loop in loops.items()
        }

    def start(self) -> None:
        """Start the loops."""
        for thread in self._threads.values():
            thread.start()

    def end(self) -> None:
        """Stop the loops, the control loop first; it tells the arm to stop on its way out.

        Raises:
            Missing: If a loop does not end, naming it.
        """
        self.stop.set()
        for condition in (self._frame_ready, self._tracks_ready):
            with condition:
                condition.notify_all()
        deadline = time.monotonic() + JOIN_TIMEOUT_S
        for name in sorted(self._threads, key=lambda name: name != CONTROL):
            thread = self._threads[name]
            if thread.ident is not None:
                thread.join(max(0.1, deadline - time.monotonic()))
            if name == CONTROL and thread.is_alive() and self._run.arm is not None:
                self._run.arm.stop()  # the loop hangs in the driver: somebody must
        stuck = [name for name, thread in self._threads.items() if thread.is_alive()]
        if stuck and self.error is None:
            raise Missing(f"{', '.join(stuck)} did not end within {JOIN_TIMEOUT_S:g} s: a driver does not return")

    def _guard(self, loop: Callable[[], None]) -> None:
        try:
            loop()
        except BaseException as error:
            if self.error is None:
                self.error = error
            self.stop.set()

    # -- loops ------------------------------------------------------------------------------------------------------

    def _capture(self, camera: int) -> None:
        source = self._run.sources[camera]
        while not self.stop.is_set():
            frame = source.read()
            if frame is None or self.stop.is_set():
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
        while (item := self._next_frame()) is not None:
            if executor.comes_too_late(item):
                self._notes.add(TOO_LATE)
                continue
            detections = executor.detect(self._clock(), item.camera, item.sequence)
            placed = executor.localize(self._clock(), detections.sequence, executor.states.newest_sequence)
            if placed is None:
                self._notes.add(NO_POSE)
                continue
            tracks = executor.track(self._clock(), placed.sequence)
            with self._tracks_ready:
                self._tracks = tracks
                self._tracks_ready.notify()

    def _next_frame(self) -> Item | None:
        """The oldest of the cameras' newest frames; None when there will be no more."""
        with self._frame_ready:
            while not (ready := [item for item in self._waiting if item is not None]):
                if self.stop.is_set() or self._ended == len(self._waiting):
                    self.stop.set()
                    return None
                self._frame_ready.wait(timeout=0.1)
            item = min(ready, key=lambda waiting: (waiting.photon_ns, waiting.camera))
            self._waiting[item.camera] = None
            return None if self.stop.is_set() else item

    def _plan(self) -> None:
        seen_ns = -1

        def is_fresh() -> bool:
            return self.stop.is_set() or (self._tracks is not None and self._tracks.photon_ns > seen_ns)

        while not self.stop.is_set():
            with self._tracks_ready:
                self._tracks_ready.wait_for(is_fresh, timeout=0.5)
                tracks = self._tracks
            if self.stop.is_set() or tracks is None or tracks.photon_ns <= seen_ns:
                continue
            seen_ns = tracks.photon_ns  # a plan starts from fresh photons, or waits for the next ones
            if not self._schedule.needs_next(self._clock()):
                continue
            chunk = self._executor.plan(self._clock(), tracks.sequence, self._executor.states.newest_sequence)
            if self._schedule.offer(chunk.value, self._clock()) == "switched":
                self._chunk = chunk
            else:
                self._notes.add(CHUNK_TOO_LATE)

    def _control(self, arm: Arm) -> None:
        self._real_time()
        try:
            self._ticks(arm)
        finally:
            arm.stop()

    def _ticks(self, arm: Arm) -> None:
        executor, clock, period_ns = self._executor, self._clock, self._run.control_period_ns
        due_ns = clock()
        while not self.stop.is_set():
            now_ns = clock()
            if self._finished():
                self.stop.set()
                return
            state = executor.input_state(arm.read_state(), now_ns)
            command = executor.control(now_ns, self._chunk, state.sequence)
            if command.value.note and command.value.outcome is not Outcome.OK:
                self._notes.add(command.value.note, command.value.kind)
            started_ns = clock()
            arm.send(command.value.setpoint)
            modelled_ns = executor.modelled(Stage.SEND, 0)
            executor.sent(command, started_ns, modelled_ns, clock() - started_ns)
            due_ns += period_ns
            late_ns = clock() - due_ns
            if late_ns > period_ns:
                due_ns += late_ns // period_ns * period_ns
                self._notes.add("control ticks missed")
            time.sleep(max(0.0, min(period_ns, due_ns - clock()) * 1e-9))

    def _real_time(self) -> None:
        """Ask for real-time scheduling of this thread; say so where it is refused."""
        try:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50))
        except (OSError, AttributeError):
            self._notes.add("control loop without real-time priority: allow it with `ulimit -r 50` or CAP_SYS_NICE")
