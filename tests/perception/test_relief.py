"""Relief: depth seen from above, without the pixels that fly between two surfaces."""

from __future__ import annotations

import numpy as np
import pytest

from geometry import Camera
from geometry.types import Array
from perception.patches import cut_patches
from perception.relief import Relief, relief_of, view_of
from tests.perception.synthetic import CAMERA, Solid, looking_at, measure, render

BOX = np.array([[100.0, 100.0, 140.0, 140.0]])
STRAIGHT = np.array([[[1.0, 0.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, -1.0]]])


def relief(depth: Array, boxes: Array = BOX, axes: Array = STRAIGHT, camera: Camera = CAMERA) -> Relief:
    patches = cut_patches(depth.astype(np.uint16), 0.001, camera, boxes, 5000, 3.0)
    return relief_of(patches, np.repeat(axes, len(boxes), axis=0), camera.fx, (0.001, 0.0025), 12)


def test_heights_are_along_the_upward_direction() -> None:
    base_T_camera = looking_at(np.array([0.1, -0.2, 0.5]), np.zeros(3), 0.4)
    depth_m, shown = render(base_T_camera, [Solid((0.0, 0.0, 0.02))])
    v, u = np.nonzero(shown == 1)
    boxes = np.array([[u.min(), v.min(), u.max() + 1, v.max() + 1]], dtype=np.float64)
    axes = base_T_camera.rotation[None]  # rows: the base's axes in the camera's frame
    found = relief(measure(depth_m, np.random.default_rng(0)), boxes, axes)
    above_m = found.height_m[0] + 0.5
    assert above_m[found.seeds[0]].max() == pytest.approx(0.04, abs=0.002)
    assert above_m[found.measured[0]].min() == pytest.approx(0.0, abs=0.002)
    eye = base_T_camera.translation
    along = found.along_up[0] * found.height_m[0] + eye[0]
    on_cube = found.inside[0] & (above_m > 0.035)
    assert np.abs(along[on_cube]).max() < 0.0225


def test_distance_noise_and_spacing() -> None:
    found = relief(np.full((480, 640), 500))
    assert found.distance_m.tolist() == [0.5]
    assert found.noise_m[0] == pytest.approx(0.001 + 0.0025 * 0.25)
    assert found.pitch_m[0] == pytest.approx(0.5 / 608.0)
    assert found.spacing_m[0] == found.pitch_m[0]


def test_too_little_depth() -> None:
    depth = np.zeros((480, 640))
    depth[100:102, 100:105] = 500
    assert np.isnan(relief(depth).distance_m).all()
    depth[100:103, 100:110] = 500  # enough, though none of it in the middle
    assert relief(depth).distance_m.tolist() == [0.5]


@pytest.mark.parametrize("turn", [False, True])
def test_pixels_between_two_surfaces_fly(turn: bool) -> None:
    depth = np.full((480, 640), 500.0)
    depth[:, 110:121] = 400.0
    depth[:, 121] = 450.0  # between the near surface and the far one
    depth[:, 130] = 0.0  # a hole is no surface
    if turn:
        depth = np.pad(depth.T[:480, :480], ((0, 0), (0, 160)))
    seen = relief(depth)
    columns = np.arange(94, 146)
    measured = seen.measured[0].T if turn else seen.measured[0]
    assert columns[~measured[20]].tolist() == [121, 130]


def test_a_step_and_a_slope_do_not_fly() -> None:
    depth = np.full((480, 640), 500.0)
    depth[:, 120:] = 400.0
    assert relief(depth).measured.all()
    depth = 400.0 + 2.0 * np.abs(np.arange(640.0) - 120.0) * np.ones((480, 1))
    assert relief(depth).measured.all()


def test_a_view_has_no_frame() -> None:
    boxes = np.array([[100.0, 100.0, 140.0, 140.0], [0.0, 200.0, 10.0, 206.0]])
    patches = cut_patches(np.full((480, 640), 500, np.uint16), 0.001, CAMERA, boxes, 5000, 3.0)
    found = relief_of(patches, np.repeat(STRAIGHT, 2, axis=0), CAMERA.fx, (0.001, 0.0025), 12)
    view = view_of(found, patches, 1)
    assert view.measured.shape == (11, 13)
    assert view.measured.all()
    assert view.cropped == (True, False, False, False)
    assert found.take(np.array([1])).height_m.shape == (1, *found.height_m.shape[1:])
