"""Projection and back-projection: worked example, OpenCV as reference, round trips, and the edges of the model."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geometry import Camera, deproject, project
from geometry.projection import distort, fold_radius_squared, undistort

PROPERTY = settings(max_examples=60, deadline=None, derandomize=True)
PINHOLE = Camera(640, 480, 600.0, 590.0, 320.0, 240.0)
LENSES = {
    "none": (),
    "webcam": (-0.28, 0.09, 0.0005, -0.0003),
    "realsense d415": (0.135, -0.45, 0.0008, -0.0002, 0.38),
    "wide barrel": (-0.35, 0.13, 0.001, 0.001, -0.02),
    "pincushion": (0.25, 0.1, -0.002, 0.003, 0.05),
}
lenses = st.sampled_from(list(LENSES.values()))


def camera_with(lens: tuple[float, ...]) -> Camera:
    return Camera(640, 480, 600.0, 590.0, 320.0, 240.0, lens)


def test_back_projection_worked_example() -> None:
    """Equations 30.3 to 30.5."""
    points = deproject([[250.0, 200.0]], [0.5], Camera(640, 480, 600.0, 600.0, 320.0, 240.0))
    np.testing.assert_allclose(points, [[-0.058333, -0.033333, 0.5]], atol=1e-6)


@PROPERTY
@given(lenses, st.lists(st.tuples(st.floats(0, 639), st.floats(0, 479), st.floats(0.05, 20.0)), min_size=1, max_size=9))
def test_project_inverts_deproject(lens: tuple[float, ...], rows: list[tuple[float, float, float]]) -> None:
    table = np.array(rows)
    camera = camera_with(lens)
    points = deproject(table[:, :2], table[:, 2], camera)
    np.testing.assert_array_equal(points[:, 2], table[:, 2])
    np.testing.assert_allclose(project(points, camera), table[:, :2], atol=1e-8)


@PROPERTY
@given(lenses, st.lists(st.tuples(st.floats(-0.4, 0.4), st.floats(-0.3, 0.3), st.floats(0.5, 5.0)), max_size=9))
def test_deproject_inverts_project(lens: tuple[float, ...], rows: list[tuple[float, float, float]]) -> None:
    points = np.array(rows).reshape(-1, 3) * [1.0, 1.0, 1.0]
    points[:, :2] *= points[:, 2:]
    camera = camera_with(lens)
    np.testing.assert_allclose(deproject(project(points, camera), points[:, 2], camera), points, atol=1e-9)


@pytest.mark.parametrize("lens", LENSES.values(), ids=LENSES.keys())
def test_against_opencv(lens: tuple[float, ...]) -> None:
    camera = camera_with(lens)
    directions = np.random.default_rng(3).uniform([-0.45, -0.35, 1.0], [0.45, 0.35, 1.0], (200, 3))
    coefficients = np.array(lens or (0.0, 0.0, 0.0, 0.0))
    reference, _ = cv2.projectPoints(directions, np.zeros(3), np.zeros(3), camera.matrix, coefficients)
    np.testing.assert_allclose(project(directions * 2.0, camera), reference[:, 0], atol=1e-9)


def test_deproject_is_depth_along_the_axis_not_the_ray() -> None:
    corner = deproject([[0.0, 0.0]], [2.0], PINHOLE)[0]
    assert corner[2] == 2.0
    assert np.linalg.norm(corner) > 2.0


@pytest.mark.parametrize("depth", [0.0, -1.0, float("nan"), float("inf"), float("-inf")])
def test_no_depth_gives_a_missing_row(depth: float) -> None:
    points = deproject([[10.0, 10.0], [20.0, 20.0]], [depth, 1.0], PINHOLE)
    assert np.isnan(points[0]).all()
    assert np.isfinite(points[1]).all()


@pytest.mark.parametrize("lens", [(), LENSES["webcam"]])
def test_a_missing_pixel_gives_a_missing_row(lens: tuple[float, ...]) -> None:
    points = deproject([[np.nan, 10.0], [20.0, 20.0]], [1.0, 1.0], camera_with(lens))
    assert np.isnan(points[0]).all()
    assert np.isfinite(points[1]).all()


@pytest.mark.parametrize("point", [[0.0, 0.0, 0.0], [0.1, 0.1, -1.0], [np.nan, np.nan, np.nan]])
@pytest.mark.parametrize("lens", [(), LENSES["webcam"]])
def test_points_behind_the_camera_have_no_pixel(point: list[float], lens: tuple[float, ...]) -> None:
    pixels = project([point, [0.0, 0.0, 1.0]], camera_with(lens))
    assert np.isnan(pixels[0]).all()
    np.testing.assert_allclose(pixels[1], [320.0, 240.0])


@pytest.mark.parametrize("lens", [(), LENSES["webcam"]])
@pytest.mark.parametrize("empty", [[], np.empty((0, 2)), np.empty((0, 3))])
def test_nothing_in_nothing_out(lens: tuple[float, ...], empty: object) -> None:
    camera = camera_with(lens)
    assert project(empty, camera).shape == (0, 2)
    assert deproject(empty, [], camera).shape == (0, 3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: project(np.zeros((4, 2)), PINHOLE), r"points of shape \(4, 2\): expected \(N, 3\)"),
        (lambda: project(np.zeros(3), PINHOLE), r"points of shape \(3,\)"),
        (lambda: deproject(np.zeros((4, 3)), np.ones(4), PINHOLE), r"pixels of shape \(4, 3\): expected \(N, 2\)"),
        (lambda: deproject(np.zeros((4, 2)), np.ones(3), PINHOLE), r"4 pixels with depth of shape \(3,\)"),
        (lambda: deproject(np.zeros((4, 2)), 1.0, PINHOLE), r"4 pixels with depth of shape \(\)"),
    ],
)
def test_refuses_shapes(call: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    ("lens", "expected"),
    [
        ((-0.3, 0.0, 0.0, 0.0), 1.0 / 0.9),
        ((0.3, 0.0, 0.0, 0.0), np.inf),
        ((0.0, -0.05, 0.0, 0.0), 2.0),
        ((0.0, 0.0, 0.001, 0.0), np.inf),
    ],
)
def test_fold_radius(lens: tuple[float, ...], expected: float) -> None:
    assert fold_radius_squared(lens) == pytest.approx(expected)


def test_a_point_beyond_the_fold_is_not_put_inside_the_image() -> None:
    """A barrel polynomial comes back to the centre: OpenCV draws this point, 60 degrees off axis, into the image."""
    camera = camera_with((-0.3, 0.0, 0.0, 0.0))
    point = np.array([[1.75, 0.0, 1.0]])
    ghost, _ = cv2.projectPoints(point, np.zeros(3), np.zeros(3), camera.matrix, np.array(camera.distortion))
    assert 0.0 < ghost[0, 0, 0] < camera.width
    assert np.isnan(project(point, camera)).all()


def test_undistort_reaches_the_edge_of_the_model() -> None:
    lens = (-0.3, 0.0, 0.0, 0.0)
    radius = np.linspace(0.0, 0.999, 200) * np.sqrt(fold_radius_squared(lens))
    x, y = distort(radius * 0.6, radius * 0.8, lens)
    ideal_x, ideal_y = undistort(x, y, lens)
    np.testing.assert_allclose(np.hypot(ideal_x, ideal_y), radius, atol=1e-8)


def test_pixels_that_no_ray_reaches_are_missing() -> None:
    """Beyond the largest radius that the lens can show, also where another branch of the polynomial has a solution."""
    lens = (-0.3, 0.0, 0.0, 0.0)
    x, y = undistort(np.linspace(0.72, 5.0, 100), np.zeros(100), lens)
    assert np.isnan(x).all()
    assert np.isnan(y).all()
