"""The simulated cell on the run clock: world, renderer, arm and cameras of a configuration."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol

from launch import plugins
from launch.config import Config
from launch.sources import check_simulated, source_options
from perception.frame import Frame
from robot.sim import SimArm, SimSource, World, make_renderer
from robot.sim.scene import SceneParameters, with_conveyor

# the gripper is open between grasps: below this it is on its way to close
CLOSING: Final = 0.9


class Watcher(Protocol):
    """Somebody who looks at the world once per control period."""

    def look(self, elapsed_ns: int) -> None:
        """Look."""


class SimCell:
    """World, arm and cameras; each episode's world starts at the run clock's present time."""

    def __init__(self, config: Config) -> None:
        check_simulated(config.rig)
        self.world = World(seed=config.seed, parameters=with_conveyor(config.sim.conveyor_m_s))
        self.world.cube_render_offset_m = config.sim.cube_render_offset_m
        self.renderer = make_renderer(config.sim.renderer, threads=2)
        self.resolved = config.model_copy(
            update={"sim": config.sim.model_copy(update={"renderer": self.renderer.name})}
        )
        options = config.rig.arm.options if config.rig.arm is not None else {}
        self.arm: SimArm = plugins.build("arms", "sim", "rig.arm.options", world=self.world, **options)
        self._sources = {
            camera.name: SimSource(**source_options(camera, SimSource, world=self.world, renderer=self.renderer))
            for camera in config.rig.cameras
        }
        self._epoch_ns = 0
        self._seed = config.seed
        self._cube_at_start: list[float] = []
        self._closed_at: list[float] | None = None

    def lay_conveyor(self, base_m_s: tuple[float, float] | None) -> None:
        """From the next scene on a conveyor of this velocity carries the object [m/s], or none."""
        self.world.parameters = with_conveyor(base_m_s) or SceneParameters()

    def reset(self, seed: int, now_ns: int) -> None:
        """Start a new scene."""
        self.world.reset(seed)
        self._seed, self._closed_at = seed, None
        self._cube_at_start = self.world.cube_position_base_m.tolist()
        self._begin(now_ns)

    def _begin(self, now_ns: int) -> None:
        """The scene's time 0 is this instant of the run clock."""
        self._epoch_ns = now_ns
        self.arm.start(now_ns)
        for source in self._sources.values():
            source.start(now_ns)

    def advance(self, now_ns: int) -> None:
        """Move the world to an instant of the run clock."""
        self.world.advance(now_ns - self._epoch_ns)

    def capture(self, camera: str) -> Callable[[int, int], Frame]:
        """How a camera takes its next frame."""
        return self._sources[camera].capture

    def source(self, camera: str) -> SimSource:
        """The camera itself."""
        return self._sources[camera]

    @property
    def elapsed_s(self) -> float:
        """Time since the episode began [s]."""
        return self.world.time_ns * 1e-9

    def finished(self, watcher: Watcher | None) -> Callable[[], bool]:
        """Whether the episode is over: the cube lies in the bin, or fell off the table."""

        def check() -> bool:
            if watcher is not None:
                watcher.look(self.world.time_ns)
            if self._closed_at is None and self.world.gripper_opening < CLOSING:
                x, y, z = self.world.world_T_gripper.translation
                self._closed_at = [-float(x), -float(y), float(z)]
            return self.world.cube_in_bin() or self.world.cube_fell()

        return check

    def detail(self) -> dict[str, Any]:
        """Truth about the episode, for judging it afterwards; no stage sees it."""
        return {
            "seed": self._seed,
            "success": self.world.cube_in_bin(),
            "simulated_s": self.elapsed_s,
            "cube_at_start_in_base_m": self._cube_at_start,
            "first_close_tcp_in_base_m": self._closed_at,
        }

    def close(self) -> None:
        """Free the renderer."""
        self.renderer.close()
