"""What the error of a pose makes of points: against draws of that error, and the cases that can be told by hand."""

from __future__ import annotations

import numpy as np
import pytest

from geometry import Pose, pose_spread

POSE = Pose.from_rotvec([0.7, -1.9, 0.4], [0.3, -0.5, 0.8])
POINTS_CAMERA_M = np.array([[0.0, 0.0, 0.4], [0.2, -0.15, 0.7], [-0.3, 0.1, 1.5]])


def any_covariance(seed: int) -> np.ndarray:
    """Of a few millimetres and tenths of a degree, every pair of parts correlated."""
    draws = np.random.default_rng(seed).normal(size=(6, 8))
    scale = np.array([0.003] * 3 + [0.004] * 3)
    return scale[:, None] * (draws @ draws.T / 8.0) * scale


@pytest.mark.parametrize("seed", range(3))
def test_covariance_is_that_of_points_under_drawn_poses(seed: int) -> None:
    covariance = any_covariance(seed)
    twists = np.random.default_rng(seed + 100).multivariate_normal(np.zeros(6), covariance, size=5_000)
    drawn = np.array([(POSE @ Pose.exp(twist)).apply(POINTS_CAMERA_M) for twist in twists])
    spread = pose_spread(POSE, POSE.apply(POINTS_CAMERA_M), covariance)
    for row in range(len(POINTS_CAMERA_M)):
        # Whitened by the formula, the draws have the identity as covariance; 5,000 draws tell it to about 0.02.
        white = np.linalg.solve(np.linalg.cholesky(spread[row]), (drawn[:, row] - drawn[:, row].mean(axis=0)).T)
        assert np.abs(np.cov(white) - np.eye(3)).max() < 0.1


def test_shift_alone_is_the_same_for_every_point() -> None:
    spread = pose_spread(POSE, POSE.apply(POINTS_CAMERA_M), np.diag([0.002**2] * 3 + [0.0] * 3))
    assert np.allclose(spread, 0.002**2 * np.eye(3))


def test_rotation_alone_shifts_by_the_lever_and_not_along_it() -> None:
    sigma_rad = 0.005
    spread = pose_spread(POSE, POSE.apply(POINTS_CAMERA_M), np.diag([0.0] * 3 + [sigma_rad**2] * 3))
    for lever, found in zip(POINTS_CAMERA_M @ POSE.rotation.T, spread, strict=True):
        length = np.linalg.norm(lever)
        across = np.eye(3) - np.outer(lever, lever) / length**2
        assert np.allclose(found, (sigma_rad * length) ** 2 * across)


def test_rows_without_a_point_stay_without_and_no_rows_are_fine() -> None:
    points = np.array([[0.1, 0.2, 0.3], [np.nan] * 3])
    spread = pose_spread(POSE, points, any_covariance(0))
    assert np.isfinite(spread[0]).all()
    assert np.isnan(spread[1]).all()
    assert pose_spread(POSE, np.empty((0, 3)), any_covariance(0)).shape == (0, 3, 3)


def test_wrong_shape_is_named() -> None:
    with pytest.raises(ValueError, match=r"shape \(3, 3\): expected \(6, 6\)"):
        pose_spread(POSE, POINTS_CAMERA_M, np.eye(3))
