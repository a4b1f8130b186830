"""Both ways to find pairs give those of a plain double loop, in the same order."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracking import gating
from tracking.gating import MANY, near_pairs


def by_loop(a, reach_a, b, reach_b):
    rows = []
    for i in range(a.shape[1]):
        for j in range(b.shape[1]):
            distance = math.sqrt(sum((a[axis, i] - b[axis, j]) ** 2 for axis in range(len(a))))
            if distance <= reach_a[i] + reach_b[j]:
                rows.append((i, j, distance))
    return rows


def check(a, reach_a, b, reach_b):
    i, j, distance = near_pairs(a, reach_a, b, reach_b)
    expected = by_loop(a, reach_a, b, reach_b)
    assert list(zip(i.tolist(), j.tolist(), strict=True)) == [row[:2] for row in expected]
    assert distance == pytest.approx([row[2] for row in expected], rel=1e-12)
    return len(expected)


# Sums of squares of quarters are exact, so a distance of exactly the reach is one on every way to compute it.
QUARTERS = st.integers(-12, 12).map(lambda number: number / 4.0)


@st.composite
def sides(draw):
    axes = draw(st.integers(1, 4))
    result = []
    for _ in range(2):
        count = draw(st.integers(0, 7))
        points = draw(st.lists(st.lists(QUARTERS, min_size=axes, max_size=axes), min_size=count, max_size=count))
        reach = draw(st.lists(st.integers(0, 8).map(lambda number: number / 4.0), min_size=count, max_size=count))
        result += [np.array(points, dtype=np.float64).reshape(count, axes).T, np.array(reach, dtype=np.float64)]
    return tuple(result)


@pytest.mark.parametrize("many", [MANY, 1])
def test_equals_a_double_loop(many):
    """With the boundary at 1, all that is not empty is found by sorting."""
    before = gating.MANY
    gating.MANY = many
    try:

        @settings(deadline=None, max_examples=60)
        @given(sides())
        def equal(case):
            check(*case)

        equal()
    finally:
        gating.MANY = before


@pytest.mark.parametrize("many", [MANY, 1])
@pytest.mark.parametrize(
    ("name", "points", "reach_a", "reach_b", "expected"),
    [
        ("zero reach, the same places", [0.0, 1.0, 2.0], 0.0, 0.0, 3),
        ("all at the same place", [5.0] * 6, 0.0, 0.0, 36),
        ("exactly at the reach", [0.0, 1.0], 0.25, 0.75, 4),
        ("just out of reach", [0.0, 1.0], 0.25, 0.7499999, 2),
        ("all in reach of all", [0.0, 1.0, 2.0], 1e9, 1e9, 9),
        ("one that reaches far does not help the others", [0.0, 10.0, 20.0], 0.0, [100.0, 0.0, 0.0], 5),
    ],
)
def test_edges(monkeypatch, many, name, points, reach_a, reach_b, expected):
    monkeypatch.setattr(gating, "MANY", many)
    a = np.array([points, [0.0] * len(points)])
    reaches = [np.broadcast_to(np.asarray(reach, dtype=np.float64), len(points)) for reach in (reach_a, reach_b)]
    assert check(a, reaches[0], a.copy(), reaches[1]) == expected


@pytest.mark.parametrize(("m", "n"), [(0, 0), (0, 5), (5, 0), (0, MANY), (MANY, 0)])
def test_an_empty_side_has_no_pairs(m, n):
    i, j, distance = near_pairs(np.zeros((4, m)), np.ones(m), np.zeros((4, n)), np.ones(n))
    assert (i.shape, j.shape, distance.shape) == ((0,), (0,), (0,))
    assert i.dtype == j.dtype == np.int64


@pytest.mark.parametrize(
    ("m", "n"), [(MANY // 64 - 1, 64), (MANY // 64, 64), (MANY // 64 + 1, 64), (1, MANY), (MANY, 1)]
)
def test_around_the_boundary_both_ways_agree(monkeypatch, m, n):
    rng = np.random.default_rng(m)
    a, b = rng.uniform(0.0, 500.0, (4, m)), rng.uniform(0.0, 500.0, (4, n))
    reach_a, reach_b = rng.uniform(0.0, 150.0, m), rng.uniform(0.0, 150.0, n)
    found = []
    for many in (1, 10**9):
        monkeypatch.setattr(gating, "MANY", many)
        found.append(near_pairs(a, reach_a, b, reach_b))
    monkeypatch.undo()
    found.append(near_pairs(a, reach_a, b, reach_b))
    assert len(found[0][0]) > 10
    for i, j, distance in found[1:]:
        assert np.array_equal(i, found[0][0])
        assert np.array_equal(j, found[0][1])
        assert distance == pytest.approx(found[0][2], rel=1e-12)


def test_thousands_of_boxes():
    """Two crowds of 3000: all pairs are nine million, those in reach about three thousand."""
    rng = np.random.default_rng(0)
    a = rng.uniform(0.0, 10_000.0, (4, 3000))
    a[2:] = 10.0
    b = a + rng.normal(0.0, 1.0, a.shape)
    i, j, distance = near_pairs(a, np.full(3000, 20.0), b, np.full(3000, 20.0))
    assert 3000 <= len(i) < 4000
    assert set(range(3000)) <= set(i[i == j].tolist())
    assert (np.diff(i * 3000 + j) > 0).all()
    assert distance.max() <= 40.0
