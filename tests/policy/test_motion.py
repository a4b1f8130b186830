from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policy.motion import Phase, Step, Timeline

S = 1_000_000_000


def step(x: float, y: float = 0.0, z: float = 0.3, speed: float = 0.35, wait_s: float = 0.2) -> Step:
    return Step(Phase.APPROACH, (x, y, z), speed, 1.0, wait_s)


def start(*steps: Step) -> Timeline:
    return Timeline.start(np.array([0.0, 0.0, 0.3]), 2 * S, steps, 1.2)


def test_moves_from_rest_to_rest_within_the_speed() -> None:
    plan = start(step(0.5))
    leg = plan.leg(2 * S)
    assert leg.move_s == pytest.approx(1.875 * 0.5 / 0.35)
    times = np.linspace(2.0, 2.0 + leg.move_s, 400)
    speeds = [np.linalg.norm(plan.at(round(t * S)).velocity) for t in times]
    assert max(speeds) == pytest.approx(0.35, rel=1e-4)
    np.testing.assert_allclose(plan.at(2 * S).position, [0, 0, 0.3])
    np.testing.assert_allclose(plan.at(1 * S).position, [0, 0, 0.3])
    np.testing.assert_array_equal(plan.at(plan.end_ns).position, [0.5, 0, 0.3])
    np.testing.assert_array_equal(plan.at(plan.end_ns + 100 * S).velocity, np.zeros(3))
    assert plan.end_ns == 2 * S + round((leg.move_s + 0.2) * S)


def test_short_moves_keep_the_acceleration() -> None:
    plan = start(step(0.02))
    strengths = [np.linalg.norm(plan.at(2 * S + k * S // 200).acceleration) for k in range(100)]
    assert max(strengths) <= 1.2 * 1.001


def test_derivatives_agree_with_differences() -> None:
    plan = start(step(0.5)).branch(3 * S, [step(0.1, 0.4)], 1.2, 0)
    h = S // 10_000
    for t in range(2 * S + h, plan.end_ns, S // 37):
        before, at, after = plan.at(t - h), plan.at(t), plan.at(t + h)
        np.testing.assert_allclose(at.velocity, (after.position - before.position) / 2e-4, atol=1e-4)


goals = st.tuples(st.floats(-0.5, 0.5), st.floats(-0.5, 0.5), st.floats(0.05, 0.5))


@given(goals, goals, st.floats(0.0, 4.0), st.sampled_from([0.15, 0.35]))
@settings(max_examples=120, deadline=None, derandomize=True)
def test_branch_is_continuous_and_ends_at_the_goal(
    a: tuple[float, ...], b: tuple[float, ...], after_s: float, v: float
) -> None:
    first = start(step(*a))
    branch_ns = 2 * S + round(after_s * S)
    plan = first.branch(branch_ns, [step(*b, speed=v)], 1.2, 2 * S)
    for t in (2 * S, (2 * S + branch_ns) // 2, branch_ns - 1):
        np.testing.assert_array_equal(plan.at(t).position, first.at(t).position)
    before, after = first.at(branch_ns), plan.at(branch_ns)
    np.testing.assert_allclose(after.position, before.position, atol=1e-12)
    np.testing.assert_allclose(after.velocity, before.velocity, atol=1e-12)
    np.testing.assert_allclose(plan.at(plan.end_ns).position, b)
    assert plan.end_ns - branch_ns < 30 * S
    speeds = [np.linalg.norm(plan.at(t).velocity) for t in range(branch_ns, plan.end_ns, S // 50)]
    # a start that still speeds up away from the new goal goes a little over
    assert max(speeds) < 0.35 * 1.2


BELT = (0.03, -0.04, 0.0)


def moving(x: float, y: float = 0.0, z: float = 0.3, speed: float = 0.35, wait_s: float = 0.2) -> Step:
    return Step(Phase.APPROACH, (x, y, z), speed, 1.0, wait_s, BELT, S)


def test_meets_a_goal_that_moves_and_stays_with_it() -> None:
    goal, below = moving(0.4), moving(0.4, z=0.1)
    plan = start(goal, below, step(0.0))
    met_ns = plan.leg(2 * S).start_ns + round(plan.leg(2 * S).move_s * S)
    for t_ns in (met_ns, met_ns + S // 10, plan.leg(2 * S).end_ns):
        where = np.array([0.4, 0.0, 0.3]) + np.array(BELT) * (t_ns - S) / S
        np.testing.assert_allclose(plan.at(t_ns).position, where, atol=1e-9)
        np.testing.assert_allclose(plan.at(t_ns).velocity, BELT, atol=1e-9)
    down_ns = plan.leg(2 * S).end_ns
    for t_ns in range(down_ns, plan.leg(down_ns).end_ns, S // 50):
        where = np.array([0.4, 0.0]) + np.array(BELT[:2]) * (t_ns - S) / S
        np.testing.assert_allclose(plan.at(t_ns).position[:2], where, atol=1e-9, err_msg="straight down, seen from it")
    np.testing.assert_allclose(plan.at(plan.end_ns).position, [0.0, 0.0, 0.3])
    np.testing.assert_array_equal(plan.at(plan.end_ns).velocity, np.zeros(3))


@pytest.mark.parametrize("steps", [[moving(0.4), moving(0.4, z=0.1)], [step(0.4), moving(0.3)], [moving(0.3), step(0)]])
def test_where_the_frame_changes_nothing_jumps(steps: list[Step]) -> None:
    plan = start(*steps).branch(3 * S, [moving(0.2, 0.1), step(-0.1)], 1.2, 0)
    times = np.arange(2 * S, plan.end_ns + S, S // 500)
    positions = np.array([plan.at(int(t)).position for t in times])
    velocities = np.array([plan.at(int(t)).velocity for t in times])
    speeds, gains = (
        np.linalg.norm(np.diff(positions, axis=0), axis=1),
        np.linalg.norm(np.diff(velocities, axis=0), axis=1),
    )
    assert speeds.max() <= (0.35 + 0.05) / 500 * 1.2
    assert gains.max() <= 1.2 / 500 * 1.5


def test_when_a_phase_ends() -> None:
    plan = start(step(0.1), step(0.2)._replace(phase=Phase.CLOSE), step(0.3))
    assert plan.end_of(Phase.CLOSE) == plan.leg(plan.leg(2 * S).end_ns).end_ns
    assert plan.end_of(Phase.OPEN) == plan.end_ns


def test_branch_after_the_end_rests_until_then() -> None:
    first = start(step(0.1))
    plan = first.branch(first.end_ns + 5 * S, [step(0.0)], 1.2, first.end_ns + 4 * S)
    np.testing.assert_allclose(plan.at(first.end_ns + 4 * S).position, [0.1, 0, 0.3])
    assert plan.leg(first.end_ns + 5 * S).start_ns == first.end_ns + 5 * S


def test_steps_from_a_time_on() -> None:
    steps = [step(0.1), step(0.2), step(0.3)]
    plan = start(*steps)
    assert plan.steps_from(2 * S) == tuple(steps)
    assert plan.steps_from(plan.leg(2 * S).end_ns) == tuple(steps[1:])
    assert plan.steps_from(plan.end_ns + S) == (steps[2],)


def test_old_legs_are_dropped() -> None:
    plan = start(step(0.1))
    for k in range(200):
        now_ns = 2 * S + k * S // 10
        plan = plan.branch(now_ns + S // 7, [step(0.1 + 0.001 * k)], 1.2, now_ns)
        np.testing.assert_allclose(plan.at(now_ns).position[1:], [0, 0.3], atol=1e-12)
    assert len(plan._legs) < 6
