"""The arm of a run on the wall clock: its driver in a process of its own, set up as the configuration says."""

from __future__ import annotations

import inspect
from dataclasses import replace
from pathlib import Path
from typing import Any

from launch import plugins
from launch.config import Config
from launch.config.rig import ArmConfig
from launch.schedulers.notes import Notes
from launch.schedulers.wall import RunClock
from launch.sources import SIMULATED
from launch.wall_cell import REMOTE_ARM, WallCell
from launch.wiring import arm_model, governor_limits
from robot.host import HostedArm, HostSettings
from robot.host.surroundings import Surroundings

LOG = "arm_host.jsonl"
# what of the rig a driver may take; options of the user's win
_RIG = ("model", "rate_hz")
_TOLD = (
    "position", "velocity", "acceleration", "non_finite", "heartbeat_lost", "main_gone", "hang", "fault",
)  # fmt: skip

# of these, what must not wait for the summary
_URGENT = ("fault", "hang")


def hosted_arm(config: Config, clock: RunClock, run_dir: Path, cell: WallCell | None) -> HostedArm | None:
    """The rig's arm, not yet connected; None for cameras alone."""
    arm = config.rig.arm
    if arm is None:
        return None
    if arm.type == SIMULATED and cell is not None:
        driver, options = REMOTE_ARM, {**arm.options, **cell.arm_options}
    else:
        driver, options = plugins.target("arms", arm.type, "rig.arm.type"), driver_options(arm)
    settings = host_settings(config, arm, driver, options)
    return HostedArm(replace(settings, epoch_ns=clock.epoch_ns, log_path=run_dir / LOG))


def host_settings(config: Config, arm: ArmConfig, driver: str = "not:known", options: Any = None) -> HostSettings:
    """What the arm host is told, but for the run's clock and folder.

    Raises:
        BadInput: If figures of the rig do not fit together.
    """
    allowed, model = governor_limits(config), arm_model(arm)
    x, y, z = model.flange_T_tcp.translation.tolist()
    return HostSettings(
        driver,
        options or {},
        limits=allowed.joints,
        exit_policy=arm.exit_policy,
        park_joints_rad=arm.park_joints_rad,
        heartbeat_ns=round(arm.heartbeat_ms * 1e6),
        rate_hz=max(arm.rate_hz, config.control.rate_hz),
        command_period_ns=round(1e9 / config.control.rate_hz),
        priority=config.realtime.priority,
        lock_memory=config.realtime.lock_memory,
        surroundings=Surroundings(
            model.model, (x, y, z), allowed.workspace, allowed.keep_out, allowed.self_collision, allowed.margin_m,
            allowed.tool_radius_m,
        ),
    )  # fmt: skip


def driver_options(arm: ArmConfig) -> dict[str, Any]:
    """Keyword arguments of the rig's driver, checked against what it takes.

    Raises:
        BadInput: If the driver does not take one, naming it.
    """
    factory = plugins.load("arms", arm.type, "rig.arm.type")
    takes = inspect.signature(factory).parameters
    given = {key: getattr(arm, key) for key in _RIG if key in takes}
    options = {**given, **arm.options}
    plugins.check_options(factory, arm.type, "rig.arm.options", options)
    return options


def note_events(arm: HostedArm, notes: Notes) -> list[str]:
    """Count what the host changed or had to do by itself; the whole of it is in the run's `arm_host.jsonl`.

    Returns:
        What a person should hear of at once: faults, and an end that went wrong.
    """
    for note in arm.notes:
        notes.add(note)
    urgent = []
    for event in arm.events():
        if event.kind in _TOLD:
            notes.add(f"arm host: {event.sentence}", f"arm host {event.kind} {event.joint}")
        if event.kind in _URGENT:
            urgent.append(event.sentence)
    return urgent
