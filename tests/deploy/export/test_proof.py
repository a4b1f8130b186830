"""What counts as the same detections, and what does not."""

from __future__ import annotations

import numpy as np
import pytest

from deploy.export.framework import END2END, MASKS, RAW, RTDETR
from deploy.export.proof import OutputError, compare

HW = (256, 320)


def rows(seed: int = 0, count: int = 40) -> np.ndarray:
    rng = np.random.default_rng(seed)
    boxes = rng.uniform(0.0, 1.0, (count, 4))
    scores = np.sort(rng.uniform(0.05, 0.95, (count, 1)), axis=0)[::-1]
    return np.hstack([boxes, scores, rng.integers(0, 5, (count, 1))]).astype(np.float32)[None]


def one(expected: np.ndarray, found: np.ndarray, layout: str) -> OutputError:
    return compare([(expected,)], [(found,)], layout, HW)


def test_raw_outputs_are_compared_place_by_place() -> None:
    rng = np.random.default_rng(0)
    expected = rng.uniform(0, 1, (1, 7, 30)).astype(np.float32)
    found = expected.copy()
    assert one(expected, found, RAW).close
    found[0, 2, 5] += 0.05
    found[0, 6, 9] -= 0.0005
    error = compare([(expected,), (expected,)], [(expected,), (found,)], RAW, HW)
    assert error.frames == 2
    assert error.box_px == pytest.approx(0.05, abs=1e-6)
    assert error.score == pytest.approx(0.0005, abs=1e-6)
    assert error.close
    found[0, 6, 9] -= 0.001
    assert not one(expected, found, RAW).close


def test_normalized_boxes_count_in_pixels_of_the_input() -> None:
    expected = rows()
    found = expected.copy()
    found[0, 3, 0] += 0.001
    assert one(expected, found, RTDETR).box_px == pytest.approx(0.32, abs=1e-3)
    assert one(expected, found, END2END).box_px == pytest.approx(0.001, abs=1e-5)


def test_equal_scores_may_change_places() -> None:
    expected = rows()
    expected[0, 11, 4] = expected[0, 10, 4]
    found = expected.copy()
    found[0, [10, 11]] = found[0, [11, 10]]
    assert one(expected, found, END2END).box_px == 0.0


def test_the_last_row_may_be_another() -> None:
    expected = rows()
    found = expected.copy()
    found[0, -1, :4] = 0.5
    assert one(expected, found, END2END).close
    found[0, 0, :4] = 0.5
    assert not one(expected, found, RTDETR).close, "the best may not"


@pytest.mark.parametrize("layout", [RAW, END2END, RTDETR])
def test_another_class_shape_or_no_number_is_never_close(layout: str) -> None:
    expected = rows()
    other = expected.copy()
    other[0, 0, 5] = 7
    if layout != RAW:
        assert not one(expected, other, layout).close
    assert not one(expected, expected[:, :-1], layout).close
    nothing = expected.copy()
    nothing[0, 4, 2] = np.nan
    assert not one(expected, nothing, layout).close


PROTOTYPES = np.random.default_rng(5).normal(size=(1, 3, 8, 10)).astype(np.float32)


def with_masks(layout: str) -> tuple[np.ndarray, np.ndarray]:
    coefficients = np.random.default_rng(6).normal(size=(1, 40, 3)).astype(np.float32)
    together = np.concatenate((rows(), coefficients), axis=2)
    return (together.transpose(0, 2, 1).copy() if layout == RAW else together), PROTOTYPES.copy()


@pytest.mark.parametrize("layout", [RAW, END2END])
def test_masks_count_too(layout: str) -> None:
    expected, found = with_masks(layout), with_masks(layout)
    same = compare([expected], [found], layout + MASKS, HW)
    assert (same.box_px, same.score, same.mask) == (0.0, 0.0, 0.0)
    assert same.as_dict() == {"frames": 1.0, "box_px": 0.0, "score": 0.0, "mask": 0.0}
    found[0][0, 7 if layout == RAW else 20, 20 if layout == RAW else 7] += 0.1
    wrong = compare([expected], [found], layout + MASKS, HW)
    assert (wrong.box_px, wrong.score) == (0.0, 0.0)
    assert wrong.mask == pytest.approx(0.1 / np.abs(np.random.default_rng(6).normal(size=120)).max(), rel=1e-3)
    assert not wrong.close
    assert "masks within" in str(wrong)


@pytest.mark.parametrize("layout", [RAW, END2END])
def test_prototypes_count_too(layout: str) -> None:
    expected, found = with_masks(layout), with_masks(layout)
    found[1][0, 1, 2, 3] += 1e-4
    error = compare([expected], [found], layout + MASKS, HW)
    assert error.mask == pytest.approx(1e-4 / np.abs(PROTOTYPES).max(), rel=1e-2)
    assert error.close
    found[1][0, 1, 2, 3] = np.nan
    assert not compare([expected], [found], layout + MASKS, HW).close
    assert not compare([expected], [found[:1]], layout + MASKS, HW).close


def test_boxes_alone_say_nothing_of_masks() -> None:
    error = one(rows(), rows(), END2END)
    assert error.mask is None
    assert error.as_dict().keys() == {"frames", "box_px", "score"}
    assert "mask" not in str(error)
