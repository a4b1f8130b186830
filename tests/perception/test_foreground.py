"""Surfaces in a box: all of them, the sharpest first, and none twice."""

from __future__ import annotations

import numpy as np
import pytest

from perception.foreground import Surfaces


def all_of(layers: list[tuple[float, int]], noise_m: float, middle: float | None = None) -> list[float]:
    heights = np.concatenate([np.full(count, height) for height, count in layers])
    noisy = heights + np.random.default_rng(0).normal(0.0, noise_m, len(heights))
    everywhere = np.ones((1, len(heights)), dtype=bool)
    found = Surfaces(noisy[None], everywhere, heights[None] == middle, max(noise_m, 0.0005), 0.003 + 2.0 * noise_m)
    heights_m = [found.next(np.array([0]), np.array([0.05 * len(heights)]))[0] for _ in range(5)]
    return [float(height) for height in heights_m if np.isfinite(height)]


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ([(0.04, 500)], [0.04]),
        ([(0.04, 300), (0.0, 200)], [0.04, 0.0]),
        ([(0.04, 200), (0.0, 300)], [0.0, 0.04]),
        ([(0.04, 200), (0.0, 300), (0.12, 100)], [0.0, 0.04, 0.12]),
        ([(0.04, 200), (0.3, 4)], [0.04]),  # strays are no surface
        ([(-0.45, 300), (-0.49, 100)], [-0.45, -0.49]),
    ],
)
@pytest.mark.parametrize("noise_m", [0.0, 0.001, 0.003])
def test_surfaces_come_by_their_size(layers: list[tuple[float, int]], expected: list[float], noise_m: float) -> None:
    assert all_of(layers, noise_m) == pytest.approx(expected, abs=0.0006 + 0.5 * noise_m)


def test_the_middle_counts_more() -> None:
    layers = [(0.04, 200), (0.0, 300)]
    assert all_of(layers, 0.001)[0] == pytest.approx(0.0, abs=0.001)
    assert all_of(layers, 0.001, middle=0.04)[0] == pytest.approx(0.04, abs=0.001)


def test_a_side_is_lower_than_the_top() -> None:
    rng = np.random.default_rng(1)
    side = [(height, 1) for height in rng.uniform(0.0, 0.04, 250)]
    assert all_of([(0.04, 150), *side], 0.001)[0] == pytest.approx(0.04, abs=0.001)


def test_sets_are_apart_and_may_be_empty() -> None:
    heights = np.stack((np.full(50, 0.04), np.full(50, 1.7), np.full(50, 0.1)))
    chosen = np.ones(heights.shape, dtype=bool)
    chosen[2] = False
    found = Surfaces(heights, chosen, chosen, 0.001, 0.005)
    least = np.full(3, 5.0)
    np.testing.assert_allclose(found.next(np.arange(3), least), [0.04, 1.7, np.nan], atol=1e-3)
    np.testing.assert_allclose(found.next(np.array([1]), least[:1]), [np.nan])


def test_a_range_beyond_all_bins_does_no_harm() -> None:
    found = all_of([(0.0, 300), (50.0, 200)], 0.001)
    assert found[0] == pytest.approx(0.0, abs=0.001)
