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
from robot.trajectory import JointTrajectory

LIMITS = UR10E_LIMITS.scaled(0.8)
DT = 0.01


class Guarded:
    """A trajectory whose every step is checked against the limits and against its own derivatives."""

    def __init__(self, start: Array) -> None:
        self.trajectory = JointTrajectory(LIMITS)
        self.trajectory.reset(start)
        self.q, self.v, self.a = np.array(start), np.zeros(6), np.zeros(6)

    def check(self, motion: tuple[Array, Array, Array], dt: float = DT) -> None:
        q, v, a = motion
        speed, strength, jerk = (
            np.array(LIMITS.velocity_rad_s),
            np.array(LIMITS.acceleration_rad_s2),
            np.array(LIMITS.jerk_rad_s3),
        )
        assert LIMITS.contains(q)
        assert (np.abs(v) <= speed * (1 + 1e-9)).all()
        assert (np.abs(a) <= strength * (1 + 1e-9)).all()
        assert (np.abs(a - self.a) <= jerk * dt * (1 + 1e-6)).all()
        assert (np.abs(q - self.q) <= speed * dt * (1 + 1e-9)).all()
        assert (np.abs(v - self.v) <= strength * dt * (1 + 1e-9)).all()
        self.q, self.v, self.a = q, v, a


angles = st.lists(st.floats(-9.0, 9.0), min_size=6, max_size=6)
speeds = st.lists(st.floats(-6.0, 6.0), min_size=6, max_size=6)
target = st.tuples(angles, speeds, st.integers(1, 25), st.booleans())


@given(st.integers(0, 2**32 - 1), st.lists(target, min_size=1, max_size=8))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_limits_are_kept_whatever_is_asked(seed: int, targets: list[Any]) -> None:
    rng = np.random.default_rng(seed)
    guarded = Guarded(rng.uniform(LIMITS.lower_rad, LIMITS.upper_rad))
    for q, v, ticks, hold in targets:
        for k in range(ticks):
            moving = np.array(q) + np.array(v) * k * DT
            step = guarded.trajectory.step_hold(DT) if hold else guarded.trajectory.step(moving, v, DT)
            guarded.check(step)


@given(
    st.integers(0, 2**32 - 1),
    st.lists(st.tuples(speeds, st.integers(1, 40), st.sampled_from(["velocity", "hold", "position"])), max_size=8),
)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_limits_are_kept_at_any_velocities(seed: int, targets: list[Any]) -> None:
    """Modes mixed as they come; every step is checked, the joints' ends among it."""
    guarded = Guarded(np.random.default_rng(seed).uniform(LIMITS.lower_rad, LIMITS.upper_rad))
    for v, ticks, mode in targets:
        for _ in range(ticks):
            if mode == "velocity":
                guarded.check(guarded.trajectory.step_velocity(v, DT))
            elif mode == "hold":
                guarded.check(guarded.trajectory.step_hold(DT))
            else:
                guarded.check(guarded.trajectory.step(guarded.q, v, DT))


@pytest.mark.parametrize("dt", [0.002, 0.01, 0.02])
@pytest.mark.parametrize("speed", [0.3, 1.0, 9.0, -9.0])
def test_velocities_stop_before_the_joints_ends(speed: float, dt: float) -> None:
    ends = np.array(LIMITS.upper_rad if speed > 0 else LIMITS.lower_rad)
    guarded = Guarded(ends - np.sign(speed) * 1.5)
    fastest = 0.0
    for _ in range(round(12.0 / dt)):
        guarded.check(guarded.trajectory.step_velocity(np.full(6, speed), dt), dt)
        fastest = max(fastest, float(np.abs(guarded.v).min()))
    assert fastest > min(abs(speed), 1.3) * 0.9
    assert (np.abs(ends - guarded.q) < 0.05).all()
    # and away from there at once
    for _ in range(round(0.5 / dt)):
        guarded.check(guarded.trajectory.step_velocity(np.full(6, -np.sign(speed) * 0.5), dt), dt)
    np.testing.assert_allclose(guarded.v, -np.sign(speed) * 0.5, atol=1e-6)


def test_velocity_is_reached_in_the_time_that_jerk_allows() -> None:
    trajectory = JointTrajectory(LIMITS)
    trajectory.reset(np.zeros(6))
    rise = 2 * math.sqrt(0.8 / LIMITS.jerk_rad_s3[0])
    for _ in range(math.ceil(rise / DT) + 1):
        _, v, a = trajectory.step_velocity(np.array([0.8, -0.8, 0.0, 0.4, 0.1, -0.2]), DT)
    np.testing.assert_allclose(v, [0.8, -0.8, 0.0, 0.4, 0.1, -0.2], atol=1e-9)
    np.testing.assert_allclose(a, 0.0, atol=1e-9)
    np.testing.assert_array_equal(trajectory.motion[1], v)


@pytest.mark.parametrize("v", [[math.nan] * 6, [0.0] * 5])
def test_bad_velocity_is_refused_and_leaves_the_motion(v: list[float]) -> None:
    trajectory = JointTrajectory(LIMITS)
    trajectory.reset(np.full(6, 0.1))
    with pytest.raises(BadInput, match="expected 6 finite values"):
        trajectory.step_velocity(v, DT)
    np.testing.assert_allclose(trajectory.motion[0], 0.1)


def follow(path: Any, seconds: float, dt: float = DT) -> tuple[Array, Array]:
    """Errors to the path and accelerations, per tick."""
    trajectory = JointTrajectory(LIMITS)
    trajectory.reset(path(0.0))
    errors, strengths = [], []
    for k in range(round(seconds / dt)):
        goal, beyond = path((k + 1) * dt), path((k + 2) * dt)
        q, _, a = trajectory.step(goal, (beyond - goal) / dt, dt)
        errors.append(np.abs(q - goal).max())
        strengths.append(np.abs(a).max())
    return np.array(errors), np.array(strengths)


def minimum_jerk(t: float) -> Array:
    u = min(max(t / 2.0, 0.0), 1.0)
    return np.array([0.6, -0.4, 0.5, -0.3, 0.05, 0.0]) * (u**3 * (10 - 15 * u + 6 * u * u))


def sampled(t: float) -> Array:
    """The same as a chunk gives it: straight lines between actions 100 ms apart, so the velocity has steps."""
    k = math.floor(t / 0.1 + 1e-9)
    u = t / 0.1 - k
    return minimum_jerk(0.1 * k) * (1 - u) + minimum_jerk(0.1 * (k + 1)) * u


@pytest.mark.parametrize(
    ("path", "dt", "most_rad"),
    [(minimum_jerk, 0.01, 1e-3), (sampled, 0.01, 2e-3), (sampled, 0.002, 2e-3), (sampled, 0.02, 3e-3)],
)
def test_follows_without_lag(path: Any, dt: float, most_rad: float) -> None:
    errors, strengths = follow(path, 2.5, dt)
    assert errors.max() < most_rad
    assert errors[-1] < 1e-6
    assert strengths.max() < 5.0


def test_meets_a_fast_target_where_it_will_be() -> None:
    """Steps of the velocity that take longer than the horizon; aiming at where the target is lags 75 mrad behind."""
    errors, _ = follow(lambda t: 2.5 * sampled(t), 2.6)
    assert errors.max() < 0.015


@pytest.mark.parametrize(("gap", "speed", "ticks"), [(0.3, 0.2, 50), (0.3, 1.0, 90), (0.1, 1.0, 60), (0.5, 1.2, 170)])
def test_catches_a_moving_target_without_swinging_past(gap: float, speed: float, ticks: int) -> None:
    trajectory = JointTrajectory(LIMITS)
    trajectory.reset(np.full(6, -2.5))
    gaps = []
    for k in range(300):
        goal = np.full(6, -2.5 + gap) + speed * k * DT
        q, v, _ = trajectory.step(goal, np.full(6, speed), DT)
        gaps.append((goal - q).max())
    assert min(gaps) > -1e-3
    assert max(np.abs(gaps[ticks:])) < 1e-3
    assert abs(gaps[-1]) < 2e-5
    np.testing.assert_allclose(v, speed, atol=1e-4)


def test_target_beyond_the_ends_is_clamped() -> None:
    trajectory = JointTrajectory(LIMITS)
    trajectory.reset(np.zeros(6))
    for _ in range(1500):
        q, v, _ = trajectory.step(np.full(6, 50.0), np.full(6, 9.0), DT)
        assert LIMITS.contains(q)
    np.testing.assert_allclose(q, LIMITS.upper_rad, atol=1e-6)
    np.testing.assert_allclose(v, 0.0, atol=1e-6)


@pytest.mark.parametrize("speed", [0.1, 0.7, 1.6])
def test_target_that_moves_through_an_end_is_followed_up_to_it(speed: float) -> None:
    start = np.array(LIMITS.upper_rad) - 1.0
    guarded = Guarded(start)
    for k in range(1200):
        guarded.check(guarded.trajectory.step(start + speed * (k + 1) * DT, np.full(6, speed), DT))
    np.testing.assert_allclose(guarded.q, LIMITS.upper_rad, atol=1e-6)


def test_hold_brakes_and_stays() -> None:
    guarded = Guarded(np.zeros(6))
    for k in range(60):
        guarded.check(guarded.trajectory.step(np.full(6, 1.0 * (k + 1) * DT), np.full(6, 1.0), DT))
    assert guarded.v.min() > 0.9
    for _ in range(100):
        guarded.check(guarded.trajectory.step_hold(DT))
    at = guarded.q
    assert not guarded.v.any() or np.abs(guarded.v).max() < 1e-12
    guarded.check(guarded.trajectory.step_hold(DT))
    np.testing.assert_allclose(guarded.q, at, atol=1e-12)


@pytest.mark.parametrize(
    ("q", "v"),
    [([math.nan] * 6, [0.0] * 6), ([0.0] * 6, [math.inf] * 6), ([0.0] * 5, [0.0] * 6), ([0.0] * 6, [0.0] * 7)],
)
def test_bad_target_is_refused_and_leaves_the_motion(q: list[float], v: list[float]) -> None:
    trajectory = JointTrajectory(LIMITS)
    trajectory.reset(np.full(6, 0.1))
    with pytest.raises(BadInput, match="expected 6 finite values"):
        trajectory.step(q, v, DT)
    np.testing.assert_allclose(trajectory.step_hold(DT)[0], 0.1)


@pytest.mark.parametrize("start", [[math.nan] * 6, [0.0] * 5])
def test_bad_start(start: list[float]) -> None:
    with pytest.raises(BadInput, match="cannot start"):
        JointTrajectory(LIMITS).reset(start)


def test_must_be_reset_first() -> None:
    trajectory = JointTrajectory(LIMITS)
    assert not trajectory.is_ready
    with pytest.raises(RuntimeError, match="call reset"):
        trajectory.step(np.zeros(6), np.zeros(6), DT)
    with pytest.raises(RuntimeError, match="call reset"):
        _ = trajectory.motion


def test_reset_takes_over_a_velocity() -> None:
    trajectory = JointTrajectory(LIMITS)
    trajectory.reset(np.zeros(6), np.full(6, 0.5))
    q, v, _ = trajectory.step_hold(DT)
    assert (q > 0.004).all()
    assert (v < 0.5).all()


def test_same_calls_give_the_same_bits() -> None:
    def bits() -> bytes:
        trajectory = JointTrajectory(LIMITS)
        trajectory.reset(np.zeros(6))
        rows = [trajectory.step(np.full(6, math.sin(k)), np.full(6, math.cos(k)), DT) for k in range(50)]
        return b"".join(part.tobytes() for row in rows for part in row)

    assert bits() == bits()
