"""From pairs within the gate to one-to-one: the optimum, in three rounds."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracking import ImageTrackerParameters
from tracking.rounds import IGNORED, STRONG, WEAK, Pairs, associate, level, nothing

X = np.nan
LIMIT = 1.0


def matched(matrix, levels=None, confirmed=None, unmatched_cost=LIMIT, asked=None):
    """`track_of` for a dense matrix of costs, detections by tracks; NaN = not within the gate."""
    matrix = np.asarray(matrix, dtype=np.float64)
    i, j = (~np.isnan(matrix)).nonzero()

    def costs(k):
        if asked is not None:
            asked.append(k.tolist())
        return matrix[i[k], j[k]]

    levels = np.full(matrix.shape[0], STRONG) if levels is None else np.asarray(levels, dtype=np.int64)
    confirmed = np.ones(matrix.shape[1], dtype=np.int64) if confirmed is None else np.asarray(confirmed, np.int64)
    found = associate(Pairs(i, j, costs), levels, confirmed, unmatched_cost)
    track_of = found.track_of.tolist()
    taken = [track for track in track_of if track >= 0]
    assert len(set(taken)) == len(taken), "no two detections continue one track"
    assert sorted(taken + found.silent.tolist()) == list(range(matrix.shape[1])), "each track is seen or silent"
    assert found.silent.tolist() == sorted(found.silent.tolist())
    assert all(track < 0 or not np.isnan(matrix[row, track]) for row, track in enumerate(track_of))
    return track_of


@pytest.mark.parametrize(
    ("name", "matrix", "expected", "total"),
    [
        ("MOT 30.4.3", [[0.2, 1.0], [0.8, 0.3], [1.5, 0.7]], [0, 1, -1], 0.5),
        ("DETR 25.14", [[0.5, 1.2], [0.8, 0.3], [1.0, 0.6]], [0, 1, -1], 0.8),
        ("the cheapest pair first would pay 10.1", [[0.1, 0.2], [0.2, 10.0]], [1, 0], 0.4),
        # 30.25, C = -IoU + lambda d, with lambda 0.5: IoU .6 and .5 against .55 and .1, distances 0, .2, .1, 1.
        ("30.25", [[-0.6, -0.4], [-0.5, 0.4]], [1, 0], -0.9),
    ],
)
def test_worked_examples(name, matrix, expected, total):
    track_of = matched(matrix, unmatched_cost=20.0)
    assert track_of == expected
    assert sum(matrix[row][track] for row, track in enumerate(track_of) if track >= 0) == pytest.approx(total)


@pytest.mark.parametrize(
    ("name", "matrix", "levels", "confirmed", "expected"),
    [
        ("two detections, one track", [[0.1], [0.2]], [2, 2], [1], [0, -1]),
        ("a weak one may continue a confirmed track", [[0.1]], [1], [1], [0]),
        ("but no tentative one", [[0.1]], [1], [0], [-1]),
        ("one below all may do nothing", [[0.1]], [0], [1], [-1]),
        ("and takes nothing from others", [[0.1], [0.9]], [0, 1], [1], [-1, 0]),
        ("a strong one is served before a nearer weak one", [[0.9], [0.1]], [2, 1], [1], [0, -1]),
        ("an established object before a nearer ghost", [[0.1, 0.9]], [2], [0, 1], [1]),
        ("the ghost gets what is left over", [[0.1, 0.9], [0.5, X]], [2, 2], [0, 1], [1, 0]),
        ("weak ones get what strong ones left", [[0.5, 0.4], [0.1, X]], [1, 2], [1, 1], [1, 0]),
        ("nothing competes with the pair of a ghost", [[0.1]], [2], [0], [0]),
    ],
)
def test_who_comes_first(name, matrix, levels, confirmed, expected):
    assert matched(matrix, levels, confirmed) == expected


@pytest.mark.parametrize(
    ("name", "matrix", "expected"),
    [
        ("what nothing competes with is taken at any cost", [[9.0, X], [X, 8.0]], [0, 1]),
        ("of two poor pairs none", [[1.2, 1.1]], [-1]),
        ("nor of a poor column", [[1.2], [1.1]], [-1, -1]),
        ("a poor pair yields and is not made elsewhere", [[0.1, X], [0.2, 1.5]], [0, -1]),
        ("one very good pair beats two that are just allowed", [[-0.9, 0.9], [0.9, X]], [0, -1]),
        ("two decent pairs beat a good one", [[-0.9, 0.0], [0.0, X]], [1, 0]),
    ],
)
def test_a_pair_that_costs_more_than_leaving_both_alone(name, matrix, expected):
    assert matched(matrix) == expected


def best(matrix, limit):
    """By trying all: the pairs with the least sum of what they save."""
    rows, columns = matrix.shape
    chosen, least = [-1] * rows, 0.0
    for order in permutations([*range(columns), *[-1] * rows], rows):
        pairs = [(row, track) for row, track in enumerate(order) if track >= 0]
        if any(np.isnan(matrix[pair]) or matrix[pair] > limit for pair in pairs):
            continue
        saved = sum(matrix[pair] - limit for pair in pairs)
        if saved < least - 1e-12:
            chosen, least = list(order), saved
    return chosen


def random_matrix(rows, columns, share, seed, dearest=LIMIT):
    rng = np.random.default_rng(seed)
    matrix = rng.uniform(-1.0, dearest, (rows, columns))
    matrix[rng.random((rows, columns)) > share] = np.nan
    return matrix, rng


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 4), st.integers(1, 4), st.sampled_from([0.3, 0.6, 1.0]), st.integers(0, 2**31))
def test_shortcuts_give_the_optimum(rows, columns, share, seed):
    """Where no pair costs more than leaving its partners alone, taking the unambiguous ones first loses nothing."""
    matrix, _ = random_matrix(rows, columns, share, seed)
    assert matched(matrix) == best(matrix, LIMIT)


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 4), st.integers(1, 4), st.sampled_from([0.4, 0.8]), st.integers(0, 2**31))
def test_rounds_are_optimal_on_what_is_left(rows, columns, share, seed):
    matrix, rng = random_matrix(rows, columns, share, seed, dearest=1.5)
    levels, confirmed = rng.integers(0, 3, rows), rng.integers(0, 2, columns)
    allowed = ~np.isnan(matrix) & (levels[:, None] + confirmed[None] >= STRONG)
    alone = allowed & (allowed.sum(axis=0) == 1)[None] & (allowed.sum(axis=1) == 1)[:, None]
    expected = [int(row.argmax()) if row.any() else -1 for row in alone]
    for entitled in (
        (levels == STRONG)[:, None] & (confirmed == 1),
        (levels == STRONG)[:, None] & (confirmed == 0),
        (levels == WEAK)[:, None] & (confirmed == 1),
    ):
        left = np.where(allowed & entitled, matrix, np.nan)
        left[[row for row, track in enumerate(expected) if track >= 0]] = np.nan
        left[:, [track for track in expected if track >= 0]] = np.nan
        for row, track in enumerate(best(left, LIMIT)):
            expected[row] = track if track >= 0 else expected[row]
    assert matched(matrix, levels, confirmed) == expected


def test_costs_are_asked_for_only_where_there_is_something_to_decide():
    asked: list[list[int]] = []
    assert matched(np.where(np.eye(4, dtype=bool), 0.1, X), asked=asked) == [0, 1, 2, 3]
    assert asked == []
    matrix = [[0.1, X, X, X], [X, 0.1, 0.3, X], [X, X, 0.1, X]]
    assert matched(matrix, asked=asked) == [0, 1, 2]
    assert asked == [[1, 2, 3]]


def test_a_weak_detection_does_not_make_a_question_of_a_ghosts_pair():
    asked: list[list[int]] = []
    assert matched([[0.1], [0.2]], [STRONG, WEAK], [0], asked=asked) == [0, -1]
    assert asked == []


@pytest.mark.parametrize(("detections", "tracks"), [(0, 0), (3, 0), (0, 3), (2, 3)])
def test_nobody(detections, tracks):
    assert matched(np.full((detections, tracks), np.nan)) == [-1] * detections
    found = nothing(detections, tracks)
    assert found.track_of.tolist() == [-1] * detections
    assert found.silent.tolist() == list(range(tracks))


@pytest.mark.parametrize(
    ("high", "low", "expected"),
    [
        (0.5, 0.1, [IGNORED, IGNORED, IGNORED, WEAK, WEAK, STRONG, STRONG]),
        (0.5, 0.9, [IGNORED, IGNORED, IGNORED, IGNORED, IGNORED, STRONG, STRONG]),
        (0.0, 0.1, [IGNORED, IGNORED, STRONG, STRONG, STRONG, STRONG, STRONG]),
    ],
)
def test_what_a_score_allows(high, low, expected):
    scores = np.array([np.nan, -1.0, 0.0, 0.1, 0.49, 0.5, 1.0])
    assert level(scores, ImageTrackerParameters(high_score=high, low_score=low)).tolist() == expected
