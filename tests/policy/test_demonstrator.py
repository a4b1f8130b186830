"""The demonstrator in the toy cell: what is executed is disturbed, what is kept is not."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from deploy.errors import BadInput
from policy.action_chunk import ActionChunk
from policy.demonstrator import Demonstrator, Noise
from policy.expert import DT_NS, ScriptedExpert
from policy.motion import Phase
from policy.protocol import Policy
from tests.policy.toy_cell import TICK_NS, ToyCell

CUBE = np.array((-0.70, 0.10, 0.02))


class Run:
    """A demonstration in the toy cell, a plan per frame."""

    def __init__(self, noise: Noise, seed: int, seconds: float = 30.0) -> None:
        self.cell = ToyCell(CUBE.copy())
        self.expert = ScriptedExpert(self.cell.parameters)
        self.demonstrator = Demonstrator(self.expert, noise)
        self.demonstrator.begin(seed)
        self.demonstrator.reset()
        self.chunks: list[ActionChunk] = []
        self.phases: list[Phase] = []
        rng = np.random.default_rng(0)
        self.placed_s = None
        for tick in range(round(seconds * 1e9) // TICK_NS):
            now_ns = tick * TICK_NS
            if now_ns % DT_NS == 0:
                self.chunks.append(self.demonstrator.plan(self.cell.observe(now_ns, rng)))
                self.phases.append(self.expert.phase)
            if now_ns % (3 * TICK_NS) == 0:
                self.cell.follow(self.chunks[-1].sample(now_ns))
            if self.cell.placed() and self.placed_s is None:
                self.placed_s = now_ns * 1e-9
            if self.placed_s is not None and now_ns * 1e-9 > self.placed_s + 0.3:
                break

    @property
    def executed(self) -> np.ndarray:
        return np.array([chunk.actions[0] for chunk in self.chunks])

    @property
    def kept(self) -> np.ndarray:
        return np.array([frame.action for frame in self.demonstrator.frames])


@cache
def run_of(noise: Noise, seed: int) -> Run:
    return Run(noise, seed)


STILL, NOISY, MISSING = Noise(0.0, 0.0, 0.0), Noise(misses=0.0), Noise(misses=1.0)


def test_is_a_policy() -> None:
    assert isinstance(Demonstrator(ScriptedExpert()), Policy)


def test_without_noise_it_does_what_it_keeps() -> None:
    run = run_of(STILL, 1)
    assert run.placed_s is not None
    assert (run.kept == run.executed).all()


@pytest.mark.parametrize("seed", range(4))
def test_keeps_what_the_expert_meant_and_does_something_else(seed: int) -> None:
    run = run_of(NOISY, seed)
    assert run.placed_s is not None
    offsets = np.linalg.norm(run.executed[:, :3] - run.kept[:, :3], axis=1)
    assert 0.005 < offsets.max() <= 0.04
    # the noise changes nothing of the plan: the toy cell sees the cube wherever it is
    clean = run_of(STILL, 1).executed
    same = min(len(clean), len(run.kept))
    assert np.abs(run.kept[:same, :3] - clean[:same, :3]).max() < 0.003


@pytest.mark.parametrize("seed", range(4))
def test_there_is_no_noise_where_the_gripper_closes_or_opens(seed: int) -> None:
    run = run_of(NOISY, seed)
    quiet = np.array([phase in (Phase.CLOSE, Phase.OPEN) for phase in run.phases])
    assert quiet.sum() >= 4
    assert np.linalg.norm((run.executed - run.kept)[quiet, :6], axis=1).max() < 1e-9
    # near contact there is little: a millimetre and a half per five of height
    low = np.array([phase is Phase.DESCEND for phase in run.phases]) & (run.kept[:, 2] < 0.05)
    heights = run.kept[low, 2] - 0.02
    assert (np.linalg.norm((run.executed - run.kept)[low, :3], axis=1) <= 0.34 * heights + 1e-9).all()


@pytest.mark.parametrize("seed", range(4))
def test_a_miss_is_recovered_from_and_only_the_recovery_is_kept(seed: int) -> None:
    run = run_of(MISSING, seed)
    assert run.demonstrator.misses
    assert run.demonstrator.attempts == 1
    assert run.placed_s is not None
    frames = run.demonstrator.frames
    first = frames[0]
    assert first.observation.gripper_opening < 0.1
    assert first.action[6] == 0.0
    # it opens at once, and goes up
    assert [frame.action[6] for frame in frames[1:5]].count(1.0) >= 2
    assert frames[6].action[2] > first.action[2] + 0.03
    # the tool was led past the object: beside it or above it, by more than a grasp forgives
    assert np.linalg.norm(first.observation.base_T_tcp.translation - CUBE) > 0.03
    # one frame after the other until the end
    stamps = np.array([frame.observation.stamp_ns for frame in frames])
    assert (np.diff(stamps) == DT_NS).all()
    assert len(frames) < len(run.chunks)


def test_an_episode_begins_anew() -> None:
    run = Run(Noise(), seed=3, seconds=3.0)
    before = [frame.action for frame in run.demonstrator.frames]
    executed = run.executed
    run.demonstrator.begin(3)
    cell, rng = ToyCell(CUBE.copy()), np.random.default_rng(0)
    again = run.demonstrator.plan(cell.observe(0, rng))
    assert len(run.demonstrator.frames) == 1
    assert (run.demonstrator.frames[0].action == before[0]).all()
    assert (again.actions[0] == executed[0]).all()


def test_share_of_misses() -> None:
    demonstrator = Demonstrator(ScriptedExpert(), Noise(misses=0.25))
    led_past = 0
    for seed in range(400):
        demonstrator.begin(seed)
        led_past += demonstrator.misses
    assert 60 <= led_past <= 140


@pytest.mark.parametrize("options", [{"offset_m": -0.01}, {"offset_m": 0.2}, {"turn_rad": 1.0}, {"misses": 1.5}])
def test_refuses_noise_that_cannot_be_recovered_from(options: dict[str, float]) -> None:
    with pytest.raises(BadInput, match="expected 0 to"):
        Noise(**options)
