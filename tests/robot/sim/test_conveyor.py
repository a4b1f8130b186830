from __future__ import annotations

import math
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from deploy.errors import BadInput
from robot.sim import SceneParameters, World, sample_scene, wire
from robot.sim.conveyor import HALF_WIDTH_M, RESERVE_S, Conveyor
from robot.sim.layout import BIN, joints_for, tool_down
from robot.sim.scene import with_conveyor
from robot.sim.settings import WorldSettings, parse
from robot.sim.world_process import WorldProcess

S = 1_000_000_000
VELOCITIES = [(0.05, 0.0), (-0.05, 0.0), (0.0, 0.05), (0.0, -0.05), (0.03, 0.04), (-0.12, 0.02)]


@pytest.mark.parametrize("velocity", VELOCITIES)
def test_friction_carries_the_cube_at_the_speed_of_the_belt(velocity: tuple[float, float]) -> None:
    world = World(2, with_conveyor(velocity))
    start = world.cube_position_base_m
    world.advance(S // 5)
    before = world.cube_position_base_m
    world.advance(S // 5 + S)
    np.testing.assert_allclose(world.cube_position_base_m - before, [*velocity, 0.0], atol=2e-4)
    np.testing.assert_allclose(world.cube_velocity_base_m_s[:2], velocity, atol=1e-3)
    assert np.linalg.norm(before - start) == pytest.approx(math.hypot(*velocity) / 5, abs=2e-3), "it takes hold at once"


def test_at_the_end_of_the_belt_the_cube_lies_still_on_the_table() -> None:
    world = World(0, with_conveyor((0.0, 0.1)))
    world.advance(8 * S)
    still = world.cube_position_world_m
    world.advance(9 * S)
    np.testing.assert_allclose(world.cube_position_world_m, still, atol=1e-4)
    assert still[2] == pytest.approx(0.02, abs=1e-3)
    assert not world.cube_fell()


@pytest.mark.parametrize("velocity", VELOCITIES[:5])
@pytest.mark.parametrize("seed", range(5))
def test_starts_upstream_and_the_way_is_clear(velocity: tuple[float, float], seed: int) -> None:
    p = with_conveyor(velocity)
    assert p is not None
    scene = sample_scene(seed, p)
    assert scene.conveyor is not None
    way = np.array(scene.cube_xy_m) + np.linspace(0.0, RESERVE_S, 26)[:, None] * scene.conveyor.velocity_m_s
    for axis, (low, high) in enumerate((p.cube_x_m, p.cube_y_m)):
        assert (way[:, axis] >= low).all()
        assert (way[:, axis] <= high + 1e-9).all()
    for x, y in way:
        assert scene.conveyor.distance_m(x, y) == 0.0
        for item in scene.distractors:
            assert math.dist((x, y), item.position_m[:2]) > p.clearance_m + item.radius_m - 1e-9
        assert max(abs(x - BIN.center_m[0]), abs(y - BIN.center_m[1])) > BIN.half_size_m + HALF_WIDTH_M


def test_distance_from_the_outline() -> None:
    belt = Conveyor((0.0, 0.05), (0.5, 0.1), 0.2, (0.2, 0.2, 0.2))
    for place, distance in {(0.5, 0.1): 0.0, (0.55, 0.3): 0.0, (0.58, 0.1): 0.03, (0.5, 0.34): 0.04}.items():
        assert belt.distance_m(*place) == pytest.approx(distance, abs=1e-12)
    assert belt.distance_m(0.58, 0.34) == pytest.approx(0.05)


def test_without_a_conveyor_scenes_are_what_they_were() -> None:
    assert with_conveyor(None) is None
    plain, belt = sample_scene(4), sample_scene(4, with_conveyor((0.0, 0.05)))
    assert plain.conveyor is None
    assert plain.cube_height_m == 0.02
    assert belt.cube_height_m == pytest.approx(0.022)
    assert belt.cube_xy_m[0] == plain.cube_xy_m[0]
    assert World(4).model.njnt == World(4, with_conveyor((0.0, 0.05))).model.njnt - 1


def test_same_seed_gives_the_same_bits() -> None:
    def bits(seed: int) -> bytes:
        world = World(0, with_conveyor((0.05, 0.0)))
        world.reset(seed)
        world.advance(S)
        return world.snapshot().qpos.tobytes()

    assert bits(1) == bits(1) != bits(2)


@pytest.mark.parametrize("velocity", [(0.05, 0.0), (0.0, -0.05)])
def test_the_gripper_lifts_the_cube_off_the_belt(velocity: tuple[float, float]) -> None:
    world = World(1, with_conveyor(velocity))
    along = -np.array([*velocity, 0.0])
    near = world.joint_positions_rad
    meeting = world.cube_position_world_m + 2.0 * along
    for tick in range(1, 301):
        t = tick * 0.01
        above = 0.12 * max(0.0, 1.0 - t / 1.5) + 0.15 * max(0.0, min(1.0, t - 2.0))
        near = joints_for(tool_down(meeting + (t - 2.0) * along + [0.0, 0.0, above]), near)
        if tick == 1:
            world.set_configuration(near, 1.0)
        world.set_targets(near, 1.0 if t < 1.6 else 0.0)
        world.advance(tick * S // 100)
    assert world.cube_touches_gripper()
    assert world.cube_position_world_m[2] > 0.15


@pytest.mark.parametrize("velocity", [(0.0, 0.0), (0.3, 0.0), (0.2, -0.2), (math.nan, 0.0)])
def test_a_belt_that_cannot_run_so(velocity: tuple[float, float]) -> None:
    with pytest.raises(BadInput, match=r"conveyor_m_s: a speed of .* m/s, expected more than 0, at most 0.25"):
        SceneParameters(conveyor_m_s=velocity)


def test_is_written_on_the_command_line_of_a_world_process(tmp_path: Path) -> None:
    settings = WorldSettings(tmp_path / "nowhere", 0, parameters=with_conveyor((0.0, 0.05)))
    assert parse(settings.arguments(), "test") == settings
    assert parse(replace(settings, parameters=None).arguments(), "test").parameters is None


def test_runs_on_the_wall_clock() -> None:
    parameters = with_conveyor((0.0, 0.05))
    at = int(World(3, parameters).model.joint("cube").qposadr[0])
    settings = WorldSettings(Path(), time.monotonic_ns(), seed=3, renderer="none", parameters=parameters)
    with WorldProcess(settings) as world:
        x, y = sample_scene(3, parameters).cube_xy_m
        link, _ = wire.connect(world.socket, {"op": "hello"}, 10.0)
        end = time.monotonic() + 10.0
        while True:
            answer = wire.request(link, {"op": "snapshot"})
            cube = np.frombuffer(answer.body)[at : at + 3]
            if abs(cube[1] - y) > 0.02:
                break
            assert time.monotonic() < end, "the belt does not move the cube"
            time.sleep(0.05)
        link.close()
    assert cube[0] == pytest.approx(x, abs=1e-3)
    assert cube[1] - y == pytest.approx(-0.05 * answer.head["time_ns"] / S, abs=2e-3)
