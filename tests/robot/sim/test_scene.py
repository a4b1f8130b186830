from __future__ import annotations

import colorsys
import math

import pytest

from robot.sim.layout import BIN
from robot.sim.mjcf import build
from robot.sim.scene import SceneParameters, sample_scene
from robot.sim.textures import texture

SEEDS = range(120)


def test_a_seed_is_a_scene() -> None:
    assert sample_scene(4) == sample_scene(4)
    assert sample_scene(4) != sample_scene(5)
    assert build(sample_scene(4)) == build(sample_scene(4))


@pytest.mark.parametrize("seed", SEEDS)
def test_scene_keeps_its_promises(seed: int) -> None:
    scene, limits = sample_scene(seed), SceneParameters()
    x, y = scene.cube_xy_m
    assert limits.cube_x_m[0] <= x <= limits.cube_x_m[1]
    assert limits.cube_y_m[0] <= y <= limits.cube_y_m[1]
    hue, saturation, value = colorsys.rgb_to_hsv(*scene.cube_rgb)
    assert min(hue, 1 - hue) * 360 < 8
    assert saturation > 0.7
    assert value > 0.5
    assert 2 <= len(scene.distractors) <= 5
    for item in scene.distractors:
        hue, saturation, _ = colorsys.rgb_to_hsv(*item.rgb)
        assert saturation < 1e-6 or 39 < hue * 360 < 311, "a distractor is never red"
        gap = math.hypot(item.position_m[0] - x, item.position_m[1] - y) - item.radius_m
        assert gap > limits.clearance_m - 1e-9, "the open fingers need this room"
        beside = max(abs(item.position_m[k] - BIN.center_m[k]) for k in (0, 1))
        assert beside > BIN.half_size_m


def test_distractor_count_is_drawn() -> None:
    assert {len(sample_scene(seed).distractors) for seed in SEEDS} == {2, 3, 4, 5}


@pytest.mark.parametrize("pattern", ["plain", "checker", "grain", "speckle", "stripes"])
def test_textures_are_seeded(pattern: str) -> None:
    colors = ((0.2, 0.3, 0.4), (0.6, 0.5, 0.3))
    image = texture(pattern, colors, 1)
    assert image.shape == (256, 256, 3)
    assert (image == texture(pattern, colors, 1)).all()
    assert (image != texture(pattern, colors, 2)).any()


def test_unknown_texture() -> None:
    with pytest.raises(ValueError, match="texture pattern 'marble'"):
        texture("marble", ((0, 0, 0), (1, 1, 1)), 0)
