"""A kinematic cell for the expert: the tool follows the chunk perfectly, the cube follows closed fingers."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from geometry.pose import Pose
from geometry.types import Array
from policy.action_chunk import ActionChunk
from policy.chunk_schedule import ChunkSchedule
from policy.expert import ScriptedExpert
from policy.expert_parameters import ExpertParameters
from policy.motion import Phase
from policy.observation import Observation
from policy.seam import Switch

TICK_NS = 10_000_000
HOLDING = 0.47


@dataclass
class ToyCell:
    """Cube, gripper and tool; time is a number."""

    cube_m: Array
    tool: Pose = field(default_factory=lambda: ExpertParameters().home)
    parameters: ExpertParameters = field(default_factory=ExpertParameters)
    slippery_grasps: int = 0
    view_m: float = 0.22
    noise_m: float = 0.0
    plan_every_ns: int = 100_000_000
    plan_delay_ns: int = 60_000_000
    disturb: Callable[[ToyCell, int], None] | None = None
    belt_m_s: tuple[float, float] = (0.0, 0.0)
    velocity_noise_m_s: float = 0.0
    ahead_ns: int = 0
    expert: ScriptedExpert | None = None
    opening: float = 1.0
    held: bool = False
    grasps: int = 0

    def observe(self, now_ns: int, rng: np.random.Generator) -> Observation:
        near = math.dist(self.tool.translation[:2], self.cube_m[:2]) < self.view_m
        clear = self.tool.translation[2] - self.cube_m[2] > 0.05
        seen = self.cube_m + self.noise_m * rng.standard_normal(3) if near and clear else np.full(3, np.nan)
        age = 0.0 if near and clear else math.inf
        noise = self.velocity_noise_m_s
        velocity = np.array((*self.belt_m_s, 0.0))
        if noise:
            velocity = velocity + noise * rng.standard_normal(3)
        return Observation(
            now_ns, np.zeros(6), self.opening, self.tool, seen + velocity * self.ahead_ns * 1e-9, np.eye(3) * 1e-6, age,
            velocity, np.eye(3) * noise**2, self.ahead_ns,
        )  # fmt: skip

    def carry(self) -> None:
        """Move the cube with the belt for a tick, unless it is held or lies in the bin."""
        if not self.held and not self.placed():
            self.cube_m = self.cube_m + np.array((*self.belt_m_s, 0.0)) * TICK_NS * 1e-9

    def follow(self, action: Array) -> None:
        self.tool = Pose.from_rotvec(action[3:6], action[:3])
        closing = action[6] < 0.5
        if closing and self.opening > 0.9:
            self.grasps += 1
            within = math.dist(self.tool.translation, self.cube_m) < 0.015
            self.held = within and self.grasps > self.slippery_grasps
        elif not closing:
            self.held = False
            self.cube_m = np.array([*self.cube_m[:2], 0.02])
        self.opening = (HOLDING if self.held else 0.0) if closing else 1.0
        if self.held:
            self.cube_m = self.tool.translation.copy()

    def placed(self) -> bool:
        dx, dy = self.cube_m[:2] - np.array(self.parameters.bin_m)
        return not self.held and max(abs(dx), abs(dy)) < 0.1


@dataclass
class Record:
    """What happened: tool positions, openings and phases per tick, chunks, and when the cube was placed."""

    positions: Array
    phases: list[Phase]
    chunks: list[ActionChunk]
    switch_ticks: list[int]
    placed_s: float
    expert: ScriptedExpert


def run(cell: ToyCell, seconds: float, seed: int = 0, after_placed_s: float = 0.0) -> Record:
    """Drive the expert in closed loop; a chunk arrives `plan_delay_ns` after its observation."""
    rng = np.random.default_rng(seed)
    expert, schedule = ScriptedExpert(cell.parameters), ChunkSchedule(1_000_000_000)
    cell.expert = expert
    seam = Switch()
    positions, phases, chunks, switches, placed = [], [], [], [], math.inf
    underway: list[tuple[int, ActionChunk]] = []
    for tick in range(round(seconds * 1e9) // TICK_NS):
        now_ns = tick * TICK_NS
        cell.carry()
        if cell.disturb is not None:
            cell.disturb(cell, now_ns)
        if now_ns % cell.plan_every_ns == 0:
            chunk = expert.plan(cell.observe(now_ns, rng))
            chunks.append(chunk)
            underway.append((now_ns + cell.plan_delay_ns, chunk))
        while underway and underway[0][0] <= now_ns:
            arrived = underway.pop(0)[1]
            assert schedule.offer(arrived, now_ns) == "switched"
            seam.take(arrived, now_ns)
            switches.append(tick)
        if schedule.chunk is not None:
            cell.follow(seam.action(now_ns))
        positions.append(cell.tool.translation)
        phases.append(expert.phase)
        if cell.placed() and math.isinf(placed):
            placed = now_ns * 1e-9
        if now_ns * 1e-9 > placed + after_placed_s:
            break
    return Record(np.array(positions), phases, chunks, switches, placed, expert)
