from __future__ import annotations

import numpy as np
import pytest

from robot.sim import World
from robot.sim.labels import label, silhouette_px
from robot.sim.layout import CAMERA_NAME, joints_for, tool_down
from robot.sim.render import Renderer


def test_a_free_object_shows_all_of_its_outline(raycast: Renderer) -> None:
    checked = 0
    for seed in range(8):
        world = World(seed)
        image = raycast.render(world.snapshot(), segmentation=True)
        found = label(world.model, world.data, CAMERA_NAME, image.geom_ids)
        inside = (found.boxes[:, :2] > 2).all(axis=1) & (found.boxes[:, 2] < 638) & (found.boxes[:, 3] < 440)
        checked += int(inside.sum())
        assert found.visible_fraction[inside] == pytest.approx(1.0, abs=0.05)
        assert found.clear()[inside].all()
    assert checked > 8


def test_an_object_cut_by_the_border_shows_a_part(raycast: Renderer) -> None:
    world = World(7)
    x, y, _ = world.cube_position_world_m
    fractions = []
    for shift in (0.0, 0.22, 0.24, 0.255):
        world.set_configuration(joints_for(tool_down([x - 0.05, y - shift, 0.35])), 1.0)
        image = raycast.render(world.snapshot(), segmentation=True)
        found = label(world.model, world.data, CAMERA_NAME, image.geom_ids)
        cube = found.class_ids == 0
        fractions.append(float(found.visible_fraction[cube].sum()))
    assert fractions == sorted(fractions, reverse=True)
    assert fractions[0] > 0.97
    assert fractions[-1] < 0.5


def test_silhouette_of_a_box_seen_from_above() -> None:
    world = World(7)
    x, y, _ = world.cube_position_world_m
    world.set_configuration(joints_for(tool_down([x + 0.03, y, 0.35])), 1.0)
    area = silhouette_px(world.model, world.data, CAMERA_NAME, world.model.geom("cube").id)
    distance = 0.35 + 0.109 - 0.04
    assert area == pytest.approx((608 * 0.04 / distance) ** 2, rel=0.35)


def test_only_convex_shapes_are_labelled() -> None:
    world = World(0)
    with pytest.raises(ValueError, match="only boxes, cylinders and spheres"):
        silhouette_px(world.model, world.data, CAMERA_NAME, world.model.geom("link_2").id)


def test_select_keeps_rows() -> None:
    world = World(0)
    found = label(world.model, world.data, CAMERA_NAME, np.full((480, 640), world.model.geom("cube").id, np.int32))
    assert len(found) == 1
    assert found.boxes.tolist() == [[0, 0, 640, 480]]
    assert len(found.select(np.array([False]))) == 0
