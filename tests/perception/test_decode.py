"""Decoding: the layout is recognised or refused, and rows become boxes."""

from __future__ import annotations

import numpy as np
import pytest

from deploy.backend import IoSpec, TensorSpec
from deploy.errors import BadInput
from perception.decode import RAW, centers_to_corners, check_layout, decode_raw

IMAGE = TensorSpec("images", (1, 3, 320, 320), "float32")


def _io(*shapes: tuple[int, ...], dtype: str = "float32") -> IoSpec:
    return IoSpec((IMAGE,), tuple(TensorSpec(f"output{i}", shape, dtype) for i, shape in enumerate(shapes)))


@pytest.mark.parametrize(
    ("shape", "classes", "declared"),
    [((1, 84, 8400), 80, None), ((1, 6, 1680), 2, RAW), ((1, 5, 2100), 1, None)],
)
def test_raw_layouts_are_recognised(shape: tuple[int, ...], classes: int, declared: str | None) -> None:
    assert check_layout(_io(shape), classes, declared) == "output0"


@pytest.mark.parametrize(
    ("io_spec", "classes", "declared", "words"),
    [
        (_io((1, 1000)), 1000, None, r"output0 float32\[1, 1000\] of a model with 1000 classes"),
        (_io((1, 8400, 84)), 80, None, r"\[1, 8400, 84\]"),
        (_io((1, 85, 8400)), 80, None, r"\[1, 85, 8400\].*80 classes"),
        (_io((1, 300, 6)), 2, None, r"\[1, 300, 6\]"),
        (_io((1, 56, 8400)), 1, None, r"\[1, 56, 8400\]"),
        (_io((2, 6, 8400)), 2, None, "batch 1"),
        (_io((1, 116, 8400), (1, 32, 160, 160)), 80, None, r"\[1, 116, 8400\].*\[1, 32, 160, 160\].*masks"),
        (_io((1, 6, 1680), dtype="float16"), 2, None, "float16.*float32"),
        (_io((1, 300, 6)), 2, "detr-cxcywh", "declares the layout 'detr-cxcywh'"),
        (_io((1, 6, 300)), 2, "yolo-nms", "declares the layout 'yolo-nms'"),
    ],
)
def test_other_layouts_are_refused_with_shapes_and_what_is_supported(
    io_spec: IoSpec, classes: int, declared: str | None, words: str
) -> None:
    with pytest.raises(BadInput, match=words) as error:
        check_layout(io_spec, classes, declared)
    assert "yolo-raw-cxcywh: one output of shape (1, 4 + classes, N)" in str(error.value)


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
