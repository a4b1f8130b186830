from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracking.assignment import assign, association_cost, box_iou, unambiguous


def solve(matrix, unmatched_cost=np.inf):
    """Assign on a dense matrix; NaN = pair not allowed."""
    matrix = np.asarray(matrix, dtype=np.float64)
    rows, columns = np.nonzero(~np.isnan(matrix))
    chosen = assign(rows, columns, matrix[rows, columns], unmatched_cost)
    pairs = dict(zip(rows[chosen].tolist(), columns[chosen].tolist(), strict=True))
    assert len(set(pairs.values())) == len(pairs) == chosen.sum()
    return pairs


def greedy(matrix):
    """The "simplified Hungarian": take the cheapest pair that is left, again and again."""
    matrix = np.array(matrix, dtype=np.float64)
    pairs = {}
    for _ in range(min(matrix.shape)):
        i, j = np.unravel_index(np.argmin(matrix), matrix.shape)
        pairs[int(i)] = int(j)
        matrix[i, :] = matrix[:, j] = np.inf
    return pairs


def total(matrix, pairs):
    return sum(matrix[i][j] for i, j in pairs.items())


@pytest.mark.parametrize(
    ("name", "matrix", "expected", "cost"),
    [
        ("MOT 30.4.3", [[0.2, 1.0], [0.8, 0.3], [1.5, 0.7]], {0: 0, 1: 1}, 0.5),
        ("DETR 25.14", [[0.5, 1.2], [0.8, 0.3], [1.0, 0.6]], {0: 0, 1: 1}, 0.8),
        # 25.14 calls a greedy rule "simplified Hungarian". On its own matrix both agree; on this one greedy pays 10.1.
        ("greedy loses", [[0.1, 0.2], [0.2, 10.0]], {0: 1, 1: 0}, 0.4),
        ("more columns", [[3.0, 1.0, 2.0]], {0: 1}, 1.0),
        ("negative costs", [[-0.9, -0.2], [-0.8, 0.5]], {0: 1, 1: 0}, -1.0),
        ("one pair", [[7.0]], {0: 0}, 7.0),
    ],
)
def test_worked_examples(name, matrix, expected, cost):
    pairs = solve(matrix)
    assert pairs == expected
    assert total(matrix, pairs) == pytest.approx(cost)


def test_greedy_rule_is_not_optimal():
    detr = [[0.5, 1.2], [0.8, 0.3], [1.0, 0.6]]
    trap = [[0.1, 0.2], [0.2, 10.0]]
    assert greedy(detr) == solve(detr)
    assert greedy(trap) == {0: 0, 1: 1}
    assert total(trap, solve(trap)) < total(trap, greedy(trap))


@pytest.mark.parametrize(
    ("name", "matrix", "unmatched", "expected"),
    [
        ("nothing allowed", [[np.nan, np.nan]], np.inf, {}),
        ("gate forces", [[np.nan, 0.9], [0.1, 0.2]], np.inf, {0: 1, 1: 0}),
        ("as many pairs as possible", [[-0.9, 1.4], [1.4, np.nan]], np.inf, {0: 1, 1: 0}),
        ("one very good pair beats two poor ones", [[-0.9, 1.4], [1.4, np.nan]], 1.5, {0: 0}),
        ("two decent pairs beat a good one", [[-0.9, 0.2], [0.2, np.nan]], 1.5, {0: 1, 1: 0}),
        ("unambiguous whatever the cost", [[9.0, np.nan], [np.nan, 8.0]], 1.5, {0: 0, 1: 1}),
    ],
)
def test_gates(name, matrix, unmatched, expected):
    assert solve(matrix, unmatched) == expected


def test_no_pairs():
    none = np.zeros(0, dtype=np.int64)
    assert assign(none, none, np.zeros(0)).shape == (0,)
    assert unambiguous(none, none).shape == (0,)


def test_unambiguous_pairs():
    assert unambiguous(np.array([0, 1, 1, 3]), np.array([5, 0, 1, 2])).tolist() == [True, False, False, True]
    assert unambiguous(np.array([0, 1]), np.array([4, 4])).tolist() == [False, False]


@settings(deadline=None, max_examples=80)
@given(st.integers(1, 4), st.integers(1, 5), st.randoms(use_true_random=False), st.sampled_from([np.inf, 1.0]))
def test_equals_exhaustive_search(rows, columns, random, unmatched):
    matrix = np.array([[random.uniform(-1, 1) for _ in range(columns)] for _ in range(rows)])
    matrix[np.array([[random.random() < 0.5 for _ in range(columns)] for _ in range(rows)])] = np.nan

    def score(pairs):
        value = total(matrix, pairs)
        if np.isfinite(unmatched):
            return (value - unmatched * len(pairs),)
        return (-len(pairs), value)

    best = (0, 0.0) if not np.isfinite(unmatched) else (0.0,)
    for order in permutations(range(max(rows, columns)), rows):
        pairs = {i: j for i, j in enumerate(order) if j < columns and not np.isnan(matrix[i, j])}
        best = min(best, score(pairs))
    assert score(solve(matrix, unmatched)) == pytest.approx(best)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ([100, 100, 200, 200], [150, 100, 250, 200], 1 / 3),  # 23.12-23.16
        ([100, 100, 200, 200], [105, 105, 205, 205], 9025 / 10975),  # 23.3.3 prints 0.815; the arithmetic gives 0.8223
        ([0, 0, 10, 10], [0, 0, 10, 10], 1.0),
        ([0, 0, 10, 10], [10, 0, 20, 10], 0.0),
        ([0, 0, 10, 10], [30, 30, 40, 40], 0.0),
        ([5, 5, 5, 5], [5, 5, 5, 5], 0.0),
        ([0, 0, 10, 10], [2, 2, 4, 4], 0.04),
    ],
)
def test_box_iou(a, b, expected):
    assert box_iou(a, b) == pytest.approx(expected)
    assert box_iou(b, a) == pytest.approx(expected)


def test_box_iou_broadcasts():
    a, b = np.zeros((3, 1, 4)), np.zeros((1, 2, 4))
    a[..., 2:], b[..., 2:] = 10, 5
    assert np.allclose(box_iou(a, b), np.full((3, 2), 0.25))


@pytest.mark.parametrize(
    ("iou", "distance", "weight", "expected"),
    [(0.5, 0.4, 0.5, -0.3), (1.0, 0.0, 0.5, -1.0), (0.0, 4.0, 0.5, 2.0), (1 / 3, 2.0, 0.25, 1 / 6)],
)
def test_association_cost_30_25(iou, distance, weight, expected):
    assert association_cost(np.array(iou), np.array(distance), weight) == pytest.approx(expected)
