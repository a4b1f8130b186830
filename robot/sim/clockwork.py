"""The simulated world moved by real time: one thread owns it and steps it at absolute deadlines.

Everything else talks to that thread. What it publishes after each step is a value that nobody changes any more; what
others want done to the world is posted to it and done before a step. So there is no lock that a slow thread could hold.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Protocol

from robot.arm import RobotState
from robot.sim.arm import SimArm
from robot.sim.judge import Judge
from robot.sim.motion_trace import TraceRing
from robot.sim.snapshot import Snapshot
from robot.sim.world import World

# further behind than this the world does not catch up: it lets the time pass and counts it
MOST_BEHIND_NS: Final = 100_000_000
# the judge looks at every fifth step
JUDGED_STEPS: Final = 5


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """The world after a step.

    Attributes:
        state: The arm, stamped with the instant of the run clock at which it had these joints.
        snapshot: What a renderer needs.
        episode: Number of the scene since the start of the process.
        seed: Its seed.
        running: Whether its time runs.
        truth: What the judge saw last.
    """

    state: RobotState
    snapshot: Snapshot
    episode: int
    seed: int
    running: bool
    truth: dict[str, Any]


class Station(Protocol):
    """Something that is served in the physics thread, around each step. It must never wait."""

    def before(self, clockwork: Clockwork) -> bool:
        """Take in commands; False if there is nobody left to serve."""
        ...

    def after(self, moment: Moment, *, judged: bool) -> None:
        """Tell what came of the step; `judged` if `truth` is new."""
        ...


class Clockwork:
    """Owns the world and its time.

    Args:
        world: The first scene.
        seed: Its seed.
        epoch_ns: `time.monotonic_ns()` at the run clock's 0 [ns].
        enter_thread: Called first in the thread: what it asks of the system.

    Attributes:
        moment: The newest step.
        trace: The last minute of motion, with how late each step was.
        slips: How often the world was too far behind to catch up, and let time pass.
        slipped_ns: How much time that was [ns].
        error: What ended the thread, if something did.
        jumps: How often the arm was put home at once.
        arm: The arm's servos; belongs to the physics thread.
    """

    def __init__(self, world: World, seed: int, epoch_ns: int, enter_thread: Callable[[], None]) -> None:
        self._epoch_ns, self._enter_thread = epoch_ns, enter_thread
        self._period_ns = world.timestep_ns
        self._orders: queue.SimpleQueue[tuple[Callable[[], Any], Future[Any]]] = queue.SimpleQueue()
        self._stations: list[Station] = []
        self._stop = threading.Event()
        self._sequence = 0
        self.trace = TraceRing(self._period_ns)
        self.slips, self.slipped_ns = 0, 0
        self.error: BaseException | None = None
        self._episode, self.jumps = -1, 0
        self._due_ns = self.now_ns()
        self._install(world, seed)
        self.moment = self._publish()
        self._thread = threading.Thread(target=self._run, name="eyehand-physics", daemon=True)

    # -- from any thread --------------------------------------------------------------------------------------------

    def now_ns(self) -> int:
        """The run clock [ns]."""
        return time.monotonic_ns() - self._epoch_ns

    def start(self) -> None:
        """Let time run."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(2.0)

    @property
    def alive(self) -> bool:
        """Whether the world moves."""
        return self._thread.is_alive()

    def post(self, order: Callable[[], Any]) -> Future[Any]:
        """Have something done in the physics thread before its next step."""
        done: Future[Any] = Future()
        self._orders.put((order, done))
        return done

    def serve(self, station: Station) -> None:
        """Serve a station from the next step on, until it says that nobody is left."""
        self.post(lambda: self._stations.append(station))

    def change_scene(self, world: World, seed: int, *, keep_arm: bool) -> int:
        """Put another world in place, whose time stands still until `begin`; the number of the scene.

        Args:
            world: The new one, whose arm is at home.
            seed: Its seed.
            keep_arm: The arm stays where it is, at rest, instead.
        """
        return int(self.post(lambda: self._change(world, seed, keep_arm)).result(timeout=5.0))

    def begin(self) -> int:
        """Let the scene's time run; the instant of the run clock that is its time 0 [ns]."""
        return int(self.post(self._begin).result(timeout=5.0))

    # -- in the physics thread --------------------------------------------------------------------------------------

    @property
    def running(self) -> bool:
        """Whether the scene's time runs."""
        return self._running

    @property
    def began_ns(self) -> int:
        """Which instant of the run clock is the scene's time 0 [ns]."""
        return self._began_ns

    @property
    def world(self) -> World:
        """The world; belongs to the physics thread."""
        return self._world

    @property
    def episode(self) -> int:
        """Number of the scene."""
        return self._episode

    @property
    def due_monotonic_ns(self) -> int:
        """The instant of the present step, of `time.monotonic_ns` [ns]."""
        return self._due_ns + self._epoch_ns

    @property
    def truth(self) -> dict[str, Any]:
        """What the judge saw last."""
        return self._truth

    def _change(self, world: World, seed: int, keep_arm: bool) -> int:
        if keep_arm:
            world.set_configuration(self._world.joint_positions_rad, self._world.gripper_opening)
        else:
            self.jumps += 1
        return self._install(world, seed)

    def _install(self, world: World, seed: int) -> int:
        self._world, self._seed = world, seed
        self.arm = SimArm(world)
        self._judge = Judge(world, seed)
        self._truth = self._judge.look()
        self._episode += 1
        self._running = False
        self._began_ns = self._due_ns
        return self._episode

    def _begin(self) -> int:
        if not self._running:
            self._running = True
            self._began_ns = self._due_ns - self._period_ns - self._world.time_ns
        return self._began_ns

    def _run(self) -> None:
        try:
            self._enter_thread()
            self._due_ns = self.now_ns()
            while not self._stop.is_set():
                self._due_ns += self._period_ns
                self._wait()
                self._step()
        except BaseException as error:  # whoever serves the clients ends the process
            self.error = error
            raise

    def _wait(self) -> None:
        """Sleep until the step is due; what is behind is caught up with step by step, up to a limit."""
        ahead_ns = self._due_ns - self.now_ns()
        if ahead_ns > 0:
            time.sleep(ahead_ns * 1e-9)
        elif ahead_ns < -MOST_BEHIND_NS:
            skipped_ns = -ahead_ns // self._period_ns * self._period_ns
            self._due_ns += skipped_ns
            self._began_ns += skipped_ns
            self.slips += 1
            self.slipped_ns += skipped_ns

    def _step(self) -> None:
        late_ns = self.now_ns() - self._due_ns
        answers = self._obey()
        self._stations = [station for station in self._stations if station.before(self)]
        self._sequence += 1
        judged = self._sequence % JUDGED_STEPS == 0
        if self._running:
            self._world.advance(self._world.time_ns + self._period_ns)
        if judged:
            self._truth = self._judge.look()
        moment = self.moment = self._publish()
        if self._running:
            state = moment.state
            self.trace.add(
                (state.stamp_ns, late_ns, self._episode, *state.joint_positions_rad.tolist(),
                 *state.joint_velocities_rad_s.tolist(), *self._world.tool_position_world_m.tolist())
            )  # fmt: skip
        for answer in answers:  # whoever asked finds the moment that came of it
            answer()
        for station in self._stations:
            station.after(moment, judged=judged)

    def _obey(self) -> list[Callable[[], None]]:
        """Do what was posted; how to tell those who did."""
        answers: list[Callable[[], None]] = []
        while not self._orders.empty():
            order, done = self._orders.get()
            try:
                answers.append(partial(done.set_result, order()))
            except Exception as error:
                answers.append(partial(done.set_exception, error))
        return answers

    def _publish(self) -> Moment:
        """The world as it is; while its time stands still, the arm has its joints now."""
        read = self.arm.read_state()
        state = RobotState(
            sequence=self._sequence,
            stamp_ns=self._began_ns + self._world.time_ns if self._running else self._due_ns,
            joint_positions_rad=read.joint_positions_rad,
            joint_velocities_rad_s=read.joint_velocities_rad_s,
            gripper_opening=read.gripper_opening,
        )
        return Moment(state, self._world.snapshot(), self._episode, self._seed, self._running, self._truth)
