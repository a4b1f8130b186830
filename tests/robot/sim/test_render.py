from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from deploy.errors import BadInput, Missing
from geometry import deproject, project
from robot.sim import World, make_renderer, render
from robot.sim.layout import (
    CAMERA,
    CAMERA_NAME,
    CUBE_EDGE_M,
    FIXED_NAME,
    GRIPPER_T_CAMERA,
    IMAGE_HEIGHT,
    IMAGE_WIDTH,
    OVERVIEW_NAME,
    WORLD_T_FIXED,
    joints_for,
    tool_down,
)
from robot.sim.render import Renderer

# world x, y of the tcp relative to the cube, its height, yaw of the tool
VIEWS = [(0.0, 0.0, 0.35, 0.0), (-0.06, 0.1, 0.25, 0.2), (0.08, -0.05, 0.5, -0.3), (-0.02, 0.0, 0.14, 0.0)]


def look(seed: int, view: tuple[float, float, float, float]) -> World:
    world = World(seed)
    x, y, _ = world.cube_position_world_m
    world.set_configuration(joints_for(tool_down([x + view[0], y + view[1], view[2]], view[3])), 1.0)
    return world


@pytest.mark.parametrize("view", VIEWS)
def test_camera_model_is_the_renderers(renderer: Renderer, view: tuple[float, float, float, float]) -> None:
    world = look(7, view)
    image = renderer.render(world.snapshot(), segmentation=True)
    assert image.color.shape == (IMAGE_HEIGHT, IMAGE_WIDTH, 3)
    rows, columns = np.nonzero(image.geom_ids == world.model.geom("cube").id)
    camera_T_world = (world.world_T_gripper @ GRIPPER_T_CAMERA).inverse()
    pixels = project(camera_T_world.apply(world.cube_corners_world_m()), CAMERA)
    seen = [columns.min(), rows.min(), columns.max(), rows.max()]
    # A pixel is shown when its centre is covered, so its edges may lie half a pixel further out.
    assert seen == pytest.approx([*pixels.min(axis=0), *pixels.max(axis=0)], abs=1.5)


@pytest.mark.parametrize("seed", [7, 8])
def test_standing_camera_is_where_it_says(renderer: Renderer, seed: int) -> None:
    world = World(seed)
    image = renderer.render(world.snapshot(), FIXED_NAME, segmentation=True)
    rows, columns = np.nonzero(image.geom_ids == world.model.geom("cube").id)
    pixels = project(WORLD_T_FIXED.inverse().apply(world.cube_corners_world_m()), CAMERA)
    seen = [columns.min(), rows.min(), columns.max(), rows.max()]
    assert seen == pytest.approx([*pixels.min(axis=0), *pixels.max(axis=0)], abs=1.5)


@pytest.mark.parametrize("view", VIEWS)
def test_depth_of_the_cubes_top(renderer: Renderer, view: tuple[float, float, float, float]) -> None:
    world = look(7, view)
    image = renderer.render(world.snapshot())
    world_T_camera = world.world_T_gripper @ GRIPPER_T_CAMERA
    top = world.cube_position_world_m + np.array([0.0, 0.0, CUBE_EDGE_M / 2])
    pixel = np.round(project(world_T_camera.inverse().apply(top[None]), CAMERA))
    column, row = pixel[0].astype(int)
    point = world_T_camera.apply(deproject(pixel, image.depth_m[row, column][None].astype(np.float64), CAMERA))[0]
    assert point == pytest.approx(top, abs=2e-3)


@pytest.mark.parametrize("seed", range(5))
def test_renderers_agree(raycast: Renderer, egl: Renderer, seed: int) -> None:
    world = look(seed, VIEWS[seed % len(VIEWS)])
    first = raycast.render(world.snapshot(), segmentation=True)
    second = egl.render(world.snapshot(), segmentation=True)
    same = first.geom_ids == second.geom_ids
    assert same.mean() > 0.998
    assert np.abs(first.depth_m - second.depth_m)[same].max() < 5e-3
    assert np.percentile(np.abs(first.depth_m - second.depth_m)[same], 99) < 1e-4
    red = [np.median(image.color[image.geom_ids == world.model.geom("cube").id], axis=0) for image in (first, second)]
    for blue_green_red in red:
        assert blue_green_red[2] > 1.5 * max(blue_green_red[:2]), "the cube is red in BGR"


def test_same_snapshot_same_bytes(renderer: Renderer) -> None:
    images = [renderer.render(World(9).snapshot()) for _ in range(2)]
    assert images[0].color.tobytes() == images[1].color.tobytes()
    assert images[0].depth_m.tobytes() == images[1].depth_m.tobytes()
    assert images[0].geom_ids is None


def test_threads_do_not_change_the_picture(raycast: Renderer) -> None:
    snapshot = World(3).snapshot()
    threaded = make_renderer("raycast", threads=2)
    assert np.array_equal(threaded.render(snapshot).color, raycast.render(snapshot).color)
    threaded.close()


def test_any_thread_may_render(renderer: Renderer) -> None:
    snapshot = World(3).snapshot()
    here = renderer.render(snapshot).color
    with ThreadPoolExecutor(1) as other:
        assert np.array_equal(other.submit(renderer.render, snapshot).result().color, here)
        assert np.array_equal(renderer.render(snapshot).color, here)


@pytest.mark.usefixtures("egl")
def test_closing_twice_is_harmless_and_a_closed_renderer_says_so() -> None:
    own = make_renderer("egl")
    own.render(World(0).snapshot())
    own.close()
    own.close()
    with pytest.raises(RuntimeError, match="the renderer was closed"):
        own.render(World(0).snapshot())


def test_rendering_leaves_the_physics_alone(renderer: Renderer) -> None:
    world, other = World(4), World(4)
    for _ in range(3):
        renderer.render(world.snapshot())
        world.advance(world.time_ns + 20_000_000)
    other.advance(60_000_000)
    assert world.snapshot().qpos.tobytes() == other.snapshot().qpos.tobytes()


def test_overview_shows_arm_and_cube(renderer: Renderer) -> None:
    world = World(0)
    seen = set(np.unique(renderer.render(world.snapshot(), OVERVIEW_NAME, segmentation=True).geom_ids))
    assert {world.model.geom(name).id for name in ("cube", "link_2", "link_3", "table", "bin_floor")} <= seen


def test_displaced_cube_is_rendered_displaced(raycast: Renderer) -> None:
    world = look(7, VIEWS[0])
    cube = world.model.geom("cube").id
    before = np.nonzero(raycast.render(world.snapshot(), CAMERA_NAME, segmentation=True).geom_ids == cube)
    world.cube_render_offset_m = (0.0, 0.05, 0.0)
    after = np.nonzero(raycast.render(world.snapshot(), CAMERA_NAME, segmentation=True).geom_ids == cube)
    assert after[1].mean() - before[1].mean() > 40


@pytest.fixture
def fresh_probe() -> None:
    render.egl_problem.cache_clear()
    yield
    render.egl_problem.cache_clear()


@pytest.mark.usefixtures("fresh_probe")
@pytest.mark.parametrize(
    ("environment", "executable", "reason"),
    [
        ({"EYEHAND_NO_EGL": "1"}, None, "EYEHAND_NO_EGL is set"),
        ({"PYOPENGL_PLATFORM": "glx"}, None, "EGL rendering platform"),
        ({}, "kill -SEGV $$", "ended with status"),
        ({}, "/nonexistent/python", "did not finish"),
    ],
)
def test_without_egl_rays_are_cast(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, environment: dict[str, str], executable: str | None, reason: str
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    if executable is not None and executable.startswith("kill"):
        crashing = tmp_path / "python"
        crashing.write_text(f"#!/bin/sh\n{executable}\n")
        crashing.chmod(0o755)
        monkeypatch.setattr(sys, "executable", os.fspath(crashing))
    elif executable is not None:
        monkeypatch.setattr(sys, "executable", executable)
    chosen = make_renderer("auto")
    assert chosen.name == "raycast"
    assert reason in chosen.reason
    chosen.close()
    with pytest.raises(Missing, match="install libegl1"):
        make_renderer("egl")


def test_unknown_renderer() -> None:
    with pytest.raises(BadInput, match="renderer 'vulkan'"):
        make_renderer("vulkan")
