"""Camera: its derived versions see the same points at the pixels that the resized or cropped image shows them at."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geometry import Camera, letterbox_fit, project

PROPERTY = settings(max_examples=60, deadline=None, derandomize=True)
LENS = (-0.2, 0.05, 0.001, -0.002, 0.01)

sizes = st.integers(16, 2000)
cameras = st.builds(
    lambda w, h, f, aspect, cx, cy, lens: Camera(w, h, f, f * aspect, cx * w, cy * h, lens),
    sizes,
    sizes,
    st.floats(50.0, 2000.0),
    st.floats(0.9, 1.1),
    st.floats(0.3, 0.7),
    st.floats(0.3, 0.7),
    st.sampled_from([(), LENS, LENS[:4]]),
)
points = st.lists(
    st.tuples(st.floats(-0.4, 0.4), st.floats(-0.4, 0.4), st.floats(0.5, 2.0)), min_size=1, max_size=8
).map(np.array)


@PROPERTY
@given(cameras, points, st.floats(0.1, 3.0), st.floats(0.1, 3.0))
def test_scaled_commutes_with_projection(camera: Camera, p: np.ndarray, sx: float, sy: float) -> None:
    small = camera.scaled(sx, sy)
    assert (small.width, small.height) == (max(1, round(camera.width * sx)), max(1, round(camera.height * sy)))
    factors = np.array([small.width / camera.width, small.height / camera.height])
    expected = (project(p, camera) + 0.5) * factors - 0.5
    np.testing.assert_allclose(project(p, small), expected, atol=1e-8)


@PROPERTY
@given(cameras, points, st.data())
def test_cropped_commutes_with_projection(camera: Camera, p: np.ndarray, data: st.DataObject) -> None:
    x, y = data.draw(st.integers(0, camera.width - 1)), data.draw(st.integers(0, camera.height - 1))
    width, height = data.draw(st.integers(1, camera.width - x)), data.draw(st.integers(1, camera.height - y))
    window = camera.cropped(x, y, width, height)
    assert (window.width, window.height) == (width, height)
    np.testing.assert_allclose(project(p, window), project(p, camera) - [x, y], atol=1e-8)


@PROPERTY
@given(cameras, points, sizes, sizes)
def test_letterboxed_commutes_with_projection(camera: Camera, p: np.ndarray, width: int, height: int) -> None:
    boxed = camera.letterboxed(width, height)
    assert (boxed.width, boxed.height) == (width, height)
    fit_width, fit_height, left, top = letterbox_fit(camera.width, camera.height, width, height)
    factors = np.array([fit_width / camera.width, fit_height / camera.height])
    expected = (project(p, camera) + 0.5) * factors - 0.5 + [left, top]
    np.testing.assert_allclose(project(p, boxed), expected, atol=1e-8)


@PROPERTY
@given(sizes, sizes, sizes, sizes)
def test_letterbox_fits_and_touches(width: int, height: int, target_width: int, target_height: int) -> None:
    w, h, left, top = letterbox_fit(width, height, target_width, target_height)
    assert 1 <= w <= target_width
    assert 1 <= h <= target_height
    assert w == target_width or h == target_height
    assert 0 <= (target_width - w - left) - left <= 1
    assert 0 <= (target_height - h - top) - top <= 1


@pytest.mark.parametrize(
    ("sizes_in", "expected"),
    [
        ((640, 480, 640, 640), (640, 480, 0, 80)),
        ((640, 480, 320, 320), (320, 240, 0, 40)),
        ((1280, 720, 640, 640), (640, 360, 0, 140)),
        ((480, 640, 640, 640), (480, 640, 80, 0)),
        ((641, 480, 320, 320), (320, 240, 0, 40)),
        ((100, 33, 50, 50), (50, 16, 0, 17)),
        ((10, 10, 20, 31), (20, 20, 0, 5)),
        ((4000, 1, 10, 10), (10, 1, 0, 4)),
    ],
)
def test_letterbox_fit(sizes_in: tuple[int, int, int, int], expected: tuple[int, int, int, int]) -> None:
    assert letterbox_fit(*sizes_in) == expected


@pytest.mark.parametrize("scale", [0.5, 0.25, 2.0])
def test_scaled_follows_a_really_resized_image(scale: float) -> None:
    """The half-pixel rule is that of cv2.resize: a blob's centroid lands where the scaled camera projects it."""
    camera = Camera(160, 120, 200.0, 200.0, 80.0, 60.0)
    point = np.array([[0.08, -0.06, 1.0]])
    u, v = project(point, camera)[0]
    columns, rows = np.meshgrid(np.arange(160), np.arange(120))
    image = np.exp(-((columns - u) ** 2 + (rows - v) ** 2) / (2.0 * 6.0**2))
    small = camera.scaled(scale)
    method = cv2.INTER_AREA if scale < 1.0 else cv2.INTER_LINEAR
    resized = cv2.resize(image, (small.width, small.height), interpolation=method)
    columns, rows = np.meshgrid(np.arange(small.width), np.arange(small.height))
    centroid = [(resized * columns).sum() / resized.sum(), (resized * rows).sum() / resized.sum()]
    np.testing.assert_allclose(project(point, small)[0], centroid, atol=0.02)


def test_derived_cameras_keep_the_lens_and_the_original() -> None:
    camera = Camera(640, 480, 600.0, 590.0, 320.0, 240.0, LENS)
    for derived in (camera.scaled(0.5), camera.cropped(10, 20, 100, 80), camera.letterboxed(320, 320)):
        assert derived is not camera
        assert derived.distortion == LENS
    assert camera == Camera(640, 480, 600.0, 590.0, 320.0, 240.0, LENS)
    assert camera.scaled(1.0) == camera
    assert camera.cropped(0, 0, 640, 480) == camera
    assert camera.letterboxed(640, 480) == camera


def test_matrix_round_trip() -> None:
    camera = Camera(640, 480, 614.96, 614.93, 320.20, 241.46, LENS)
    assert Camera.from_matrix(camera.matrix, 640, 480, LENS) == camera
    assert hash(Camera.from_matrix(camera.matrix, 640, 480, LENS)) == hash(camera)


@pytest.mark.parametrize("zeros", [(), (0, 0, 0, 0), (0.0,) * 5])
def test_zero_distortion_is_no_distortion(zeros: tuple[float, ...]) -> None:
    assert Camera(64, 48, 60, 60, 32, 24, zeros).distortion == ()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"width": 0}, "camera width 0: expected a whole number >= 1"),
        ({"height": -480}, "camera height -480"),
        ({"width": 640.5}, "camera width 640.5"),
        ({"fx": 0.0}, "camera fx 0.0: expected a finite focal length > 0"),
        ({"fy": -600.0}, "camera fy -600.0"),
        ({"fx": float("nan")}, "camera fx nan"),
        ({"cx": float("inf")}, "camera cx inf"),
        ({"cy": float("nan")}, "camera cy nan"),
        ({"distortion": (0.1, 0.2)}, "2 distortion coefficients: expected none, 4"),
        ({"distortion": (0.1,) * 8}, "8 distortion coefficients.*undistort"),
        ({"distortion": (0.1, float("nan"), 0.0, 0.0)}, "expected finite coefficients"),
    ],
)
def test_refuses_intrinsics(changes: dict[str, object], message: str) -> None:
    good = {"width": 640, "height": 480, "fx": 600.0, "fy": 600.0, "cx": 320.0, "cy": 240.0}
    with pytest.raises(ValueError, match=message):
        Camera(**{**good, **changes})


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (np.eye(4), r"shape \(4, 4\)"),
        ([[600, 1.5, 320], [0, 600, 240], [0, 0, 1]], "without skew"),
        ([[600, 0, 320], [0, 600, 240], [0, 0, 2]], "without skew"),
        ([[600, 0, 0], [0, 600, 0], [320, 240, 1]], "without skew"),
        ([[-600, 0, 320], [0, 600, 240], [0, 0, 1]], "camera fx -600.0"),
    ],
)
def test_refuses_matrices(matrix: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Camera.from_matrix(matrix, 640, 480)


@pytest.mark.parametrize(
    ("derive", "message"),
    [
        (lambda c: c.scaled(0.0), r"scale \(0.0, 0.0\): expected finite factors > 0"),
        (lambda c: c.scaled(1.0, float("nan")), r"scale \(1.0, nan\)"),
        (lambda c: c.cropped(600, 0, 100, 100), "window x=600 y=0 100x100: expected it within the image of 640x480"),
        (lambda c: c.cropped(-1, 0, 10, 10), "window x=-1"),
        (lambda c: c.cropped(0, 0, 0, 10), "window x=0 y=0 0x10"),
        (lambda c: c.letterboxed(0, 320), "letterbox of 640x480 in 0x320: expected sizes >= 1"),
    ],
)
def test_refuses_derivations(derive: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        derive(Camera(640, 480, 600.0, 600.0, 320.0, 240.0))
