"""The parts of localization: the top of a set of heights, the middle of a footprint, a connected piece."""

from __future__ import annotations

import numpy as np
import pytest

from perception.surface import commonest_height, connected_to, footprint, top_height


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ([(0.04, 500)], 0.04),
        ([(0.04, 1)], 0.04),
        ([(0.04, 300), (0.0, 250)], 0.04),  # a table below
        ([(0.04, 300), (0.0, 500)], 0.04),  # more table than top
        ([(0.04, 300), (0.30, 10)], 0.04),  # stray pixels far above
        ([(-0.45, 300), (-0.49, 100)], -0.45),  # heights relative to a camera above
    ],
)
@pytest.mark.parametrize("noise_m", [0.0, 0.001])
def test_top_height(layers: list[tuple[float, int]], expected: float, noise_m: float) -> None:
    rng = np.random.default_rng(0)
    heights = np.concatenate([np.full(count, height) for height, count in layers])
    found = top_height(heights + rng.normal(0.0, noise_m, len(heights)), 0.003 + 2 * noise_m)
    assert found == pytest.approx(expected, abs=1e-9 + 1.5 * noise_m)


def test_top_height_is_not_dragged_down_by_a_side() -> None:
    rng = np.random.default_rng(1)
    heights = np.concatenate((np.full(300, 0.04), rng.uniform(0.0, 0.04, 250))) + rng.normal(0.0, 0.001, 550)
    assert top_height(heights, 0.005) == pytest.approx(0.04, abs=0.0006)


@pytest.mark.parametrize(
    ("layers", "expected"),
    [([(0.04, 500)], 0.04), ([(0.04, 1)], 0.04), ([(0.04, 300), (0.0, 250)], 0.04), ([(0.04, 300), (0.0, 500)], 0.0)],
)
def test_commonest_height(layers: list[tuple[float, int]], expected: float) -> None:
    heights = np.concatenate([np.full(count, height) for height, count in layers])
    noisy = heights + np.random.default_rng(0).normal(0.0, 0.001, len(heights))
    assert commonest_height(noisy) == pytest.approx(expected, abs=0.002)


@pytest.mark.parametrize("yaw", [0.0, 0.3, np.pi / 4])
@pytest.mark.parametrize("cell_m", [0.002, 0.003])
def test_footprint_of_a_square_that_is_sampled_unevenly(yaw: float, cell_m: float) -> None:
    rng = np.random.default_rng(2)
    u = 0.02 * (1.0 - 2.0 * rng.random(20_000) ** 2)  # crowded on one side
    v = rng.uniform(-0.02, 0.02, 20_000)
    along = 0.3 + np.cos(yaw) * u - np.sin(yaw) * v
    across = -0.1 + np.sin(yaw) * u + np.cos(yaw) * v
    middle_along, middle_across, along_m2, across_m2, mixed_m2 = footprint(along, across, cell_m)
    assert (middle_along, middle_across) == pytest.approx((0.3, -0.1), abs=0.0003)
    # s^2 / 12 in every direction
    assert np.sqrt(12.0 * np.array([along_m2, across_m2])) == pytest.approx([0.04, 0.04], abs=0.0025)
    assert mixed_m2 == pytest.approx(0.0, abs=4e-6)


def test_footprint_of_one_point() -> None:
    assert footprint(np.array([0.1]), np.array([0.2]), 0.002)[:2] == pytest.approx((0.1, 0.2))


def _mask(rows: str) -> np.ndarray:
    return np.array([[pixel == "#" for pixel in row] for row in rows.split()])


@pytest.mark.parametrize(
    ("seeds", "mask", "unknown", "expected"),
    [
        ("..... .#... .....", "##..# ##..# ##..#", "..... ..... .....", "##... ##... ##..."),
        ("..... .#... .....", "##..# ##..# ##..#", "..... ..##. .....", "##..# ##..# ##..#"),
        ("..... ..... .....", "##..# ##..# ##..#", "..... ..... .....", "##..# ##..# ##..#"),
        (".###. .###. .###.", "#...# ..### .####", "..... ..... .....", "....# ..### .####"),
    ],
    ids=["a neighbour is cut off", "holes do not separate", "no seeds", "most seeds win"],
)
def test_connected_to(seeds: str, mask: str, unknown: str, expected: str) -> None:
    np.testing.assert_array_equal(connected_to(_mask(seeds), _mask(mask), _mask(unknown)), _mask(expected))
