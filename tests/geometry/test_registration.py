"""Depth registration on scenes whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from geometry import Camera, Pose, deproject, project, register_depth
from geometry.registration import MAX_FOOTPRINT

# The two cameras of a D435 at 640x480: the colour image has the longer focal length.
DEPTH = Camera(640, 480, 383.97, 383.97, 320.50, 235.60)
COLOR = Camera(640, 480, 614.96, 614.93, 320.20, 241.46)
SIDE = Pose.from_rotvec([0.0037, 0.0061, 0.0023], [0.0148, 0.0003, 0.0002])
MM = 0.001


def plane(distance_mm: int, camera: Camera = DEPTH) -> np.ndarray:
    return np.full((camera.height, camera.width), distance_mm, dtype=np.uint16)


@pytest.mark.parametrize("size", [(640, 480), (64, 48), (7, 5)])
def test_the_same_camera_gives_the_same_image(size: tuple[int, int]) -> None:
    camera = Camera(*size, 600.0, 590.0, size[0] / 2, size[1] / 2)
    depth = np.random.default_rng(0).integers(0, 65536, (size[1], size[0])).astype(np.uint16)
    depth.flat[:3] = [0, 1, 65535]
    np.testing.assert_array_equal(register_depth(depth, MM, camera, camera, Pose.identity()), depth)


@pytest.mark.parametrize(
    ("color_T_depth", "color"),
    [
        (Pose.identity(), COLOR),
        (SIDE, COLOR),
        (SIDE, Camera(640, 480, 700.0, 700.0, 320.0, 240.0)),
        (SIDE, Camera(1280, 720, 920.0, 920.0, 640.0, 360.0)),
        (Pose.from_rotvec([0.0, 0.25, 0.0], [-0.05, 0.0, 0.0]), COLOR),
        (Pose.from_rotvec([0.0, 0.35, 0.0], [0.0, 0.0, 0.0]), Camera(640, 480, 729.5, 729.5, 320.0, 240.0)),
        (Pose.from_rotvec([0.0, 0.0, 0.6], [0.0, 0.0, 0.0]), Camera(640, 480, 800.0, 800.0, 320.0, 240.0)),
        (Pose.from_rotvec([0.0, 0.0, 0.0], [0.0, 0.0, -0.25]), Camera(320, 240, 307.0, 307.0, 160.0, 120.0)),
        (SIDE, Camera(640, 480, 614.96, 614.93, 320.2, 241.46, (0.1, -0.2, 0.001, 0.001, 0.05))),
    ],
)
def test_a_plane_has_no_pinholes_and_the_right_depth(color_T_depth: Pose, color: Camera) -> None:
    registered = register_depth(plane(500), MM, DEPTH, color, color_T_depth)
    normal, offset = color_T_depth.rotation[:, 2], 0.5 + color_T_depth.rotation[:, 2] @ color_T_depth.translation
    v, u = np.mgrid[0 : color.height, 0 : color.width]
    rays = deproject(np.stack((u.ravel(), v.ravel()), axis=1), np.ones(u.size), color)
    expected = (offset / (rays @ normal)).reshape(u.shape)
    # What the depth camera sees too, with a margin of two of its pixels.
    seen = project(color_T_depth.inverse().apply(rays * expected.reshape(-1, 1)), DEPTH)
    common = ((seen > 2.0) & (seen < [DEPTH.width - 3.0, DEPTH.height - 3.0])).all(axis=1).reshape(u.shape)
    assert common.mean() > 0.5
    assert (registered[common] > 0).all()
    error = np.abs(registered[common] * MM - expected[common])
    tilt = np.hypot(normal[0], normal[1]) * 2.0 / DEPTH.fx
    assert error.max() < 0.0006 + tilt


def test_depth_is_along_the_colour_axis() -> None:
    registered = register_depth(plane(500), MM, DEPTH, COLOR, Pose(np.eye(3), [0.0, 0.0, 0.1]))
    assert set(np.unique(registered)) <= {0, 600}
    assert registered[240, 320] == 600


@pytest.mark.parametrize("scale", [0.001, 0.0001, 0.00025])
def test_scale(scale: float) -> None:
    """The translation is in metres, whatever the unit of the image."""
    units = round(0.5 / scale)
    registered = register_depth(plane(units), scale, DEPTH, COLOR, Pose(np.eye(3), [0.0, 0.0, 0.1]))
    assert registered[240, 320] * scale == pytest.approx(0.6, abs=scale)


def test_the_nearest_wins() -> None:
    """A near post in front of a wall, seen from the side, hides the part of the wall that it stands in front of."""
    depth = plane(1000)
    depth[:, 300:340] = 400
    shift = Pose(np.eye(3), [0.05, 0.0, 0.0])
    row = register_depth(depth, MM, DEPTH, COLOR, shift)[240]
    left = project(shift.apply(deproject([[299.5, 240.0]], [0.4], DEPTH)), COLOR)[0, 0]
    right = project(shift.apply(deproject([[339.5, 240.0]], [0.4], DEPTH)), COLOR)[0, 0]
    post = np.flatnonzero(row == 400)
    assert post[0] == pytest.approx(left, abs=1.5)
    assert post[-1] == pytest.approx(right, abs=1.5)
    assert (np.diff(post) == 1).all()
    # The side that the depth camera could not see is empty, not filled with the wall.
    shadow = project(shift.apply(deproject([[300.0, 240.0]], [1.0], DEPTH)), COLOR)[0, 0]
    assert (row[int(shadow) + 2 : int(left) - 2] == 0).all()
    assert set(np.unique(row)) <= {0, 400, 1000}


def test_the_order_of_the_pixels_does_not_matter() -> None:
    """Mirrored scene, mirrored motion, mirrored answer: the z-buffer does not depend on the order of writing."""
    depth = np.random.default_rng(1).integers(300, 1200, (48, 65)).astype(np.uint16)
    near = Camera(65, 48, 40.0, 40.0, 32.0, 23.5)
    # A focal ratio of 3 gives a footprint with a middle pixel, so that the mirror maps blocks to blocks.
    far = Camera(195, 144, 119.9, 119.9, 97.0, 71.5)
    one = register_depth(depth, MM, near, far, Pose(np.eye(3), [0.031, 0.0, 0.0]))
    two = register_depth(np.ascontiguousarray(depth[:, ::-1]), MM, near, far, Pose(np.eye(3), [-0.031, 0.0, 0.0]))
    assert (one == two[:, ::-1]).mean() > 0.995


def test_a_single_measurement_covers_its_footprint() -> None:
    depth = np.zeros((480, 640), dtype=np.uint16)
    depth[200, 250] = 700
    registered = register_depth(depth, MM, DEPTH, COLOR, SIDE)
    u, v = project(SIDE.apply(deproject([[250.0, 200.0]], [0.7], DEPTH)), COLOR)[0]
    rows, columns = np.nonzero(registered)
    assert len(rows) == 4
    assert abs(columns.mean() - u) <= 0.5
    assert abs(rows.mean() - v) <= 0.5


@pytest.mark.parametrize("pixel", [(0, 0), (0, 31), (23, 0), (23, 31)])
def test_measurements_at_the_border_stay_at_the_border(pixel: tuple[int, int]) -> None:
    """The block of a border pixel is cut off at the border and does not wrap to the other side."""
    camera = Camera(32, 24, 30.0, 30.0, 15.5, 11.5)
    depth = np.zeros((24, 32), dtype=np.uint16)
    depth[pixel] = 500
    rows, columns = np.nonzero(register_depth(depth, MM, camera, camera.scaled(2.5), Pose.identity()))
    assert 4 <= len(rows) <= 9
    assert abs(rows - pixel[0] * 2.5).max() <= 3
    assert abs(columns - pixel[1] * 2.5).max() <= 3


@pytest.mark.parametrize(
    ("depth_mm", "shift_m"),
    [(0, 0.0), (500, -0.5), (500, -2.0), (65000, 1.0)],
    ids=["no measurement", "in the colour camera's plane", "behind it", "beyond 16 bits"],
)
def test_what_cannot_be_shown_is_empty(depth_mm: int, shift_m: float) -> None:
    registered = register_depth(plane(depth_mm), MM, DEPTH, COLOR, Pose(np.eye(3), [0.0, 0.0, shift_m]))
    assert registered.dtype == np.uint16
    assert not registered.any()


def test_one_near_point_does_not_thicken_the_rest() -> None:
    """A colour camera ahead of the depth camera enlarges near points most; each point gets its own footprint."""
    ahead = Pose(np.eye(3), [0.0, 0.0, -0.1])
    depth = np.zeros((480, 640), dtype=np.uint16)
    depth[200, 250] = 2000
    alone = register_depth(depth, MM, DEPTH, COLOR, ahead)
    depth[240, 320] = 110
    both = register_depth(depth, MM, DEPTH, COLOR, ahead)
    assert (both == 10).sum() == MAX_FOOTPRINT**2
    assert (alone == 1900).sum() == 4
    np.testing.assert_array_equal(both == 1900, alone == 1900)


@pytest.mark.parametrize(
    ("depth", "scale", "message"),
    [
        (plane(500).astype(np.float32), MM, "type float32: expected uint16"),
        (plane(500)[:240], MM, r"shape \(240, 640\): expected \(480, 640\)"),
        (plane(500), 0.0, "depth scale 0.0: expected > 0"),
        (plane(500), float("nan"), "depth scale nan"),
    ],
)
def test_refuses(depth: np.ndarray, scale: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        register_depth(depth, scale, DEPTH, COLOR, SIDE)
