"""A run in real time: live cameras and an arm, or the simulated cell on the wall clock."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path

from deploy.errors import Missing
from deploy.realtime import Realtime
from launch.arm_host import hosted_arm, note_events
from launch.config import Config
from launch.executor import Executor, as_measured
from launch.interruption import Interruption
from launch.ledger import Rows
from launch.operator_desk import OperatorDesk
from launch.report import RunAccount
from launch.run_folder import RunFolder
from launch.schedulers.wall import RunClock, WallScheduler
from launch.session import Progress, RunResult
from launch.sources import open_source
from launch.virtual_run import episode_seed
from launch.wall_cell import WallCell, is_simulated
from launch.wiring import build_graph, build_schedule
from perception.source import Source
from robot.arm import ArmFault
from robot.host import HostedArm


def run(config: Config, run_dir: Path, progress: Progress) -> tuple[RunResult, RunAccount]:
    """Run in real time and leave a complete run folder, also when interrupted or when a camera stops.

    Whatever ends it, the arm host does what the rig's exit policy says; it is another process, and outlives this one
    for as long as the arm moves.
    """
    clock = RunClock()
    timeout_ns = round(config.task.timeout_s * 1e9) if config.task is not None else None
    realtime = Realtime(config.realtime)
    with ExitStack() as stack:
        cell: WallCell | None = None
        sources: list[Source] = []
        if is_simulated(config.rig):
            cell = WallCell(config, clock)
            stack.callback(cell.close)
            clock, config, sources = cell.clock, cell.resolved, cell.sources
            progress(f"renderer: {cell.renderer}")
        graph = build_graph(config)
        if cell is None:
            for camera in config.rig.cameras:
                sources.append(open_source(camera, clock))
                stack.callback(sources[-1].close)
        arm = hosted_arm(config, clock, run_dir, cell)
        folder = RunFolder(config, run_dir, virtual=False, epoch_offset_ns=time.time_ns() - clock())
        if arm is not None:
            stack.callback(arm.close)
            if cell is None:
                _connect(arm, folder)
        executor = Executor(graph, as_measured, folder.recorder)
        stack.enter_context(realtime)
        folder.tell(executor, lambda: realtime.achieved)
        desk = OperatorDesk(run_dir)
        stack.callback(desk.close)

        def stopped(sentence: str) -> None:
            desk.show(sentence)
            progress(f"{sentence}. Nothing moves the arm again until you say so: eyehand reset {run_dir}")

        ladder = folder.ladder(executor, stopped)
        _warn_without_stop(config, progress)

        def on_rows(rows: Rows, now_ns: int) -> None:
            folder.on_rows(rows, now_ns)
            if ladder.latched is None:
                desk.clear()

        scheduler = WallScheduler(
            executor, ladder, clock, sources, arm,
            control_period_ns=round(1e9 / config.control.rate_hz),
            schedule=build_schedule(config),
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
                    cell.reset(episode_seed(config.seed, episode))
                    if arm is not None:
                        _connect(arm, folder)
                finished = cell.finished if cell is not None else _never
                scheduler.run_episode(episode, timeout_ns, finished, lambda: interruption.requested)
                if interruption.requested:
                    progress("interrupted: the arm comes to rest, closing the recording")
                    break
                folder.episode(cell.detail() if cell is not None else {"success": None}, progress)
                if cell is not None and arm is not None:
                    _let_go(arm, scheduler, progress)  # the next scene has its arm at home: nothing may hold it here
        finally:
            if arm is not None:
                _let_go(arm, scheduler, progress)
            for note in (*realtime.notes, *(cell.notes() if cell is not None else ())):
                scheduler.notes.add(note)
            if not folder.discarded:
                result = folder.finish(
                    executor, clock(), scheduler.notes, judged=cell is not None, interrupted=interruption.requested
                )
    return result, folder.account


def _connect(arm: HostedArm, folder: RunFolder) -> None:
    """Connect the arm; a run whose arm never answered leaves no folder.

    Raises:
        Missing: If it does not answer, or cannot be commanded.
    """
    try:
        arm.connect()
    except BaseException as error:
        if not folder.details:
            folder.discard()
        if isinstance(error, ArmFault):
            raise Missing(str(error)) from error
        raise


def _let_go(arm: HostedArm, scheduler: WallScheduler, progress: Progress) -> None:
    """Have the host do what the exit policy says, note what it did during the run, and tell what went wrong."""
    try:
        arm.close()
    except KeyboardInterrupt:  # the second one: what was recorded is still kept
        progress("interrupted again: the arm brakes and holds where it is")
    for sentence in note_events(arm, scheduler.notes):
        progress(f"arm host: {sentence}")


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
