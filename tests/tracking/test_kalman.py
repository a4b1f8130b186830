from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracking import TrackerParameters, kalman
from tracking.symmetric import invert, positive_definite

P = TrackerParameters()


def states(count=1, sigma_m=0.01, speed_m_s=0.1, velocity=(0.0, 0.0, 0.0)):
    means = np.zeros((count, 6))
    means[:, 3:] = velocity
    covariances = np.repeat(np.diag([sigma_m**2] * 3 + [speed_m_s**2] * 3)[None], count, axis=0)
    return means, covariances


def predicted(means, covariances, dt_s, unmeasured_s=0.0, parameters=P):
    means, covariances = means.copy(), covariances.copy()
    count = len(means)
    kalman.predict(means, covariances, dt_s, np.full(count, unmeasured_s), parameters)
    return means, covariances


def test_prediction_is_the_textbook_constant_velocity_model():
    means, covariances = states(velocity=(0.1, -0.2, 0.3))
    dt, q = 0.1, P.velocity_walk**2
    transition = np.kron(np.array([[1, dt], [0, 1]]), np.eye(3))
    noise = q * np.kron(np.array([[dt**3 / 3, dt**2 / 2], [dt**2 / 2, dt]]), np.eye(3))
    after_means, after = predicted(means, covariances, dt)
    assert np.allclose(after_means[0], transition @ means[0], atol=1e-15)
    assert np.allclose(after[0], transition @ covariances[0] @ transition.T + noise, atol=1e-18)


@pytest.mark.parametrize("unmeasured_s", [0.0, 0.3, 0.5, 2.0])
def test_two_steps_equal_one(unmeasured_s):
    start = states(velocity=(0.1, 0.0, -0.05))
    once = predicted(*start, 0.9, unmeasured_s)
    twice = predicted(*predicted(*start, 0.35, unmeasured_s), 0.55, unmeasured_s + 0.35)
    assert np.allclose(once[0], twice[0], atol=1e-14)
    assert np.allclose(once[1], twice[1], atol=1e-14)


def test_an_unmeasured_velocity_decays_and_the_object_comes_to_rest():
    means, covariances = predicted(*states(velocity=(0.1, 0.0, 0.0)), 1000.0)
    assert means[0, 0] == pytest.approx(0.1 * (P.coast_s + P.settle_s))
    assert abs(means[0, 3]) < 1e-12
    # the mean square of the speed is what it was: v^2 + 3 sigma^2
    assert np.sqrt(covariances[0, 3, 3]) == pytest.approx(np.sqrt(0.1**2 / 3 + 0.1**2), rel=1e-5)


def test_memory_of_a_still_object_fades_slowly():
    means, covariances = states(sigma_m=0.001, speed_m_s=0.001)
    sigma_m = [np.sqrt(predicted(means, covariances, dt)[1][0, 0, 0]) for dt in (1.0, 10.0, 60.0)]
    assert sigma_m[0] < 0.005
    assert sigma_m[1] < 0.03
    assert sigma_m[2] < 0.06


def test_the_place_of_something_that_moved_is_soon_forgotten():
    means, covariances = states(sigma_m=0.001, speed_m_s=0.001, velocity=(0.1, 0.0, 0.0))
    sigma_m = [np.sqrt(predicted(means, covariances, dt)[1][0, 1, 1]) for dt in (1.0, 4.0, 16.0)]
    assert sigma_m[0] > 0.015
    assert sigma_m[1] > 0.08
    assert 0.16 < sigma_m[2] < 0.3


def test_no_time_changes_nothing():
    means, covariances = states()
    after = predicted(means, covariances, 0.0)
    assert np.array_equal(after[0], means)
    assert np.array_equal(after[1], covariances)


def correct(means, covariances, points, noise, trends=None, elapsed_s=0.1):
    trends = np.zeros((len(means), 3)) if trends is None else trends
    return kalman.correct(
        means, covariances, trends, np.asarray(points, float), noise, np.full(len(means), elapsed_s), P
    )


def test_correction_is_the_textbook_one_with_full_noise():
    means, covariances = predicted(*states(velocity=(0.1, 0.0, 0.0)), 0.1)
    ray = np.array([1.0, 2.0, -2.0]) / 3.0
    noise = 1e-6 * np.eye(3) + 1e-4 * np.outer(ray, ray)
    point = np.array([0.012, 0.004, -0.003])
    observe = np.hstack((np.eye(3), np.zeros((3, 3))))
    gain = covariances[0] @ observe.T @ np.linalg.inv(observe @ covariances[0] @ observe.T + noise)
    after_means, after, _ = correct(means, covariances, point[None], noise[None])
    assert np.allclose(after_means[0], means[0] + gain @ (point - means[0, :3]), atol=1e-12)
    assert np.allclose(after[0], (np.eye(6) - gain @ observe) @ covariances[0], atol=1e-12)


def test_two_views_from_the_side_are_worth_more_than_their_diagonals():
    """Needles that cross: each view is poor along its own ray, together they are good in all directions."""
    rays = np.array([[1.0, 0.0, -1.0], [-1.0, 0.0, -1.0]]) / np.sqrt(2)
    noise = 1e-6 * np.eye(3)[None] + 1e-4 * rays[:, :, None] * rays[:, None, :]
    full = states(sigma_m=0.1)
    diagonal = states(sigma_m=0.1)
    for view in noise:
        full = correct(*full, np.zeros((1, 3)), view[None])[:2]
        diagonal = correct(*diagonal, np.zeros((1, 3)), np.diag(view.diagonal())[None])[:2]
    assert np.sqrt(full[1][0, 0, 0]) < 0.0012
    assert np.sqrt(diagonal[1][0, 0, 0]) > 0.0045


def test_a_run_of_innovations_in_one_direction_opens_the_velocity():
    means, covariances = states(sigma_m=0.001, speed_m_s=0.001)
    noise = np.array([1e-6 * np.eye(3)])
    trends = np.zeros((1, 3))
    sigmas = []
    for k in range(1, 4):
        means, covariances = predicted(means, covariances, 0.1)
        means, covariances, trends = correct(means, covariances, [[0.005 * k, 0.0, 0.0]], noise, trends)
        sigmas.append(float(np.sqrt(covariances[0, 3, 3])))
    assert sigmas[0] < 0.002
    assert max(sigmas) > 0.005
    assert means[0, 3] > 0.01


def test_one_outlier_that_returns_does_not():
    means, covariances = states(sigma_m=0.001, speed_m_s=0.001)
    noise = np.array([1e-6 * np.eye(3)])
    trends = np.zeros((1, 3))
    for x in (0.0, 0.005, 0.0, 0.0):
        means, covariances = predicted(means, covariances, 0.1)
        means, covariances, trends = correct(means, covariances, [[x, 0.0, 0.0]], noise, trends)
    assert np.sqrt(covariances[0, 3, 3]) < 0.002
    assert abs(means[0, 0]) < 0.003


@settings(deadline=None, max_examples=50)
@given(
    st.lists(
        st.tuples(st.floats(0.0, 1e5), st.floats(-9.0, -1.0), st.floats(0.0, 4.0), st.integers(0, 2**31)),
        min_size=1,
        max_size=20,
    )
)
def test_covariance_stays_symmetric_positive_definite(steps):
    means, covariances = states()
    trends, unmeasured = np.zeros((1, 3)), 0.0
    for dt, exponent, stretch, seed in steps:
        rng = np.random.default_rng(seed)
        means, covariances = predicted(means, covariances, dt, unmeasured)
        if rng.random() < 0.7:
            axes = np.linalg.qr(rng.normal(size=(3, 3)))[0]
            noise = axes @ np.diag(10.0**exponent * np.array([1.0, 1.0, 10.0**stretch])) @ axes.T + 1e-6 * np.eye(3)
            noise = 0.5 * (noise + noise.T)
            point = means[:, :3] + rng.normal(0, 0.05, (1, 3))
            means, covariances, trends = correct(means, covariances, point, noise[None], trends, min(dt, 1.0))
            unmeasured = 0.0
        else:
            unmeasured += dt
        assert np.array_equal(covariances, covariances.transpose(0, 2, 1))
        assert np.isfinite(covariances).all()
        # Scaled to ones on the diagonal, so that metres and metres per second are judged alike.
        scale = 1.0 / np.sqrt(covariances[0].diagonal())
        assert np.linalg.eigvalsh(covariances[0] * np.outer(scale, scale))[0] > 0.0


def test_closed_form_inverse():
    rng = np.random.default_rng(0)
    roots = rng.normal(size=(50, 3, 3))
    matrices = roots @ roots.transpose(0, 2, 1) + 0.01 * np.eye(3)
    matrices = 0.5 * (matrices + matrices.transpose(0, 2, 1))
    inverses, determinants = invert(matrices)
    assert np.allclose(inverses, np.linalg.inv(matrices))
    assert np.allclose(determinants, np.linalg.det(matrices))
    assert positive_definite(matrices).all()


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        (np.eye(3), True),
        (np.diag([1.0, 1.0, -1.0]), False),
        (np.diag([-1.0, -1.0, 1.0]), False),
        (np.diag([1.0, 0.0, 1.0]), False),
        (np.array([[1.0, 2.0, 0.0], [2.0, 1.0, 0.0], [0.0, 0.0, 1.0]]), False),
        (np.full((3, 3), np.nan), False),
        (np.diag([np.inf, 1.0, 1.0]), False),
        (np.empty((0, 3, 3)), None),
    ],
)
def test_positive_definite(matrix, expected):
    result = positive_definite(matrix.reshape(-1, 3, 3))
    assert result.tolist() == ([] if expected is None else [expected])
