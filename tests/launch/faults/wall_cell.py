"""The live simulated cell on threads, in which parts break while it runs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from launch.config import load_config
from launch.config.budget import BudgetConfig, LadderConfig
from launch.executor import Executor, as_measured
from launch.ladder import Ladder
from launch.ledger import Rows
from launch.schedulers.wall import RunClock, WallScheduler
from launch.sim_cell import SimCell
from policy import ChunkSchedule
from tests.launch.faults.parts import (
    HORIZON_NS,
    MS,
    PERIOD_NS,
    SECOND,
    Blind,
    BreakingArm,
    GreyCamera,
    Run,
    Swing,
    quick_graph,
)
from tests.launch.faults.rules import check_ledger
from tests.launch.live_cell import LiveCell

FRAME_NS = 50 * MS
# how much later than at its limit a decision may come where other processes take the processor
SLACK_NS = SECOND
TIMEOUT_S = 30.0
# of feedback and of the control loop's own pulse: what a machine that is only late must not reach
LIMIT_MS = 600.0
WALL = BudgetConfig(
    name="faults",
    stages_ms={"detect": 60.0, "plan": 60.0},
    hard_ms={"detect": 10_000.0, "plan": 400.0, "ik": 300.0},
    reaction_ms=80.0,
    detections_age_ms=900.0,
    ladder=LadderConfig(
        predict_age_ms=800.0, fallback=None, fresh_age_ms=600.0, hold_age_ms=1000.0, stop_age_ms=6000.0,
        feedback_age_ms=LIMIT_MS, watchdog_ms=LIMIT_MS,
    ),
)  # fmt: skip


def rules(**changes: object) -> BudgetConfig:
    """The budget of these tests with other rules of the ladder."""
    return WALL.model_copy(update={"ladder": WALL.ladder.model_copy(update=changes)})


def live_cell() -> LiveCell:
    """A cell; making one takes seconds, so tests share it."""
    return LiveCell(load_config("sim_pick_place", ["rig.cameras.0.rate_hz=5"]), RunClock())


class WallCell:
    """One episode of the cell; faults are set before `run`, or while it runs."""

    def __init__(self, live: LiveCell, budget: BudgetConfig = WALL, *, fallback: bool = False) -> None:
        self.budget, self.live, self.clock = budget, live, live.clock
        self.policy, self.detector, self.smaller = Swing(), Blind(), Blind() if fallback else None
        self.graph = quick_graph(load_config("sim_pick_place"), self.policy, self.detector, self.smaller)
        self.executor = Executor(self.graph, as_measured)
        self.said: list[str] = []
        self.ladder = Ladder(
            budget, self.executor.ledger, has_fallback=fallback, period_ns=PERIOD_NS, on_stop=self.said.append
        )
        self.arm = BreakingArm(live.live_arm, self.clock)
        self.camera = GreyCamera(self.clock, FRAME_NS)
        self._blocks: list[Rows] = []
        self._moved_ns: int | None = None
        self._ticks_at_stop = 0
        SimCell.reset(live, 3, self.clock())  # without the picture that a live cell's renderer would take first
        self.start_ns = self.clock()

    @property
    def elapsed_s(self) -> float:
        """Time since the start [s]."""
        return (self.clock() - self.start_ns) * 1e-9

    @property
    def is_under_way(self) -> bool:
        """Whether the arm has moved for some time: then things may break."""
        if self._moved_ns is None and self.arm.moves:
            self._moved_ns = self.clock()
        return self._moved_ns is not None and self.clock() > self._moved_ns + 300 * MS

    def has_stopped_for(self, seconds: float) -> bool:
        """Whether the safe stop has been latched for so long, and the control loop has ticked for so long since."""
        since_ns = self.ladder.latched_ns
        if since_ns is None:
            self._ticks_at_stop = self.executor.commands.count
            return False
        ticks = self.executor.commands.count - self._ticks_at_stop
        return self.clock() > since_ns + seconds * SECOND and ticks * PERIOD_NS > seconds * SECOND

    def run(
        self,
        until: Callable[[], bool],
        *,
        reset_wanted: Callable[[], bool] = lambda: False,
        interrupted: Callable[[], bool] = lambda: False,
    ) -> Run:
        """Run until `until` holds at a control tick, and check what holds for every ledger."""
        scheduler = WallScheduler(
            self.executor, self.ladder, self.clock, [self.camera], self.arm, PERIOD_NS, ChunkSchedule(HORIZON_NS),  # type: ignore[arg-type]
            lambda rows, _: self._blocks.append(rows), simulated=True, reset_wanted=reset_wanted,
        )  # fmt: skip
        error: BaseException | None = None
        try:
            scheduler.run_episode(0, round(TIMEOUT_S * SECOND), until, interrupted)
        except ArithmeticError as raised:
            error = raised
        rows = np.concatenate([*self._blocks, self.executor.ledger.take()])
        check_ledger(rows, self.budget, threads=True)
        assert self.elapsed_s < TIMEOUT_S, "what was waited for did not come"
        return Run(rows, np.array(self.arm.speeds), self.arm.told, error, scheduler.notes.counts(), self.said)

    def comes_to_rest(self) -> bool:
        """Whether the arm rests a second after the run, in which nobody sent it anything."""
        world = self.live.world
        world.advance(world.time_ns + SECOND)
        return bool(np.abs(world.joint_velocities_rad_s).max() < 0.02)
