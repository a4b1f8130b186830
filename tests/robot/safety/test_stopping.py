from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robot.safety.stopping import (
    AT_REST,
    Strength,
    furthest,
    largest_change,
    quickest_stop,
    ramped_out,
    stopping_change,
    stopping_path,
)

ticks = st.sampled_from([0.001, 0.002, 0.01, 0.1])


@st.composite
def motions(draw: st.DrawFn) -> tuple[float, float, Strength]:
    dt = draw(ticks)
    strength = Strength(
        draw(st.floats(0.5, 4.0)) * dt,
        draw(st.floats(1.0, 20.0)) * dt**2,
        draw(st.sampled_from([60.0, 250.0, 1e4])) * dt**3,
    )
    step = draw(st.one_of(st.floats(-1.0, 1.0), st.sampled_from([0.0, 1.0, -1.0, 1e-6]))) * strength.step
    change = draw(st.one_of(st.floats(-1.0, 1.0), st.sampled_from([0.0, 1.0, -1.0, 1e-6]))) * strength.change
    return step, change, strength


@given(motions())
@settings(max_examples=600, deadline=None, derandomize=True)
def test_a_stop_keeps_its_limits_and_ends_at_rest(motion: tuple[float, float, Strength]) -> None:
    step, change, strength = motion
    stop = quickest_stop(step, change, strength)
    at, highest, lowest = 0.0, 0.0, 0.0
    for tick in range(1, math.ceil(stop.ticks) + 1):
        following = stopping_change(motion[1], stop, strength, tick)
        assert abs(following - change) <= strength.jerk * (1 + 1e-9)
        assert abs(following) <= strength.change * (1 + 1e-9)
        change = following
        step += change
        at += step
        highest, lowest = max(highest, at), min(lowest, at)
    assert abs(step) < 1e-13
    assert abs(change) <= strength.jerk * (1 + 1e-9)
    assert (stop.highest, stop.lowest, stop.end) == pytest.approx((highest, lowest, at), abs=1e-11)
    assert max(highest, -lowest) <= furthest(motion[0], motion[1], strength) + 1e-15


@given(motions())
@settings(max_examples=300, deadline=None, derandomize=True)
def test_one_tick_later_it_is_the_same_stop(motion: tuple[float, float, Strength]) -> None:
    """What was checked once stays true while the joint stops."""
    step, change, strength = motion
    first = quickest_stop(step, change, strength)
    if first.ticks <= 1.0:
        return
    change = stopping_change(change, first, strength)
    step += change
    rest = quickest_stop(step, change, strength)
    assert step + rest.end == pytest.approx(first.end, abs=1e-11)


@given(motions())
@settings(max_examples=200, deadline=None, derandomize=True)
def test_no_stop_of_whole_ticks_is_quicker(motion: tuple[float, float, Strength]) -> None:
    """Brought down by the jerk as fast as it can be: with a tick less the joint still moves."""
    step, change, strength = motion
    stop = quickest_stop(step, change, strength)
    count = math.ceil(stop.ticks) - 1
    sign = stop.sign
    fastest = step + sum(
        sign * max(sign * change - i * strength.jerk, -strength.change, -max(count - i, 0) * strength.jerk)
        for i in range(1, count + 1)
    )
    assert sign * fastest >= -1e-12


def test_figures_of_a_stop_by_hand() -> None:
    # from 3 steps of 4 jerks: 4h is taken back by 1h, 2h, 1h
    strength = Strength(1.0, 2.0, 1.0)
    stop = quickest_stop(4.0, 0.0, strength)
    assert [stopping_change(0.0, stop, strength, k) for k in range(1, 6)] == pytest.approx([-1.0, -2.0, -1.0, 0.0, 0.0])
    assert stop.end == pytest.approx(3.0 + 1.0)
    assert quickest_stop(0.0, 0.0, strength) is AT_REST


@given(st.floats(0.0, 5.0), st.floats(0.01, 2.0))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_largest_change_uses_the_room_exactly(room: float, jerk: float) -> None:
    change = largest_change(room, jerk)
    assert change + ramped_out(change, jerk) == pytest.approx(room, abs=1e-9)
    assert largest_change(-room, jerk) == 0.0


def test_a_path_is_the_ticks_of_the_stops() -> None:
    strength = Strength(0.03, 0.001, 0.00025)
    motions = [(0.02, 0.0007, 0.5), (-0.004, 0.001, -1.0), (0.0, 0.0, 2.0)]
    stops = [quickest_stop(u, c, strength) for u, c, _ in motions]
    path = stopping_path(
        [q for _, _, q in motions],
        [u for u, _, _ in motions],
        [c for _, c, _ in motions],
        stops,
        np.full(3, 0.001),
        np.full(3, 0.00025),
    )
    assert len(path) == math.ceil(stops[0].ticks) + 1
    for joint, (u, c, q) in enumerate(motions):
        expected, at, step = [q], q, u
        for tick in range(1, len(path)):
            step += stopping_change(c, stops[joint], strength, tick)
            at += step
            expected.append(at)
        np.testing.assert_allclose(path[:, joint], expected, atol=1e-12)
    assert len(stopping_path([1.0], [0.0], [0.0], [AT_REST], np.ones(1), np.ones(1))) == 1
