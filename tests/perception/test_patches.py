"""Patches: a stack of what lies around boxes, whose pixels, rays and depth are those of the image."""

from __future__ import annotations

import numpy as np
import pytest

from geometry import Camera, deproject
from geometry.types import Array
from perception.masks import Masks
from perception.patches import SEED_FRACTION, SLACK_PX, Patches, cut_patches, ray_grid

CAMERA = Camera(64, 48, 60.0, 60.0, 31.5, 23.5)
DEPTH = np.arange(48 * 64, dtype=np.uint16).reshape(48, 64)
LENS = (0.1, -0.2, 0.001, -0.001, 0.0)


def cut(*boxes: list[float], max_pixels: int = 10_000, masks: Masks | None = None, camera: Camera = CAMERA) -> Patches:
    return cut_patches(DEPTH, 0.001, camera, np.array(boxes, dtype=np.float64), max_pixels, 2.0, masks)


@pytest.mark.parametrize("distortion", [(), LENS])
def test_ray_grid_is_deprojection(distortion: tuple[float, ...]) -> None:
    camera = Camera(64, 48, 60.0, 61.0, 31.0, 24.0, distortion)
    x, y = np.broadcast_arrays(*ray_grid(camera))
    assert x.shape == (48, 64)
    pixels = np.array([[0, 0], [63, 47], [10, 30]])
    rays = deproject(pixels, np.ones(3), camera)
    np.testing.assert_allclose(np.stack((x[pixels[:, 1], pixels[:, 0]], y[pixels[:, 1], pixels[:, 0]]), 1), rays[:, :2])
    assert ray_grid(Camera(64, 48, 60.0, 61.0, 31.0, 24.0, distortion))[0] is ray_grid(camera)[0]


@pytest.mark.parametrize(
    ("box", "max_pixels", "shape", "stride"),
    [
        ([20.0, 10.0, 40.0, 30.0], 10_000, (28, 28), 1),
        ([20.0, 10.0, 40.0, 30.0], 200, (14, 14), 2),
        ([-100.0, -100.0, 500.0, 500.0], 10_000, (48, 64), 1),
        ([60.0, 40.0, 90.0, 90.0], 10_000, (11, 7), 1),
        ([20.0, 10.0, 40.0, 14.0], 400, (5, 14), 2),
    ],
)
@pytest.mark.parametrize("distortion", [(), LENS])
def test_a_patch_is_a_part_of_the_image(
    box: list[float], max_pixels: int, shape: tuple[int, int], stride: int, distortion: tuple[float, ...]
) -> None:
    camera = Camera(64, 48, 60.0, 60.0, 31.5, 23.5, distortion)
    patches = cut(box, max_pixels=max_pixels, camera=camera)
    assert patches.depth_m.shape == patches.seeds.shape == patches.inside.shape == (1, *shape)
    assert np.prod(shape) <= max_pixels
    assert patches.stride.tolist() == [stride]
    left, top, right, bottom = patches.limits[0].tolist()
    v, u = np.meshgrid(np.arange(top, bottom, stride), np.arange(left, right, stride), indexing="ij")
    expected = np.where(DEPTH[v, u] > 2000, 0.0, DEPTH[v, u] * 0.001)
    np.testing.assert_allclose(patches.depth_m[0], expected)
    x, y = np.broadcast_arrays(patches.ray_x[0], patches.ray_y[0])
    rays = deproject(np.stack((u.ravel(), v.ravel()), axis=1), np.ones(u.size), camera)
    np.testing.assert_allclose(np.stack((x.ravel(), y.ravel()), axis=1), rays[:, :2], atol=1e-12)

    x1, y1, x2, y2 = np.clip(box, 0, (64, 48, 64, 48)).tolist()
    off = np.maximum(np.abs(u + 0.5 - (x1 + x2) / 2) / (x2 - x1), np.abs(v + 0.5 - (y1 + y2) / 2) / (y2 - y1))
    np.testing.assert_array_equal(patches.seeds[0], off <= SEED_FRACTION / 2)
    within_x = (u + 0.5 > x1 - SLACK_PX) & (u + 0.5 < x2 + SLACK_PX)
    within_y = (v + 0.5 > y1 - SLACK_PX) & (v + 0.5 < y2 + SLACK_PX)
    np.testing.assert_array_equal(patches.inside[0], within_x & within_y)
    np.testing.assert_array_equal(patches.outside, ~patches.inside)
    assert patches.cropped[0].tolist() == [left == 0, top == 0, right == 64, bottom == 48]


def test_patches_of_several_sizes_do_not_touch_each_other() -> None:
    boxes = [[20.0, 10.0, 40.0, 30.0], [5.0, 30.0, 11.0, 36.0], [np.nan, 0.0, 4.0, 4.0], [70.0, 0.0, 80.0, 9.0]]
    together = cut(*boxes)
    assert together.depth_m.shape == (4, 28, 28)
    for row in (0, 1):
        alone = cut(boxes[row])
        _, tall, wide = alone.depth_m.shape
        for name in ("depth_m", "seeds", "inside"):
            np.testing.assert_array_equal(getattr(together, name)[row, :tall, :wide], getattr(alone, name)[0])
        assert not together.depth_m[row, tall:].any()
        assert not together.depth_m[row, :, wide:].any()
    assert not together.depth_m[2:].any(), "not finite, and outside the image"


def _mask(*limits: int) -> Array:
    mask = np.zeros((1, 48, 64), dtype=bool)
    x1, y1, x2, y2 = limits
    mask[0, y1:y2, x1:x2] = True
    return mask


@pytest.mark.parametrize("max_pixels", [10_000, 200])
def test_a_mask_says_what_is_inside(max_pixels: int) -> None:
    patches = cut([20.0, 10.0, 40.0, 30.0], max_pixels=max_pixels, masks=Masks.from_arrays(_mask(20, 10, 30, 30)))
    left, top, right, _ = patches.limits[0].tolist()
    step = int(patches.stride[0])
    u = np.arange(left, right, step)
    of_mask = (u >= 20) & (u < 30)
    row = (20 - top) // step
    np.testing.assert_array_equal(patches.inside[0, row], of_mask)
    outside = patches.outside[0, row]
    assert not (outside & of_mask).any()
    # a pixel of the patch to either side is neither: depth is mixed there
    assert (~outside & ~of_mask).sum() == 2


def test_an_empty_mask_leaves_it_to_the_box() -> None:
    box = [20.0, 10.0, 40.0, 30.0]
    empty = cut(box, masks=Masks.from_arrays(_mask(0, 0, 0, 0)))
    np.testing.assert_array_equal(empty.inside, cut(box).inside)
    np.testing.assert_array_equal(empty.outside, cut(box).outside)
