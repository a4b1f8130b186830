"""From a configuration to an arm that moves and cameras that look, in real time."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.errors import BadInput
from launch import plugins
from launch.config import Config
from launch.config.rig import CameraConfig
from launch.lerobot_plugin.newest_frame import NewestFrame
from launch.lerobot_plugin.target_loop import TargetLoop
from launch.sources import SIMULATED, check_simulated, open_source, source_options
from launch.wiring import arm_model, governor_limits
from perception.source import Source
from robot.governor import SafetyGovernor
from robot.host import HostedArm, HostSettings
from robot.sim.layout import CAMERA
from robot.sim.remote import RemoteArm, RemoteCamera
from robot.sim.settings import WorldSettings
from robot.sim.world_process import WorldProcess
from robot.trajectory import JointTrajectory


@dataclass(frozen=True, slots=True)
class Station:
    """What is running.

    Attributes:
        loop: Moves the arm.
        cameras: By name.
    """

    loop: TargetLoop
    cameras: dict[str, NewestFrame]


def picture_size(camera: CameraConfig) -> tuple[int, int]:
    """Height and width of a camera's pictures, before it is opened [px].

    Raises:
        BadInput: If neither the rig nor the source's options tell.
    """
    if camera.source.type == SIMULATED:
        return CAMERA.height, CAMERA.width
    if camera.intrinsics is not None:
        return camera.intrinsics.height, camera.intrinsics.width
    options = camera.source.options
    if "height" in options and "width" in options:
        return int(options["height"]), int(options["width"])
    raise BadInput(f"camera {camera.name}: the size of its pictures is not known: give its intrinsics in the rig")


def start_station(config: Config, heartbeat_ms: float, stack: ExitStack) -> Station:
    """Start the arm in a process of its own, the control loop, and the cameras; for a simulated rig its world first.

    Args:
        config: With a rig that has an arm.
        heartbeat_ms: How long the control loop may be silent while it moves the arm [ms].
        stack: What is started is ended with it: the control loop first, the world last.

    Raises:
        deploy.errors.EyehandError: If something is missing or refused.
        ArmFault: If the arm is there and cannot be commanded.
    """
    epoch_ns = time.monotonic_ns()

    def clock() -> int:
        return time.monotonic_ns() - epoch_ns

    arm_config = config.rig.arm
    assert arm_config is not None
    limits, period_ns = governor_limits(config.governor), round(1e9 / config.control.rate_hz)
    if arm_config.type == SIMULATED:
        driver, options, sources = _simulated(config, clock, epoch_ns, stack)
    else:
        factory = plugins.load("arms", arm_config.type, "rig.arm.type")
        plugins.check_options(factory, arm_config.type, "rig.arm.options", arm_config.options)
        driver, options = f"{factory.__module__}:{factory.__qualname__}", arm_config.options
        sources = [open_source(camera, clock) for camera in config.rig.cameras]
    cameras = {source.name: NewestFrame(source) for source in sources}
    for camera in cameras.values():
        stack.callback(camera.close)
        camera.frame()
    arm = HostedArm(
        HostSettings(
            driver=driver,
            options=options,
            limits=limits.joints,
            exit_policy=arm_config.exit_policy,
            park_joints_rad=arm_config.park_joints_rad,
            heartbeat_ns=round(heartbeat_ms * 1e6),
            rate_hz=arm_config.rate_hz,
            command_period_ns=period_ns,
            epoch_ns=epoch_ns,
            priority=config.realtime.priority,
            lock_memory=config.realtime.lock_memory,
        )
    )
    arm.connect()
    stack.callback(arm.close)
    loop = TargetLoop(
        arm,
        JointTrajectory(limits.joints.scaled(config.control.limit_scale)),
        SafetyGovernor(limits, arm_model(arm_config), period_ns * 1e-9),
        limits.joints,
        clock,
        period_ns,
    )
    stack.callback(loop.close)
    loop.state()
    return Station(loop, cameras)


def _simulated(
    config: Config, clock: Callable[[], int], epoch_ns: int, stack: ExitStack
) -> tuple[str, dict[str, Any], list[Source]]:
    """Start the world; the driver of its arm with its options, and its cameras."""
    check_simulated(config.rig)
    world = stack.enter_context(
        WorldProcess(
            WorldSettings(
                Path(),
                epoch_ns,
                seed=config.seed,
                renderer=config.sim.renderer,
                cube_render_offset_m=config.sim.cube_render_offset_m,
            )
        )
    )
    sources: list[Source] = [
        RemoteCamera(**source_options(camera, RemoteCamera, socket=world.socket, clock=clock))
        for camera in config.rig.cameras
    ]
    return f"{RemoteArm.__module__}:{RemoteArm.__name__}", {"socket": str(world.socket)}, sources
