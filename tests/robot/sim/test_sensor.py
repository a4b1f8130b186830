from __future__ import annotations

import numpy as np
import pytest

from deploy.errors import BadInput
from robot.sim import Sensor, SensorParameters

FLAT = np.full((240, 320), 0.5, dtype=np.float32)


def test_noise_is_a_function_of_seed_and_number() -> None:
    grey = np.full((240, 320, 3), 120, dtype=np.uint8)
    first, second = Sensor(seed=3), Sensor(seed=3)
    second.depth(FLAT, 9)  # what was measured before does not matter
    assert np.array_equal(first.depth(FLAT, 5), second.depth(FLAT, 5))
    assert np.array_equal(first.color(grey, 5), second.color(grey, 5))
    assert not np.array_equal(first.depth(FLAT, 5), first.depth(FLAT, 6))
    assert not np.array_equal(first.depth(FLAT, 5), Sensor(seed=4).depth(FLAT, 5))


@pytest.mark.parametrize("distance_m", [0.3, 0.6, 1.2])
def test_noise_grows_with_the_square_of_the_distance(distance_m: float) -> None:
    measured = Sensor(SensorParameters(noise_per_m=0.01)).depth(np.full((240, 320), distance_m, np.float32), 0)
    valid = measured[measured > 0] * 0.001
    assert measured.dtype == np.uint16
    assert valid.mean() == pytest.approx(distance_m, abs=2e-4)
    assert valid.std() == pytest.approx(np.hypot(0.01 * distance_m**2, 0.001 / np.sqrt(12)), rel=0.05)


@pytest.mark.parametrize(
    ("distance_m", "seen"), [(0.05, False), (0.12, True), (3.9, True), (4.2, False), (np.inf, False)]
)
def test_range(distance_m: float, seen: bool) -> None:
    measured = Sensor().depth(np.full((240, 320), distance_m, np.float32), 0)
    assert bool((measured > 0).mean() > 0.9) is seen
    if not seen:
        assert not measured.any()


def test_holes_beside_a_jump_and_few_elsewhere() -> None:
    step = FLAT.copy()
    step[:, 160:] = 0.7
    missing = Sensor().depth(step, 0) == 0
    assert 0.4 < missing[:, 159:161].mean() < 0.8
    assert missing[:, :150].mean() < 0.01


def test_grazing_surfaces_have_holes() -> None:
    slope = np.broadcast_to(0.3 * 1.02 ** np.arange(320, dtype=np.float32), (240, 320)).astype(np.float32)
    assert (Sensor(SensorParameters(max_range_m=1e4)).depth(slope, 0) == 0).mean() > 0.4
    gentle = np.broadcast_to(np.linspace(0.4, 0.6, 320, dtype=np.float32), (240, 320)).astype(np.float32)
    assert (Sensor().depth(gentle, 0) == 0).mean() < 0.01


def test_ideal_sensor_only_rounds() -> None:
    sensor = Sensor(SensorParameters.ideal())
    assert (sensor.depth(np.full((4, 4), 0.5004, np.float32), 0) == 500).all()
    grey = np.full((4, 4, 3), 120, dtype=np.uint8)
    assert np.array_equal(sensor.color(grey, 0), grey)


@pytest.mark.parametrize(
    ("values", "message"),
    [({"depth_scale_m": 0.0}, "depth scale 0.0"), ({"min_range_m": 5.0}, "depth range 5.0..4.0")],
)
def test_impossible_figures(values: dict[str, float], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        SensorParameters(**values)


def test_noise_is_normal() -> None:
    grey = np.full((480, 640, 3), 120, dtype=np.uint8)
    noise = Sensor().color(grey, 0).astype(float) - 120.0
    assert noise.mean() == pytest.approx(0.0, abs=0.01)
    assert noise.std() == pytest.approx(np.hypot(2.0, 1.0 / np.sqrt(12)), rel=0.01)
    assert (noise**4).mean() / noise.var() ** 2 == pytest.approx(3.0, abs=0.05)
    assert np.mean(noise == 0.0) == pytest.approx(0.1974, abs=0.003)  # of N(0, 2), the share within half a level
    assert np.corrcoef(noise[:, 1:].ravel(), noise[:, :-1].ravel())[0, 1] == pytest.approx(0.0, abs=0.01)


def test_noise_stays_within_the_picture() -> None:
    for level in (0, 255):
        noisy = Sensor().color(np.full((240, 320, 3), level, dtype=np.uint8), 0)
        assert np.abs(noisy.astype(int) - level).max() < 20


def test_what_is_no_distance_is_a_hole() -> None:
    flat = FLAT.copy()
    flat[:120] = np.nan
    measured = Sensor().depth(flat, 0)
    assert not measured[:120].any()
    assert (measured[125:] > 0).mean() > 0.99
