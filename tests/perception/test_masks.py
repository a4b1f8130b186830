"""Masks on demand: against arithmetic, against OpenCV's enlargement, and patches against the whole."""

from __future__ import annotations

import pickle

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.errors import BadInput
from perception.letterbox import Letterbox
from perception.masks import CellGrid, Masks

SIZES = [(640, 480), (641, 479), (480, 640), (333, 500), (320, 256), (97, 400), (31, 640), (1280, 721), (9, 7)]


def _noise(seed: int, count: int, rows: int, columns: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.stack(
        [cv2.GaussianBlur(rng.normal(size=(rows, columns)).astype(np.float32), (0, 0), 2) for _ in range(count)]
    )


def _inside(box: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    x, y = np.arange(size[0]) + 0.5, np.arange(size[1]) + 0.5
    return np.asarray(((y >= box[1]) & (y < box[3]))[:, None] & ((x >= box[0]) & (x < box[2])))


def _whole(size: tuple[int, int], rows: int = 1) -> np.ndarray:
    return np.array([[0, 0, *size]] * rows, np.float32)


def _random(size: tuple[int, int], seed: int, rows: int = 4) -> Masks:
    rng = np.random.default_rng(seed)
    boxes = np.sort(rng.uniform(-0.2, 1.2, (rows, 2, 2)).clip(0.0, 1.0), axis=1) * size
    coefficients = rng.normal(size=(rows, 4)).astype(np.float32)
    letterbox = Letterbox(*size, 320, 256)
    return Masks.from_prototypes(
        coefficients, _noise(seed, 4, 64, 80), boxes.reshape(rows, 4).astype(np.float32), letterbox
    )


@pytest.mark.parametrize("rule", ["center-114", "stretch"])
@pytest.mark.parametrize("size", SIZES)
def test_half_planes_lie_where_the_letterbox_says(size: tuple[int, int], rule: str) -> None:
    """Prototypes that are the cells' own coordinates are straight, so interpolation is exact: a x + b y + c > 0."""
    letterbox = Letterbox(*size, 320, 256, rule)
    y, x = np.mgrid[0:64, 0:80].astype(np.float32)
    prototypes = np.stack((x, y, np.ones_like(x)))
    v, u = np.mgrid[0 : size[1], 0 : size[0]]
    place = (letterbox.pixels_to_target(np.stack((u.ravel(), v.ravel()), 1)) + 0.5) / 4.0 - 0.5
    through = place[len(place) // 2]
    edges = letterbox.boxes_to_target([0, 0, *size])[0].reshape(2, 2) / 4.0
    sees = ((place >= edges[0]) & (place <= edges[1] - 1.0)).all(axis=1)  # what is further out takes the rim's logits
    planes = np.array([[1.0, 0.0], [-0.3, 0.7], [0.5, 1.5]])
    coefficients = np.column_stack((planes, -planes @ through - 0.013)).astype(np.float32)
    masks = Masks.from_prototypes(coefficients, prototypes, _whole(size, 3), letterbox)
    for row, plane in enumerate(coefficients.astype(np.float64)):
        expected = place @ plane[:2] + plane[2]
        sure = sees & (np.abs(expected) > 1e-3)
        np.testing.assert_array_equal(masks.full(row).ravel()[sure], expected[sure] > 0.0)


@pytest.mark.parametrize("size", [(640, 480), (320, 240), (1280, 960), (480, 640), (640, 640)])
@pytest.mark.parametrize("target", [(320, 320), (640, 640), (320, 256)])
def test_it_is_opencvs_enlargement_of_the_part_that_shows_the_image(
    size: tuple[int, int], target: tuple[int, int]
) -> None:
    """With padding of whole cells: cut it off, enlarge bilinearly, and only then look what is positive."""
    letterbox = Letterbox(*size, *target)
    left, top, right, bottom = (letterbox.boxes_to_target([0, 0, *size])[0] / 4.0).astype(int)
    prototypes = _noise(3, 8, target[1] // 4, target[0] // 4)
    coefficients = np.random.default_rng(0).normal(size=(2, 8)).astype(np.float32)
    boxes = np.array([[0, 0, *size], [10.2, 20.7, size[0] - 30.5, size[1] - 7.4]], np.float32)
    masks = Masks.from_prototypes(coefficients, prototypes, boxes, letterbox)
    for row, weights in enumerate(coefficients):
        logits = np.tensordot(weights, prototypes, 1)[top:bottom, left:right]
        expected = cv2.resize(logits, size, interpolation=cv2.INTER_LINEAR)
        sure = np.abs(expected) > 1e-3 * np.abs(expected).max()
        found = masks.full(row)
        np.testing.assert_array_equal(found[sure], (expected > 0.0)[sure] & _inside(boxes[row], size)[sure])
        assert 0.1 < found.mean() < 0.9


def test_padding_beside_the_image_has_no_say_in_it() -> None:
    """An object that touches the picture's edge keeps its outermost pixels: grey beside it is no part of it."""
    prototypes = np.full((1, 64, 80), -50.0, np.float32)
    prototypes[0, 2:62] = 1.0  # 640x480 in 320x256 has 8 rows of padding above and below: 2 cells
    masks = Masks.from_prototypes(
        np.ones((1, 1), np.float32), prototypes, _whole((640, 480)), Letterbox(640, 480, 320, 256)
    )
    assert masks.full(0).all()


@pytest.mark.parametrize(
    ("box", "columns"),
    [
        ((2.0, 0.0, 5.0, 7.0), [2, 3, 4]),
        ((2.4, 0.0, 4.6, 7.0), [2, 3, 4]),
        ((2.5, 0.0, 4.5, 7.0), [2, 3]),
        ((2.6, 0.0, 4.4, 7.0), [3]),
        ((2.6, 0.0, 3.4, 7.0), []),
        ((0.0, 0.0, 9.0, 7.0), list(range(9))),
    ],
)
def test_a_pixel_is_in_a_box_if_its_centre_is(box: tuple[float, ...], columns: list[int]) -> None:
    ones = np.ones((1, 64, 80), np.float32)
    masks = Masks.from_prototypes(ones[0, :1, :1], ones, np.array([box], np.float32), Letterbox(9, 7, 320, 256))
    for row in masks.full(0):
        assert np.flatnonzero(row).tolist() == columns


@settings(max_examples=60, deadline=None)
@given(
    size=st.sampled_from(SIZES), seed=st.integers(0, 20), whole=st.booleans(), stride=st.integers(1, 5), data=st.data()
)
def test_a_patch_is_that_part_of_the_whole(
    size: tuple[int, int], seed: int, whole: bool, stride: int, data: st.DataObject
) -> None:
    masks = _random(size, seed)
    if whole:
        masks = Masks.from_arrays(np.stack([masks.full(row) for row in range(len(masks))]))
    left, right = sorted(data.draw(st.integers(0, size[0])) for _ in range(2))
    top, bottom = sorted(data.draw(st.integers(0, size[1])) for _ in range(2))
    for row in range(len(masks)):
        expected = masks.full(row)[top:bottom:stride, left:right:stride]
        found = masks.patch(row, top, bottom, left, right, stride)
        assert (found.dtype, found.shape) == (np.bool_, expected.shape)
        np.testing.assert_array_equal(found, expected)


def test_given_masks_come_back_as_they_were() -> None:
    rng = np.random.default_rng(1)
    arrays = rng.random((3, 40, 60)) > 0.5
    arrays[1] = False
    arrays[2] = False
    arrays[2, 17:20, 30:33] = [[True, False, True], [False] * 3, [True, True, False]]
    masks = Masks.from_arrays(arrays)
    assert (len(masks), masks.image_size) == (3, (60, 40))
    np.testing.assert_array_equal([masks.full(row) for row in range(3)], arrays)
    assert masks.boxes.tolist()[1:] == [[0, 0, 0, 0], [30, 17, 33, 20]]
    arrays[:] = True
    assert not masks.full(1).any(), "a copy"


def test_only_what_is_needed_is_kept() -> None:
    size = (640, 480)
    boxes = np.array([[100.0, 100.0, 140.0, 140.0]] * 5, np.float32)
    masks = Masks.from_prototypes(
        np.ones((5, 32), np.float32), _noise(0, 32, 160, 160), boxes, Letterbox(*size, 640, 640)
    )
    assert sum(cells.nbytes for cells in masks.cells) <= 5 * 12 * 12 * 4
    assert len(pickle.dumps(masks)) < 5000
    again = pickle.loads(pickle.dumps(masks))
    np.testing.assert_array_equal(again.full(3), masks.full(3))


@pytest.mark.parametrize(
    ("rows", "numbers"),
    [(np.array([True, False, True, False]), [0, 2]), (np.array([3, 1]), [3, 1]), (np.array([], np.int64), [])],
)
@pytest.mark.parametrize("given_whole", [False, True])
def test_select(rows: np.ndarray, numbers: list[int], given_whole: bool) -> None:
    masks = _random((333, 500), 5)
    if given_whole:
        masks = Masks.from_arrays(np.stack([masks.full(row) for row in range(len(masks))]))
    chosen = masks.select(rows)
    assert len(chosen) == len(numbers)
    for row, number in enumerate(numbers):
        np.testing.assert_array_equal(chosen.full(row), masks.full(number))
        np.testing.assert_array_equal(chosen.boxes[row], masks.boxes[number])


def test_nothing_found() -> None:
    none = Masks.from_prototypes(
        np.empty((0, 4), np.float32), _noise(0, 4, 64, 80), np.empty((0, 4), np.float32), Letterbox(640, 480, 320, 256)
    )
    assert (len(none), none.boxes.shape) == (0, (0, 4))
    assert len(Masks.from_arrays(np.empty((0, 4, 5), np.bool_))) == 0


def test_read_only() -> None:
    masks = _random((640, 480), 0)
    for array in (masks.boxes, masks.corners, *masks.cells):
        with pytest.raises(ValueError, match="read-only"):
            array[:] = 0


@pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf])
def test_cells_that_are_no_numbers_are_not_of_the_object(broken: float) -> None:
    prototypes = np.ones((1, 64, 80), np.float32)
    prototypes[0, :, 40:] = broken
    masks = Masks.from_prototypes(
        np.ones((1, 1), np.float32), prototypes, _whole((640, 480)), Letterbox(640, 480, 320, 256)
    )
    found = masks.full(0)
    assert found[:, :312].all()
    assert not found[:, 324:].any()


def test_an_image_of_less_than_a_cell_takes_that_cell() -> None:
    grid = CellGrid.of(3, 80, 39.5, 39.75)
    np.testing.assert_allclose(grid.at([0, 1, 2]), 39.125)
    letterbox = Letterbox(2, 640, 320, 256)  # one column of the input
    prototypes = np.full((1, 64, 80), -1.0, np.float32)
    prototypes[0, :, 38:41] = 1.0
    masks = Masks.from_prototypes(np.ones((1, 1), np.float32), prototypes, _whole((2, 640)), letterbox)
    assert masks.full(0).all()


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        (np.zeros((2, 3), np.bool_), r"masks bool\[2, 3\]: expected bool\[N, height, width\]"),
        (np.zeros((1, 2, 3), np.uint8), r"masks uint8\[1, 2, 3\]"),
        (np.zeros((1, 2, 3)), r"masks float64\[1, 2, 3\]"),
    ],
)
def test_arrays_that_are_no_masks(arrays: np.ndarray, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        Masks.from_arrays(arrays)


@pytest.mark.parametrize(
    ("coefficients", "prototypes"), [((2, 4), (4, 64, 80)), ((1, 3), (4, 64, 80)), ((1, 4), (64, 80))]
)
def test_shapes_that_disagree(coefficients: tuple[int, ...], prototypes: tuple[int, ...]) -> None:
    with pytest.raises(BadInput, match=r"coefficients \(.*\) and prototypes \(.*\) of 1 boxes"):
        Masks.from_prototypes(
            np.zeros(coefficients, np.float32),
            np.zeros(prototypes, np.float32),
            _whole((9, 7)),
            Letterbox(9, 7, 320, 256),
        )
    with pytest.raises(BadInput, match=r"boxes \(2, 4\) and corners \(1, 2\) of 1 masks"):
        Masks((9, 7), np.zeros((2, 4)), (np.zeros((1, 1), np.bool_),), np.zeros((1, 2)))


@pytest.mark.parametrize(
    "limits", [(-1, 4, 0, 4), (0, 8, 0, 4), (4, 3, 0, 4), (0, 4, 5, 4), (0, 4, 0, 10), (0, 4, 0, 4, 0)]
)
def test_patches_beyond_the_image(limits: tuple[int, ...]) -> None:
    with pytest.raises(BadInput, match=f"patch of rows {limits[0]}..{limits[1]}, .* of masks of a 9x7 image"):
        _random((9, 7), 0).patch(0, *limits)
