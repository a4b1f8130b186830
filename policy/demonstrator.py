"""The expert as a teacher: what it does is disturbed, what it meant to do is written down.

A student that imitates a perfect teacher never sees what a small mistake leads to, and its mistakes add up. So noise is
injected into what the teacher executes, while the actions that are kept are those that it wanted: DART (Laskey et al.,
"Noise Injection for Robust Imitation Learning", arXiv 1703.09327). The noise is smooth, since the tool is a real one,
and it fades near contact, since a demonstration that fails teaches nothing. Some grasps are led past the object: the
expert notices, opens the gripper and looks again, and that is taught, too; what led to the miss is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from deploy.errors import BadInput
from geometry.pose import Pose
from geometry.types import Array
from policy.action_chunk import ActionChunk, ActionSpace
from policy.disturbance import Disturbance
from policy.expert import CHUNK_SIZE, DT_NS, ScriptedExpert
from policy.motion import Phase, minimum_jerk
from policy.observation import Observation

# clearance [m] over which the noise grows to its full size: above the object, and above the place of release
_OVER_OBJECT_M: Final = 0.12
_OVER_RELEASE_M: Final = 0.08
_MISS_IN_S: Final = 0.8
_MISS_OUT_S: Final = 0.7
# how far past the object: beside it, across the direction in which the fingers open, or above it [m]
_BESIDE_M: Final = (0.04, 0.065)
_ABOVE_M: Final = (0.04, 0.08)

_AT_OBJECT: Final = (Phase.DESCEND, Phase.CLOSE, Phase.LIFT)
_AT_RELEASE: Final = (Phase.LOWER, Phase.OPEN, Phase.RETREAT)


@dataclass(frozen=True, slots=True)
class Noise:
    """How a demonstrator is disturbed.

    Attributes:
        offset_m: Longest offset of the tool from where it should be [m]; 0: none.
        turn_rad: Largest turn of the tool away from how it should point [rad], at the longest offset.
        misses: Share of the episodes whose first grasp is led past the object.
    """

    offset_m: float = 0.04
    turn_rad: float = 0.06
    misses: float = 0.2

    def __post_init__(self) -> None:
        if not 0.0 <= self.offset_m <= 0.08:
            raise BadInput(f"noise of {self.offset_m} m: expected 0 to 0.08; more, and the expert starts over")
        if not 0.0 <= self.turn_rad <= 0.3:
            raise BadInput(f"noise of {self.turn_rad} rad: expected 0 to 0.3")
        if not 0.0 <= self.misses <= 1.0:
            raise BadInput(f"share of misses {self.misses}: expected 0 to 1")


@dataclass(frozen=True, slots=True, eq=False)
class Demonstration:
    """One frame: what was seen, and what the expert meant to do at that instant.

    Attributes:
        observation: As a student is shown it.
        action: Shape (7,), `ee_pose`, the expert's plan at the observation's stamp, without noise.
        phase: What that is for.
    """

    observation: Observation
    action: Array
    phase: Phase


@dataclass(slots=True)
class _Miss:
    """A grasp that is to be led past the object, by `offset_m` in the base; when that began and ended [ns]."""

    offset_m: Array
    since_ns: int | None = None
    until_ns: int | None = None


class Demonstrator:
    """A `Policy`: the expert's chunks with noise on them. It keeps each frame's observation with the clean action.

    Args:
        expert: Whose motion is disturbed.
        noise: How.
        cameras: Whose pictures are kept with the observations.
    """

    chunk_size: int = CHUNK_SIZE
    dt_ns: int = DT_NS
    space: ActionSpace = "ee_pose"

    def __init__(self, expert: ScriptedExpert, noise: Noise | None = None, cameras: Sequence[str] = ()) -> None:
        self._expert = expert
        self._noise = noise or Noise()
        self.cameras = tuple(cameras)
        self.begin(0)

    def begin(self, seed: int) -> None:
        """Draw the noise of the next episode; every episode of a seed is disturbed alike."""
        numbers = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1703_09327,)))
        # not all are disturbed alike: near the expert's own path most of a student's life takes place
        share = float(numbers.uniform(0.2, 1.0))
        self._disturbance = Disturbance(numbers, self._noise.offset_m * share, self._noise.turn_rad * share)
        self._miss = self._draw_miss(numbers) if numbers.random() < self._noise.misses else None
        self.frames: list[Demonstration] = []
        self.reset()

    def reset(self) -> None:
        """Forget the episode, not the noise that was drawn for it."""
        self._expert.reset()
        self._grasp_z = 0.0
        self._start_ns: int | None = None
        if self._miss is not None:
            self._miss.since_ns = self._miss.until_ns = None
        self.frames = []

    @property
    def misses(self) -> bool:
        """Whether this episode's first grasp is led past the object."""
        return self._miss is not None

    @property
    def attempts(self) -> int:
        """How often the gripper has closed on nothing."""
        return self._expert.attempts

    def plan(self, observation: Observation) -> ActionChunk:
        """Plan from an observation; keep what should be done, and return what will be done."""
        chunk = self._expert.plan(observation)
        now_ns = observation.stamp_ns
        if self._start_ns is None:
            self._start_ns = now_ns
        p = self._expert.parameters
        if observation.sees_object and chunk.actions[0, 6] > 0.5:
            height = float(observation.object_position_m[2]) + p.grasp_offset_m
            self._grasp_z = max(height, p.grasp_floor_m)
        taught = self._lead_past(now_ns)
        if taught:
            self.frames.append(Demonstration(observation, chunk.actions[0], self._expert.phase))
        else:
            self.frames.clear()
        return ActionChunk(now_ns, DT_NS, "ee_pose", self._disturbed(chunk))

    def _lead_past(self, now_ns: int) -> bool:
        """Begin and end the miss; whether this frame may be taught."""
        miss = self._miss
        if miss is None or miss.until_ns is not None:
            return True
        if miss.since_ns is None and self._expert.phase is Phase.APPROACH:
            miss.since_ns = now_ns
        if miss.since_ns is not None and self._expert.attempts > 0:
            miss.until_ns = now_ns
            return True
        return miss.since_ns is None

    def _disturbed(self, chunk: ActionChunk) -> Array:
        actions = np.array(chunk.actions)
        assert self._start_ns is not None
        for k, action in enumerate(actions):
            t_ns = chunk.stamp_ns + k * chunk.dt_ns
            offset, turn = self._disturbance.at((t_ns - self._start_ns) * 1e-9)
            missing = 0.0 if self._miss is None else _share(self._miss, t_ns)
            scale = (1.0 - missing) * self._freedom(t_ns, float(action[2]))
            action[:3] += scale * offset
            if self._miss is not None:
                action[:3] += missing * self._miss.offset_m
            if scale > 0.0:
                turned = Pose.from_rotvec(scale * turn, np.zeros(3)) @ Pose.from_rotvec(action[3:6], np.zeros(3))
                action[3:6] = turned.rotvec
        return actions

    def _freedom(self, t_ns: int, z: float) -> float:
        """How much of the noise there may be at a time: all of it away from contact, none at the object or the bin."""
        phase = self._expert.phase_at(t_ns)
        if phase in _AT_OBJECT:
            return min(1.0, max(0.0, z - self._grasp_z) / _OVER_OBJECT_M)
        if phase in _AT_RELEASE:
            return min(1.0, max(0.0, z - self._expert.parameters.release_height_m) / _OVER_RELEASE_M)
        return 1.0

    def _draw_miss(self, numbers: np.random.Generator) -> _Miss:
        if numbers.random() < 0.5:
            return _Miss(np.array((0.0, 0.0, numbers.uniform(*_ABOVE_M))))
        across = self._expert.parameters.tool_rotation[:, 1]
        side = 1.0 if numbers.random() < 0.5 else -1.0
        return _Miss(side * numbers.uniform(*_BESIDE_M) * across)


def _share(miss: _Miss, t_ns: int) -> float:
    """How far a miss has come, and gone again: 0 to 1, minimum jerk."""
    if miss.since_ns is None:
        return 0.0
    come = minimum_jerk((t_ns - miss.since_ns) * 1e-9 / _MISS_IN_S)
    return come if miss.until_ns is None else come * (1.0 - minimum_jerk((t_ns - miss.until_ns) * 1e-9 / _MISS_OUT_S))
