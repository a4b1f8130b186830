"""Whatever is wanted, setpoints stay within the limits; what is within them passes unchanged."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robot.host.clamp import SetpointClamp
from robot.kinematics import UR10E_LIMITS, JointLimits

DT = 0.002
TIGHT = JointLimits((-1.0,) * 6, (0.5,) * 6, (1.0,) * 6, (4.0,) * 6, (100.0,) * 6)
REST = [0.0, -1.5, 1.5, -1.5, -1.5, 0.0]

value = st.one_of(st.floats(-1.2, 0.7), st.sampled_from([-1.0, 0.5, -1.0000001, 0.5000001, 0.0]), st.floats(-1e6, 1e6))


@settings(max_examples=25, deadline=None)
@given(
    start=st.floats(-1.0, 0.5),
    segments=st.lists(st.tuples(value, st.floats(-3.0, 3.0), st.integers(1, 80)), min_size=1, max_size=8),
    dt=st.sampled_from([0.002, 0.004, 0.01]),
)
def test_no_stream_gets_out_of_the_limits(start: float, segments: list[tuple[float, float, int]], dt: float) -> None:
    """Jumps, ramps of any speed, reversals, places beyond the ends."""
    clamp = SetpointClamp(TIGHT, dt)
    clamp.reset([start] * 6)
    speed = np.zeros(6)
    before = np.full(6, start)
    for place, ramp, cycles in segments:
        for cycle in range(cycles):
            after = np.array(clamp.follow([place + ramp * dt * cycle] * 6))
            assert (after >= -1.0 - 1e-9).all()
            assert (after <= 0.5 + 1e-9).all()
            moved = (after - before) / dt
            assert (np.abs(moved) <= 1.0 + 1e-6).all()
            assert (np.abs(moved - speed) <= 4.0 * dt + 1e-6).all()
            assert clamp.velocities == pytest.approx(moved, abs=1e-6)
            speed, before = moved, after
    place = segments[-1][0]
    for _ in range(math.ceil(3.5 / dt)):  # then it goes to where it is wanted, and rests there
        final = clamp.follow([place] * 6)
    assert final == pytest.approx([min(max(place, -1.0), 0.5)] * 6, abs=1e-9)
    assert clamp.rests


@settings(max_examples=30, deadline=None)
@given(st.floats(0.1, 0.9), st.floats(0.2, 3.0), st.integers(0, 1000))
def test_a_stream_within_the_limits_passes_to_the_bit(amplitude: float, rate: float, phase: int) -> None:
    top = amplitude * rate  # rad/s
    if top > 1.9 or top * rate > 9.5:
        amplitude *= min(1.9 / top, 9.5 / (top * rate))
    clamp = SetpointClamp(UR10E_LIMITS, DT)
    clamp.reset(REST)
    for cycle in range(400):
        wanted = [q + amplitude * (1.0 - math.cos(rate * DT * cycle)) for q in REST]
        assert clamp.follow(list(wanted)) == wanted
        assert clamp.clamped is None


@pytest.mark.parametrize(
    ("wanted", "kind", "value", "limit"),
    [
        (7.0, "position", 7.0, 2.0 * math.pi),
        (0.05, "velocity", 25.0, math.radians(120.0)),
        (0.0004, "acceleration", 100.0, 10.0),
    ],
)
def test_what_was_not_given_is_told(wanted: float, kind: str, value: float, limit: float) -> None:
    clamp = SetpointClamp(UR10E_LIMITS, DT)
    clamp.reset([0.0] * 6)
    clamp.follow([0.0, 0.0, 0.0, wanted, 0.0, 0.0])
    assert clamp.clamped is not None
    if kind == "velocity":
        limit = math.radians(180.0)
    assert clamp.clamped[:2] == (kind, 3)
    assert clamp.clamped[2:] == pytest.approx((value, limit))


def test_beyond_a_joint_s_end_it_may_only_come_back() -> None:
    clamp = SetpointClamp(TIGHT, DT)
    clamp.reset([0.6] * 6)
    assert clamp.follow([0.7] * 6) == pytest.approx([0.6] * 6, abs=1e-4)
    last = [0.6] * 6
    for _ in range(2000):
        place = list(clamp.follow([0.7] * 6))
        assert all(b <= a for a, b in zip(last, place, strict=True))
        last = place
    assert last == pytest.approx([0.5] * 6, abs=1e-9)


def test_at_rest_nothing_is_clamped() -> None:
    clamp = SetpointClamp(UR10E_LIMITS, DT)
    clamp.reset(REST)
    for _ in range(5):
        assert clamp.follow(REST) == REST
        assert clamp.clamped is None
        assert clamp.rests
