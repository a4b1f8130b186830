"""Letterbox: one transform for pixels, boxes, intrinsics and images, and back."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.errors import BadInput
from geometry import Camera, letterbox_fit, project
from perception.letterbox import CENTER, PADDING, STRETCH, Letterbox

PROPERTY = settings(max_examples=80, deadline=None, derandomize=True)
sizes = st.integers(16, 1500)
targets = st.integers(16, 700)
padded = st.builds(Letterbox, sizes, sizes, targets, targets)
stretched = st.builds(Letterbox, sizes, sizes, targets, targets, st.just(STRETCH))
letterboxes = st.one_of(padded, stretched)
coordinates = st.lists(st.tuples(*[st.floats(-500.0, 2000.0)] * 4), max_size=6)


@PROPERTY
@given(letterboxes, coordinates)
def test_boxes_and_pixels_go_there_and_back(letterbox: Letterbox, rows: list[tuple[float, ...]]) -> None:
    boxes = np.array(rows, dtype=np.float64).reshape(-1, 4)
    there = letterbox.boxes_to_target(boxes)
    np.testing.assert_allclose(letterbox.boxes_to_source(there), boxes, atol=1e-6)
    pixels = boxes[:, :2]
    np.testing.assert_allclose(letterbox.pixels_to_source(letterbox.pixels_to_target(pixels)), pixels, atol=1e-6)


@PROPERTY
@given(letterboxes, coordinates)
def test_boxes_are_edges_and_pixels_are_centres(letterbox: Letterbox, rows: list[tuple[float, ...]]) -> None:
    boxes = np.array(rows, dtype=np.float64).reshape(-1, 4)
    np.testing.assert_allclose(
        letterbox.pixels_to_target(boxes[:, :2] - 0.5), letterbox.boxes_to_target(boxes)[:, :2] - 0.5, atol=1e-6
    )


@PROPERTY
@given(letterboxes, st.floats(50.0, 2000.0), st.tuples(*[st.floats(-0.3, 0.3)] * 2))
def test_intrinsics_see_what_the_pixels_show(letterbox: Letterbox, focal: float, point: tuple[float, float]) -> None:
    width, height = letterbox.source_size
    camera = Camera(width, height, focal, focal, width / 2, height / 2, (0.05, -0.1, 0.001, 0.002))
    lettered = letterbox.camera(camera)
    assert (lettered.width, lettered.height) == letterbox.target_size
    if letterbox.rule == CENTER:
        assert lettered == camera.letterboxed(*letterbox.target_size)
    points = np.array([[*point, 1.0]])
    np.testing.assert_allclose(
        project(points, lettered), letterbox.pixels_to_target(project(points, camera)), atol=1e-6
    )


@PROPERTY
@given(stretched)
def test_a_stretched_image_fills_both_directions(letterbox: Letterbox) -> None:
    box = letterbox.boxes_to_target([[0, 0, *letterbox.source_size]])
    np.testing.assert_allclose(box, [[0, 0, *letterbox.target_size]], atol=1e-9)


@PROPERTY
@given(padded)
def test_the_whole_image_fits_and_fills_one_direction(letterbox: Letterbox) -> None:
    (width, height), (target_w, target_h) = letterbox.source_size, letterbox.target_size
    x1, y1, x2, y2 = letterbox.boxes_to_target([[0, 0, width, height]])[0]
    assert min(x1, y1) >= 0
    assert x2 <= target_w + 1e-9
    assert y2 <= target_h + 1e-9
    assert x2 - x1 == pytest.approx(target_w) or y2 - y1 == pytest.approx(target_h)
    assert x1 == pytest.approx(target_w - x2, abs=1.0 + 1e-9)
    assert y1 == pytest.approx(target_h - y2, abs=1.0 + 1e-9)


@pytest.mark.parametrize(
    ("source", "target", "box"),
    [
        ((640, 480), (320, 320), [0, 40, 320, 280]),
        ((640, 480), (320, 256), [0, 8, 320, 248]),
        ((640, 480), (640, 480), [0, 0, 640, 480]),
        ((1280, 720), (640, 640), [0, 140, 640, 500]),
        ((480, 640), (320, 256), [64, 0, 256, 256]),
        ((641, 479), (320, 256), [0, 8, 320, 247]),
        ((100, 50), (320, 256), [0, 48, 320, 208]),
    ],
)
def test_where_the_image_lies(source: tuple[int, int], target: tuple[int, int], box: list[int]) -> None:
    found = Letterbox(*source, *target).boxes_to_target([[0, 0, *source]])
    np.testing.assert_allclose(found, [box], atol=1e-9)


@pytest.mark.parametrize(
    ("source", "target"),
    [((640, 480), (320, 256)), ((480, 640), (320, 256)), ((333, 517), (320, 320)), ((320, 256), (320, 256)),
     ((100, 50), (320, 256)), ((300, 256), (320, 256))],
)  # fmt: skip
def test_apply_equals_resize_pad_and_blob(source: tuple[int, int], target: tuple[int, int]) -> None:
    (width, height), (target_w, target_h) = source, target
    rng = np.random.default_rng(3)
    letterbox = Letterbox(width, height, target_w, target_h)
    out = np.full((3, target_h, target_w), np.nan, np.float32)
    for _ in range(2):  # buffers are used again
        image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        letterbox.apply(image, out)
        fit_w, fit_h, left, top = letterbox_fit(width, height, target_w, target_h)
        resized = cv2.resize(image, (fit_w, fit_h), interpolation=cv2.INTER_LINEAR)
        right, bottom = target_w - fit_w - left, target_h - fit_h - top
        padded = cv2.copyMakeBorder(resized, top, bottom, left, right, cv2.BORDER_CONSTANT, value=(PADDING,) * 3)
        expected = padded[:, :, ::-1].transpose(2, 0, 1).astype(np.float32) / 255.0
        np.testing.assert_allclose(out, expected, atol=1e-6)


@pytest.mark.parametrize("source", [(640, 480), (333, 517), (320, 256), (100, 50)])
def test_stretching_equals_resize(source: tuple[int, int]) -> None:
    image = np.random.default_rng(3).integers(0, 256, (source[1], source[0], 3), dtype=np.uint8)
    letterbox = Letterbox(*source, 320, 256, STRETCH)
    expected = cv2.resize(image, (320, 256), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_array_equal(letterbox.canvas(image), expected)
    out = np.empty((3, 256, 320), np.float32)
    letterbox.apply(image, out, order="BGR", gain=(1.0, 2.0, 0.5), bias=(0.0, 1.0, -1.0))
    planes = expected.transpose(2, 0, 1).astype(np.float32)
    np.testing.assert_allclose(out, [planes[0], 2 * planes[1] + 1, planes[2] / 2 - 1], atol=1e-4)


def test_a_rule_that_does_not_exist_is_refused() -> None:
    with pytest.raises(BadInput, match="letterbox rule 'topleft'"):
        Letterbox(640, 480, 320, 256, "topleft")


def test_a_mark_lands_where_the_pixels_say() -> None:
    letterbox = Letterbox(640, 480, 320, 256)
    image = np.zeros((480, 640, 3), np.uint8)
    image[100:140, 200:260] = (0, 0, 255)  # red, as blue, green, red
    out = np.empty((3, 256, 320), np.float32)
    letterbox.apply(image, out)
    x1, y1, x2, y2 = np.rint(letterbox.boxes_to_target([[200, 100, 260, 140]])[0]).astype(int)
    red, green, blue = out
    assert (red[y1:y2, x1:x2] == 1.0).all()
    assert red[8:248].sum() == (y2 - y1) * (x2 - x1)
    assert not green[8:248].any()
    assert not blue[8:248].any()


@pytest.mark.parametrize(
    ("image", "out", "words"),
    [
        (np.zeros((480, 641, 3), np.uint8), np.empty((3, 256, 320), np.float32), r"image uint8\[480, 641, 3\]"),
        (np.zeros((480, 640, 3), np.int16), np.empty((3, 256, 320), np.float32), "image int16"),
        (np.zeros((480, 640, 3), np.uint8), np.empty((3, 320, 256), np.float32), r"out float32\[3, 320, 256\]"),
        (np.zeros((480, 640, 3), np.uint8), np.empty((3, 256, 320)), "out float64"),
    ],
)
def test_wrong_images_and_buffers_are_named(image: np.ndarray, out: np.ndarray, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        Letterbox(640, 480, 320, 256).apply(image, out)


def test_a_camera_of_another_size_is_refused() -> None:
    with pytest.raises(BadInput, match="camera of 320x240: expected 640x480"):
        Letterbox(640, 480, 320, 256).camera(Camera(320, 240, 300.0, 300.0, 159.5, 119.5))


@pytest.mark.parametrize("size", [(0, 480, 320, 320), (640, 480, 0, 320)])
def test_sizes_must_be_positive(size: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match="expected sizes >= 1"):
        Letterbox(*size)
