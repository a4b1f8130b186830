from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from deploy.errors import BadInput
from robot.kinematics import UR10E, UR10E_LIMITS


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lower_rad": (0, 0, 0, 7, 0, 0)}, "joint 3: range 7 to 6.28"),
        ({"upper_rad": (6, 6, math.nan, 6, 6, 6)}, "joint 2: range"),
        ({"velocity_rad_s": (1, 1, 1, 1, 0, 1)}, "joint 4: velocity_rad_s is 0: expected > 0"),
        ({"acceleration_rad_s2": (1, math.inf, 1, 1, 1, 1)}, "joint 1: acceleration_rad_s2 is inf"),
        ({"jerk_rad_s3": (-1, 1, 1, 1, 1, 1)}, "joint 0: jerk_rad_s3 is -1"),
    ],
)
def test_limits_that_cannot_be(changes: dict[str, object], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        dataclasses.replace(UR10E_LIMITS, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"a_m": (0.1, -0.6, -0.5, 0, 0, 0)}, r"UR10e: a\[1\] is 0.1 m"),
        ({"d_m": (0.1, 0.2, 0, 0.1, 0.1, 0.1)}, "link 2 has a = -0.6127 m, d = 0.2 m"),
        ({"alpha_rad": (0, 0, 0, 0, 0, 0)}, "twists are"),
    ],
)
def test_arms_that_the_closed_form_does_not_solve(changes: dict[str, object], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        dataclasses.replace(UR10E, **changes)  # type: ignore[arg-type]


def test_clamp_contains_scaled() -> None:
    far = [9.0, -9.0, 9.0, 0.0, 0.0, 0.0]
    assert not UR10E_LIMITS.contains(far)
    assert not UR10E_LIMITS.contains([math.nan] * 6)
    clamped = UR10E_LIMITS.clamp(far)
    assert UR10E_LIMITS.contains(clamped)
    np.testing.assert_allclose(clamped, [2 * math.pi, -2 * math.pi, math.pi, 0, 0, 0])
    half = UR10E_LIMITS.scaled(0.5)
    assert half.upper_rad == UR10E_LIMITS.upper_rad
    assert half.velocity_rad_s[0] == pytest.approx(math.radians(60))
    assert half.jerk_rad_s3[5] == pytest.approx(125.0)
