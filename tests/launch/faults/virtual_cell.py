"""A simulated cell on the virtual clock in which things break at set times."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from launch.config import load_config
from launch.config.budget import BudgetConfig
from launch.executor import Executor
from launch.ladder import Ladder
from launch.ledger import Rows, Stage
from launch.schedulers.cameras import SimulatedCamera, VirtualCamera
from launch.schedulers.profile import Durations
from launch.schedulers.virtual import VirtualScheduler
from perception.frame import Frame
from policy import ChunkSchedule, ScheduleMode
from robot.sim import SimArm, World
from tests.launch.faults.parts import (
    HORIZON_NS,
    MARGIN_NS,
    PERIOD_NS,
    SECOND,
    Blind,
    BreakingArm,
    Run,
    Swing,
    grey_frame,
    quick_graph,
)
from tests.launch.faults.rules import check_ledger

FRAME_NS = 100_000_000
ORIN = load_config("sim_pick_place", ["budget=orin_agx"]).budget
FOR_EVER = 3600 * SECOND


def rules(**changes: object) -> BudgetConfig:
    """The reference contract with other rules of the ladder."""
    return ORIN.model_copy(update={"ladder": ORIN.ladder.model_copy(update=changes)})


class StallingCamera:
    """A camera that exposes nothing for a while."""

    def __init__(self, camera: VirtualCamera, from_ns: int, to_ns: int) -> None:
        self._camera, self._from_ns, self._to_ns = camera, from_ns, to_ns

    def next_ns(self, now_ns: int) -> int | None:
        at_ns = self._camera.next_ns(now_ns)
        return self._to_ns if at_ns is not None and self._from_ns <= at_ns < self._to_ns else at_ns

    def expose(self, now_ns: int) -> Frame:
        return self._camera.expose(now_ns)


class VirtualCell:
    """One cell; faults are set before `run`.

    Attributes:
        slow: What a stage takes instead [ns], given what the profile says [ns] and the detector's engine.
    """

    def __init__(
        self, budget: BudgetConfig = ORIN, *, fallback: bool = False, frame_ns: int = FRAME_NS,
        stall: tuple[int, int] | None = None, mode: ScheduleMode = "naive", horizon_ns: int = HORIZON_NS,
    ) -> None:  # fmt: skip
        config = load_config("sim_pick_place", ["profile=nominal", f"policy.schedule.mode={mode}"])
        self.budget = budget
        self.policy, self.detector, self.smaller = Swing(), Blind(), Blind() if fallback else None
        self.slow: dict[Stage, Callable[[int, int], int]] = {}
        self._durations = Durations(config.profile)
        self.world = World(seed=3)
        sim = SimArm(self.world)
        sim.start(0)
        graph = quick_graph(config, self.policy, self.detector, self.smaller)
        self.executor = Executor(graph, self._timing)
        self._said: list[str] = []
        self.ladder = Ladder(
            budget, self.executor.ledger, has_fallback=fallback, period_ns=PERIOD_NS, on_stop=self._said.append
        )
        self.arm = BreakingArm(sim, lambda: self.now_ns)
        camera: VirtualCamera = SimulatedCamera(grey_frame, frame_ns)
        if stall is not None:
            camera = StallingCamera(camera, *stall)
        self._blocks: list[Rows] = []
        self._scheduler = VirtualScheduler(
            self.executor, self.ladder, self.world.advance, self.arm, [camera], PERIOD_NS,
            ChunkSchedule(horizon_ns, MARGIN_NS, mode), lambda rows, _: self._blocks.append(rows),
        )  # fmt: skip

    @property
    def now_ns(self) -> int:
        """The present time [ns]."""
        return self._scheduler.now_ns

    def _timing(self, stage: Stage, measured_ns: int, engine: int) -> int:
        took_ns = self._durations(stage, measured_ns, engine)
        return self.slow[stage](took_ns, engine) if stage in self.slow else took_ns

    def run(self, seconds: float, during: Callable[[int], None] = lambda _: None) -> Run:
        """Run an episode, and check what holds for every ledger.

        Args:
            seconds: Longest duration [s]; a second after a safe stop it is over.
            during: Called at each control tick with the time [ns].
        """

        def look() -> bool:
            during(self.now_ns)
            return False

        error: BaseException | None = None
        try:
            self._scheduler.run_episode(0, round(seconds * SECOND), look, lambda: False)
        except ArithmeticError as raised:
            error = raised
        rows = np.concatenate(self._blocks)
        check_ledger(rows, self.budget, threads=False)
        return Run(rows, np.array(self.arm.speeds), self.arm.told, error, self._scheduler.notes.counts(), self._said)


def after(seconds: float, cell: VirtualCell, faulty: Callable[[int], int]) -> Callable[[int, int], int]:
    """A duration that changes at an instant."""
    return lambda took_ns, _engine: faulty(took_ns) if cell.now_ns >= seconds * SECOND else took_ns
