"""A square on a map of evidence: held by the edges in sight, and as free as nothing holds it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from geometry.types import Array, BoolArray
from perception.completion import Squares, fit_squares, outlines, within
from tests.perception.synthetic import looking_at

SIZE = 0.04
STEP = 0.0019


def fit(center: tuple[float, float], yaw: float, seen: Callable[[Array], BoolArray] | None = None) -> Squares:
    """Evidence of a square: its top, and free space around it, both only where `seen` (a function of x) says so."""
    ways = np.arange(-0.05, 0.0501, STEP)
    x, y = (grid.ravel() for grid in np.meshgrid(ways, ways))
    u = np.cos(yaw) * (x - center[0]) + np.sin(yaw) * (y - center[1])
    v = np.cos(yaw) * (y - center[1]) - np.sin(yaw) * (x - center[0])
    outside = np.maximum(np.abs(u), np.abs(v)) - SIZE / 2
    weights = np.where(outside < 0.0, 1.0, np.where(outside < 0.03, -1.0, 0.0))
    if seen is not None:
        weights[~seen(x)] = 0.0
    on_top = weights > 0.0
    middle = np.array([[x[on_top].mean()], [y[on_top].mean()]]) if on_top.any() else np.zeros((2, 1))
    evidence = (array[None].astype(np.float32) for array in (x, y, weights))
    return fit_squares(*evidence, middle.astype(np.float32), np.array([SIZE]), np.array([STEP]))


def spread(squares: Squares) -> tuple[Array, Array]:
    weights = np.exp(-squares.loss)
    weights /= weights.sum()
    points = np.stack((squares.along_m, squares.across_m))
    mean = points @ weights
    off = points - mean[:, None]
    return mean, np.sqrt(np.diagonal((off * weights) @ off.T))


@pytest.mark.parametrize("center", [(0.0, 0.0), (0.004, -0.003), (0.0013, 0.0007)])
@pytest.mark.parametrize("yaw", [0.0, 0.2, 0.5, np.pi / 4, 1.2])
def test_all_of_it_in_sight(center: tuple[float, float], yaw: float) -> None:
    squares = fit(center, yaw)
    mean, deviation = spread(squares)
    assert mean == pytest.approx(center, abs=0.001)
    assert deviation.max() < 0.0025
    assert squares.worth[0] > 0.75
    assert squares.misfit[0] < 0.15
    assert squares.loss.min() == 0.0


def test_a_half_that_is_hidden_is_completed() -> None:
    squares = fit((0.0, 0.0), 0.0, lambda x: x < 0.0)
    mean, deviation = spread(squares)
    assert mean == pytest.approx((0.0, 0.0), abs=0.001)
    assert deviation.max() < 0.003
    assert squares.worth[0] == pytest.approx(0.5, abs=0.07)


def test_nothing_holds_it_along_a_strip() -> None:
    """Both ends hidden: it may slide."""
    mean, deviation = spread(fit((0.0, 0.0), 0.0, lambda x: np.abs(x) < 0.006))
    assert mean[1] == pytest.approx(0.0, abs=0.001)
    assert deviation[0] > 0.008
    assert deviation[1] < 0.003


def test_what_is_foreign_is_not_covered() -> None:
    """A neighbour's top beside it, of which the box or the mask says that it is another object."""
    ways = np.arange(-0.05, 0.0501, STEP)
    x, y = (grid.ravel() for grid in np.meshgrid(ways, ways))
    on_both = (np.abs(y) < 0.02) & (np.abs(x - 0.01) < 0.03)
    weights = np.where(on_both, np.where(x < 0.02, 1.0, -0.7), -1.0)
    middle = np.zeros((2, 1), np.float32)
    evidence = (array[None].astype(np.float32) for array in (x, y, weights))
    mean, _ = spread(fit_squares(*evidence, middle, np.array([SIZE]), np.array([STEP])))
    assert mean == pytest.approx((0.0, 0.0), abs=0.001)


def test_no_evidence_at_all() -> None:
    squares = fit((0.0, 0.0), 0.0, lambda x: x > 1.0)
    assert squares.worth.tolist() == squares.misfit.tolist() == [0.0]
    assert len(squares.loss) <= 101
    assert spread(squares)[1].min() > 0.01


def test_maps_do_not_touch_each_other() -> None:
    """Two maps at once, of other sizes: each as if it were alone."""
    ways = np.arange(-0.05, 0.0501, STEP)
    x, y = (grid.ravel().astype(np.float32) for grid in np.meshgrid(ways, ways))
    tops: list[BoolArray] = [np.maximum(np.abs(x), np.abs(y)) < half for half in (0.02, 0.03)]
    weights = np.where(np.array(tops), 1.0, -1.0).astype(np.float32)
    sizes = np.array([0.04, 0.06])
    both = fit_squares(
        np.array([x, x]), np.array([y, y]), weights, np.zeros((2, 2), np.float32), sizes, np.full(2, STEP)
    )
    assert both.first.tolist() == [0, int((both.maps == 0).sum())]
    for row in (0, 1):
        alone = fit_squares(
            x[None], y[None], weights[row : row + 1], np.zeros((2, 1), np.float32), sizes[row : row + 1],
            np.array([STEP]),
        )  # fmt: skip
        np.testing.assert_allclose(both.along_m[both.maps == row], alone.along_m)
        np.testing.assert_allclose(both.loss[both.maps == row], alone.loss)
        assert both.worth[row] == alone.worth[0]


def test_few_pixels_make_coarse_cells() -> None:
    fine, coarse = fit((0.0, 0.0), 0.0), None
    ways = np.arange(-0.05, 0.0501, 0.008)
    x, y = (grid.ravel().astype(np.float32)[None] for grid in np.meshgrid(ways, ways))
    weights = np.where(np.maximum(np.abs(x), np.abs(y)) < 0.02, 1.0, -1.0).astype(np.float32)
    coarse = fit_squares(x, y, weights, np.zeros((2, 1), np.float32), np.array([SIZE]), np.array([0.008]))
    assert coarse.cell_m[0] > 2.0 * fine.cell_m[0]
    assert spread(coarse)[0] == pytest.approx((0.0, 0.0), abs=0.004)


def test_outlines_are_those_of_a_cube() -> None:
    base_T_camera = looking_at(np.array([0.1, -0.1, 0.4]), np.zeros(3))
    axes = base_T_camera.rotation.copy()  # rows: the base's axes in the camera's frame
    squares = fit((0.0, 0.0), 0.0)
    eye = base_T_camera.translation
    moved = Squares(
        np.zeros(1, np.int64), np.zeros(1, np.int64), np.array([-eye[0]]), np.array([-eye[1]]), np.zeros(1, np.int64),
        np.zeros(1), squares.misfit, squares.worth, squares.cell_m,
    )  # fmt: skip
    left, top, right, bottom = outlines(moved, np.array([0.04 - eye[2]]), np.array([SIZE]), axes)[:, 0]
    corners = np.array([(x, y, z) for x in (-0.02, 0.02) for y in (-0.02, 0.02) for z in (0.0, 0.04)])
    points = base_T_camera.inverse().apply(corners)
    ratios = points[:, :2] / points[:, 2:]
    assert (left, top) == pytest.approx(ratios.min(axis=0))
    assert (right, bottom) == pytest.approx(ratios.max(axis=0))


def test_within() -> None:
    squares = fit((0.0, 0.0), np.pi / 4)
    best = np.array([int(squares.loss.argmin())])
    x, y = np.array([[0.0, 0.018, 0.013]], np.float32), np.array([[0.0, 0.0, 0.013]], np.float32)
    assert within(squares, best, x, y, np.array([0.016])).tolist() == [[True, True, False]]
