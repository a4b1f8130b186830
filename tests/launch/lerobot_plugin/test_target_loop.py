"""Targets to motion: on the simulated arm, moved by the loop's own clock."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

pytest.importorskip("mujoco")
from deploy.errors import BadInput
from launch.config import load_config
from launch.lerobot_plugin.target_loop import TargetLoop
from launch.wiring import arm_model, governor_limits
from robot.arm import ArmFault, JointCommand, RobotState
from robot.governor import SafetyGovernor
from robot.kinematics import UR10E_HOME_RAD
from robot.sim import SimArm, World
from robot.trajectory import JointTrajectory

PERIOD_NS = 10_000_000
HOME = np.array(UR10E_HOME_RAD)


class TickedArm(SimArm):
    """The simulated arm; each reading moves the world by a period, so that the test waits for no real time."""

    def __init__(self) -> None:
        self.world = World(seed=3)
        self.sent: list[JointCommand] = []
        self.faulty: ArmFault | None = None
        self.stops = 0
        super().__init__(self.world)

    def read_state(self) -> RobotState:
        if self.faulty is not None:
            raise self.faulty
        self.world.advance(self.world.time_ns + PERIOD_NS)
        return super().read_state()

    def send(self, command: JointCommand) -> None:
        self.sent.append(command)
        super().send(command)

    def stop(self) -> None:
        self.stops += 1
        super().stop()


class Bench:
    def __init__(self) -> None:
        self.arm = TickedArm()
        config = load_config("sim_pick_place")
        limits = governor_limits(config)
        assert config.rig.arm is not None
        self.limits = limits
        self.loop = TargetLoop(
            self.arm, JointTrajectory(limits.joints.scaled(0.8)),
            SafetyGovernor(limits, arm_model(config.rig.arm), PERIOD_NS * 1e-9), limits.joints, self.clock, PERIOD_NS,
        )  # fmt: skip

    def clock(self) -> int:
        return time.monotonic_ns()

    def aim(self, joints: np.ndarray, opening: float = 1.0) -> tuple[np.ndarray, float]:
        return self.loop.aim(joints, opening, self.clock())

    def wait_for(self, condition: Callable[[RobotState], bool], what: str) -> RobotState:
        deadline = time.monotonic() + 10.0
        while not condition(state := self.loop.state()):
            assert time.monotonic() < deadline, f"no {what}"
            time.sleep(0.005)
        return state


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.loop.close()


def near(goal: np.ndarray, within: float = 0.01) -> Callable[[RobotState], bool]:
    return lambda state: bool(np.abs(state.joint_positions_rad - goal).max() < within)


def test_without_a_target_the_arm_holds(bench: Bench) -> None:
    bench.loop.state()
    time.sleep(0.2)
    assert near(HOME, 0.01)(bench.loop.state())
    assert all((command.joints == bench.arm.sent[0].joints).all() for command in bench.arm.sent)


def test_a_far_target_is_reached_within_the_limits_of_the_joints(bench: Bench) -> None:
    goal = HOME + np.array([1.0, 0.0, 0.0, 0.5, 0.0, 0.0])
    joints, opening = bench.aim(goal, 0.2)
    assert joints == pytest.approx(goal)
    assert opening == 0.2
    deadline = time.monotonic() + 10.0
    while not near(goal)(bench.loop.state()):
        bench.aim(goal, 0.2)
        assert time.monotonic() < deadline
        time.sleep(0.02)
    path = np.array([command.joints for command in bench.arm.sent])
    steps = np.abs(np.diff(path, axis=0)) / (PERIOD_NS * 1e-9)
    assert (steps <= np.array(bench.limits.joints.velocity_rad_s) + 1e-6).all()
    changes = np.abs(np.diff(path, 2, axis=0)) / (PERIOD_NS * 1e-9) ** 2
    assert (changes <= np.array(bench.limits.joints.acceleration_rad_s2) + 1e-3).all()
    assert bench.arm.sent[-1].gripper_opening == 0.2


def test_a_target_in_the_table_is_held_short_by_the_governor(bench: Bench) -> None:
    goal = HOME + np.array([0.0, 0.6, 0.3, 0.0, 0.0, 0.0])  # far below the table
    for _ in range(150):
        bench.aim(goal)
        time.sleep(0.01)
    config = load_config("sim_pick_place")
    assert config.rig.arm is not None
    model = arm_model(config.rig.arm)
    assert model.tcp(goal).translation[2] < 0.0
    lowest = min(model.tcp(command.joints).translation[2] for command in bench.arm.sent)
    assert lowest > 0.0
    assert not near(goal, 0.1)(bench.loop.state())
    bench.aim(HOME)  # and it can go back
    for _ in range(300):
        bench.aim(HOME)
        time.sleep(0.01)
        if near(HOME)(bench.loop.state()):
            break
    assert near(HOME, 0.02)(bench.loop.state())


def test_targets_that_are_not_renewed_make_the_arm_hold(bench: Bench) -> None:
    bench.loop.state()
    bench.loop.aim(HOME + np.array([1.0, 0, 0, 0, 0, 0]), 1.0, bench.clock() - bench.limits.command_age_ns)
    time.sleep(0.4)
    assert near(HOME, 0.01)(bench.loop.state())


def test_targets_beyond_a_joint_are_clipped_and_wrong_ones_refused(bench: Bench) -> None:
    joints, opening = bench.aim(HOME + np.array([0, 0, 100.0, 0, 0, 0]), 7.0)
    assert joints[2] == bench.limits.joints.upper_rad[2]
    assert opening == 1.0
    with pytest.raises(BadInput, match="expected finite"):
        bench.aim(HOME * np.nan)
    with pytest.raises(BadInput, match="expected finite"):
        bench.aim(HOME, float("nan"))


def test_a_fault_of_the_arm_ends_it_and_is_told(bench: Bench) -> None:
    bench.loop.state()
    bench.arm.faulty = ArmFault("protective_stop", "the arm touched something")
    with pytest.raises(ArmFault, match="touched"):
        bench.wait_for(lambda _: False, "end")
    with pytest.raises(ArmFault, match="touched"):
        bench.aim(HOME)
    assert bench.arm.stops >= 1


def test_its_end_stops_the_arm(bench: Bench) -> None:
    bench.loop.state()
    bench.loop.close()
    assert bench.arm.stops == 1
    assert not any(thread.name == "lerobot-control" and thread.is_alive() for thread in threading.enumerate())
