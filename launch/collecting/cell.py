"""One disturbed episode of the expert through the whole pipeline on the virtual clock, recorded nowhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import cv2
import numpy as np

from geometry.pose import Pose
from geometry.types import Array, Image
from launch.config import Config
from launch.executor import Executor
from launch.ladder import Ladder
from launch.ledger import Rows
from launch.schedulers.cameras import SimulatedCamera, VirtualCamera
from launch.schedulers.profile import Durations
from launch.schedulers.virtual import VirtualScheduler
from launch.sim_cell import SimCell
from launch.virtual_run import episode_seed
from launch.wiring import arm_model, build_graph, build_schedule
from policy.action_chunk import ActionSpace
from policy.dataset import Episode, label
from policy.dataset.episode import as_float32
from policy.demonstrator import Demonstration, Demonstrator, Noise
from policy.factory import make_expert
from policy.features import IMAGES, environment, state
from robot.kinematics import Kinematics, Unreachable

# The expert waits for what it cannot see; a student that has no memory cannot learn how long. What is left is what the
# gripper needs, and the time in which the arm comes to rest.
TEACHING: Final[dict[str, Any]] = {"search_wait_s": 0.2, "settle_s": 0.1, "close_s": 0.4, "open_s": 0.3}
# The way home after the cube lies in the bin is taught, too [s].
AFTERWARDS_S: Final = 1.0
# How fast a conveyor carries the object where one does [m/s].
MOVING_M_S: Final = (0.02, 0.07)
_CONVEYOR: Final = 0xBE17


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be collected.

    Attributes:
        config: Resolved configuration of the cell.
        action_space: What the actions are to mean.
        noise: How the expert is disturbed.
        images: Whether pictures are kept.
        moving: Share of the episodes in which a conveyor carries the object, each at a velocity of its own.
    """

    config: Config
    action_space: ActionSpace
    noise: Noise
    images: bool = False
    moving: float = 0.0


@dataclass(frozen=True, slots=True)
class Attempt:
    """How an episode went.

    Attributes:
        number: Its place in the collection.
        seed: Of its scene and of its noise.
        success: Whether the cube lay in the bin in the end.
        episode: Its frames; None if there is nothing to be learnt from it.
        reason: Why not.
        interrupted: It was broken off from outside.
        detail: What else is known.
    """

    number: int
    seed: int
    success: bool
    episode: Episode | None = None
    reason: str = ""
    interrupted: bool = False
    detail: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """What the dataset keeps of it."""
        why = {"reason": self.reason} if self.reason else {}
        return {"attempt": self.number, "seed": self.seed, "success": self.success, **why, **self.detail}


class CollectingCell:
    """The simulated cell with a demonstrator in it; episodes do not know of one another.

    Raises:
        BadInput: If the configuration cannot be demonstrated on.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._cell = SimCell(plan.config)
        try:
            config = self._config = for_teaching(plan.config)
            options = {**TEACHING, **(plan.config.policy.options if plan.config.policy.type == "expert" else {})}
            assert config.task is not None
            expert = make_expert(bin_in_base_m=config.task.bin_in_base_m, **options)
            cameras = [camera.name for camera in config.rig.cameras] if plan.images else []
            self._demonstrator = Demonstrator(expert, plan.noise, cameras)
            self._graph = build_graph(config, policy=self._demonstrator)
        except BaseException:
            self._cell.close()
            raise
        assert config.rig.arm is not None
        self._arm = arm_model(config.rig.arm)

    def close(self) -> None:
        """Free the renderer."""
        self._cell.close()

    def run(self, number: int, interrupted: Callable[[], bool]) -> Attempt:
        """Run one episode; whatever ran before it, it comes out the same.

        Args:
            number: Its place in the collection.
            interrupted: Asked before each event whether to break it off.
        """
        config, cell = self._config, self._cell
        seed = episode_seed(config.seed, number)
        self._demonstrator.begin(seed)
        executor = Executor(self._graph, Durations(config.profile, seed=seed))
        period_ns = round(1e9 / config.control.rate_hz)
        ladder = Ladder(config.budget, executor.ledger, has_fallback=self._graph.has_fallback, period_ns=period_ns)
        cameras: list[VirtualCamera] = [
            SimulatedCamera(cell.capture(camera.name), round(1e9 / camera.rate_hz)) for camera in config.rig.cameras
        ]
        scheduler = VirtualScheduler(
            executor, ladder, cell.advance, cell.arm, cameras, period_ns, build_schedule(config), _no_rows
        )
        assert config.task is not None
        conveyor = self._conveyor(seed)
        cell.lay_conveyor(conveyor)
        cell.reset(seed, scheduler.now_ns)
        scheduler.run_episode(0, round(config.task.timeout_s * 1e9), self._finished(), interrupted)
        success = cell.world.cube_in_bin()
        detail = {
            "simulated_s": round(cell.elapsed_s, 2),
            "missed_on_purpose": self._demonstrator.misses,
            "grasps_missed": self._demonstrator.attempts,
            "conveyor_m_s": conveyor,
        }
        made = partial(Attempt, number, seed, success, detail=detail)
        if interrupted():
            return made(interrupted=True)
        if not success:
            return made(reason="the cube is not in the bin")
        try:
            return made(
                episode_of(self._demonstrator.frames, self._plan.action_space, self._arm, self._demonstrator.dt_ns)
            )
        except (ValueError, Unreachable) as error:
            return made(reason=str(error))

    def _conveyor(self, seed: int) -> tuple[float, float] | None:
        """Velocity in `base` of this episode's conveyor [m/s]; None without one."""
        numbers = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_CONVEYOR,)))
        if numbers.random() >= self._plan.moving:
            return self._config.sim.conveyor_m_s
        speed, direction = numbers.uniform(*MOVING_M_S), numbers.uniform(-np.pi, np.pi)
        return float(speed * np.cos(direction)), float(speed * np.sin(direction))

    def _finished(self) -> Callable[[], bool]:
        """Whether the cube has lain in the bin for a while, or fell."""
        finished, cell = self._cell.finished(None), self._cell
        since_s: float | None = None

        def check() -> bool:
            nonlocal since_s
            if not finished():
                since_s = None
                return False
            since_s = cell.elapsed_s if since_s is None else since_s
            return cell.world.cube_fell() or cell.elapsed_s - since_s >= AFTERWARDS_S

        return check


def for_teaching(config: Config) -> Config:
    """The configuration with a plan at every frame, which is executed as it is."""
    schedule = config.policy.schedule.model_copy(update={"mode": "naive"})
    policy = config.policy.model_copy(update={"replan_horizon_s": 3600.0, "schedule": schedule})
    return config.model_copy(update={"policy": policy})


def episode_of(
    frames: Sequence[Demonstration], space: ActionSpace, arm: Kinematics, dt_ns: int, slack: float = 0.0
) -> Episode:
    """Frames as they are kept.

    Args:
        frames: What was seen and what was wanted.
        space: What the actions are to mean.
        arm: For the joints of the poses, in the branch that the arm is in.
        dt_ns: Time that must lie between two frames [ns].
        slack: By what part of it that may be wrong.

    Raises:
        ValueError: If there are no frames, or one is missing in between.
        robot.kinematics.Unreachable: If the expert wanted what the arm cannot do.
    """
    if not frames:
        raise ValueError("nothing in it may be taught")
    stamps = np.array([frame.observation.stamp_ns for frame in frames])
    if (np.abs(np.diff(stamps) - dt_ns) > slack * dt_ns).any():
        raise ValueError(f"a frame is missing: {np.diff(stamps).max() * 1e-9:.2f} s between two of them")
    seen = [frame.observation for frame in frames]
    poses = np.stack([frame.action for frame in frames])
    measured = np.stack([observation.joint_positions_rad for observation in seen])
    names = sorted(seen[0].images)
    return Episode(
        as_float32(np.stack([state(observation) for observation in seen])),
        as_float32(np.stack([environment(observation) for observation in seen])),
        as_float32(label(space, poses, _joints(arm, poses, measured[0]), measured, dt_ns * 1e-9)),
        {IMAGES + name: tuple(_png(observation.images[name]) for observation in seen) for name in names},
    )


def _joints(arm: Kinematics, poses: Array, start: Array) -> Array:
    """The path in joints, shape (T, 6) [rad]: each goes on from the one before."""
    path = []
    for pose in poses:
        start = arm.joints(Pose.from_rotvec(pose[3:6], pose[:3]), start)
        path.append(start)
    return np.stack(path)


def _png(color: Image) -> bytes:
    """A picture, channels blue, green, red, as a PNG, which is red, green, blue as everybody reads it."""
    done, data = cv2.imencode(".png", color)
    assert done
    return bytes(data)


def _no_rows(_rows: Rows, _now_ns: int) -> None:
    """The ledger of a demonstration is read by nobody."""
