from __future__ import annotations

import numpy as np

from policy.disturbance import Disturbance

TIMES = np.arange(0.0, 60.0, 0.01)


def sampled(seed: int, offset_m: float = 0.04, turn_rad: float = 0.06) -> tuple[np.ndarray, np.ndarray]:
    disturbance = Disturbance(np.random.default_rng(seed), offset_m, turn_rad)
    both = [disturbance.at(float(t)) for t in TIMES]
    return np.array([offset for offset, _ in both]), np.array([turn for _, turn in both])


def test_stays_within_its_size_and_comes_near_it() -> None:
    offsets, turns = sampled(0)
    assert 0.03 < np.linalg.norm(offsets, axis=1).max() <= 0.04
    assert 0.04 < np.linalg.norm(turns, axis=1).max() <= 0.06


def test_comes_and_goes_within_two_seconds() -> None:
    offsets, _ = sampled(1)
    still = np.flatnonzero(np.linalg.norm(offsets, axis=1) < 1e-4)
    assert still[0] == 0
    assert np.diff(still).max() * 0.01 < 2.0
    assert len(still) < 0.6 * len(TIMES)


def test_is_smooth() -> None:
    offsets, turns = sampled(2)
    # a bump of 4 cm in 0.7 s at most: peak acceleration of 64 u^3 (1 - u)^3 is 24 sizes per length squared
    assert np.abs(np.diff(offsets, 2, axis=0)).max() / 0.01**2 < 0.04 * 24.5 / 0.7**2
    assert np.abs(np.diff(turns, axis=0)).max() / 0.01 < 0.06 * 4.0 / 0.7


def test_has_no_favourite_direction() -> None:
    peaks = np.concatenate([sampled(seed)[0][::50] for seed in range(8)])
    lean = np.linalg.norm(peaks.mean(axis=0)) / np.linalg.norm(peaks, axis=1).mean()
    assert lean < 0.2


def test_is_the_seeds_alone() -> None:
    assert (sampled(3)[0] == sampled(3)[0]).all()
    assert not (sampled(3)[0] == sampled(4)[0]).all()


def test_ends() -> None:
    offset, turn = Disturbance(np.random.default_rng(5), 0.04, 0.06).at(1000.0)
    assert not offset.any()
    assert not turn.any()
