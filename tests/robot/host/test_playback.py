"""Setpoints between commands: never ahead of them, smooth, a known delay behind."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robot.host.clamp import SetpointClamp
from robot.host.follower import Follower
from robot.host.settings import HostSettings
from robot.kinematics import UR10E_LIMITS

PERIOD, DT = 0.01, 0.002
Stream = list[tuple[float, list[float]]]


def play(stream: Stream, until_s: float, phase_s: float = 0.0007, clamp: bool = False) -> np.ndarray:
    """Columns: time, setpoint of joint 0, whether a command was missing. The stream: when sent, joints."""
    guard = SetpointClamp(UR10E_LIMITS, DT)
    guard.reset([stream[0][1][0]] * 6)
    follower = Follower(HostSettings("m:a"), guard)
    follower.start("position")
    waiting, rows = list(stream), []
    for now in np.arange(phase_s, until_s, DT):
        while waiting and waiting[0][0] <= now:
            sent, joints = waiting.pop(0)
            follower.offer(joints, now - sent)
        wanted = follower.step()
        if clamp:
            wanted = list(guard.follow(wanted))
        else:
            guard.joints = list(wanted)
        rows.append((now, wanted[0], follower.is_late))
    return np.array(rows)


def regular(values: list[float], late: list[float] | None = None) -> Stream:
    late = late or [0.0] * len(values)
    return [(0.01 + PERIOD * k + late[k], [q] * 6) for k, q in enumerate(values)]


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.floats(-1.0, 1.0), min_size=2, max_size=40),
    st.lists(st.floats(0.0, 0.03), min_size=40, max_size=40),
    st.floats(0.0, 0.00199),
)
def test_it_never_leaves_what_was_commanded(values: list[float], late: list[float], phase: float) -> None:
    stream = sorted(regular(values, late[: len(values)]), key=lambda row: row[0])
    rows = play(stream, 0.6, phase)
    for now, setpoint, _ in rows:
        came = [joints[0] for sent, joints in stream if sent <= now] or [stream[0][1][0]]
        assert min([stream[0][1][0], *came]) - 1e-9 <= setpoint <= max([stream[0][1][0], *came]) + 1e-9
    assert rows[-1, 1] == pytest.approx(stream[-1][1][0], abs=1e-12)  # in the end it is there


def test_it_is_as_far_behind_as_it_says() -> None:
    speed = 0.7
    stream = [(sent, [speed * sent] * 6) for sent in np.arange(0.01, 2.0, PERIOD)]
    rows = play(stream, 2.0)
    behind_s = rows[200:, 0] - rows[200:, 1] / speed
    settings_ = HostSettings("m:a")
    assert behind_s.mean() * 1e9 == pytest.approx(settings_.delay_ns, abs=2e6)
    assert behind_s.max() * 1e9 < settings_.delay_ns
    assert np.ptp(behind_s) < 1e-3
    assert not rows[200:, 2].any()


def test_it_is_smooth() -> None:
    """A sine of the control loop: its steps of 10 ms are not seen in the velocity."""
    amplitude, rate = 0.3, 4.0
    stream = regular([amplitude * (1.0 - math.cos(rate * k * PERIOD)) for k in range(200)])
    rows = play(stream, 1.9)
    velocity = np.diff(rows[:, 1]) / DT
    acceleration = np.diff(velocity) / DT
    assert np.abs(velocity).max() <= amplitude * rate * 1.002
    assert np.abs(acceleration[10:]).max() <= amplitude * rate**2 * 1.03


@pytest.mark.parametrize("jitter_ms", [0.2, 0.5])
def test_jitter_of_the_control_loop_moves_nothing(jitter_ms: float) -> None:
    rng = np.random.default_rng(1)
    late = np.minimum(np.abs(rng.normal(0.0, jitter_ms * 1e-3, 300)), 0.0014).tolist()
    stream = regular([0.3 * (1.0 - math.cos(4.0 * k * PERIOD)) for k in range(300)], late)
    rows = play(stream, 2.9)
    assert not rows[:1400, 2].any()
    acceleration = np.diff(rows[:1400, 1], 2) / DT**2
    assert np.abs(acceleration[20:]).max() <= 0.3 * 16.0 * 1.15


def test_a_command_that_comes_late_is_waited_for() -> None:
    late = [0.0] * 50 + [0.008] + [0.0] * 49
    stream = regular([0.5 * max(0.0, k * PERIOD - 0.1) for k in range(100)], late)
    rows = play(stream, 1.0, clamp=True)
    velocity = np.diff(rows[:, 1]) / DT
    missing = rows[:, 2].astype(bool)
    assert 2 <= missing[:480].sum() <= 4
    acceleration = np.diff(velocity) / DT
    assert np.abs(acceleration).max() <= 10.0 + 1e-6
    assert velocity[150:480] == pytest.approx(0.5, abs=0.02)  # hardly felt


def test_the_last_command_is_reached_when_none_follows() -> None:
    rows = play([(0.01, [0.0] * 6), (0.02, [0.01] * 6)], 0.2)
    assert rows[-1, 1] == 0.01
    assert (np.diff(rows[:, 1]) >= 0.0).all()


def test_velocities_are_ramped_and_end_when_none_follow() -> None:
    guard = SetpointClamp(UR10E_LIMITS, DT)
    guard.reset([0.5] * 6)
    follower = Follower(HostSettings("m:a"), guard)
    follower.start("velocity")
    speeds = []
    for cycle in range(100):
        if cycle % 5 == 1 and cycle < 50:
            follower.offer([0.08] * 6, 0.0)
        guard.follow(follower.step())
        speeds.append(guard.velocities[0])
    assert max(speeds) == pytest.approx(0.08)
    assert speeds[20:45] == pytest.approx([0.08] * 25)
    assert speeds[80:] == pytest.approx([0.0] * 20)
    assert np.abs(np.diff(speeds)).max() <= 0.02 + 1e-9
