"""Anchor heads of YOLO v2 to v5: the reference text's example, and the equations cell by cell."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perception.decode_anchors import decode_grid, decode_objectness, joined, prediction_count


@pytest.mark.parametrize(
    ("size", "strides", "anchors", "count"),
    [
        # 24.6.2 prints another total; (52 * 52 + 26 * 26 + 13 * 13) * 3 = (2704 + 676 + 169) * 3 is this
        ((416, 416), (8, 16, 32), 3, 10647),
        ((640, 640), (8, 16, 32), 3, 25200),
        ((320, 256), (8, 16, 32), 3, 5040),
        ((640, 480), (8, 16, 32), 1, 6300),
    ],
)
def test_prediction_count(size: tuple[int, int], strides: tuple[int, ...], anchors: int, count: int) -> None:
    assert prediction_count(*size, strides, anchors) == count


def test_the_grids_of_416_pixels_hold_so_many_predictions() -> None:
    parts = [
        decode_grid(np.zeros((3, 6, 416 // stride, 416 // stride), np.float32), np.ones((3, 2)), stride, 0.0)
        for stride in (8, 16, 32)
    ]
    assert len(joined(parts)) == 10647


def _grid(classes: int = 2, shape: tuple[int, int] = (13, 13), anchors: int = 1) -> np.ndarray:
    """Nothing anywhere."""
    grid = np.zeros((anchors, 5 + classes, *shape), np.float32)
    grid[:, 4:] = -20.0
    return grid


def _centers(boxes: np.ndarray) -> np.ndarray:
    return np.concatenate(((boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]), axis=1)


@pytest.mark.parametrize(
    ("style", "expected"),
    [
        ("v3", [208.8, 209.6, 26.38, 29.15]),  # 28.4-28.9: cell (6, 6), stride 32, t = (.1, .2, .5, .6), anchor 16x16
        # the same numbers by the equations of v5
        ("v5", [(5.5 + 2 * 0.524979) * 32, (5.5 + 2 * 0.549834) * 32, 16 * 1.244919**2, 16 * 1.291313**2]),
    ],
)
def test_the_worked_example(style: str, expected: list[float]) -> None:
    grid = _grid()
    grid[0, :4, 6, 6] = (0.1, 0.2, 0.5, 0.6)
    grid[0, 4:, 6, 6] = (2.0, -1.0, 3.0)
    found = decode_grid(grid, [[16, 16]], 32, 0.5, style)
    np.testing.assert_allclose(_centers(found.boxes), [expected], atol=0.01)
    assert found.scores.tolist() == pytest.approx([1 / (1 + math.exp(-2)) / (1 + math.exp(-3))])
    assert found.class_ids.tolist() == [1]
    assert (found.boxes.dtype, found.scores.dtype, found.class_ids.dtype) == (np.float32, np.float32, np.int32)


def _plain(grid: np.ndarray, anchors: np.ndarray, stride: int, confidence: float, style: str) -> list[list[float]]:
    """One cell after another, as the papers write it."""

    def s(x: float) -> float:
        return 1.0 / (1.0 + math.exp(-x))

    rows = []
    for a in range(grid.shape[0]):
        for y in range(grid.shape[2]):
            for x in range(grid.shape[3]):
                t = grid[a, :, y, x].astype(float).tolist()
                scores = [s(t[4]) * s(logit) for logit in t[5:]]
                if max(scores) < confidence:
                    continue
                if style == "v3":
                    box = [(x + s(t[0])) * stride, (y + s(t[1])) * stride]
                    box += [anchors[a][0] * math.exp(t[2]), anchors[a][1] * math.exp(t[3])]
                else:
                    box = [(x - 0.5 + 2 * s(t[0])) * stride, (y - 0.5 + 2 * s(t[1])) * stride]
                    box += [anchors[a][0] * (2 * s(t[2])) ** 2, anchors[a][1] * (2 * s(t[3])) ** 2]
                rows.append([*box, max(scores), scores.index(max(scores))])
    return rows


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    st.integers(0, 2**32 - 1), st.integers(1, 3), st.integers(1, 4), st.sampled_from([0.0, 0.1, 0.5]),
    st.sampled_from(["v3", "v5"]),
)  # fmt: skip
def test_equals_the_equations_cell_by_cell(seed: int, count: int, classes: int, confidence: float, style: str) -> None:
    rng = np.random.default_rng(seed)
    grid = rng.normal(0.0, 2.0, (count, 5 + classes, 3, 5)).astype(np.float32)
    anchors = rng.uniform(5, 100, (count, 2))
    expected = np.array(_plain(grid, anchors, 16, confidence, style)).reshape(-1, 6)
    found = decode_grid(grid, anchors, 16, confidence, style)
    np.testing.assert_allclose(_centers(found.boxes), expected[:, :4], rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(found.scores, expected[:, 4], rtol=1e-5)
    assert found.class_ids.tolist() == expected[:, 5].tolist()


@pytest.mark.parametrize("confidence", [0.0, 0.3, 1.0])
@pytest.mark.filterwarnings("error")
def test_extreme_logits_neither_warn_nor_pass_as_boxes(confidence: float) -> None:
    grid = _grid()
    grid[0, 4:, 1:5, 1] = 200.0
    grid[0, 2, 1, 1] = 1e4  # a size beyond float32
    grid[0, 0, 2, 1] = np.nan
    grid[0, 5, 3, 1] = np.inf
    grid[0, 3, 4, 1] = -1e4  # a size of nothing
    found = decode_grid(grid, [[16, 16]], 32, confidence)
    assert np.isfinite(found.boxes).all()
    assert found.scores.max() == 1.0
    assert (found.scores == 1.0).sum() == 1
    assert len(found) == (166 if confidence == 0.0 else 1)


@pytest.mark.parametrize(
    ("confidence", "scores", "class_ids"),
    [(0.25, [0.72, 0.45], [1, 0]), (0.5, [0.72], [1]), (0.0, [0.72, 0.45, 0.1, 0.08], [1, 0, 1, 0]), (0.99, [], [])],
)
def test_rows_with_objectness(confidence: float, scores: list[float], class_ids: list[int]) -> None:
    output = np.array([[
        [10, 20, 4, 6, 0.9, 0.1, 0.8],
        [30, 20, 4, 6, 0.5, 0.9, 0.9],  # a tie goes to the first class
        [50, 20, 4, 6, 0.1, 0.2, 1.0],
        [70, 20, 4, 6, 0.8, 0.1, 0.1],
    ]], np.float32)  # fmt: skip
    found = decode_objectness(output, confidence)
    np.testing.assert_allclose(found.scores, scores, atol=1e-6)
    assert found.class_ids.tolist() == class_ids
    if scores:
        assert found.boxes[0].tolist() == [8.0, 17.0, 12.0, 23.0]


@pytest.mark.parametrize("column", [0, 4, 6])
@pytest.mark.filterwarnings("error")
def test_rows_with_objectness_that_are_not_finite_are_dropped(column: int) -> None:
    output = np.array([[[10, 20, 4, 6, 0.9, 0.1, 0.8], [30, 20, 4, 6, 0.5, 0.9, 0.8]]], np.float32)
    output[0, 0, column] = np.nan
    assert decode_objectness(output, 0.25).scores.tolist() == pytest.approx([0.45])
