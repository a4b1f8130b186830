"""Detections carry masks, one for each box, or none at all."""

from __future__ import annotations

import numpy as np
import pytest

from deploy.errors import BadInput
from perception.detections import Detections
from perception.masks import Masks

BOXES = np.array([[0, 0, 2, 4], [1, 1, 5, 3], [2, 0, 6, 4]], np.float32)


def _masks(count: int = 3) -> Masks:
    arrays = np.zeros((count, 4, 6), np.bool_)
    for row in range(count):
        arrays[row, row % 4] = True
    return Masks.from_arrays(arrays)


def _detections(masks: Masks | None) -> Detections:
    return Detections("wrist", 4, 100, BOXES, [0.9, 0.8, 0.7], [0, 1, 0], ("a", "b"), masks)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("rows", "numbers"), [(np.array([True, False, True]), [0, 2]), (np.array([2, 0]), [2, 0]), (np.array([], int), [])]
)
def test_masks_follow_the_rows(rows: np.ndarray, numbers: list[int]) -> None:
    masks = _masks()
    chosen = _detections(masks).select(rows).masks
    assert chosen is not None
    assert len(chosen) == len(numbers)
    for row, number in enumerate(numbers):
        np.testing.assert_array_equal(chosen.full(row), masks.full(number))


def test_boxes_alone_have_none() -> None:
    assert _detections(None).masks is None
    assert _detections(None).select(np.array([1])).masks is None
    assert Detections.empty("wrist", 4, 100, ("a",)).masks is None


@pytest.mark.parametrize("count", [0, 2, 4])
def test_another_number_of_masks_is_refused(count: int) -> None:
    with pytest.raises(BadInput, match=f"{count} masks of 3 boxes: expected one for each"):
        _detections(_masks(count))
