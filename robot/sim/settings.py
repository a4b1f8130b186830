"""What the world's processes are started with, and how it is written on their command lines."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, ClassVar, Final, Literal, get_args

from deploy.errors import BadInput
from robot.sim.scene import SceneParameters

# the world is what the others are measured against: above a control loop's priority (50), a host's and a watchdog's
PRIORITY: Final = 80
WorldRenderer = Literal["auto", "egl", "raycast", "none"]
UrGripper = Literal["robotiq", "tool_digital_output", "digital_output"]


@dataclass(frozen=True, slots=True)
class WorldSettings:
    """How to start a world.

    Attributes:
        socket: Where it is served; its cameras at the same path with `.cameras`.
        epoch_ns: `time.monotonic_ns()` at the run clock's 0 [ns].
        seed: Seed of the first scene.
        renderer: Who renders; `none` for a world without cameras.
        parameters: Ranges that scenes are drawn from; None for those of the task.
        cube_render_offset_m: See `World`.
        ur_address: Put a UR controller's face on the arm at this address; None for the arm alone.
        ur_model: Which UR arm it says it is.
        ur_gripper: What moves the gripper: the Robotiq port, or output 0 of the tool or of the control box.
        priority: SCHED_FIFO priority of the physics thread; None for an ordinary one.
        trace: File that the last minute of the arm's motion is written to when the process ends.
        owns_folder: Whether the socket's folder goes with the process.
        linger_s: How long the process outlives its last client and its parent [s].
    """

    socket: Path
    epoch_ns: int
    seed: int = 0
    renderer: WorldRenderer = "auto"
    parameters: SceneParameters | None = None
    cube_render_offset_m: tuple[float, float, float] = (0.0, 0.0, 0.0)
    ur_address: str | None = None
    ur_model: str = "ur10e"
    ur_gripper: UrGripper = "robotiq"
    priority: int | None = PRIORITY
    trace: Path | None = None
    owns_folder: bool = False
    linger_s: float = 10.0

    # what the world asks of the system besides, see `deploy.realtime`
    lock_memory: ClassVar[bool] = True
    freeze_gc: ClassVar[bool] = True
    switch_interval_ms: ClassVar[float] = 0.1
    control_cpu: ClassVar[int | None] = None

    def __post_init__(self) -> None:
        if self.renderer not in get_args(WorldRenderer):
            raise BadInput(f"renderer {self.renderer!r}: expected auto, egl, raycast or none")
        if self.priority is not None and not 1 <= self.priority <= 99:
            raise BadInput(f"priority {self.priority} of the simulated world: expected 1 to 99")

    def arguments(self) -> list[str]:
        """The command line that `parse` makes equal settings of."""
        found = [
            *("--socket", str(self.socket), "--epoch-ns", str(self.epoch_ns), "--seed", str(self.seed)),
            *("--renderer", self.renderer, "--ur-model", self.ur_model),
            *("--ur-gripper", self.ur_gripper),
            *("--linger-s", repr(self.linger_s)),
            *("--priority", str(self.priority or 0)),
            "--cube-render-offset-m=" + ",".join(map(repr, self.cube_render_offset_m)),
        ]
        if self.parameters is not None:
            found += ["--scene", json.dumps(asdict(self.parameters))]
        if self.ur_address is not None:
            found += ["--ur", self.ur_address]
        if self.trace is not None:
            found += ["--trace", str(self.trace)]
        if self.owns_folder:
            found.append("--owns-folder")
        return found


def parse(arguments: Sequence[str] | None, program: str) -> WorldSettings:
    """Read a command line; ends the process with a sentence and status 2 if it is wrong."""
    parser = argparse.ArgumentParser(program, description="The simulated cell as a process of its own, in real time.")
    parser.add_argument("--socket", type=Path, required=True, help="path of the socket to serve")
    parser.add_argument("--epoch-ns", type=int, default=time.monotonic_ns(), help="time.monotonic_ns() at time 0")
    parser.add_argument("--seed", type=int, default=0, help="seed of the first scene")
    parser.add_argument("--renderer", default="auto", choices=get_args(WorldRenderer))
    parser.add_argument("--scene", type=_scene, default=None, metavar="JSON", help="fields of SceneParameters")
    parser.add_argument("--cube-render-offset-m", type=_vector, default=(0.0, 0.0, 0.0), metavar="X,Y,Z")
    parser.add_argument("--ur", default=None, metavar="ADDRESS", help="wear a UR controller's face at this address")
    parser.add_argument("--ur-model", default="ur10e")
    parser.add_argument("--ur-gripper", default="robotiq", choices=get_args(UrGripper))
    parser.add_argument("--priority", type=int, default=PRIORITY, help="SCHED_FIFO priority of the physics; 0 for none")
    parser.add_argument("--trace", type=Path, default=None, help="write the arm's last minute here (.npz or .csv)")
    parser.add_argument("--owns-folder", action="store_true", help="remove the socket's folder at the end")
    parser.add_argument("--linger-s", type=float, default=10.0, help="how long to outlive the last client and parent")
    found = parser.parse_args(arguments)
    try:
        return WorldSettings(
            socket=found.socket.absolute(),
            epoch_ns=found.epoch_ns,
            seed=found.seed,
            renderer=found.renderer,
            parameters=found.scene,
            cube_render_offset_m=found.cube_render_offset_m,
            ur_address=found.ur,
            ur_model=found.ur_model,
            ur_gripper=found.ur_gripper,
            priority=found.priority or None,
            trace=found.trace,
            owns_folder=found.owns_folder,
            linger_s=found.linger_s,
        )
    except BadInput as error:
        parser.error(str(error))


def _vector(text: str) -> tuple[float, float, float]:
    x, y, z = (float(part) for part in text.split(","))
    return (x, y, z)


def _scene(text: str) -> SceneParameters:
    given = json.loads(text)
    known = {field.name for field in fields(SceneParameters)}
    if unknown := sorted(set(given) - known):
        raise argparse.ArgumentTypeError(f"unknown fields {', '.join(unknown)}: expected {', '.join(sorted(known))}")
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in given.items()}
    return SceneParameters(**values)
