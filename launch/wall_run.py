"""A run in real time: live cameras and an arm, or the simulated cell on the wall clock."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from launch import plugins
from launch.bag import BagWriter
from launch.config import Config, to_yaml
from launch.config.rig import CameraConfig
from launch.executor import Executor
from launch.interruption import Interruption
from launch.ledger import Rows
from launch.live_cell import LiveCell
from launch.recorder import Recorder
from launch.recording import CONFIG, END, End, code_sha256
from launch.schedulers.profile import Durations
from launch.schedulers.wall import RunClock, WallScheduler
from launch.session import Progress, RunResult, finish_run
from launch.tally import Tally
from launch.virtual_run import episode_seed
from launch.wiring import build_graph
from perception.source import Source
from robot.arm import Arm


def open_source(camera: CameraConfig, clock: Callable[[], int]) -> Source:
    """Open a camera of the rig by the registered name of its source, on the run clock if it stamps frames itself."""
    takes = inspect.signature(plugins.load("sources", camera.source.type)).parameters
    options: dict[str, Any] = dict(camera.source.options)
    if "clock" in takes:
        options.setdefault("clock", clock)
    if camera.latency_ms and "latency_s" in takes:
        options.setdefault("latency_s", camera.latency_ms * 1e-3)
    if camera.intrinsics is not None and "intrinsics" in takes:
        options.setdefault("intrinsics", camera.intrinsics.camera())
    source: Source = plugins.build(
        "sources", camera.source.type, f"camera {camera.name}: source.options", name=camera.name, **options
    )
    return source


def run(config: Config, run_dir: Path, progress: Progress) -> tuple[RunResult, Tally, Config]:
    """Run in real time and leave a complete run folder, also when interrupted or when a camera stops."""
    clock = RunClock()
    cell = LiveCell(config, clock) if _is_simulated(config) else None
    if cell is not None:
        config = cell.resolved
        progress(f"renderer: {cell.renderer.name} ({cell.renderer.reason})")
    graph = build_graph(config)
    tally = Tally(config.budget, virtual=False)
    sources = cell.sources if cell is not None else [open_source(camera, clock) for camera in config.rig.cameras]
    arm = cell.live_arm if cell is not None else _connect(config)
    writer = BagWriter(run_dir, compression=config.record.compression, epoch_offset_ns=time.time_ns() - clock())
    recorder = Recorder(writer, blocking=False)

    def on_rows(rows: Rows, now_ns: int) -> None:
        tally.add(rows)
        recorder.rows(rows, now_ns)

    executor = Executor(graph, Durations(config.profile), recorder)
    scheduler = WallScheduler(
        executor, clock, sources, arm,
        control_period_ns=round(1e9 / config.control.rate_hz),
        replan_horizon_ns=round(config.policy.replan_horizon_s * 1e9),
        on_rows=on_rows,
    )  # fmt: skip
    recorder.text(CONFIG, to_yaml(config), 0)
    timeout_ns = round(config.task.timeout_s * 1e9) if config.task is not None else None
    done = successes = 0
    try:
        with Interruption() as interruption:
            for episode in range(config.episodes):
                if cell is not None:
                    cell.reset(episode_seed(config.seed, episode), clock())
                finished = cell.finished(None) if cell is not None else _never
                scheduler.run_episode(episode, timeout_ns, finished, lambda: interruption.requested)
                if interruption.requested:
                    progress("interrupted: the arm holds, closing the recording")
                    break
                done += 1
                if cell is not None:
                    success = cell.world.cube_in_bin()
                    successes += success
                    progress(f"episode {done}/{config.episodes}: {'success' if success else 'failed'}")
    finally:
        on_rows(executor.ledger.take(), clock())
        end = End(executor.ledger.lost + recorder.dropped, code_sha256())
        recorder.text(END, end.to_text(), clock())
        recorder.close()
        for source in sources:
            source.close()
        if arm is not None:
            arm.close()
        if cell is not None:
            cell.close()
    outcome = RunResult(
        run_dir, done, successes if cell is not None else None, tally.frames, tally.dropped_frames, tally.commands,
        executor.hash.hexdigest(), notes=dict(scheduler.notes), interrupted=interruption.requested,
    )  # fmt: skip
    finish_run(run_dir, config, outcome, tally)
    return outcome, tally, config


def _is_simulated(config: Config) -> bool:
    return config.rig.arm is not None and config.rig.arm.type == "sim"


def _connect(config: Config) -> Arm | None:
    if config.rig.arm is None:
        return None
    arm: Arm = plugins.build("arms", config.rig.arm.type, "rig.arm.options", **config.rig.arm.options)
    arm.connect()
    return arm


def _never() -> bool:
    return False
