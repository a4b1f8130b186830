from __future__ import annotations

import numpy as np
import pytest

from deploy.errors import BadInput
from robot.arm import Arm, JointCommand
from robot.sim import HOME_JOINTS_RAD, SimArm, World

HOME = np.array(HOME_JOINTS_RAD)


def command(joints: np.ndarray, mode: str = "position", opening: float = 1.0) -> JointCommand:
    return JointCommand(0, mode, joints, opening)


def test_is_an_arm() -> None:
    arm = SimArm(World(0))
    assert isinstance(arm, Arm)
    assert len(arm.joint_names) == 6
    arm.connect()
    state = arm.read_state()
    assert state.joint_positions_rad == pytest.approx(HOME)
    assert state.gripper_opening == pytest.approx(1.0)
    assert (state.sequence, arm.read_state().sequence) == (0, 1)
    arm.close()


@pytest.mark.parametrize("joint", range(6))
def test_position_command_is_reached(joint: int) -> None:
    world = World(0)
    arm = SimArm(world)
    arm.start(1_000)
    target = HOME + 0.1 * (np.arange(6) == joint)
    arm.send(command(target, opening=0.3))
    world.advance(1_500_000_000)
    state = arm.read_state()
    assert state.stamp_ns == 1_500_001_000
    assert state.joint_positions_rad == pytest.approx(target, abs=2e-4)
    assert state.gripper_opening == pytest.approx(0.3, abs=0.01)


def test_velocity_command_runs_on_and_times_out() -> None:
    world = World(0)
    arm = SimArm(world)
    wanted = np.array([0.2, 0.0, 0.0, 0.0, 0.0, -0.3])
    for _ in range(50):
        arm.send(command(wanted, "velocity"))
        world.advance(world.time_ns + 10_000_000)
    state = arm.read_state()
    assert state.joint_velocities_rad_s == pytest.approx(wanted, abs=0.03)
    assert state.joint_positions_rad - HOME == pytest.approx(0.5 * wanted, abs=0.03)
    for _ in range(100):
        world.advance(world.time_ns + 10_000_000)
        arm.read_state()
    assert np.abs(world.joint_velocities_rad_s).max() < 1e-3, "no command for a second: the arm stands"


def test_stop_takes_the_speed_out() -> None:
    world = World(0)
    arm = SimArm(world)
    for tick in range(40):
        arm.send(command(HOME + np.array([0.008 * tick, 0, 0, 0, 0, 0])))
        world.advance(world.time_ns + 10_000_000)
    at = world.joint_positions_rad[0]
    assert world.joint_velocities_rad_s[0] > 0.5
    arm.stop()
    world.advance(world.time_ns + 800_000_000)
    assert abs(world.joint_velocities_rad_s[0]) < 1e-2
    assert -0.02 < world.joint_positions_rad[0] - at < 0.4


@pytest.mark.parametrize("values", [(np.nan, 1.0), (np.inf, 1.0), (0.0, np.nan)])
def test_a_command_that_is_not_finite_is_refused(values: tuple[float, float]) -> None:
    world = World(0)
    arm = SimArm(world)
    with pytest.raises(BadInput, match="expected finite values"):
        arm.send(command(HOME + values[0], opening=values[1]))
    world.advance(200_000_000)
    assert world.joint_positions_rad == pytest.approx(HOME, abs=1e-4)


def test_start_forgets_the_last_episode() -> None:
    world = World(0)
    arm = SimArm(world)
    arm.send(command(HOME + 0.3, "velocity", 0.0))
    world.advance(100_000_000)
    world.reset(1)
    arm.start(5_000)
    world.advance(300_000_000)
    assert arm.read_state().joint_positions_rad == pytest.approx(HOME, abs=1e-4)
    assert arm.read_state().stamp_ns == 300_005_000
