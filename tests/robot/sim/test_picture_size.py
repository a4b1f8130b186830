from __future__ import annotations

import cv2
import numpy as np
import pytest

from deploy.errors import BadInput
from geometry import project
from robot.sim import CAMERA, GRIPPER_T_CAMERA, SimSource, World
from robot.sim.layout import joints_for, tool_down
from robot.sim.picture_size import FULL_SIZE, camera_of, picture_size
from robot.sim.render import Renderer

SMALL = (320, 240)


def look(seed: int) -> World:
    world = World(seed)
    x, y, _ = world.cube_position_world_m
    world.set_configuration(joints_for(tool_down([x, y, 0.3])), 1.0)
    return world


def test_the_small_cameras_model_is_the_renderers(renderer: Renderer) -> None:
    world = look(7)
    image = renderer.render(world.snapshot(), segmentation=True, size_px=SMALL)
    assert image.color.shape == (240, 320, 3)
    assert image.depth_m.shape == (240, 320)
    rows, columns = np.nonzero(image.geom_ids == world.model.geom("cube").id)
    camera_T_world = (world.world_T_gripper @ GRIPPER_T_CAMERA).inverse()
    pixels = project(camera_T_world.apply(world.cube_corners_world_m()), camera_of(SMALL))
    seen = [columns.min(), rows.min(), columns.max(), rows.max()]
    assert seen == pytest.approx([*pixels.min(axis=0), *pixels.max(axis=0)], abs=1.5)


def test_it_shows_what_the_full_picture_shows(renderer: Renderer) -> None:
    snapshot = look(8).snapshot()
    full, small = renderer.render(snapshot), renderer.render(snapshot, size_px=SMALL)
    shrunk = cv2.resize(full.color, SMALL, interpolation=cv2.INTER_AREA)
    assert np.abs(shrunk.astype(int) - small.color).mean() < 3.0
    shrunk_m = cv2.resize(full.depth_m, SMALL, interpolation=cv2.INTER_AREA)
    assert np.median(np.abs(shrunk_m - small.depth_m)) < 1e-4


def test_one_renderer_serves_cameras_of_several_sizes(renderer: Renderer) -> None:
    snapshot = World(3).snapshot()
    before = renderer.render(snapshot).color
    first = renderer.render(snapshot, size_px=SMALL).color
    assert np.array_equal(renderer.render(snapshot).color, before)
    assert np.array_equal(renderer.render(snapshot, size_px=SMALL).color, first)


def test_small_frames_carry_their_own_intrinsics(raycast: Renderer) -> None:
    source = SimSource(World(1), raycast, size_px=SMALL)
    frame = source.capture(0, 0)
    assert frame.color.shape == (240, 320, 3)
    assert frame.depth is not None
    assert frame.depth.shape == (240, 320)
    assert frame.camera == source.camera == CAMERA.scaled(0.5)
    assert SimSource(World(1), raycast).camera == CAMERA


@pytest.mark.parametrize("size", [None, [640, 480], (640, 480)])
def test_the_full_size(size: list[int] | None) -> None:
    assert picture_size(size, "wrist") == FULL_SIZE
    assert camera_of(FULL_SIZE) == CAMERA


@pytest.mark.parametrize(
    "size", [[320], [320, 200], [1280, 960], [0, 0], [32, 24], [322, 242], [True, True], [320.0, 240.0], 320, "320x240"]
)
def test_other_sizes_are_refused(raycast: Renderer, size: object) -> None:
    with pytest.raises(BadInput, match="size_px of camera wrist"):
        SimSource(World(1), raycast, size_px=size)
