from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robot.brake import braked, braking_distance, fastest_towards, ticks_to_stop

positive = st.floats(0.5, 10.0)


@given(st.floats(0.0, 5.0), positive, st.sampled_from([0.01, 0.1]))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_fastest_towards_stops_within_the_distance(distance: float, acceleration: float, dt: float) -> None:
    per_tick = acceleration * dt
    speed = fastest_towards(distance, per_tick, dt)
    gone, v = 0.0, speed
    while v > 0.0:
        gone += v * dt
        v = braked(v, per_tick)
    assert gone <= distance + 1e-12
    # nor is it timid: it uses the way up to the rounding of whole ticks
    assert gone >= distance - per_tick * dt - 1e-12


@given(st.floats(-5.0, 5.0), st.floats(0.01, 1.0), st.integers(0, 600))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_braking_distance_is_the_sum_of_the_ticks(velocity: float, per_tick: float, ticks: int) -> None:
    gone, v, moving, dt = 0.0, velocity, 0, 0.01
    for _ in range(ticks):
        v = braked(v, per_tick)
        gone += v * dt
        moving += abs(v) > 1e-9
    assert braking_distance(velocity, per_tick, dt, ticks) == pytest.approx(gone, rel=1e-6, abs=1e-9)
    assert abs(min(ticks_to_stop(velocity, per_tick), ticks) - moving) <= 1


@pytest.mark.parametrize(
    ("velocity", "per_tick", "expected"), [(1.0, 0.3, 0.7), (-1.0, 0.3, -0.7), (0.2, 0.3, 0.0), (0.0, 0.1, 0.0)]
)
def test_braked(velocity: float, per_tick: float, expected: float) -> None:
    assert braked(velocity, per_tick) == pytest.approx(expected)


@pytest.mark.parametrize("distance", [0.0, -1.0])
def test_no_way_left(distance: float) -> None:
    assert fastest_towards(distance, 0.1, 0.01) == 0.0
    assert not math.isnan(fastest_towards(distance, 0.1, 0.01))
