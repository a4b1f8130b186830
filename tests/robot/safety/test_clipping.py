from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robot.safety.clipping import Motion, Range, clip
from robot.safety.stopping import Strength, quickest_stop, ramped_out

ENDS = Range(-1.0, 1.3)


def strength_of(dt: float, speed: float = 3.0, acceleration: float = 10.0, jerk: float = 250.0) -> Strength:
    return Strength(speed * dt, acceleration * dt**2, jerk * dt**3)


class Joint:
    """One joint, every command of which is checked."""

    def __init__(self, at: float, strength: Strength, ends: Range = ENDS) -> None:
        self.motion = Motion(at, wanted=at)
        self.strength, self.ends = strength, ends

    def send(self, asked: float, follows: bool = True) -> Any:
        last, strength = self.motion, self.strength
        found = clip(last, asked, follows, strength, self.ends)
        step = found.at - last.at
        self.motion = Motion(found.at, step, step - last.step, found.goal if follows else found.at)
        assert abs(step) <= strength.step * (1 + 1e-9) + 2e-12
        assert abs(self.motion.change) <= strength.change * (1 + 1e-9) + 4e-12
        assert abs(self.motion.change - last.change) <= strength.jerk * (1 + 1e-9) + 6e-12
        assert min(self.ends.low, last.at) - 2e-12 <= found.at <= max(self.ends.high, last.at) + 2e-12
        # and the stop from here keeps them too
        stop = quickest_stop(step, self.motion.change, strength)
        assert found.at + stop.highest <= max(self.ends.high, last.at) + 1e-10
        assert found.at + stop.lowest >= min(self.ends.low, last.at) - 1e-10
        assert abs(step + ramped_out(self.motion.change, strength.jerk)) <= strength.step * (1 + 1e-9) + 1e-11
        return found


@given(
    st.floats(-1.0, 1.3),
    st.sampled_from([0.002, 0.01, 0.1]),
    st.floats(0.3, 4.0),
    st.floats(1.0, 20.0),
    st.sampled_from([60.0, 250.0, 1e4]),
    st.lists(
        st.tuples(st.floats(-3.0, 3.0), st.sampled_from(["place", "way", "speed"]), st.integers(1, 40)),
        min_size=1,
        max_size=12,
    ),
)
@settings(max_examples=150, deadline=None, derandomize=True)
def test_whatever_is_asked_every_limit_is_kept(
    at: float, dt: float, speed: float, acceleration: float, jerk: float, asked: list[Any]
) -> None:
    joint = Joint(at, strength_of(dt, speed, acceleration, jerk))
    for value, kind, count in asked:
        for _ in range(count):
            place = {"place": value, "way": joint.motion.at + 0.01 * value, "speed": joint.motion.at + dt * value}[kind]
            joint.send(place, follows=kind != "speed")


@pytest.mark.parametrize("dt", [0.002, 0.01])
@pytest.mark.parametrize("goal", [0.9, 0.2, 0.03, 1e-3, 1e-4, -0.7])
def test_a_place_that_is_far_is_reached_without_swinging_past(dt: float, goal: float) -> None:
    joint, past, found = Joint(0.0, strength_of(dt)), 0.0, None
    for _ in range(int(1.5 / dt)):
        found = joint.send(goal)
        past = max(past, (joint.motion.at - goal) * math.copysign(1.0, goal))
    assert past < 1e-6
    assert found is not None
    assert found.reason is None
    assert joint.motion.at == goal


@pytest.mark.parametrize("pace", [0.2, 1.0])
def test_a_place_that_moves_is_caught_up_with(pace: float) -> None:
    joint, dt = Joint(-0.9, strength_of(0.01)), 0.01
    gaps = []
    for k in range(150):
        goal = -0.8 + pace * dt * (k + 1)
        joint.send(goal)
        gaps.append(goal - joint.motion.at)
    assert min(gaps) > -1e-5
    assert abs(gaps[-1]) < 1e-9


@pytest.mark.parametrize("speed", [0.3, 1.0, 2.5])
def test_it_brakes_in_time_and_uses_the_whole_range(speed: float) -> None:
    joint = Joint(0.0, strength_of(0.01))
    for _ in range(500):
        joint.send(joint.motion.at + speed * 0.01, follows=False)
    assert joint.motion.at == pytest.approx(ENDS.high, abs=1e-6)


def test_outside_the_range_it_may_stay_or_come_back_and_not_go_further() -> None:
    joint = Joint(1.5, strength_of(0.01))
    assert joint.send(1.5).reason is None
    for _ in range(20):
        joint.send(1.6)
    assert joint.motion.at == pytest.approx(1.5, abs=1e-9)
    for _ in range(200):
        joint.send(1.2)
    assert joint.motion.at == pytest.approx(1.2)


@pytest.mark.parametrize(
    ("asked", "kind"), [(0.04, "velocity"), (0.0015, "acceleration"), (0.0005, "jerk"), (0.0002, None)]
)
def test_it_says_what_was_too_much(asked: float, kind: str | None) -> None:
    found = Joint(0.0, strength_of(0.01)).send(asked)
    assert (found.reason[0] if found.reason else None) == kind
    if kind is None:
        assert found.at == asked
