from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.errors import BadInput
from geometry.types import Array
from robot.kinematics import UR10E_LIMITS
from robot.setpoints import Setpoint, SetpointFollower
from robot.trajectory import JointTrajectory

LIMITS = UR10E_LIMITS.scaled(0.8)
TICK = 10_000_000
DT = 1e-9 * TICK


def follower(start: Any = (0.0,) * 6, **settings: int) -> SetpointFollower:
    trajectory = JointTrajectory(LIMITS)
    trajectory.reset(start)
    return SetpointFollower(trajectory, TICK, 0, **settings)


def wave(stamp_ns: int) -> Setpoint:
    """A smooth motion of all joints that starts at rest at 0."""
    t = 1e-9 * stamp_ns
    size = np.array([0.3, -0.2, 0.25, -0.3, 0.1, 0.4])
    return Setpoint(stamp_ns, size * (1 - math.cos(2 * t)), 2 * size * math.sin(2 * t))


def run(target: SetpointFollower, ticks: int, start_tick: int = 0) -> list[tuple[Array, Array, Array]]:
    return [target.step(k * TICK) for k in range(start_tick, start_tick + ticks)]


def worst(rows: list[tuple[Array, Array, Array]]) -> float:
    return max(float(np.abs(q - wave((k + 1) * TICK).joints).max()) for k, (q, _, _) in enumerate(rows))


def test_setpoints_that_come_in_time_are_met_at_their_stamps() -> None:
    target = follower()
    rows = []
    for k in range(200):
        if k % 5 == 0:
            target.add(wave((k + 5) * TICK))
        rows.append(target.step(k * TICK))
    assert worst(rows) < 1e-3
    assert target.arrivals.starved == 0
    assert target.arrivals.late == 0


def test_early_ones_wait_and_the_order_of_arrival_does_not_matter() -> None:
    ahead = [wave(k * 50_000_000) for k in range(1, 21)]
    in_order, shuffled = follower(), follower()
    for setpoint in ahead:
        assert in_order.add(setpoint)
    for index in np.random.default_rng(1).permutation(len(ahead)):
        assert shuffled.add(ahead[index])
    rows, others = run(in_order, 100), run(shuffled, 100)
    assert worst(rows) < 1e-3
    for row, other in zip(rows, others, strict=True):
        np.testing.assert_array_equal(row[0], other[0])
    assert in_order.arrivals.out_of_order == 0
    assert shuffled.arrivals.out_of_order > 0
    assert shuffled.arrivals.taken == 20


def test_jitter_of_the_network_is_taken_out() -> None:
    """Each is sent 60 ms ahead and is up to 50 ms under way, so that later ones overtake."""
    rng, target, under_way = np.random.default_rng(2), follower(), []
    rows = []
    for k in range(300):
        if k % 2 == 0:
            under_way.append((k + int(rng.integers(0, 6)), wave((k + 6) * TICK)))
        for arrival in [a for a in under_way if a[0] <= k]:
            under_way.remove(arrival)
            target.add(arrival[1])
        rows.append(target.step(k * TICK))
    assert target.arrivals.out_of_order > 10
    assert target.arrivals.starved < 8
    assert worst(rows) < 0.01


def test_late_ones_are_dropped_unless_nothing_newer_is_there() -> None:
    target = follower()
    target.add(wave(5 * TICK))
    run(target, 8)
    # a little behind, but newer than what there is: it is the best guess
    assert target.add(wave(7 * TICK))
    run(target, 1, 8)
    assert not target.add(wave(6 * TICK))
    assert target.arrivals.late == 1
    assert target.arrivals.taken == 2


def test_the_same_stamp_is_replaced_by_what_comes_later() -> None:
    target = follower()
    target.add(Setpoint(40 * TICK, np.full(6, 1.0), np.zeros(6)))
    target.add(Setpoint(40 * TICK, np.full(6, 0.1), np.zeros(6)))
    q = run(target, 42)[-1][0]
    np.testing.assert_allclose(q, 0.1, atol=2e-3)
    assert target.arrivals.replaced == 1


def test_goes_straight_on_for_a_while_then_brakes_then_takes_up_again() -> None:
    target = follower(hold_after_ns=10 * TICK)
    target.add(Setpoint(TICK, np.full(6, 0.005), np.full(6, 0.5)))
    rows = run(target, 60)
    assert (rows[9][1] > 0.45).all()
    np.testing.assert_allclose(rows[-1][1], 0.0, atol=1e-9)
    assert target.arrivals.starved == 49
    at = rows[-1][0]
    # what was left out does not come back as a jump: the way begins where the arm is
    target.add(Setpoint(100 * TICK, at + 0.2, np.zeros(6)))
    rows = run(target, 60, 60)
    assert max(np.abs(v).max() for _, v, _ in rows) < 1.0
    np.testing.assert_allclose(rows[-1][0], at + 0.2, atol=1e-3)


def test_clear_brakes() -> None:
    target = follower()
    for k in range(1, 20):
        target.add(wave(k * 10 * TICK))
    assert np.abs(run(target, 50)[-1][1]).max() > 0.3
    target.clear()
    np.testing.assert_allclose(run(target, 40, 50)[-1][1], 0.0, atol=1e-9)


stream = st.lists(
    st.tuples(
        st.integers(-30, 30),  # stamp against the tick of its arrival
        st.lists(st.floats(-9.0, 9.0), min_size=6, max_size=6),
        st.lists(st.floats(-6.0, 6.0), min_size=6, max_size=6),
        st.integers(0, 12),  # ticks until the next arrives
    ),
    max_size=12,
)


@given(st.integers(0, 2**32 - 1), stream)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_limits_are_kept_whatever_arrives(seed: int, arriving: list[Any]) -> None:
    start = np.random.default_rng(seed).uniform(LIMITS.lower_rad, LIMITS.upper_rad)
    target, now = follower(start), 0
    last_q, last_v, last_a = start, np.zeros(6), np.zeros(6)
    for offset, q, v, ticks in arriving:
        target.add(Setpoint((now + offset) * TICK, np.array(q), np.array(v)))
        for _ in range(ticks):
            q_now, v_now, a_now = target.step(now * TICK)
            now += 1
            assert LIMITS.contains(q_now)
            assert (np.abs(v_now) <= np.array(LIMITS.velocity_rad_s) * (1 + 1e-9)).all()
            assert (np.abs(a_now) <= np.array(LIMITS.acceleration_rad_s2) * (1 + 1e-9)).all()
            assert (np.abs(a_now - last_a) <= np.array(LIMITS.jerk_rad_s3) * DT * (1 + 1e-6)).all()
            assert (np.abs(q_now - last_q) <= np.array(LIMITS.velocity_rad_s) * DT * (1 + 1e-9)).all()
            assert (np.abs(v_now - last_v) <= np.array(LIMITS.acceleration_rad_s2) * DT * (1 + 1e-9)).all()
            last_q, last_v, last_a = q_now, v_now, a_now


@pytest.mark.parametrize(
    ("joints", "velocities"), [([0.0] * 5, [0.0] * 6), ([math.nan] * 6, [0.0] * 6), ([0.0] * 6, [math.inf] * 6)]
)
def test_bad_setpoint(joints: list[float], velocities: list[float]) -> None:
    with pytest.raises(BadInput, match="expected 6 finite values"):
        Setpoint(0, np.array(joints), np.array(velocities))


def test_a_stamp_of_another_clock_is_refused() -> None:
    target = follower()
    with pytest.raises(BadInput, match=r"stamp is 1.7e\+09 s ahead: expected at most 2 s; is it in ns"):
        target.add(wave(1_700_000_000_000_000_000))
    assert target.arrivals.taken == 0


def test_a_clock_that_goes_back_is_refused() -> None:
    target = follower()
    target.step(5 * TICK)
    with pytest.raises(BadInput, match="the clock went back"):
        target.step(4 * TICK)


def test_settings_and_floods() -> None:
    with pytest.raises(BadInput, match="hold_after_ns is 0"):
        follower(hold_after_ns=0)
    target = follower()
    for k in range(1_000):
        target.add(wave(k))
    with pytest.raises(BadInput, match="are in line already"):
        target.add(wave(1_001))
