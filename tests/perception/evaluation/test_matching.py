"""Overlaps and pairs, against worked examples."""

from __future__ import annotations

import numpy as np
import pytest

from perception.evaluation.matching import overlaps, pairs

B1, B2, B3 = [100, 100, 200, 200], [105, 105, 205, 205], [400, 400, 500, 500]


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (B1, [150, 100, 250, 200], 1 / 3),
        # the reference text prints 0.815 for this pair; the arithmetic is 95 * 95 / (2 * 100 * 100 - 95 * 95)
        (B1, B2, 9025 / 10975),
        (B1, B1, 1.0),
        (B1, B3, 0.0),
        (B1, [200, 100, 300, 200], 0.0),
        (B1, [125, 125, 175, 175], 0.25),
        ([0, 0, 0, 0], [0, 0, 0, 0], 0.0),
        (B1, [150, 150, 150, 160], 0.0),
        (B1, [200, 200, 100, 100], 0.0),
    ],
)
def test_overlaps(a: list[int], b: list[int], expected: float) -> None:
    first, second = np.array([a], np.float32), np.array([b], np.float32)
    assert overlaps(first, second)[0, 0] == pytest.approx(expected, abs=1e-6)
    assert overlaps(second, first)[0, 0] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("n", "m"), [(0, 0), (0, 3), (2, 0), (2, 3)])
def test_overlaps_are_a_matrix(n: int, m: int) -> None:
    boxes = np.array([B1, B2, B3], np.float32)
    assert overlaps(boxes[:n], boxes[:m]).shape == (n, m)


def test_the_greatest_value_is_paired_first_and_each_once() -> None:
    rows, columns = pairs(np.array([[0.6, 0.9], [0.8, 0.7], [0.1, 0.2]]), 0.15)
    assert list(zip(rows.tolist(), columns.tolist(), strict=True)) == [(0, 1), (1, 0)]
