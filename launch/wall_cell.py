"""The simulated cell of a run on the wall clock: a world in a process of its own, shared by cameras and arm."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

from deploy.errors import BadInput, Missing
from launch.config import Config
from launch.config.rig import RigConfig
from launch.schedulers.wall import RunClock
from launch.sources import SIMULATED, check_simulated, source_options
from perception.source import Source
from robot.sim.remote import RemoteCamera
from robot.sim.scene import with_conveyor
from robot.sim.settings import WorldSettings
from robot.sim.world_client import RunningWorld
from robot.sim.world_process import WorldProcess

REMOTE_ARM = "robot.sim.remote:RemoteArm"


def is_simulated(rig: RigConfig) -> bool:
    """Whether a simulated world has to run for a rig: for its arm, or for a camera that looks at it."""
    return (rig.arm is not None and rig.arm.type == SIMULATED) or any(
        camera.source.type == SIMULATED for camera in rig.cameras
    )


def check_world(config: Config) -> None:
    """See that arm, cameras and simulated world fit together.

    Raises:
        BadInput: Naming the key that does not.
    """
    arm = config.rig.arm
    if not is_simulated(config.rig):
        return
    check_simulated(config.rig)
    if arm is None:
        raise BadInput("rig.arm: the cameras are simulated but there is no arm; give one of type sim, or other cameras")
    wanted = "none" if arm.type == SIMULATED else arm.type
    if config.sim.controller != wanted:
        raise BadInput(
            f"sim.controller: is {config.sim.controller!r} but the arm is of type {arm.type!r}: expected {wanted!r}"
        )
    if config.sim.world is not None and config.sim.conveyor_m_s is not None:
        raise BadInput(
            f"sim.conveyor_m_s: the world at {config.sim.world} runs already; start that one with --conveyor"
        )


class WallCell:
    """A world, its cameras, and what the arm host needs to know of it.

    Args:
        config: Resolved configuration.
        clock: Run clock; a world that ran before hands over its own.

    Attributes:
        clock: The run clock to use.
        resolved: The configuration with the renderer that was chosen.
        renderer: In words.
        sources: The cameras.
    """

    def __init__(self, config: Config, clock: RunClock) -> None:
        check_world(config)
        arm = config.rig.arm
        assert arm is not None
        self._stack = ExitStack()
        try:
            if config.sim.world is not None:
                self._world: RunningWorld = RunningWorld(Path(config.sim.world))
                self._stack.callback(self._world.close)
                self._world.open_cameras()
                clock = RunClock(self._world.client.status().epoch_ns)
            else:
                settings = WorldSettings(
                    Path(),
                    clock.epoch_ns,
                    seed=config.seed,
                    renderer=config.sim.renderer,
                    parameters=with_conveyor(config.sim.conveyor_m_s),
                    cube_render_offset_m=config.sim.cube_render_offset_m,
                    ur_address=config.sim.address if config.sim.controller == "ur" else None,
                    ur_model=arm.model,
                )
                self._world = self._stack.enter_context(WorldProcess(settings))
            self.clock = clock
            self.renderer = f"{self._world.renderer} ({self._world.renderer_reason})"
            self.resolved = config.model_copy(
                update={"sim": config.sim.model_copy(update={"renderer": self._world.renderer})}
            )
            self.sources: list[Source] = []
            for camera in config.rig.cameras:
                options = source_options(camera, RemoteCamera, socket=self._world.socket, clock=clock)
                self.sources.append(RemoteCamera(**options))
                self._stack.callback(self.sources[-1].close)
        except BaseException:
            self.close()
            raise

    @property
    def arm_options(self) -> dict[str, Any]:
        """Options of the driver of a simulated arm."""
        return {"socket": str(self._world.socket)}

    def reset(self, seed: int) -> None:
        """Start a new scene, with the arm at home."""
        self._world.reset(seed)

    def finished(self) -> bool:
        """Whether the episode is over: the cube lies in the bin, or fell off the table."""
        return bool(self._world.truth()["finished"])

    def detail(self) -> dict[str, Any]:
        """Truth about the episode, for judging it afterwards; no stage sees it."""
        detail: dict[str, Any] = self._world.truth()["detail"]
        return detail

    def notes(self) -> list[str]:
        """What the system refused the world, and how often it was late."""
        try:
            status = self._world.client.status()
        except Missing as error:  # it is gone: what ended the run says so, and what was recorded is kept
            return [str(error)]
        late = [f"simulated world: {status.slips} times more than 100 ms late: this machine is too busy"]
        return status.notes + (late if status.slips else [])

    def close(self) -> None:
        """Let go of the world; end it if this run started it."""
        self._stack.close()
