"""The driver on a robot of LeRobot's shape; `test_with_lerobot.py` holds that shape against the real one."""

from __future__ import annotations

import importlib.util
import math
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from bench_motors import ARM, BenchMotors

from deploy.errors import BadInput, Missing
from robot.arm import Arm, ArmFault, BufferedArm, CommandMode, JointCommand
from robot.lerobot import driver as module
from robot.lerobot.driver import LeRobotArm

TEN = math.radians(10.0)
EPOCH_NS = time.monotonic_ns()


def clock() -> int:
    return time.monotonic_ns() - EPOCH_NS


class Cell:
    """An arm on motors; each connection makes new motors, as the driver makes a new robot."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.made: list[BenchMotors] = []
        self.arm = self.new()
        self.broken: Exception | None = None
        monkeypatch.setattr(module, "make_robot", self.make)

    def new(self, **options: Any) -> LeRobotArm:
        defaults = {"joints": ARM, "bus_rate_hz": 100.0, "silence_s": 0.15, "clock": clock}
        return LeRobotArm("bench", {"port": "/dev/null"}, **(defaults | options))

    def make(self, name: str, config: dict[str, Any]) -> BenchMotors:
        assert (name, config) == ("bench", {"port": "/dev/null"})
        motors = BenchMotors()
        motors.broken = self.broken
        self.made.append(motors)
        return motors

    @property
    def motors(self) -> BenchMotors:
        return self.made[-1]


@pytest.fixture
def cell(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cell]:
    cell = Cell(monkeypatch)
    yield cell
    cell.arm.close()


def wait_for(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 5.0
    while not condition():
        assert time.monotonic() < deadline, f"no {what}"
        time.sleep(0.005)


def faulted(arm: LeRobotArm) -> ArmFault | None:
    try:
        arm.read_state()
    except ArmFault as fault:
        return fault
    return None


def command(angle: float, mode: CommandMode = "position", opening: float = 0.5) -> JointCommand:
    return JointCommand(clock(), mode, np.array([angle] * 5 + [0.0]), opening)


def test_it_is_an_arm(cell: Cell) -> None:
    assert isinstance(cell.arm, Arm)
    assert isinstance(cell.arm, BufferedArm)
    assert cell.arm.name == "bench"
    assert cell.arm.joint_names == (*ARM, "none_6")


def test_it_reads_on_the_run_clock_and_sends_nothing_unasked(cell: Cell) -> None:
    before = clock()
    cell.arm.connect()
    assert cell.motors.asked_to_calibrate is False
    state = cell.arm.read_state()
    assert before < state.stamp_ns < clock()
    assert state.joint_positions_rad == pytest.approx([TEN] * 5 + [0.0])
    assert state.gripper_opening == pytest.approx(0.1)
    wait_for(lambda: cell.arm.read_state().sequence > state.sequence + 3, "new states")
    numbers = [s.sequence for s in cell.arm.read_states()]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert cell.motors.actions == []


def test_it_follows_positions_at_its_speed(cell: Cell) -> None:
    cell.arm = cell.new(speed_rad_s=1.0)
    cell.arm.connect()
    began = time.monotonic_ns()
    cell.arm.send(command(TEN + 0.3))
    wait_for(lambda: abs(cell.arm.read_state().joint_positions_rad[0] - TEN - 0.3) < 0.01, "arrival")
    assert cell.arm.read_state().gripper_opening == pytest.approx(0.5, abs=0.05)
    for sent_ns, action in cell.motors.actions:
        moved = math.radians(action["shoulder_pan.pos"]) - TEN
        assert moved <= 1.0 * (sent_ns - began) * 1e-9 + 0.02
        assert set(action) == {f"{motor}.pos" for motor in (*ARM, "gripper")}
    assert max(abs(cell.arm.read_state().joint_velocities_rad_s)) < 1.2


def test_a_velocity_moves_and_ends_by_itself(cell: Cell) -> None:
    cell.arm.connect()
    cell.arm.send(command(0.5, "velocity"))
    time.sleep(0.5)
    moved = cell.arm.read_state().joint_positions_rad[:5] - TEN
    assert moved == pytest.approx([0.1] * 5, abs=0.03)
    assert abs(cell.arm.read_state().joint_velocities_rad_s).max() < 0.02


def test_stop_sends_the_present_position(cell: Cell) -> None:
    cell.arm.connect()
    cell.arm.send(command(TEN + 1.0))
    wait_for(lambda: cell.arm.read_state().joint_positions_rad[0] > TEN + 0.1, "motion")
    cell.arm.stop()
    time.sleep(0.1)
    place = cell.arm.read_state().joint_positions_rad[0]
    time.sleep(0.2)
    assert cell.arm.read_state().joint_positions_rad[0] == pytest.approx(place, abs=0.02)
    assert place < TEN + 0.9


def test_what_cannot_be_followed_is_refused(cell: Cell) -> None:
    cell.arm = cell.new(ranges_rad=[[-1.0, 1.0]] * 5)
    cell.arm.connect()
    for wrong, message in (
        (JointCommand(0, "position", np.array([0, 0, 0, 0, 0, 0.5]), 1.0), "the arm has no such joint"),
        (JointCommand(0, "position", np.array([2.0, 0, 0, 0, 0, 0]), 1.0), "shoulder_pan is commanded to 2.000 rad"),
        (JointCommand(0, "position", np.array([math.nan, 0, 0, 0, 0, 0]), 1.0), "expected finite"),
        (JointCommand(0, "position", np.zeros(6), math.nan), "gripper"),
    ):
        with pytest.raises(BadInput, match=message):
            cell.arm.send(wrong)
    time.sleep(0.05)
    assert cell.motors.actions == []


def test_lost_packets_are_no_fault(cell: Cell) -> None:
    cell.arm.connect()
    cell.motors.fails_every = 3
    cell.arm.send(command(TEN + 0.2))
    for _ in range(30):
        cell.arm.read_state()
        time.sleep(0.01)
    assert cell.arm.read_state().joint_positions_rad[0] == pytest.approx(TEN + 0.2, abs=0.02)


@pytest.mark.parametrize(
    ("error", "kind"), [(ConnectionError("cable"), "disconnected"), (RuntimeError("overload"), "driver")]
)
def test_a_lost_bus_is_a_fault_until_recover(cell: Cell, error: Exception, kind: str) -> None:
    cell.arm.connect()
    cell.motors.broken = cell.broken = error
    wait_for(lambda: faulted(cell.arm) is not None, "fault")
    fault = faulted(cell.arm)
    assert fault is not None
    assert fault.kind == kind
    assert "bench at /dev/null" in str(fault)
    assert str(error) in str(fault)
    with pytest.raises(ArmFault):
        cell.arm.send(command(TEN))
    cell.arm.stop()
    with pytest.raises(ArmFault, match="cannot be connected"):
        cell.arm.recover()
    assert faulted(cell.arm) is not None
    cell.motors.broken = cell.broken = None
    cell.arm.recover()
    assert faulted(cell.arm) is None
    assert len(cell.made) == 3
    assert not cell.made[0].connected


def test_a_bus_that_hangs_is_a_fault(cell: Cell) -> None:
    cell.arm.connect()
    cell.motors.hangs_s = 0.6
    wait_for(lambda: faulted(cell.arm) is not None, "fault")
    fault = faulted(cell.arm)
    assert fault is not None
    assert fault.kind == "disconnected"
    assert "silent" in str(fault)


def test_limp_takes_the_torque_off_and_recover_puts_it_on_where_the_arm_is(cell: Cell) -> None:
    cell.arm.connect()
    cell.arm.limp()
    wait_for(lambda: not cell.motors.bus.torque, "torque off")
    with pytest.raises(ArmFault, match="gives way"):
        cell.arm.send(command(TEN))
    cell.motors.positions.update(dict.fromkeys(ARM, 40.0))  # by hand
    wait_for(lambda: cell.arm.read_state().joint_positions_rad[0] > 0.6, "sight of the hand")
    cell.arm.recover()
    wait_for(lambda: cell.motors.bus.torque, "torque on")
    assert cell.motors.goals["shoulder_pan"] == pytest.approx(40.0)
    assert cell.motors.bus.calls == ["disable_torque", "enable_torque"]
    assert len(cell.made) == 1


def test_limp_of_a_robot_without_a_bus_holds(cell: Cell) -> None:
    cell.arm.connect()
    del cell.motors.bus
    cell.arm.limp()
    wait_for(lambda: len(cell.motors.actions) > 2, "actions")
    assert cell.motors.actions[-1][1]["shoulder_pan.pos"] == pytest.approx(10.0)
    cell.arm.send(command(TEN))


def test_limp_and_close_at_once_leaves_the_arm_limp(cell: Cell) -> None:
    for _ in range(5):
        cell.arm.connect()
        cell.arm.limp()
        cell.arm.close()
        assert not cell.motors.bus.torque


def test_recover_of_an_arm_that_is_well_does_nothing(cell: Cell) -> None:
    cell.arm.connect()
    cell.arm.recover()
    assert len(cell.made) == 1


def test_motors_beside_the_arm_stay_where_they_are(cell: Cell) -> None:
    cell.arm = cell.new(joints=ARM[:2], gripper=None)
    cell.arm.connect()
    cell.arm.send(JointCommand(clock(), "position", np.array([TEN + 0.1, TEN, 0, 0, 0, 0]), 0.7))
    wait_for(lambda: len(cell.motors.actions) > 2, "actions")
    assert cell.motors.actions[-1][1]["gripper.pos"] == pytest.approx(10.0)
    assert cell.motors.actions[-1][1]["wrist_roll.pos"] == pytest.approx(10.0)
    assert cell.arm.read_state().gripper_opening == 0.7


def test_connecting_what_does_not_answer(cell: Cell) -> None:
    cell.broken = ConnectionError("Could not connect on port '/dev/null'")
    with pytest.raises(Missing, match=r"bench at /dev/null cannot be connected \(ConnectionError: Could not connect"):
        cell.arm.connect()
    assert faulted(cell.arm) is not None


def test_an_arm_that_is_not_calibrated_is_not_calibrated_by_itself(cell: Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BenchMotors, "is_calibrated", False)
    with pytest.raises(Missing, match=r"is not calibrated: lerobot-calibrate --robot\.type=bench"):
        cell.arm.connect()
    assert not cell.motors.connected


def test_a_motor_that_the_robot_lacks(cell: Cell) -> None:
    cell.arm = cell.new(joints=["shoulder"])
    with pytest.raises(BadInput, match=r"motor 'shoulder': shoulder\.pos is not observed by this robot; it has elbow"):
        cell.arm.connect()


def test_close_lets_go_and_is_safe_twice(cell: Cell) -> None:
    cell.arm.connect()
    cell.arm.close()
    cell.arm.close()
    assert not cell.motors.connected
    assert cell.motors.bus.torque
    with pytest.raises(ArmFault, match="is not connected"):
        cell.arm.read_state()
    cell.arm.stop()
    cell.arm.limp()


@pytest.mark.parametrize("options", [{"bus_rate_hz": 0.0}, {"speed_rad_s": math.inf}, {"silence_s": 0.0}])
def test_options_out_of_range(cell: Cell, options: dict[str, float]) -> None:
    with pytest.raises(BadInput, match=next(iter(options))):
        cell.new(**options)


@pytest.mark.skipif(importlib.util.find_spec("lerobot") is not None, reason="LeRobot is installed here")
def test_without_lerobot_it_says_what_to_install() -> None:
    with pytest.raises(Missing, match=r"pip install 'eyehand\[lerobot\]'"):
        LeRobotArm("so101_follower", joints=ARM).connect()
