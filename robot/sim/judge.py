"""The truth about an episode, for ending and judging it; no stage of a run sees it."""

from __future__ import annotations

from typing import Any, Final

from robot.sim.world import World

# the gripper is open between grasps: below this it is on its way to close
CLOSING: Final = 0.9


class Judge:
    """Looks at the world of one episode a hundred times per second.

    Args:
        world: The world, as it was reset.
        seed: Seed of its scene.
    """

    def __init__(self, world: World, seed: int) -> None:
        self._world = world
        self._seed = seed
        self._cube_at_start: list[float] = world.cube_position_base_m.tolist()
        self._closed_at: list[float] | None = None

    def look(self) -> dict[str, Any]:
        """`finished` (the cube lies in the bin, or fell off the table) and `detail` as a run's summary keeps it."""
        world = self._world
        if self._closed_at is None and world.gripper_opening < CLOSING:
            x, y, z = world.world_T_gripper.translation
            self._closed_at = [-float(x), -float(y), float(z)]
        in_bin = world.cube_in_bin()
        return {
            "finished": in_bin or world.cube_fell(),
            "detail": {
                "seed": self._seed,
                "success": in_bin,
                "simulated_s": world.time_ns * 1e-9,
                "cube_at_start_in_base_m": self._cube_at_start,
                "first_close_tcp_in_base_m": self._closed_at,
            },
        }
