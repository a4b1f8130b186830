"""A run on the virtual clock: episodes of the simulated world, recorded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from deploy.errors import BadInput
from launch.bag import BagWriter
from launch.config import Config, to_yaml
from launch.executor import Executor
from launch.interruption import Interruption
from launch.ledger import Rows
from launch.picture_strip import PictureStrip
from launch.recorder import Recorder
from launch.recording import CONFIG, END, End, code_sha256
from launch.schedulers.profile import Durations
from launch.schedulers.virtual import VirtualCamera, VirtualScheduler
from launch.session import Progress, RunResult, finish_run
from launch.sim_cell import SimCell
from launch.tally import Tally
from launch.wiring import build_graph


def episode_seed(seed: int, episode: int) -> int:
    """Seed of one episode's scene: episodes of a run, and runs of neighbouring seeds, share none."""
    return int(np.random.SeedSequence([seed, episode]).generate_state(1)[0])


def run(config: Config, run_dir: Path, progress: Progress) -> tuple[RunResult, Tally, Config]:
    """Run all episodes and leave a complete run folder, also when interrupted."""
    task = config.task
    if task is None or config.rig.arm is None or config.rig.arm.type != "sim":
        arm = "none" if config.rig.arm is None else config.rig.arm.type
        raise BadInput(
            f"clock virtual needs a task and a simulated arm, rig {config.rig.name} has arm {arm}: use --clock wall"
        )
    cell = SimCell(config)
    config = cell.resolved
    progress(f"renderer: {cell.renderer.name} ({cell.renderer.reason})")
    graph = build_graph(config)
    recorder = Recorder(BagWriter(run_dir, compression=config.record.compression), blocking=True)
    tally = Tally(config.budget, virtual=True)

    def on_rows(rows: Rows, now_ns: int) -> None:
        tally.add(rows)
        recorder.rows(rows, now_ns)

    durations = Durations(config.profile)
    executor = Executor(graph, durations, recorder)
    cameras = [VirtualCamera(cell.capture(camera.name), round(1e9 / camera.rate_hz)) for camera in config.rig.cameras]
    scheduler = VirtualScheduler(
        executor, cell.advance, cell.arm, cameras,
        control_period_ns=round(1e9 / config.control.rate_hz),
        replan_horizon_ns=round(config.policy.replan_horizon_s * 1e9),
        on_rows=on_rows,
    )  # fmt: skip
    strip = PictureStrip(cell, run_dir / "strip.png") if config.record.picture_strip else None
    recorder.text(CONFIG, to_yaml(config), 0)
    done = successes = 0
    detail: list[dict[str, Any]] = []
    try:
        with Interruption() as interruption:
            for episode in range(config.episodes):
                cell.reset(episode_seed(config.seed, episode), scheduler.now_ns)
                watch = strip if episode == 0 else None
                timeout_ns = round(task.timeout_s * 1e9)
                scheduler.run_episode(episode, timeout_ns, cell.finished(watch), lambda: interruption.requested)
                if watch is not None:
                    watch.save()
                if interruption.requested:
                    progress("interrupted: closing the recording")
                    break
                detail.append(cell.detail())
                success = bool(detail[-1]["success"])
                done, successes = done + 1, successes + success
                progress(
                    f"episode {done}/{config.episodes}: {'success' if success else 'failed'} "
                    f"after {cell.elapsed_s:.1f} s simulated"
                )
    finally:
        on_rows(executor.ledger.take(), scheduler.now_ns)
        end = End(executor.ledger.lost + recorder.dropped, code_sha256())
        recorder.text(END, end.to_text(), scheduler.now_ns)
        recorder.close()
        cell.close()
    outcome = RunResult(
        run_dir, done, successes, tally.frames, tally.dropped_frames, tally.commands,
        executor.hash.hexdigest(), notes=dict(scheduler.notes), interrupted=interruption.requested,
    )  # fmt: skip
    finish_run(run_dir, config, outcome, tally, detail)
    return outcome, tally, config
