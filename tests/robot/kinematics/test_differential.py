from __future__ import annotations

import math

import numpy as np
import pytest

from geometry.pose import Pose
from robot.kinematics import MODELS, Kinematics, jacobian, limits_named, model_named
from robot.kinematics.follow import damped_step, miss

TOOL = Pose.from_rotvec([0.1, 0.0, 0.5], [0.01, -0.02, 0.145])


@pytest.mark.parametrize("name", MODELS)
def test_jacobian_equals_differences(name: str) -> None:
    arm = Kinematics(TOOL, model_named(name), limits_named(name))
    h = 1e-6
    for joints in np.random.default_rng(6).uniform(-math.pi, math.pi, (20, 6)):
        columns = [miss(arm.tcp(joints - h * e), arm.tcp(joints + h * e)).twist / (2 * h) for e in np.eye(6)]
        np.testing.assert_allclose(
            jacobian(joints, arm.tool_in_flange_m, arm.model), np.array(columns).T, atol=1e-8, rtol=0
        )


def test_miss_is_measured_along_the_base() -> None:
    a = Pose.from_rotvec([0.4, -0.2, 1.0], [0.1, 0.2, 0.3])
    turn, step = np.array([0.02, -0.01, 0.03]), np.array([0.01, 0.0, -0.02])
    b = Pose(Pose.from_rotvec(turn, np.zeros(3)).rotation @ a.rotation, a.translation + step)
    left = miss(a, b)
    np.testing.assert_allclose(left.twist, np.concatenate((step, turn)), atol=1e-12)
    assert left.error_m == pytest.approx(np.linalg.norm(step))
    assert left.error_rad == pytest.approx(np.linalg.norm(turn))


def test_damped_step_is_newtons_where_it_fits_and_bounded_where_not() -> None:
    rng = np.random.default_rng(7)
    steps = np.full(6, 0.02)
    for joints in rng.uniform(-math.pi, math.pi, (50, 6)):
        small = jacobian(joints) @ rng.uniform(-0.005, 0.005, 6)
        found = damped_step(joints, small, -steps, steps, (0.0, 0.0, 0.0), model_named("ur10e"))
        np.testing.assert_allclose(jacobian(joints) @ found, small, atol=1e-6)
        far = rng.uniform(-1.0, 1.0, 6)
        found = damped_step(joints, far, -steps, steps, (0.0, 0.0, 0.0), model_named("ur10e"))
        assert np.abs(found).max() <= 0.02 + 1e-12
        assert np.abs(found).max() > 0.0199


def test_damped_step_at_a_singularity_is_finite() -> None:
    joints = np.array([0.0, -1.0, 0.0, -1.0, 0.0, 0.0])
    found = damped_step(joints, np.ones(6), np.full(6, -0.02), np.full(6, 0.02), (0.0, 0.0, 0.1), model_named("ur10e"))
    assert np.isfinite(found).all()
    assert np.abs(found).max() <= 0.02 + 1e-12
    assert not damped_step(
        joints, np.zeros(6), np.full(6, -0.02), np.full(6, 0.02), (0.0, 0.0, 0.1), model_named("ur10e")
    ).any()


def test_damped_step_keeps_to_bounds_that_leave_out_standing_still() -> None:
    """As for a joint that cannot brake within one tick."""
    joints = np.array([0.3, -1.2, 1.4, -1.0, 1.2, 0.4])
    low, high = np.full(6, -0.02), np.full(6, 0.02)
    low[0] = 0.01
    found = damped_step(joints, np.zeros(6), low, high, (0.0, 0.0, 0.1), model_named("ur10e"))
    assert found[0] >= 0.01 - 1e-12
    assert (found >= low - 1e-12).all()
    assert (found <= high + 1e-12).all()
