"""The simulated cell on the run clock: world, renderer, arm and cameras of a configuration."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from launch.config import Config
from perception.frame import Frame
from robot.sim import SimArm, SimSource, World, make_renderer


class Watcher(Protocol):
    """Somebody who looks at the world once per control period."""

    def look(self, elapsed_ns: int) -> None:
        """Look."""


class SimCell:
    """World, arm and cameras; each episode's world starts at the run clock's present time."""

    def __init__(self, config: Config) -> None:
        self.world = World(seed=config.seed)
        self.world.cube_render_offset_m = config.sim.cube_render_offset_m
        self.renderer = make_renderer(config.sim.renderer, threads=2)
        self.resolved = config.model_copy(
            update={"sim": config.sim.model_copy(update={"renderer": self.renderer.name})}
        )
        self.arm = SimArm(self.world)
        self._sources = {
            camera.name: SimSource(self.world, self.renderer, name=camera.name, **camera.source.options)
            for camera in config.rig.cameras
        }
        self._epoch_ns = 0
        self._settled_ns = 0

    def reset(self, seed: int, now_ns: int) -> None:
        """Start a new scene."""
        self.world.reset(seed)
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

    @property
    def elapsed_s(self) -> float:
        """Time since the episode began [s]."""
        return self.world.time_ns * 1e-9

    def finished(self, watcher: Watcher | None) -> Callable[[], bool]:
        """Whether the episode is over: the cube lies in the bin, or fell off the table."""

        def check() -> bool:
            if watcher is not None:
                watcher.look(self.world.time_ns)
            return self.world.cube_in_bin() or self.world.cube_fell()

        return check

    def close(self) -> None:
        """Free the renderer."""
        self.renderer.close()
