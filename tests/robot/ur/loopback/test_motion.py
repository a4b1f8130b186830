"""The trajectory generators against what can be worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geometry.pose import Pose
from geometry.types import Array
from robot.kinematics import UR10E_HOME_RAD, UR10E_LIMITS
from robot.ur.loopback.motion import Brake, Motion, SanityCheck, Servo, check, joint_line, tool_line
from robot.ur.loopback.settings import arm_model
from robot.ur.loopback.speed import JointSpeed, ToolSpeed
from robot.ur.loopback.tool_space import ToolSpace, from_pose, to_pose

DT = 0.002
HOME: Array = np.array(UR10E_HOME_RAD)
REST: Array = np.zeros(6)


def run(motion: Motion, cycles: int) -> Array:
    return np.array([motion.step(DT) for _ in range(cycles)])


@pytest.mark.parametrize(("lookahead_s", "gain"), [(0.03, 300.0), (0.1, 300.0), (0.2, 1000.0), (0.1, 2000.0)])
def test_servo_trails_a_ramp_by_its_lookahead(lookahead_s: float, gain: float) -> None:
    servo, speed = Servo(HOME, REST, 1e3), 0.2
    for i in range(1500):
        target = HOME + speed * i * DT
        servo.aim(target, lookahead_s, gain)
        at = servo.step(DT)
    assert (target - at) / speed == pytest.approx(lookahead_s, abs=2 * DT)


@pytest.mark.parametrize(("lookahead_s", "gain", "overshoots"), [(0.03, 300.0, True), (0.2, 300.0, False)])
def test_servo_overshoots_with_a_short_lookahead_only(lookahead_s: float, gain: float, overshoots: bool) -> None:
    servo = Servo(HOME, REST, 1e3)
    servo.aim(HOME + 0.05, lookahead_s, gain)
    path = run(servo, 1500)
    assert (path.max() > (HOME + 0.0501).max()) == overshoots
    assert path[-1] == pytest.approx(HOME + 0.05, abs=1e-4)


def test_servo_parameters_are_kept_in_the_manuals_ranges() -> None:
    wild, tame = Servo(HOME, REST, 1e9), Servo(HOME, REST, 1e9)
    wild.aim(HOME + 0.01, 5.0, 1e6)
    tame.aim(HOME + 0.01, 0.2, 2000.0)
    assert np.array_equal(run(wild, 50), run(tame, 50))


@pytest.mark.parametrize("jump", [0.2, -0.2, math.nan, math.inf])
def test_servo_refuses_what_no_joint_can_do(jump: float) -> None:
    servo, target = Servo(HOME, REST, 40.0), HOME.copy()
    target[3] += jump
    servo.aim(target, 0.1, 300.0)
    with pytest.raises(SanityCheck, match="joint 3") as refused:
        servo.step(DT)
    assert refused.value.code == "C204A1"


@settings(deadline=None, max_examples=25)
@given(
    st.floats(0.01, 1.0), st.floats(0.3, 3.0), st.floats(0.5, 20.0), st.lists(st.floats(-1, 1), min_size=6, max_size=6)
)
def test_joint_line_is_a_trapezoid(length: float, speed: float, acceleration: float, way: list[float]) -> None:
    direction = np.array(way)
    direction[0] = 1.0
    line = joint_line(HOME, HOME + length * direction, speed, acceleration)
    positions = [HOME]
    while not line.done:
        positions.append(line.step(DT))
        assert len(positions) < 200_000
    path = np.array(positions)
    speeds = np.abs(np.diff(path[:, 0])) / DT
    assert path[-1] == pytest.approx(HOME + length * direction, abs=1e-9)
    assert speeds.max() <= speed * 1.001 + 1e-9
    assert np.abs(np.diff(speeds[:-1])).max(initial=0.0) <= acceleration * DT * 1.05 + 1e-6
    peak = min(speed, math.sqrt(length * acceleration))
    assert (len(path) - 1) * DT == pytest.approx(length / peak + peak / acceleration, abs=DT * 1.01)


def test_line_of_no_length_is_done() -> None:
    line = joint_line(HOME, HOME, 1.0, 1.0)
    assert line.done
    assert np.array_equal(line.step(DT), HOME)


def test_tool_line_is_straight() -> None:
    tools = ToolSpace(arm_model("ur10e").dh, UR10E_LIMITS)
    start = tools.pose(HOME)
    goal = Pose(start.rotation, start.translation + np.array([0.1, 0.05, -0.1]))
    line = tool_line(HOME, goal, tools, 0.25, 1.2)
    while not line.done:
        at = tools.pose(line.step(DT)).translation - start.translation
        way = goal.translation - start.translation
        assert np.linalg.norm(np.cross(at, way)) / np.linalg.norm(way) < 1e-6
    assert tools.pose(line.step(DT)).distance_to(goal)[0] < 1e-6


def test_tool_line_out_of_reach_is_refused() -> None:
    tools = ToolSpace(arm_model("ur10e").dh, UR10E_LIMITS)
    start = tools.pose(HOME)
    line = tool_line(HOME, Pose(start.rotation, start.translation + np.array([-2.0, 0, 0])), tools, 0.5, 1.0)
    with pytest.raises(SanityCheck, match="cannot reach"):
        run(line, 5000)


@settings(deadline=None, max_examples=25)
@given(st.lists(st.floats(-2, 2), min_size=6, max_size=6), st.floats(2.0, 20.0))
def test_brake_stops_in_the_distance_of_its_deceleration(velocity: list[float], deceleration: float) -> None:
    speeds = np.array(velocity)
    brake, fastest = Brake(HOME, speeds, deceleration), float(np.abs(speeds).max())
    path = run(brake, int(fastest / deceleration / DT) + 3)
    assert brake.done
    assert path[-1] == pytest.approx(HOME + speeds * fastest / (2 * deceleration), abs=2 * fastest * DT + 1e-9)
    assert np.array_equal(run(brake, 3)[-1], path[-1])


def test_speed_is_reached_at_the_acceleration_and_kept() -> None:
    speed = JointSpeed(HOME, REST)
    wanted = np.array([0.4, -0.2, 0, 0, 0, 0])
    speed.aim(wanted, 2.0)
    path = run(speed, 300)
    rates = np.diff(path, axis=0) / DT
    assert rates[-1] == pytest.approx(wanted)
    assert np.abs(np.diff(rates[:, 0])).max() <= 2.0 * DT * 1.001
    assert np.argmax(rates[:, 0] > 0.3999) == pytest.approx(0.2 / DT, abs=3)


def test_tool_speed_is_reached_at_its_acceleration_and_goes_straight() -> None:
    tools = ToolSpace(arm_model("ur10e").dh, UR10E_LIMITS)
    speed = ToolSpeed(HOME, REST, tools)
    speed.aim(np.array([0.0, 0.1, 0.05, 0, 0, 0.2]), 0.5)
    path = [tools.pose(q).translation for q in run(speed, 400)]
    rates = np.diff(path, axis=0) / DT
    assert rates[-1] == pytest.approx([0.0, 0.1, 0.05], abs=2e-3)
    assert np.linalg.norm(np.diff(rates, axis=0), axis=1).max() <= 0.5 * DT * 1.05
    assert np.argmax(rates[:, 1] > 0.099) == pytest.approx(0.2 / 0.5 / DT, abs=5)


@pytest.mark.parametrize(
    ("after", "says"),
    [
        (HOME + np.array([0.01, 0, 0, 0, 0, 0]), "joint 0 would move at 5.00 rad/s"),
        (HOME + math.nan, "not finite"),
    ],
)
def test_check_refuses(after: Array, says: str) -> None:
    with pytest.raises(SanityCheck, match=says):
        check(HOME, after, DT, UR10E_LIMITS)


def test_check_refuses_to_leave_the_range() -> None:
    edge = HOME.copy()
    edge[2] = UR10E_LIMITS.upper_rad[2]
    beyond = edge.copy()
    beyond[2] += 0.004
    with pytest.raises(SanityCheck, match="out of its range"):
        check(edge, beyond, DT, UR10E_LIMITS)


@given(st.lists(st.floats(-1.5, 1.5), min_size=6, max_size=6))
def test_poses_survive_urscripts_six_figures(six: list[float]) -> None:
    assert from_pose(to_pose(six)) == pytest.approx(six, abs=1e-6)


def test_jacobian_is_the_derivative() -> None:
    tools = ToolSpace(arm_model("ur10e").dh, UR10E_LIMITS)
    tools.flange_T_tool = Pose.from_rotvec([0.1, 0.2, 0.3], [0.02, -0.01, 0.145])
    jacobian, small = tools.jacobian(HOME), 1e-6
    for joint in range(6):
        moved = HOME.copy()
        moved[joint] += small
        before, after = tools.pose(HOME), tools.pose(moved)
        assert (after.translation - before.translation) / small == pytest.approx(jacobian[:3, joint], abs=1e-5)
        turn = Pose(after.rotation @ before.rotation.T, REST[:3]).rotvec / small
        assert turn == pytest.approx(jacobian[3:, joint], abs=1e-5)
