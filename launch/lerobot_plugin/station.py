"""From a configuration to an arm that moves and cameras that look, in real time."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from deploy.errors import BadInput
from launch.arm_host import hosted_arm
from launch.config import Config
from launch.config.rig import CameraConfig
from launch.lerobot_plugin.newest_frame import NewestFrame
from launch.lerobot_plugin.target_loop import TargetLoop
from launch.schedulers.wall import RunClock
from launch.sources import SIMULATED, open_source
from launch.wall_cell import WallCell, is_simulated
from launch.wiring import arm_model, governor_limits
from robot.governor import SafetyGovernor
from robot.sim.layout import CAMERA
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


def start_station(config: Config, stack: ExitStack) -> Station:
    """Start the cameras, the arm in a process of its own, and the control loop; for a simulated rig its world first.

    Args:
        config: With a rig that has an arm.
        stack: What is started is ended with it: the control loop first, the world last.

    Raises:
        deploy.errors.EyehandError: If something is missing or refused.
        ArmFault: If the arm is there and cannot be commanded.
    """
    clock, cell = RunClock(), None
    cameras: dict[str, NewestFrame] = {}
    if is_simulated(config.rig):
        cell = WallCell(config, clock)
        stack.callback(cell.close)
        clock = cell.clock
    for k, camera in enumerate(config.rig.cameras):
        cameras[camera.name] = NewestFrame(cell.sources[k] if cell is not None else open_source(camera, clock))
        stack.callback(cameras[camera.name].close)
    for newest in cameras.values():
        newest.frame()
    arm = hosted_arm(config, clock, Path(stack.enter_context(tempfile.TemporaryDirectory())), cell)
    assert config.rig.arm is not None
    assert arm is not None
    stack.callback(arm.close)
    arm.connect()
    limits, period_ns = governor_limits(config), round(1e9 / config.control.rate_hz)
    loop = TargetLoop(
        arm,
        JointTrajectory(limits.joints.scaled(config.control.limit_scale)),
        SafetyGovernor(limits, arm_model(config.rig.arm), period_ns * 1e-9),
        limits.joints,
        clock,
        period_ns,
    )
    stack.callback(loop.close)
    loop.state()
    return Station(loop, cameras)
