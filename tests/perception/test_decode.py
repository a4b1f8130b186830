"""Decoding without anchors: rows become boxes."""

from __future__ import annotations

import numpy as np
import pytest

from perception.decode import centers_to_corners, decode_end2end, decode_raw


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ([150.0, 120.0, 100.0, 40.0], [100.0, 100.0, 200.0, 140.0]),
        ([0.0, 0.0, 2.0, 2.0], [-1.0, -1.0, 1.0, 1.0]),
        ([5.0, 6.0, 0.0, 0.0], [5.0, 6.0, 5.0, 6.0]),
    ],
)
def test_centers_to_corners(row: list[float], expected: list[float]) -> None:
    assert centers_to_corners([row]).tolist() == [expected]


def _output(rows: list[list[float]]) -> np.ndarray:
    return np.array(rows, np.float32).T[None]


@pytest.mark.parametrize(
    ("confidence", "scores", "class_ids"),
    [
        (0.25, [0.9, 0.3, 0.25], [1, 0, 0]),
        (0.26, [0.9, 0.3], [1, 0]),
        (0.95, [], []),
        (0.0, [0.9, 0.3, 0.25, 0.1], [1, 0, 0, 1]),
    ],
)
def test_decode_keeps_the_best_class_of_rows_above_the_threshold(
    confidence: float, scores: list[float], class_ids: list[int]
) -> None:
    output = _output([
        [10, 20, 4, 6, 0.2, 0.9],
        [30, 20, 4, 6, 0.3, 0.1],
        [50, 20, 4, 6, 0.25, 0.25],  # a tie goes to the first class
        [70, 20, 4, 6, 0.0, 0.1],
    ])  # fmt: skip
    found = decode_raw(output, confidence)
    np.testing.assert_allclose(found.scores, scores, atol=1e-6)
    assert found.class_ids.tolist() == class_ids
    assert found.boxes.shape == (len(scores), 4)
    assert (found.boxes.dtype, found.scores.dtype, found.class_ids.dtype) == (np.float32, np.float32, np.int32)
    if scores:
        assert found.boxes[0].tolist() == [8.0, 17.0, 12.0, 23.0]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("column", [0, 3, 5])
@pytest.mark.filterwarnings("error")
def test_rows_that_are_not_finite_are_dropped(bad: float, column: int) -> None:
    rows = [[10.0, 20.0, 4.0, 6.0, 0.8, 0.1], [30.0, 20.0, 4.0, 6.0, 0.7, 0.1]]
    rows[0][column] = bad
    found = decode_raw(_output(rows), 0.25)
    assert found.scores.tolist() == pytest.approx([0.7])


def test_decoding_does_not_keep_the_engines_buffer() -> None:
    output = _output([[10, 20, 4, 6, 0.8, 0.1]])
    found = decode_raw(output, 0.25)
    output[:] = 0.0
    assert found.boxes.tolist() == [[8.0, 17.0, 12.0, 23.0]]
    assert found.scores.tolist() == pytest.approx([0.8])


ROWS = [
    [10.0, 20.0, 14.0, 26.0, 0.5, 3.0],
    [30.0, 20.0, 34.0, 26.0, 0.9, 0.0],
    [50.0, 20.0, 54.0, 26.0, 0.5, 79.0],
    [0.0, 0.0, 0.0, 0.0, 0.0, 0.0],  # padding
]


@pytest.mark.parametrize(
    ("confidence", "scores", "class_ids"),
    [(0.25, [0.9, 0.5, 0.5], [0, 3, 79]), (0.6, [0.9], [0]), (0.95, [], []), (0.0, [0.9, 0.5, 0.5, 0], [0, 3, 79, 0])],
)
def test_end_to_end_rows_come_best_first(confidence: float, scores: list[float], class_ids: list[int]) -> None:
    found = decode_end2end(np.array([ROWS], np.float32), confidence)
    np.testing.assert_allclose(found.scores, scores)
    assert found.class_ids.tolist() == class_ids
    assert (found.boxes.shape, len(found)) == ((len(scores), 4), len(scores))
    assert (found.boxes.dtype, found.scores.dtype, found.class_ids.dtype) == (np.float32, np.float32, np.int32)
    if scores:
        assert found.boxes[0].tolist() == [30.0, 20.0, 34.0, 26.0]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("column", [0, 3, 4, 5])
@pytest.mark.filterwarnings("error")
def test_end_to_end_rows_that_are_not_finite_are_dropped(bad: float, column: int) -> None:
    output = np.array([ROWS], np.float32)
    output[0, 1, column] = bad
    assert decode_end2end(output, 0.25).class_ids.tolist() == [3, 79]


@pytest.mark.filterwarnings("error")
def test_a_class_that_no_integer_holds_is_no_class() -> None:
    output = np.array([ROWS], np.float32)
    output[0, :2, 5] = (-1e30, 1e30)
    found = decode_end2end(output, 0.25)
    assert found.class_ids[0] > 1_000_000
    assert found.class_ids[1] < 0


def test_end_to_end_decoding_does_not_keep_the_engines_buffer() -> None:
    output = np.array([ROWS], np.float32)
    found = decode_end2end(output, 0.0)
    output[:] = 0.0
    assert found.boxes[0].tolist() == [30.0, 20.0, 34.0, 26.0]
    assert found.scores[0] == pytest.approx(0.9)


def test_coefficients_follow_their_rows() -> None:
    rows = [
        [10, 20, 4, 6, 0.2, 0.9, 1, 2, 3],
        [30, 20, 4, 6, 0.1, 0.1, 7, 7, 7],  # coefficients are no scores
        [50, 20, 4, 6, 0.8, 0.1, 4, np.inf, 6],
        [70, 20, 4, 6, 0.8, 0.1, -4, 0, -6],
    ]
    found = decode_raw(_output(rows), 0.25, prototypes=3)
    assert found.class_ids.tolist() == [1, 0]
    assert found.scores.tolist() == pytest.approx([0.9, 0.8])
    assert found.coefficients is not None
    assert found.coefficients.tolist() == [[1, 2, 3], [-4, 0, -6]]
    assert found.coefficients.dtype == np.float32


def test_coefficients_of_final_boxes_are_sorted_with_them() -> None:
    rows = np.array([[[0, 0, 1, 1, 0.3, 0, 5, 6], [0, 0, 1, 1, 0.9, 1, 7, 8], [0, 0, 1, 1, 0.1, 0, 9, 9]]], np.float32)
    found = decode_end2end(rows, 0.25, prototypes=2)
    assert found.coefficients is not None
    assert found.coefficients.tolist() == [[7, 8], [5, 6]]


def test_without_prototypes_there_are_no_coefficients() -> None:
    assert decode_raw(_output([[10, 20, 4, 6, 0.2, 0.9]]), 0.25).coefficients is None
    assert decode_end2end(np.ones((1, 1, 6), np.float32), 0.25).coefficients is None
