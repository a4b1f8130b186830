"""The world at one instant, as far as a renderer needs it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from geometry.types import Array
from robot.sim.scene import SceneSpec


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """Positions of everything, copied out of the physics, so that rendering can go on in another thread.

    Attributes:
        model: The `mujoco.MjModel` of the scene; nobody writes to it after it is compiled.
        qpos: Shape (nq,), generalized positions.
        stamp_ns: Time of the world [ns].
        scene: What the model was built from.
    """

    model: Any
    qpos: Array
    stamp_ns: int
    scene: SceneSpec
