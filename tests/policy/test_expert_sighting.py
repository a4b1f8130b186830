from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from policy.expert_parameters import ExpertParameters
from policy.expert_sighting import Eye, Sighting
from policy.observation import Observation

PARAMETERS = ExpertParameters()
STAMP_NS = 7_000_000_000


def observation(velocity: Any, sigma: float = 0.001, ahead_ns: int = 0) -> Observation:
    return Observation(
        STAMP_NS, np.zeros(6), 1.0, PARAMETERS.home, np.array([-0.6, 0.1, 0.02]), np.eye(3) * 1e-6, 0.0,
        np.array(velocity), np.eye(3) * sigma**2, ahead_ns,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("velocity", "sigma", "moves"),
    [
        ((0.05, 0.0, 0.0), 0.001, True),
        ((0.0, -0.011, 0.0), 0.001, True),
        ((0.0, -0.009, 0.0), 0.001, False),
        ((0.05, 0.0, 0.0), 0.02, False),
        ((0.05, 0.0, 0.0), 0.016, True),
        ((0.0, 0.0, 0.2), 0.001, False),
        ((0.05, 0.0, 0.0), 0.0, True),
        ((0.0, 0.0, 0.0), 0.0, False),
    ],
)
def test_believes_a_velocity_that_is_fast_and_sure(velocity: Any, sigma: float, moves: bool) -> None:
    seen = Eye(PARAMETERS).see(observation(velocity, sigma))
    assert seen.moves is moves
    np.testing.assert_array_equal(seen.velocity, (*velocity[:2], 0.0) if moves else np.zeros(3))


def test_the_uncertainty_counts_along_the_velocity() -> None:
    wide = Observation(
        0, np.zeros(6), 1.0, PARAMETERS.home, np.zeros(3), np.eye(3), 0.0, np.array([0.03, 0.0, 0.0]),
        np.diag([1e-6, 1.0, 1.0]),
    )  # fmt: skip
    across = Observation(
        0, np.zeros(6), 1.0, PARAMETERS.home, np.zeros(3), np.eye(3), 0.0, np.array([0.0, 0.03, 0.0]),
        np.diag([1e-6, 1.0, 1.0]),
    )  # fmt: skip
    assert Eye(PARAMETERS).see(wide).moves
    assert not Eye(PARAMETERS).see(across).moves


@pytest.mark.parametrize(("after", "moves"), [((0.006, 0.0, 0.0), True), ((0.004, 0.0, 0.0), False)])
def test_lets_it_go_later_than_it_takes_it_up(after: Any, moves: bool) -> None:
    eye = Eye(PARAMETERS)
    assert eye.see(observation((0.02, 0.0, 0.0))).moves
    assert eye.see(observation(after)).moves is moves
    eye.reset()
    assert not eye.see(observation((0.006, 0.0, 0.0))).moves


def test_goes_on_from_the_instant_that_it_is_of() -> None:
    seen = Eye(PARAMETERS).see(observation((0.05, 0.0, 0.0), ahead_ns=40_000_000))
    assert seen.stamp_ns == STAMP_NS + 40_000_000
    np.testing.assert_allclose(seen.at(seen.stamp_ns + 1_000_000_000), [-0.55, 0.1, 0.02])
    still = Sighting(seen.position, np.zeros(3), seen.stamp_ns)
    np.testing.assert_array_equal(still.at(0), seen.position)
