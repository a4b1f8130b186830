"""A run on the virtual clock: episodes of the simulated world, recorded."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import numpy as np

from deploy.errors import BadInput
from launch.config import Config
from launch.executor import Executor
from launch.interruption import Interruption
from launch.picture_strip import PictureStrip
from launch.report import RunAccount
from launch.run_folder import RunFolder
from launch.schedulers.cameras import SimulatedCamera, VirtualCamera
from launch.schedulers.profile import Durations
from launch.schedulers.virtual import VirtualScheduler
from launch.session import Progress, RunResult
from launch.sim_cell import SimCell
from launch.wiring import build_graph, build_schedule


def episode_seed(seed: int, episode: int) -> int:
    """Seed of one episode's scene: episodes of a run, and runs of neighbouring seeds, share none."""
    return int(np.random.SeedSequence([seed, episode]).generate_state(1)[0])


def run(config: Config, run_dir: Path, progress: Progress) -> tuple[RunResult, RunAccount]:
    """Run all episodes and leave a complete run folder, also when interrupted.

    Raises:
        BadInput: If the configuration has no task or no simulated arm.
    """
    task = config.task
    if task is None or config.rig.arm is None or config.rig.arm.type != "sim":
        arm = "none" if config.rig.arm is None else config.rig.arm.type
        raise BadInput(
            f"clock virtual needs a task and a simulated arm, rig {config.rig.name} has arm {arm}: use --clock wall"
        )
    timeout_ns = round(task.timeout_s * 1e9)
    with ExitStack() as stack:
        cell = SimCell(config)
        stack.callback(cell.close)
        config = cell.resolved
        progress(f"renderer: {cell.renderer.name} ({cell.renderer.reason})")
        graph = build_graph(config)
        folder = RunFolder(config, run_dir, virtual=True)
        executor = Executor(graph, Durations(config.profile, seed=config.seed), folder.recorder)
        folder.tell(executor)
        ladder = folder.ladder(executor, progress)
        cameras: list[VirtualCamera] = [
            SimulatedCamera(cell.capture(camera.name), round(1e9 / camera.rate_hz)) for camera in config.rig.cameras
        ]
        scheduler = VirtualScheduler(
            executor, ladder, cell.advance, cell.arm, cameras,
            control_period_ns=round(1e9 / config.control.rate_hz),
            schedule=build_schedule(config),
            on_rows=folder.on_rows,
        )  # fmt: skip
        interruption = stack.enter_context(Interruption())
        try:
            for episode in range(config.episodes):
                cell.reset(episode_seed(config.seed, episode), scheduler.now_ns)
                strip = (
                    PictureStrip(cell, run_dir / "strip.png") if config.record.picture_strip and not episode else None
                )
                scheduler.run_episode(episode, timeout_ns, cell.finished(strip), lambda: interruption.requested)
                if strip is not None:
                    strip.save()
                if interruption.requested:
                    progress("interrupted: closing the recording")
                    break
                folder.episode(cell.detail(), progress)
        finally:
            result = folder.finish(
                executor, scheduler.now_ns, scheduler.notes, judged=True, interrupted=interruption.requested
            )
    return result, folder.account
