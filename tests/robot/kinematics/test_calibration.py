from __future__ import annotations

import math

import numpy as np
import pytest

from deploy.errors import BadInput
from geometry.pose import Pose
from robot.kinematics import (
    MODELS,
    UR10E,
    Calibration,
    Kinematics,
    Unreachable,
    calibration_difference,
    clearances,
    forward,
    limits_named,
    model_named,
)

TOOL = Pose.from_rotvec([0.1, 0.0, 0.5], [0.01, -0.02, 0.145])


def measured(seed: int) -> Calibration:
    """Corrections of the size that arms leave the factory with."""
    rng = np.random.default_rng(seed)
    theta, a, d, alpha = (tuple(rng.normal(0.0, sigma, 6).tolist()) for sigma in (1e-3, 3e-4, 3e-4, 1e-3))
    return Calibration(theta, a, d, alpha)


@pytest.mark.parametrize("name", MODELS)
def test_without_corrections_it_is_the_nominal_arm(name: str) -> None:
    model = model_named(name)
    for joints in np.random.default_rng(1).uniform(-math.pi, math.pi, (50, 6)):
        np.testing.assert_allclose(
            Calibration().forward(joints, model).matrix, forward(joints, model).matrix, atol=1e-14
        )
    assert calibration_difference(model, Calibration()) < 1e-14


@pytest.mark.parametrize("name", MODELS)
def test_joints_of_a_calibrated_arm(name: str) -> None:
    model, limits = model_named(name), limits_named(name)
    solved = 0
    for seed in range(4):
        arm = Kinematics(TOOL, model, limits, calibration=measured(seed))
        for joints in np.random.default_rng(seed).uniform(-3.0, 3.0, (50, 6)):
            shoulder, elbow, wrist = clearances(joints.tolist(), model)
            if min(abs(shoulder) / model.reach_m, abs(elbow), abs(wrist)) < 0.1:
                continue
            found = arm.joints(arm.tcp(joints), joints)
            np.testing.assert_allclose(found, joints, atol=1e-8)
            error_m, error_rad = arm.tcp(found).distance_to(arm.tcp(joints))
            assert error_m < 1e-9
            assert error_rad < 1e-9 or error_rad == pytest.approx(0.0, abs=3e-8)
            solved += 1
    assert solved > 100


def test_offsets_along_parallel_axes_may_be_metres() -> None:
    """Where the figures along two parallel axes start is free: 5 m up and 5 m down is nothing."""
    apart = Calibration(d_m=(0.0, 5.0, -5.0, 0.0, 0.0, 0.0))
    assert calibration_difference(UR10E, apart) < 1e-12
    joints = np.array([0.3, -1.2, 1.4, -1.0, 1.2, 0.4])
    found = Kinematics(TOOL, calibration=apart).joints(Kinematics(TOOL).tcp(joints), joints)
    np.testing.assert_allclose(found, joints, atol=1e-9)


@pytest.mark.parametrize(
    ("calibration", "metres"),
    [
        (Calibration(d_m=(0.002, 0, 0, 0, 0, 0)), 0.002),
        (Calibration(a_m=(0, 0.001, 0, 0, 0, 0)), 0.001),
        # the whole arm turned about its base: furthest where it is stretched out
        (Calibration(theta_rad=(0.001, 0, 0, 0, 0, 0)), 1.3e-3),
    ],
)
def test_difference_in_metres(calibration: Calibration, metres: float) -> None:
    assert calibration_difference(UR10E, calibration) == pytest.approx(metres, rel=0.15)


def test_difference_at_given_poses() -> None:
    turned = Calibration(theta_rad=(0.001, 0, 0, 0, 0, 0))
    away = math.hypot(1.18425, 0.2907)
    assert calibration_difference(UR10E, turned, [[0.0] * 6]) == pytest.approx(0.001 * away, rel=1e-6)
    assert calibration_difference(UR10E, turned, []) == 0.0


def test_whole_figures() -> None:
    theta = (0.001, -0.002, 0.0, 0.0, 0.0003, 0.0)
    a, d = (0.0, -0.6130, -0.5715, 0.0, 0.0, 0.0), (0.1808, 0.0, 0.0, 0.1742, 0.1198, 0.1166)
    alpha = tuple(value + 0.0005 for value in UR10E.alpha_rad)
    found = Calibration.of_figures(UR10E, theta, a, d, alpha)
    assert found.theta_rad == theta
    assert found.a_m[1] == pytest.approx(-0.0003)
    assert found.d_m[3] == pytest.approx(0.00005)
    assert found.alpha_rad == pytest.approx((0.0005,) * 6)
    assert 1e-4 < calibration_difference(UR10E, found) < 5e-3


def test_bad_corrections() -> None:
    with pytest.raises(BadInput, match="calibration: d_m is"):
        Calibration(d_m=(0.0, math.nan, 0.0, 0.0, 0.0, 0.0))
    with pytest.raises(BadInput, match="expected 6"):
        Calibration.of_figures(UR10E, [0.0] * 5, UR10E.a_m, UR10E.d_m, UR10E.alpha_rad)


def test_out_of_reach_is_unreachable() -> None:
    arm = Kinematics(TOOL, calibration=measured(0))
    with pytest.raises(Unreachable):
        arm.joints(Pose(np.eye(3), np.array([3.0, 0.0, 0.0])), np.zeros(6))
    # within a millimetre of full stretch the corrections decide
    stretched = np.array([0.0, -1.0, 1e-7, -1.0, 1.0, 0.0])
    try:
        found = arm.joints(arm.tcp(stretched), stretched)
    except Unreachable:
        return
    assert arm.tcp(found).distance_to(arm.tcp(stretched))[0] < 1e-9
