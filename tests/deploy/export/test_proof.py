"""What counts as the same detections, and what does not."""

from __future__ import annotations

import numpy as np
import pytest

from deploy.export.framework import END2END, RAW, RTDETR
from deploy.export.proof import compare

HW = (256, 320)


def rows(seed: int = 0, count: int = 40) -> np.ndarray:
    rng = np.random.default_rng(seed)
    boxes = rng.uniform(0.0, 1.0, (count, 4))
    scores = np.sort(rng.uniform(0.05, 0.95, (count, 1)), axis=0)[::-1]
    return np.hstack([boxes, scores, rng.integers(0, 5, (count, 1))]).astype(np.float32)[None]


def test_raw_outputs_are_compared_place_by_place() -> None:
    rng = np.random.default_rng(0)
    expected = rng.uniform(0, 1, (1, 7, 30)).astype(np.float32)
    found = expected.copy()
    assert compare([expected], [found], RAW, HW).close
    found[0, 2, 5] += 0.05
    found[0, 6, 9] -= 0.0005
    error = compare([expected, expected], [expected, found], RAW, HW)
    assert error.frames == 2
    assert error.box_px == pytest.approx(0.05, abs=1e-6)
    assert error.score == pytest.approx(0.0005, abs=1e-6)
    assert error.close
    found[0, 6, 9] -= 0.001
    assert not compare([expected], [found], RAW, HW).close


def test_normalized_boxes_count_in_pixels_of_the_input() -> None:
    expected = rows()
    found = expected.copy()
    found[0, 3, 0] += 0.001
    assert compare([expected], [found], RTDETR, HW).box_px == pytest.approx(0.32, abs=1e-3)
    assert compare([expected], [found], END2END, HW).box_px == pytest.approx(0.001, abs=1e-5)


def test_equal_scores_may_change_places() -> None:
    expected = rows()
    expected[0, 11, 4] = expected[0, 10, 4]
    found = expected.copy()
    found[0, [10, 11]] = found[0, [11, 10]]
    assert compare([expected], [found], END2END, HW).box_px == 0.0


def test_the_last_row_may_be_another() -> None:
    expected = rows()
    found = expected.copy()
    found[0, -1, :4] = 0.5
    assert compare([expected], [found], END2END, HW).close
    found[0, 0, :4] = 0.5
    assert not compare([expected], [found], RTDETR, HW).close, "the best may not"


@pytest.mark.parametrize("layout", [RAW, END2END, RTDETR])
def test_another_class_shape_or_no_number_is_never_close(layout: str) -> None:
    expected = rows()
    other = expected.copy()
    other[0, 0, 5] = 7
    if layout != RAW:
        assert not compare([expected], [other], layout, HW).close
    assert not compare([expected], [expected[:, :-1]], layout, HW).close
    nothing = expected.copy()
    nothing[0, 4, 2] = np.nan
    assert not compare([expected], [nothing], layout, HW).close
