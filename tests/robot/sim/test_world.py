from __future__ import annotations

import math

import numpy as np
import pytest

from deploy.errors import BadInput
from geometry import Pose
from robot.sim import World
from robot.sim.layout import BIN, HOME_JOINTS_RAD, KINEMATICS, WORLD_T_BASE, joints_for, tool_down


def drive(world: World, target: np.ndarray, opening: float, seconds: float) -> None:
    start, ticks = world.joint_positions_rad, round(seconds * 100)
    for tick in range(1, ticks + 1):
        u = tick / ticks
        world.set_targets(start + (target - start) * (u * u * u * (10 - 15 * u + 6 * u * u)), opening)
        world.advance(world.time_ns + 10_000_000)


def line(world: World, start: np.ndarray, end: np.ndarray, opening: float, seconds: float, parts: int = 8) -> None:
    near = world.joint_positions_rad
    for part in range(1, parts + 1):
        near = joints_for(tool_down(start + (end - start) * part / parts), near)
        drive(world, near, opening, seconds / parts)


def states(seed: int) -> bytes:
    world = World(seed)
    drive(world, joints_for(tool_down(world.cube_position_world_m + np.array([0.0, 0.0, 0.1]))), 0.4, 0.3)
    return world.snapshot().qpos.tobytes() + world.joint_velocities_rad_s.tobytes()


def test_same_seed_and_commands_give_the_same_bits() -> None:
    assert states(5) == states(5)
    assert states(5) != states(6)


def test_reset_starts_over() -> None:
    world = World(1)
    first = world.snapshot().qpos
    drive(world, np.array(HOME_JOINTS_RAD) + 0.1, 0.0, 0.2)
    world.reset(1)
    assert world.time_ns == 0
    assert np.array_equal(world.snapshot().qpos, first)


def test_home_looks_down_at_the_table() -> None:
    world = World(0)
    world.advance(500_000_000)
    metres, radians = world.world_T_gripper.distance_to(tool_down([0.6, -0.1, 0.35]))
    assert metres < 1e-4
    assert radians < 1e-3
    assert world.gripper_opening == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("seed", range(4))
def test_physics_and_kinematics_agree(seed: int) -> None:
    world = World(seed)
    joints = np.array(HOME_JOINTS_RAD) + np.random.default_rng(seed).uniform(-0.8, 0.8, 6)
    world.set_configuration(joints, 0.5)
    metres, radians = world.world_T_gripper.distance_to(WORLD_T_BASE @ KINEMATICS.tcp(joints))
    assert metres < 1e-8
    assert radians < 1e-7


def test_time_goes_forward_in_whole_steps() -> None:
    world = World(0)
    world.advance(5_000_000)
    assert world.time_ns == 4_000_000
    with pytest.raises(ValueError, match="cannot advance to 1000000 ns: the world is at 4000000 ns"):
        world.advance(1_000_000)
    with pytest.raises(BadInput, match="physics step 0 ns"):
        World(0, timestep_ns=0)


def test_rendered_displacement_leaves_the_physics_alone() -> None:
    world = World(2)
    true = world.cube_position_world_m
    before = world.snapshot().qpos
    world.cube_render_offset_m = (0.05, -0.03, 0.0)
    shown = world.snapshot().qpos
    assert np.array_equal(world.cube_position_world_m, true)
    moved = shown - before
    assert np.sort(np.abs(moved[moved != 0.0])) == pytest.approx([0.03, 0.05])
    assert world.cube_position_base_m == pytest.approx(true * [-1, -1, 1])


@pytest.mark.parametrize("yaw_deg", [-40, -20, 0, 15, 30, 45, 88, 133])
@pytest.mark.parametrize("offset_mm", [(0, 0), (6, -6)])
def test_a_pinch_without_knowing_the_yaw_brings_the_cube_into_the_bin(
    yaw_deg: float, offset_mm: tuple[float, float]
) -> None:
    world = World(3)
    cube = np.array([0.62, -0.12, 0.02])
    world.place_cube(Pose.from_rotvec([0.0, 0.0, math.radians(yaw_deg)], cube))
    grasp = cube + np.array([*offset_mm, 0.0]) * 1e-3
    above, bin_top = grasp + np.array([0.0, 0.0, 0.12]), np.array([*BIN.center_m, 0.25])
    drive(world, joints_for(tool_down(above)), 1.0, 0.8)
    line(world, above, grasp, 1.0, 0.6)
    drive(world, world.joint_positions_rad, 0.0, 0.4)
    assert world.cube_touches_gripper()
    line(world, grasp, grasp + np.array([0.0, 0.0, 0.2]), 0.0, 0.6)
    assert world.cube_position_world_m[2] > 0.15
    drive(world, joints_for(tool_down(bin_top), world.joint_positions_rad), 0.0, 1.2)
    line(world, bin_top, bin_top - np.array([0.0, 0.0, 0.12]), 0.0, 0.4)
    assert not world.cube_in_bin(), "a cube that is still held is not in the bin"
    drive(world, world.joint_positions_rad, 1.0, 0.6)
    assert world.cube_in_bin()


@pytest.mark.parametrize(
    ("position", "expected"),
    [
        ((0.65, 0.45, 0.0262), True),
        ((0.65 + 0.09, 0.45 - 0.09, 0.0262), True),
        ((0.65, 0.45, 0.12), False),
        ((0.65, 0.45 - 0.16, 0.02), False),
        ((0.6, -0.1, 0.02), False),
    ],
)
def test_in_the_bin_means_inside_and_at_rest(position: tuple[float, float, float], expected: bool) -> None:
    world = World(0)
    world.place_cube(Pose.from_rotvec([0.0, 0.0, 0.0], position))
    assert world.cube_in_bin() is expected
    assert not world.cube_fell()


def test_a_falling_cube_is_not_in_the_bin_until_it_rests() -> None:
    world = World(0)
    world.place_cube(Pose.from_rotvec([0.0, 0.0, 0.0], [0.65, 0.45, 0.07]))
    world.advance(60_000_000)
    assert not world.cube_in_bin()
    world.advance(800_000_000)
    assert world.cube_in_bin()


def test_a_cube_beside_the_table_fell() -> None:
    world = World(0)
    world.place_cube(Pose.from_rotvec([0.0, 0.0, 0.0], [0.65, 1.2, 0.0]))
    world.advance(400_000_000)
    assert world.cube_fell()
