"""Runs in which things broke, recorded and replayed: the decisions are the rows', and the outputs the same to the byte.

Here the stages are a run's own: rendered images, the shipped detector on two engines, the shipped policy.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("mujoco", reason="the simulator's extra is not installed: pip install '.[sim]'")
pytest.importorskip("onnxruntime", reason="no inference engine is installed: pip install '.[cpu]'")

from launch.bag import BagReader
from launch.config import Config, load_config
from launch.config.budget import BudgetConfig, FallbackConfig
from launch.executor import Executor, as_measured
from launch.ladder import Ladder
from launch.ledger import Reason, Rows, Rung, Stage
from launch.recording import ledger_blocks
from launch.replay_run import replay
from launch.run_folder import RunFolder
from launch.schedulers.cameras import SimulatedCamera
from launch.schedulers.notes import STARVED, Notes
from launch.schedulers.profile import Durations
from launch.schedulers.virtual import VirtualScheduler
from launch.schedulers.wall import WallScheduler
from launch.sim_cell import SimCell
from launch.streams import Item
from launch.wiring import build_graph, build_schedule, resolve
from perception.frame import Frame
from perception.source import Source
from policy import ActionChunk, ChunkSchedule, Observation
from tests.launch.faults.parts import HORIZON_NS, MS, PERIOD_NS, SECOND, BreakingArm, GreyCamera, Run
from tests.launch.faults.rules import check_ledger
from tests.launch.faults.virtual_cell import StallingCamera
from tests.launch.faults.virtual_cell import rules as virtual_rules
from tests.launch.faults.wall_cell import rules as wall_rules
from tests.launch.live_cell import LiveCell

SIM = ("record.picture_strip=false", "profile=nominal")
FRAME_NS = 100 * MS
TWO_ENGINES = "detector.fallback={model: tabletop-yolov8n-small}"


def quiet(_message: str) -> None:
    """Progress that nobody wants to see."""


def configured(budget: BudgetConfig, *assignments: str) -> Config:
    return resolve(load_config("sim_pick_place", [*SIM, *assignments]).model_copy(update={"budget": budget}))


def finished(folder: RunFolder, executor: Executor, now_ns: int, notes: Notes, arm: BreakingArm) -> Run:
    """Close the recording, and read the run from it."""
    assert folder.finish(executor, now_ns, notes, judged=False, interrupted=False).replay_hash is not None
    with BagReader(folder.path) as reader:
        rows: Rows = np.concatenate(list(ledger_blocks(reader)))
    check_ledger(rows, folder.config.budget, threads=folder.config.clock == "wall")
    return Run(rows, np.array(arm.speeds), arm.told, notes=notes.counts())


def replays(path: Path) -> bool:
    """Whether a replay gives the same outputs; where not, pytest shows why."""
    outcome = replay(path, [], quiet)[0]
    assert outcome.extra == {"identical": True}
    return True


# -- virtual clock -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sim() -> Iterator[SimCell]:
    cell = SimCell(configured(virtual_rules()))
    yield cell
    cell.close()


class Recorded:
    """A run on the virtual clock, recorded while things break."""

    def __init__(self, sim: SimCell, config: Config, path: Path, stall: tuple[int, int] = (-1, -1)) -> None:
        self._sim = sim
        self.slow: Callable[[int, int, int], int] = lambda _stage, took_ns, _engine: took_ns
        self._durations = Durations(config.profile)
        self._folder = RunFolder(config, path, virtual=True)
        self.executor = Executor(build_graph(config), self._timing, self._folder.recorder)
        self._folder.tell(self.executor)
        self.ladder: Ladder = self._folder.ladder(self.executor, quiet)
        self.arm = BreakingArm(sim.arm, lambda: self.now_ns)
        camera = StallingCamera(SimulatedCamera(sim.capture("wrist"), FRAME_NS), *stall)
        self._scheduler = VirtualScheduler(
            self.executor, self.ladder, sim.advance, self.arm, [camera], PERIOD_NS, build_schedule(config),
            self._folder.on_rows,
        )  # fmt: skip

    @property
    def now_ns(self) -> int:
        return self._scheduler.now_ns

    def _timing(self, stage: Stage, measured_ns: int, engine: int) -> int:
        return self.slow(stage, self._durations(stage, measured_ns, engine), engine)

    def episode(self, index: int, seconds: float, during: Callable[[int], None] = lambda _: None) -> None:
        def look() -> bool:
            during(self.now_ns)
            return False

        self._sim.reset(3 + index, self.now_ns)
        self._scheduler.run_episode(index, round(seconds * SECOND), look, lambda: False)

    def close(self) -> Run:
        return finished(self._folder, self.executor, self.now_ns, self._scheduler.notes, self.arm)


def test_predictions_a_smaller_engine_and_a_hold_replay(sim: SimCell, tmp_path: Path) -> None:
    budget = virtual_rules(predict_age_ms=600.0, hold_age_ms=900.0, fallback=FallbackConfig(misses=4, of=8, recover=4))
    recorded = Recorded(
        sim,
        configured(budget, TWO_ENGINES, "policy.replan_horizon_s=1.3"),
        tmp_path / "run",
        stall=(1500 * MS, 2800 * MS),
    )
    recorded.slow = lambda stage, took_ns, engine: (
        190 * MS if (stage, engine) == (Stage.DETECT, 0) and recorded.now_ns < SECOND else took_ns
    )
    recorded.episode(0, 3.4)
    run = recorded.close()
    made = {(d.rung, d.reason) for d in run.decisions}
    assert {
        (Rung.PREDICT, Reason.LITTLE_TIME_LEFT), (Rung.FALLBACK, Reason.MISSES), (Rung.FALLBACK, Reason.KEPT_AGAIN),
        (Rung.HOLD, Reason.PHOTONS_TOO_OLD), (Rung.DROP, Reason.KEPT_AGAIN),
    } <= made  # fmt: skip
    assert set(run.of(Stage.DETECT)["engine"].tolist()) == {0, 1}
    held, back = run.decided(Rung.HOLD, Reason.PHOTONS_TOO_OLD), run.decided(Rung.DROP, Reason.KEPT_AGAIN)
    assert run.rests(held.now_ns + 400 * MS, back.now_ns)
    assert run.fastest(back.now_ns) > 0.05
    assert replays(tmp_path / "run")


def test_a_safe_stop_and_a_new_cell_replay(sim: SimCell, tmp_path: Path) -> None:
    recorded = Recorded(sim, configured(virtual_rules()), tmp_path / "run")

    def freeze(now_ns: int) -> None:
        recorded.arm.frozen = 600 * MS <= now_ns < 1500 * MS

    recorded.episode(0, 5.0, during=freeze)
    assert recorded.ladder.latched is Reason.FEEDBACK_SILENT
    recorded.episode(1, 1.0, during=freeze)
    run = recorded.close()
    assert run.rungs() == [(Rung.STOP, Reason.FEEDBACK_SILENT), (Rung.DROP, Reason.NEW_CELL)]
    let_go = run.decided(Rung.DROP, Reason.NEW_CELL)
    assert len(set(run.followed(let_go.now_ns))) >= 2
    assert replays(tmp_path / "run")


@pytest.mark.parametrize("mode", ["blend", "ensemble", "synchronous", "rtc"])
def test_seams_replay(sim: SimCell, tmp_path: Path, mode: str) -> None:
    """Plans come 350 ms late, as chunks of a slow policy do."""
    config = configured(virtual_rules(), f"policy.schedule.mode={mode}")
    recorded = Recorded(sim, config, tmp_path / "run")
    recorded.slow = lambda stage, took_ns, _engine: 350 * MS if stage is Stage.PLAN else took_ns
    recorded.episode(0, 4.0)
    run = recorded.close()
    assert len(set(run.followed())) >= 2
    assert (STARVED in run.notes) == (mode == "synchronous")
    assert replays(tmp_path / "run")


# -- wall clock --------------------------------------------------------------------------------------------------------


class LiveRecorded:
    """A run on the wall clock, recorded while things break."""

    def __init__(self, live: LiveCell, config: Config, path: Path, camera: GreyCamera | None = None) -> None:
        self.clock = live.clock
        config = config.model_copy(update={"clock": "wall"})
        self._folder = RunFolder(config, path, virtual=False)
        self.executor = Executor(build_graph(config), as_measured, self._folder.recorder)
        self._folder.tell(self.executor)
        self.ladder: Ladder = self._folder.ladder(self.executor, quiet)
        self.arm = BreakingArm(live.live_arm, live.clock)
        self._camera: Source = live.sources[0] if camera is None else camera
        self.detector_s = 0.0
        detect = self.executor.graph.detect

        def slowed(frame: Frame, engine: int = 0) -> object:
            time.sleep(0.0 if engine else self.detector_s)
            return detect(frame, engine)

        self.executor.graph.detect = slowed  # type: ignore[assignment,method-assign]
        live.reset(3, self.clock())
        self.start_ns = self.clock()

    @property
    def elapsed_s(self) -> float:
        return (self.clock() - self.start_ns) * 1e-9

    def run(self, until: Callable[[], bool], reset_wanted: Callable[[], bool] = lambda: False) -> Run:
        scheduler = WallScheduler(
            self.executor, self.ladder, self.clock, [self._camera], self.arm, PERIOD_NS, ChunkSchedule(HORIZON_NS),
            self._folder.on_rows, simulated=True, reset_wanted=reset_wanted,
        )  # fmt: skip
        try:
            scheduler.run_episode(0, 30 * SECOND, until, lambda: False)
        finally:
            run = finished(self._folder, self.executor, self.clock(), scheduler.notes, self.arm)
        assert self.elapsed_s < 30, "what was waited for did not come"
        return run


def test_predictions_a_smaller_engine_and_a_hold_replay_from_the_wall_clock(live: LiveCell, tmp_path: Path) -> None:
    budget = wall_rules(
        fallback=FallbackConfig(misses=3, of=6, recover=3),
        hold_age_ms=800.0,
        feedback_age_ms=5000.0,
        watchdog_ms=5000.0,
    )
    camera = GreyCamera(live.clock, 50 * MS)  # rendering takes so long on a busy machine that waiting hardly adds to it
    recorded = LiveRecorded(live, configured(budget, TWO_ENGINES), tmp_path / "run", camera)
    recorded.detector_s = 0.25
    predict, predicted = recorded.executor.predict, []

    def noted(now_ns: int, number: int, sequence: int) -> Item:
        predicted.append(sequence)
        return predict(now_ns, number, sequence)

    recorded.executor.predict = noted  # type: ignore[method-assign]

    def until() -> bool:
        if recorded.ladder.engine and predicted and camera.stalls[1] < 0:
            camera.stalls = (recorded.clock(), recorded.clock() + 1200 * MS)
        return 0 < camera.stalls[1] < recorded.clock() - 300 * MS and recorded.arm.moves

    run = recorded.run(until)
    made = {(d.rung, d.reason) for d in run.decisions}
    assert {
        (Rung.PREDICT, Reason.LITTLE_TIME_LEFT), (Rung.FALLBACK, Reason.MISSES), (Rung.HOLD, Reason.PHOTONS_TOO_OLD),
    } <= made  # fmt: skip
    assert set(run.of(Stage.DETECT)["engine"].tolist()) == {0, 1}
    assert replays(tmp_path / "run")


def test_a_safe_stop_and_an_operators_reset_replay_from_the_wall_clock(live: LiveCell, tmp_path: Path) -> None:
    recorded = LiveRecorded(live, configured(wall_rules(hold_age_ms=2000.0, watchdog_ms=5000.0)), tmp_path / "run")
    let_go_ns: list[int] = []
    chunks: list[int] = []
    policy = recorded.executor.graph.plan._policy
    plan = policy.plan

    def slowed(observation: Observation) -> ActionChunk:
        time.sleep(0.1)  # so that a plan is often under way when the operator resets: it must not be followed
        return plan(observation)

    policy.plan = slowed  # type: ignore[method-assign]

    def reset_wanted() -> bool:
        wanted = not recorded.arm.frozen and not let_go_ns
        if wanted:
            let_go_ns.append(recorded.clock())
            chunks.append(recorded.executor.chunks.count)
        return wanted

    def until() -> bool:
        latched_ns = recorded.ladder.latched_ns
        over = latched_ns is not None and recorded.clock() > latched_ns + 800 * MS
        recorded.arm.frozen = (recorded.arm.frozen or recorded.arm.moves) and not over and not let_go_ns
        return bool(let_go_ns) and recorded.executor.chunks.count > chunks[0] + 1 and recorded.arm.moves

    run = recorded.run(until, reset_wanted)
    stopped, let_go = run.decided(Rung.STOP, Reason.FEEDBACK_SILENT), run.decided(Rung.DROP, Reason.OPERATOR_RESET)
    assert run.rested(stopped, let_go.now_ns)
    assert len(set(run.followed(let_go.now_ns))) >= 1
    assert next(gap for t_ns, gap in recorded.arm.gaps if t_ns >= let_go.now_ns) < 0.01
    assert replays(tmp_path / "run")
