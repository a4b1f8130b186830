"""A run in real time: live cameras and an arm, or the simulated cell on the wall clock."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path

from deploy.realtime import Realtime
from launch import plugins
from launch.config import Config
from launch.executor import Executor, as_measured
from launch.interruption import Interruption
from launch.ledger import Rows
from launch.live_cell import LiveCell
from launch.operator_desk import OperatorDesk
from launch.report import RunAccount
from launch.run_folder import RunFolder
from launch.schedulers.wall import RunClock, WallScheduler
from launch.session import Progress, RunResult
from launch.sources import open_source
from launch.virtual_run import episode_seed
from launch.wiring import build_graph
from perception.source import Source
from robot.arm import Arm


def run(config: Config, run_dir: Path, progress: Progress) -> tuple[RunResult, RunAccount]:
    """Run in real time and leave a complete run folder, also when interrupted or when a camera stops."""
    clock = RunClock()
    timeout_ns = round(config.task.timeout_s * 1e9) if config.task is not None else None
    realtime = Realtime(config.realtime)
    with ExitStack() as stack:
        cell: LiveCell | None = None
        arm: Arm | None = None
        sources: list[Source] = []
        if config.rig.arm is not None and config.rig.arm.type == "sim":
            cell = LiveCell(config, clock)
            stack.callback(cell.close)
            config, arm, sources = cell.resolved, cell.live_arm, cell.sources
            progress(f"renderer: {cell.renderer.name} ({cell.renderer.reason})")
        graph = build_graph(config)
        if cell is None:
            for camera in config.rig.cameras:
                sources.append(open_source(camera, clock))
                stack.callback(sources[-1].close)
            arm = _connect(config, stack)
        folder = RunFolder(config, run_dir, virtual=False, epoch_offset_ns=time.time_ns() - clock())
        executor = Executor(graph, as_measured, folder.recorder)
        stack.enter_context(realtime)
        folder.tell(executor, lambda: realtime.achieved)
        desk = OperatorDesk(run_dir)
        stack.callback(desk.close)

        def stopped(sentence: str) -> None:
            desk.show(sentence)
            progress(f"{sentence}. The arm holds. When the cause is gone: eyehand reset {run_dir}")

        ladder = folder.ladder(executor, stopped)
        _warn_without_stop(config, progress)

        def on_rows(rows: Rows, now_ns: int) -> None:
            folder.on_rows(rows, now_ns)
            if ladder.latched is None:
                desk.clear()

        scheduler = WallScheduler(
            executor, ladder, clock, sources, arm,
            control_period_ns=round(1e9 / config.control.rate_hz),
            replan_horizon_ns=round(config.policy.replan_horizon_s * 1e9),
            on_rows=on_rows,
            simulated=cell is not None,
            reset_wanted=desk.reset_wanted,
            enter_control=realtime.enter_control_thread,
            enter_watchdog=realtime.enter_watchdog_thread,
        )  # fmt: skip
        interruption = stack.enter_context(Interruption())
        try:
            for episode in range(config.episodes):
                if cell is not None:
                    cell.reset(episode_seed(config.seed, episode), clock())
                finished = cell.finished(None) if cell is not None else _never
                scheduler.run_episode(episode, timeout_ns, finished, lambda: interruption.requested)
                if interruption.requested:
                    progress("interrupted: the arm holds, closing the recording")
                    break
                folder.episode(cell.detail() if cell is not None else {"success": None}, progress)
        finally:
            for note in realtime.notes:
                scheduler.notes.add(note)
            result = folder.finish(
                executor, clock(), scheduler.notes, judged=cell is not None, interrupted=interruption.requested
            )
    return result, folder.account


def _connect(config: Config, stack: ExitStack) -> Arm | None:
    """Connect the arm; whatever happens afterwards, it is told to stop and let go."""
    if config.rig.arm is None:
        return None
    arm: Arm = plugins.build("arms", config.rig.arm.type, "rig.arm.options", **config.rig.arm.options)
    stack.callback(arm.close)
    arm.connect()
    stack.callback(arm.stop)
    return arm


def _warn_without_stop(config: Config, progress: Progress) -> None:
    """A budget of one's own may leave out what stops the arm: that must not go unnoticed."""
    rules = config.budget.ladder
    off = [
        name for name in ("hold_age_ms", "stop_age_ms", "feedback_age_ms", "watchdog_ms") if not getattr(rules, name)
    ]
    if config.rig.arm is not None and off:
        progress(
            f"budget {config.budget.name} does not set ladder.{', ladder.'.join(off)}: nothing stops the arm for that"
        )


def _never() -> bool:
    return False
