from __future__ import annotations

import math

import numpy as np
import pytest

from deploy.errors import BadInput
from robot.kinematics import (
    MODELS,
    UR10E,
    UR10E_LIMITS,
    DhModel,
    chain,
    forward,
    inverse,
    limits_named,
    links,
    model_named,
)


def product(joints: np.ndarray, model: DhModel) -> np.ndarray:
    """The textbook product Rz(q) Tz(d) Tx(a) Rx(alpha), written out once more."""
    total = np.eye(4)
    for q, a, d, alpha in zip(joints, model.a_m, model.d_m, model.alpha_rad, strict=True):
        rz, rx, move = np.eye(4), np.eye(4), np.eye(4)
        rz[:2, :2] = [[math.cos(q), -math.sin(q)], [math.sin(q), math.cos(q)]]
        rx[1:3, 1:3] = [[math.cos(alpha), -math.sin(alpha)], [math.sin(alpha), math.cos(alpha)]]
        move[:3, 3] = [a, 0.0, d]
        total = total @ rz @ move @ rx
    return total


# reach by the manufacturer's data sheets [m]: how much of the wrist it counts differs from arm to arm
@pytest.mark.parametrize(
    ("name", "reach_m"),
    [
        ("ur3e", 0.5),
        ("ur5e", 0.85),
        ("ur7e", 0.85),
        ("ur10e", 1.3),
        ("ur12e", 1.3),
        ("ur15", 1.3),
        ("ur16e", 0.9),
        ("ur20", 1.75),
        ("ur30", 1.3),
    ],
)
def test_figures_against_the_data_sheets(name: str, reach_m: float) -> None:
    model = model_named(name)
    assert model.reach_m < reach_m < model.reach_m + model.d_m[4] + 0.005
    assert model.name.lower() == name
    assert model.source


def test_every_model_is_in_the_table_of_data_sheets() -> None:
    assert MODELS == ("ur3e", "ur5e", "ur7e", "ur10e", "ur12e", "ur15", "ur16e", "ur20", "ur30")


@pytest.mark.parametrize("name", MODELS)
def test_forward_equals_the_plain_product(name: str) -> None:
    model = model_named(name)
    for joints in np.random.default_rng(3).uniform(-2 * math.pi, 2 * math.pi, (200, 6)):
        expected = product(joints, model)
        np.testing.assert_allclose(forward(joints, model).matrix, expected, atol=1e-13)
        np.testing.assert_allclose(chain(joints, model)[-1].matrix, expected, atol=1e-13)
        np.testing.assert_allclose(links(joints.tolist(), model).flange, expected[:3, 3], atol=1e-13)


@pytest.mark.parametrize("name", MODELS)
def test_every_branch_reaches_the_pose_and_one_is_the_start(name: str) -> None:
    model = model_named(name)
    for joints in np.random.default_rng(4).uniform(-math.pi, math.pi, (100, 6)):
        pose = product(joints, model)
        branches = inverse(forward(joints, model), joints, model)
        for branch in branches:
            np.testing.assert_allclose(product(np.array(branch), model), pose, atol=1e-9)
        away = [max(abs(math.remainder(a - b, 2 * math.pi)) for a, b in zip(q, joints, strict=True)) for q in branches]
        assert min(away) < 1e-6


def test_names_are_forgiving() -> None:
    assert model_named(" UR-10e") is UR10E
    assert limits_named("UR10E") is UR10E_LIMITS


def test_unknown_arm() -> None:
    with pytest.raises(BadInput, match=r"arm model 'ur6' is not known: name one of ur3e, ur5e, .*, ur30"):
        model_named("ur6")
    with pytest.raises(BadInput, match="is not known"):
        limits_named("")


def test_speeds_of_the_joints() -> None:
    assert limits_named("ur3e").velocity_rad_s[5] == pytest.approx(math.radians(360))
    assert limits_named("ur15").velocity_rad_s[2] == pytest.approx(math.radians(240))
    assert limits_named("ur20").velocity_rad_s[0] == pytest.approx(math.radians(120))
    assert limits_named("ur20").acceleration_rad_s2[0] < limits_named("ur30").acceleration_rad_s2[0]
    for name in MODELS:
        assert limits_named(name).upper_rad[2] == pytest.approx(math.pi)
