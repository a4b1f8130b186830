"""The loops on threads, in real time: capture, perception, planning, control, and a watchdog over the control loop.

Loops never wait for each other: what passes between them is the newest value. The control loop keeps absolute
deadlines. Every way out ends with the arm told to stop: decelerate and hold.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from deploy.errors import Missing
from launch.executor import Executor
from launch.ladder import Ladder
from launch.ledger import Reason, Rows, Stage
from launch.schedulers.attempts import Attempts
from launch.schedulers.control_loop import ControlLoop
from launch.schedulers.notes import NO_POSE, TOO_LATE, Notes
from launch.streams import Item
from perception.source import Source
from policy import ChunkSchedule
from robot.arm import Arm

LEDGER_PERIOD_S = 0.25
JOIN_TIMEOUT_S = 10.0
# how long the control loop may take to end before somebody else tells the arm to stop
CONTROL_TIMEOUT_S = 0.5
CONTROL = "control"


class RunClock:
    """The run clock: monotonic nanoseconds since the run began, or since an instant that others count from.

    Args:
        epoch_ns: `time.monotonic_ns()` at its 0 [ns]; now by default.
    """

    def __init__(self, epoch_ns: int | None = None) -> None:
        self.epoch_ns = time.monotonic_ns() if epoch_ns is None else epoch_ns

    def __call__(self) -> int:
        """Now [ns]."""
        return time.monotonic_ns() - self.epoch_ns


class WallScheduler:
    """Runs a graph on live sources, and on an arm if it has one.

    Args:
        executor: Runs and records the stages.
        ladder: What is done about broken clauses of the budget.
        clock: The run clock; the sources stamp their frames with it.
        sources: One per camera of the graph, in its order.
        arm: The arm, connected; None for cameras alone.
        control_period_ns: Period of the control loop [ns].
        schedule: Says when the next chunk is asked for. What it learned about planning is kept from episode to episode.
        on_rows: Gets the ledger's rows and the present time, from time to time.
        simulated: Whether each episode begins with a new cell: that lets go of a safe stop.
        reset_wanted: Asked a few times per second whether the operator wants the safe stop to be let go, while it is
            latched and the arm rests.
        enter_control: Called in the control loop's thread before its first tick.
        enter_watchdog: Called in the watchdog's thread before it begins.
    """

    def __init__(
        self,
        executor: Executor,
        ladder: Ladder,
        clock: RunClock,
        sources: list[Source],
        arm: Arm | None,
        control_period_ns: int,
        schedule: ChunkSchedule,
        on_rows: Callable[[Rows, int], None],
        *,
        simulated: bool = False,
        reset_wanted: Callable[[], bool] = lambda: False,
        enter_control: Callable[[], None] = lambda: None,
        enter_watchdog: Callable[[], None] = lambda: None,
    ) -> None:
        self.executor = executor
        self.ladder = ladder
        executor.judge = ladder.finished
        self.clock = clock
        self.sources = sources
        self.arm = arm
        self.control_period_ns = control_period_ns
        self.schedule = schedule
        self.notes = Notes()
        self._on_rows = on_rows
        self._simulated = simulated
        self._reset_wanted = reset_wanted
        self.enter_control = enter_control
        self.enter_watchdog = enter_watchdog

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
        self.ladder.begin(self.clock(), new_cell=self._simulated)
        episode = _Episode(self, finished)
        deadline_ns = None if timeout_ns is None else self.clock() + timeout_ns
        try:
            episode.start()
            while not episode.stop.wait(LEDGER_PERIOD_S):
                self._flush()
                control = episode.control
                if control is not None and control.can_let_go and self._reset_wanted():
                    control.let_go()
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
        self.ladder.announce()


class _Episode:
    """The loops of one episode, with what passes between them; an episode that is over shares nothing with the next."""

    def __init__(self, run: WallScheduler, finished: Callable[[], bool]) -> None:
        self.stop = threading.Event()
        self.error: BaseException | None = None
        self._run, self._executor, self._clock, self._notes = run, run.executor, run.clock, run.notes
        self._ladder = run.ladder
        self._attempt = Attempts(run.ladder, run.notes)
        self._frame_ready, self._tracks_ready = threading.Condition(), threading.Condition()
        self._waiting: list[Item | None] = [None] * len(run.sources)
        self._ended = 0
        self._tracks: Item | None = None
        self.control: ControlLoop | None = None
        loops: dict[str, Callable[[], None]] = {"perception": self._perceive}
        loops |= {f"capture-{source.name}": partial(self._capture, i) for i, source in enumerate(run.sources)}
        if run.arm is not None:
            control = self.control = ControlLoop(
                run.executor, run.ladder, run.clock, run.arm, run.control_period_ns, run.schedule, run.notes,
                self.stop, finished,
            )  # fmt: skip
            loops |= {
                "planning": partial(self._plan, control),
                CONTROL: partial(control.run, run.enter_control),
                "watchdog": partial(control.watch, run.enter_watchdog),
            }
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
            if name == CONTROL and thread.ident is not None and self.control is not None:
                self._end_control(self.control, thread, deadline)
            if thread.ident is not None:
                thread.join(max(0.1, deadline - time.monotonic()))
        stuck = [name for name, thread in self._threads.items() if thread.is_alive()]
        if stuck and self.error is None:
            raise Missing(f"{', '.join(stuck)} did not end within {JOIN_TIMEOUT_S:g} s: a driver does not return")

    def _end_control(self, control: ControlLoop, thread: threading.Thread, deadline: float) -> None:
        """Wait for the control loop to tell the arm to stop; where it hangs in the driver, somebody else must."""
        thread.join(CONTROL_TIMEOUT_S)
        if control.owes_pulse and self._run.arm is not None:
            # the driver may hold a lock in the call that hangs: then this one hangs, too
            stopping = threading.Thread(
                target=self._guard, args=(self._run.arm.stop,), name="eyehand-stop", daemon=True
            )
            stopping.start()
            thread.join(max(0.1, deadline - time.monotonic()))
        control.ended.set()

    def _guard(self, loop: Callable[[], None]) -> None:
        try:
            loop()
        except BaseException as error:
            if self.error is None:
                self.error = error
            self.stop.set()

    # -- capture and perception -------------------------------------------------------------------------------------

    def _capture(self, camera: int) -> None:
        source = self._run.sources[camera]
        while not self.stop.is_set():
            frame = source.read()
            if frame is None or self.stop.is_set():
                break
            now_ns = self._clock()
            took_ns = max(0, now_ns - frame.stamp_ns)
            item = self._executor.input_frame(replace(frame, received_ns=now_ns), now_ns, took_ns, took_ns)
            with self._frame_ready:
                overtaken = self._waiting[camera]
                self._waiting[camera] = item
                self._frame_ready.notify()
            if overtaken is not None:
                self._ladder.dropped(now_ns, overtaken, Reason.OVERTAKEN)
        with self._frame_ready:
            self._ended += 1
            self._frame_ready.notify()

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

    def _perceive(self) -> None:
        while (frame := self._next_frame()) is not None:
            tracks = self._look(frame)
            if tracks is None or tracks.stale:
                continue
            with self._tracks_ready:
                self._tracks = tracks
                self._tracks_ready.notify()

    def _look(self, frame: Item) -> Item | None:
        """Tracks after a frame, or None if it came to nothing."""
        executor, ladder, attempt = self._executor, self._ladder, self._attempt
        now_ns = self._clock()
        if executor.comes_too_late(frame):
            ladder.dropped(now_ns, frame, Reason.TOO_LATE)
            self._notes.add(TOO_LATE)
            return None
        if ladder.leaves_out(now_ns, frame):
            return attempt(Stage.TRACK, now_ns, frame, lambda: executor.predict(now_ns, frame.camera, frame.sequence))
        detections = attempt(
            Stage.DETECT, now_ns, frame, lambda: executor.detect(now_ns, frame.camera, frame.sequence, ladder.engine)
        )
        if detections is None or detections.stale:
            return None
        located_ns = self._clock()

        def place() -> Item | None:
            placed = executor.localize(located_ns, detections.sequence, executor.states.newest_sequence)
            if placed is None:
                self._notes.add(NO_POSE)
            return placed

        placed = attempt(Stage.LOCALIZE, located_ns, detections, place)
        if placed is None or placed.stale:
            return None
        tracked_ns = self._clock()
        return attempt(Stage.TRACK, tracked_ns, placed, lambda: executor.track(tracked_ns, placed.sequence))

    # -- planning ---------------------------------------------------------------------------------------------------

    def _plan(self, control: ControlLoop) -> None:
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
            now_ns = self._clock()
            if control.needs_next(tracks, now_ns) and not self._ladder.too_old_to_plan(now_ns, tracks):
                self._plan_from(tracks, now_ns, control)

    def _plan_from(self, tracks: Item, now_ns: int, control: ControlLoop) -> None:
        executor = self._executor
        ahead_ns, present = control.request(tracks, now_ns)
        chunk = self._attempt(
            Stage.PLAN, now_ns, tracks,
            lambda: executor.plan(now_ns, tracks.sequence, executor.states.newest_sequence, ahead_ns, present),
        )  # fmt: skip
        if chunk is None:
            return
        control.planned(chunk.published_ns - now_ns)
        if not chunk.stale:
            control.offer(chunk)
