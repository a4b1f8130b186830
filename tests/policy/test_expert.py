from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from deploy.errors import BadInput
from geometry.pose import Pose
from policy.expert import CHUNK_SIZE, DT_NS, ScriptedExpert
from policy.expert_parameters import ExpertParameters
from policy.motion import Phase
from policy.observation import Observation
from policy.protocol import Policy
from tests.policy.toy_cell import TICK_NS, Record, ToyCell, run

PARAMETERS = ExpertParameters()
CUBES = [(-0.70, 0.10, 0.02), (-0.50, 0.30, 0.02), (-0.82, -0.12, 0.02), (-0.55, 0.0, 0.02)]
SLOW = {"plan_every_ns": 600_000_000, "plan_delay_ns": 140_000_000}


def visited(record: Record) -> list[Phase]:
    order: list[Phase] = []
    for phase in record.phases:
        if not order or order[-1] is not phase:
            order.append(phase)
    return order


def test_is_a_policy() -> None:
    expert = ScriptedExpert()
    assert isinstance(expert, Policy)
    assert (expert.chunk_size, expert.dt_ns, expert.space) == (16, 100_000_000, "ee_pose")


@pytest.mark.parametrize("cube", CUBES)
@pytest.mark.parametrize("setting", [{}, {"noise_m": 0.003}, SLOW, {"noise_m": 0.003, **SLOW}])
def test_places_the_cube(cube: tuple[float, ...], setting: dict[str, Any]) -> None:
    record = run(ToyCell(np.array(cube), **setting), 16.0)
    assert record.placed_s < 15.0
    assert record.expert.attempts == 0


def test_visits_all_phases_in_order() -> None:
    record = run(ToyCell(np.array(CUBES[0])), 30.0, after_placed_s=4.0)
    assert visited(record) == list(Phase)


@pytest.mark.parametrize("setting", [{}, {"noise_m": 0.003}, SLOW, {"slippery_grasps": 1}])
@pytest.mark.parametrize("cube", CUBES)
def test_switching_chunks_makes_no_jump(cube: tuple[float, ...], setting: dict[str, Any]) -> None:
    record = run(ToyCell(np.array(cube), **setting), 30.0, after_placed_s=4.0)
    steps = np.linalg.norm(np.diff(record.positions, axis=0), axis=1)
    assert steps.max() <= PARAMETERS.speed_m_s * TICK_NS * 1e-9 * 1.2
    at_switches = steps[np.array(record.switch_ticks)[1:] - 1]
    assert at_switches.max() <= PARAMETERS.speed_m_s * TICK_NS * 1e-9 * 1.2
    assert len(record.switch_ticks) > 10


def test_chunk_continues_the_previous_one() -> None:
    """At the stamp and for the time that planning takes, old and new chunk agree, whatever was seen in between."""
    record = run(ToyCell(np.array(CUBES[0]), noise_m=0.004), 12.0)
    for before, after in zip(record.chunks, record.chunks[1:], strict=False):
        for late_ns in (0, DT_NS):
            gap = before.sample(after.stamp_ns + late_ns)[:3] - after.sample(after.stamp_ns + late_ns)[:3]
            assert np.abs(gap).max() < 1e-9


def test_chunks_are_stamped_with_their_observation() -> None:
    record = run(ToyCell(np.array(CUBES[0])), 3.0)
    assert [chunk.stamp_ns for chunk in record.chunks] == [k * 100_000_000 for k in range(len(record.chunks))]
    assert all(chunk.actions.shape == (CHUNK_SIZE, 7) for chunk in record.chunks)


def test_opens_and_looks_again_after_closing_on_nothing() -> None:
    record = run(ToyCell(np.array(CUBES[0]), slippery_grasps=2), 40.0, after_placed_s=4.0)
    assert record.placed_s < 25.0
    assert record.expert.attempts == 2
    order = visited(record)
    assert order.count(Phase.CLOSE) == 3
    assert order[order.index(Phase.LIFT) + 1] is Phase.SEARCH
    assert order[-1] is Phase.DONE


def test_picks_up_again_what_it_lost_on_the_way() -> None:
    def drop(cell: ToyCell, now_ns: int) -> None:
        if cell.held and cell.grasps == 1 and cell.tool.translation[1] < 0.0:
            cell.held, cell.opening = False, 0.0
            cell.cube_m = np.array([*cell.cube_m[:2], 0.02])

    record = run(ToyCell(np.array(CUBES[0]), disturb=drop), 40.0)
    assert record.placed_s < 25.0
    assert record.expert.attempts == 1


def test_follows_a_cube_that_moves_during_the_approach() -> None:
    def push(cell: ToyCell, now_ns: int) -> None:
        if 1_500_000_000 < now_ns <= 2_500_000_000:
            cell.cube_m = cell.cube_m + np.array([0.0, 0.0006, 0.0])

    record = run(ToyCell(np.array(CUBES[0]), disturb=push), 20.0)
    assert record.placed_s < 15.0
    assert record.expert.attempts == 0


BELTS = [(0.05, 0.0), (-0.05, 0.0), (0.0, 0.05), (0.0, -0.05), (0.035, -0.035)]
NOISY = {"noise_m": 0.001, "velocity_noise_m_s": 0.002}


@pytest.mark.parametrize("belt", BELTS)
@pytest.mark.parametrize("setting", [NOISY, {**NOISY, **SLOW}, {**NOISY, "ahead_ns": 60_000_000}])
def test_meets_a_cube_on_a_conveyor(belt: tuple[float, float], setting: dict[str, Any]) -> None:
    start = np.array([-0.65, 0.1, 0.02]) - 2.0 * np.array([*belt, 0.0])
    cell = ToyCell(start, belt_m_s=belt, view_m=0.3, **setting)
    record = run(cell, 14.0)
    assert record.placed_s < 14.0
    assert record.expert.attempts == 0
    steps = np.linalg.norm(np.diff(record.positions, axis=0), axis=1)
    assert steps.max() <= (PARAMETERS.speed_m_s + 0.05) * TICK_NS * 1e-9 * 1.2


def test_descends_in_the_frame_of_the_cube() -> None:
    apart: list[float] = []

    def look(cell: ToyCell, now_ns: int) -> None:
        if cell.expert is not None and cell.expert.phase is Phase.DESCEND and not cell.held:
            apart.append(math.dist(cell.tool.translation[:2], cell.cube_m[:2]))

    run(ToyCell(np.array([-0.7, 0.0, 0.02]), belt_m_s=(0.0, 0.05), view_m=0.3, disturb=look), 14.0)
    assert len(apart) > 100
    assert max(apart) < 0.002


@pytest.mark.parametrize("belt", BELTS[2:4])
def test_opens_and_meets_a_cube_again_that_it_missed(belt: tuple[float, float]) -> None:
    start = np.array([-0.65, 0.1, 0.02]) - 3.2 * np.array([*belt, 0.0])
    record = run(ToyCell(start, belt_m_s=belt, view_m=0.35, slippery_grasps=1, **NOISY), 20.0)
    assert record.placed_s < 18.0
    assert record.expert.attempts == 1
    assert visited(record).count(Phase.CLOSE) == 2


def test_a_cube_that_stops_is_picked_where_it_stopped() -> None:
    def stop(cell: ToyCell, now_ns: int) -> None:
        if now_ns == 2_000_000_000:
            cell.belt_m_s = (0.0, 0.0)

    record = run(ToyCell(np.array(CUBES[0]), belt_m_s=(0.0, 0.05), view_m=0.3, disturb=stop, **NOISY), 14.0)
    assert record.placed_s < 13.0
    assert record.expert.attempts == 0


def test_leaves_a_cube_alone_that_would_be_met_outside_the_workspace() -> None:
    lower = PARAMETERS.workspace_lower_m
    leaving = ToyCell(np.array([lower[0] + 0.08, 0.1, 0.02]), belt_m_s=(-0.05, 0.0), view_m=0.5)
    assert set(run(leaving, 5.0).phases) == {Phase.SEARCH}


def test_a_velocity_that_is_only_noise_changes_nothing() -> None:
    def bits(**setting: Any) -> bytes:
        record = run(ToyCell(np.array(CUBES[1]), noise_m=0.0, **setting), 12.0, seed=4)
        return b"".join(chunk.actions.tobytes() for chunk in record.chunks)

    assert bits(velocity_noise_m_s=0.002) == bits() == bits(velocity_noise_m_s=0.05)


def test_starts_again_when_the_cube_is_back() -> None:
    def take_out(cell: ToyCell, now_ns: int) -> None:
        if cell.placed() and cell.grasps == 1 and now_ns > 15_000_000_000:
            cell.cube_m = np.array(CUBES[3])

    record = run(ToyCell(np.array(CUBES[0]), disturb=take_out), 45.0, after_placed_s=30.0)
    order = visited(record)
    assert order.count(Phase.OPEN) == 2
    assert order[order.index(Phase.DONE) + 1] is Phase.APPROACH
    assert order[-1] is Phase.DONE


def test_leaves_the_cube_in_the_bin_alone() -> None:
    inside = ToyCell(np.array([*PARAMETERS.bin_m, 0.02]), view_m=9.0)
    record = run(inside, 20.0, after_placed_s=20.0)
    assert set(record.phases) == {Phase.SEARCH}


def observation(stamp_ns: int, position: Any, age_s: float = 0.0, tool: Pose = PARAMETERS.home) -> Observation:
    return Observation(stamp_ns, np.zeros(6), 1.0, tool, np.array(position), np.eye(3), age_s)


SEEN = (-0.7, 0.1, 0.02)
NAN3 = (math.nan, math.nan, math.nan)


@pytest.mark.parametrize(
    ("sightings", "believed"),
    [
        ([(SEEN, 0.0), (SEEN, 0.0)], True),
        ([(SEEN, 0.0)], False),
        ([(SEEN, 0.0), (NAN3, math.inf), (SEEN, 0.0)], False),
        ([(SEEN, 0.0), ((-0.6, 0.1, 0.02), 0.0)], False),
        ([(SEEN, 0.0), ((-0.71, 0.1, 0.02), 0.0)], True),
        ([(SEEN, 0.5), (SEEN, 0.6)], False),
        ([((-0.65, -0.45, 0.02), 0.0)] * 3, False),
        ([((-0.65, 0.9, 0.02), 0.0)] * 3, False),
        ([((-0.65, 0.1, 0.5), 0.0)] * 3, False),
    ],
)
def test_believes_consecutive_fresh_sightings_of_one_place(sightings: Any, believed: bool) -> None:
    expert = ScriptedExpert()
    for k, (position, age_s) in enumerate(sightings):
        chunk = expert.plan(observation(k * DT_NS, position, age_s))
    assert expert._plan is not None
    assert (expert._plan.at(chunk.end_ns + 10**10).step.phase is Phase.DONE) is believed


def test_starts_over_from_an_arm_that_left_the_plan() -> None:
    expert = ScriptedExpert()
    for k in range(12):
        expert.plan(observation(k * DT_NS, SEEN, tool=PARAMETERS.home))
    # the arm was held at home all the time; the plan is further than resync_m by now
    chunk = expert.plan(observation(30 * DT_NS, NAN3, math.inf, tool=PARAMETERS.home))
    np.testing.assert_allclose(chunk.actions[0, :3], PARAMETERS.home_m, atol=1e-9)
    np.testing.assert_allclose(chunk.actions[1, :3], PARAMETERS.home_m, atol=1e-9)
    assert math.dist(chunk.actions[-1, :3], PARAMETERS.home_m) > 0.05


def test_turns_the_tool_down_from_where_it_is() -> None:
    tilted = Pose(PARAMETERS.tool_rotation, np.array(PARAMETERS.home_m)) @ Pose.from_rotvec(
        [0.2, 0.1, 0.3], np.zeros(3)
    )
    expert = ScriptedExpert()
    chunk = expert.plan(observation(0, NAN3, math.inf, tool=tilted))
    first = Pose.from_rotvec(chunk.actions[0, 3:6], np.zeros(3))
    last = Pose.from_rotvec(chunk.actions[-1, 3:6], np.zeros(3))
    down = Pose(PARAMETERS.tool_rotation, np.zeros(3))
    assert first.distance_to(tilted)[1] < 1e-6
    assert last.distance_to(down)[1] < 1e-6
    for a, b in zip(chunk.actions, chunk.actions[1:], strict=False):
        turned = Pose.from_rotvec(a[3:6], np.zeros(3)).distance_to(Pose.from_rotvec(b[3:6], np.zeros(3)))[1]
        assert turned <= PARAMETERS.turn_rad_s * 0.1 * 1.05


def test_tool_points_down_along_its_yaw() -> None:
    for yaw in (-math.pi / 2, 0.0, 1.0):
        rotation = replace(PARAMETERS, yaw_rad=yaw).tool_rotation
        np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(rotation) == pytest.approx(1.0)
        np.testing.assert_allclose(rotation[:, 2], [0, 0, -1])
        np.testing.assert_allclose(rotation[:, 0], [math.cos(yaw), math.sin(yaw), 0])


def test_same_observations_give_the_same_bits() -> None:
    def bits() -> bytes:
        record = run(ToyCell(np.array(CUBES[1]), noise_m=0.003), 12.0, seed=4)
        return b"".join(chunk.actions.tobytes() for chunk in record.chunks)

    assert bits() == bits()


def test_reset_forgets_the_episode() -> None:
    expert = ScriptedExpert()
    first = [expert.plan(observation(k * DT_NS, SEEN)).actions for k in range(5)]
    expert.reset()
    again = [expert.plan(observation(k * DT_NS, SEEN)).actions for k in range(5)]
    np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"speed_m_s": 0.0}, "expert speed_m_s is 0.0: expected > 0"),
        ({"acceleration_m_s2": math.nan}, "acceleration_m_s2 is nan"),
        ({"commit_s": -0.1}, "expert commit_s is -0.1: expected >= 0"),
        ({"close_s": math.inf}, "close_s is inf"),
        ({"confirmations": 0}, "confirmations is 0: expected >= 1"),
        ({"search_m": ()}, "search_m is empty"),
        ({"workspace_lower_m": (-0.3, 0, 0)}, "workspace x from -0.3 to -0.42 m is empty"),
    ],
)
def test_parameters_that_cannot_be(change: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        replace(PARAMETERS, **change)
