"""An unmodified ur_rtde against the loopback controller: its four interfaces."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from robot.kinematics import forward
from tests.robot.ur.loopback_process import LoopbackProcess, until

rtde_io = pytest.importorskip("rtde_io")

STEP_RAD = np.array([0.1, -0.05, 0.05, 0.05, 0.0, 0.1])


def test_receive_reads_the_arm(receiver: Any, loopback: LoopbackProcess) -> None:
    state = loopback.status()
    joints = np.array(receiver.getActualQ())
    assert joints == pytest.approx(state["joints_rad"], abs=1e-6)
    pose = forward(joints)
    assert receiver.getActualTCPPose() == pytest.approx([*pose.translation, *pose.rotvec], abs=1e-6)
    assert (receiver.getRobotMode(), receiver.getSafetyMode(), receiver.getRuntimeState()) == (7, 1, 1)
    first = receiver.getTimestamp()
    assert first > 1000.0
    assert until(lambda: receiver.getTimestamp() > first + 0.02)


def test_states_are_two_milliseconds_of_the_controllers_clock_apart(receiver: Any) -> None:
    stamps = set()
    end = time.monotonic() + 0.5
    while time.monotonic() < end:
        stamps.add(receiver.getTimestamp())
        time.sleep(0.0003)
    assert np.diff(sorted(stamps)).min() == pytest.approx(0.002, abs=1e-6)


def test_movej_arrives(control: Any, receiver: Any) -> None:
    goal = np.array(receiver.getActualQ()) + STEP_RAD
    assert control.moveJ(goal.tolist(), 1.0, 2.0)
    assert until(lambda: bool(np.abs(np.array(receiver.getActualQ()) - goal).max() < 1e-3))


def test_upper_range_of_registers(spare: LoopbackProcess) -> None:
    rtde_control = pytest.importorskip("rtde_control")
    interface = rtde_control.RTDEControlInterface
    flags = interface.FLAG_UPLOAD_SCRIPT | interface.FLAG_UPPER_RANGE_REGISTERS
    control = interface(spare.address, 500.0, flags)
    goal = np.array(spare.status()["joints_rad"]) + STEP_RAD
    assert control.moveJ(goal.tolist(), 1.0, 2.0)
    assert until(lambda: bool(np.abs(np.array(spare.status()["joints_rad"]) - goal).max() < 1e-3))
    control.disconnect()


def test_one_control_at_a_time(control: Any, loopback: LoopbackProcess) -> None:
    rtde_control = pytest.importorskip("rtde_control")
    with pytest.raises(RuntimeError, match="already in use"):
        rtde_control.RTDEControlInterface(loopback.address, 500.0)


def test_movel_goes_straight(control: Any, receiver: Any) -> None:
    start = np.array(receiver.getActualTCPPose())
    goal = start + np.array([0.0, 0.05, 0.03, 0.0, 0.0, 0.0])
    assert control.moveL(goal.tolist(), 0.25, 1.2)
    assert until(lambda: bool(np.abs(np.array(receiver.getActualTCPPose())[:3] - goal[:3]).max() < 1e-3))
    assert control.moveL(start.tolist(), 0.25, 1.2)


def test_servoj_follows_a_sine_and_stops(control: Any, receiver: Any) -> None:
    start = np.array(receiver.getActualQ())
    apart = []
    for i in range(300):
        began = control.initPeriod()
        # so small that no stall of this process is a jump that the joints could not do
        wanted = start + 0.05 * np.sin(2 * np.pi * i / 300) * np.array([1.0, 0, 0, 0, 0, 1.0])
        assert control.servoJ(wanted.tolist(), 0.0, 0.0, 0.002, 0.1, 300)
        apart.append(np.abs(np.array(receiver.getActualQ()) - wanted).max())
        control.waitPeriod(began)
    assert max(apart) > 0.005, "the arm does not lag: it is not a servo"
    assert max(apart) < 0.11
    assert control.servoStop()
    assert until(lambda: bool(np.abs(receiver.getActualQd()).max() < 1e-3))


def test_servoj_goes_on_to_the_last_target(control: Any, receiver: Any) -> None:
    goal = np.array(receiver.getActualQ()) + 0.02
    assert control.servoJ(goal.tolist(), 0.0, 0.0, 0.002, 0.05, 300)
    assert until(lambda: bool(np.abs(np.array(receiver.getActualQ()) - goal).max() < 1e-3))


def test_speedj_keeps_its_speed_until_it_is_stopped(control: Any, receiver: Any) -> None:
    assert control.speedJ([0.1, 0, 0, 0, 0, 0], 1.0, 0.002)
    assert until(lambda: abs(receiver.getActualQd()[0] - 0.1) < 0.005)
    time.sleep(0.1)
    assert receiver.getActualQd()[0] == pytest.approx(0.1, abs=0.005)
    assert control.speedStop(2.0)
    assert until(lambda: bool(np.abs(receiver.getActualQd()).max() < 1e-3))


def test_speedl_moves_the_tool(control: Any, receiver: Any) -> None:
    assert control.speedL([0.0, 0.0, 0.05, 0, 0, 0], 0.5, 0.002)
    assert until(lambda: abs(receiver.getActualTCPSpeed()[2] - 0.05) < 0.003)
    assert abs(receiver.getActualTCPSpeed()[0]) < 0.005
    assert control.speedStop(2.0)


def test_asynchronous_move_tells_its_progress_and_can_be_stopped(control: Any, receiver: Any) -> None:
    goal = np.array(receiver.getActualQ()) + STEP_RAD * 3
    assert control.moveJ(goal.tolist(), 0.2, 0.5, True)
    assert until(lambda: control.getAsyncOperationProgress() >= 0)
    control.stopJ(2.0)
    assert until(lambda: control.getAsyncOperationProgress() < 0)
    assert np.abs(np.array(receiver.getActualQ()) - goal).max() > 0.05


def test_script_answers(control: Any, receiver: Any) -> None:
    joints = receiver.getActualQ()
    assert control.getForwardKinematics(joints, [0, 0, 0.1, 0, 0, 0]) == pytest.approx(
        [*(forward(joints).apply([0, 0, 0.1])), *forward(joints).rotvec], abs=1e-6
    )
    assert control.getInverseKinematics(receiver.getActualTCPPose(), joints) == pytest.approx(joints, abs=1e-5)
    assert control.isJointsWithinSafetyLimits(joints)
    assert not control.isJointsWithinSafetyLimits([7.0, 0, 0, 0, 0, 0])
    assert control.setPayload(1.5, [0, 0, 0.05])
    assert until(lambda: receiver.getPayload() == 1.5)
    assert control.setTcp([0, 0, 0.145, 0, 0, 0])
    assert control.getTCPOffset() == pytest.approx([0, 0, 0.145, 0, 0, 0], abs=1e-9)
    assert control.setTcp([0, 0, 0, 0, 0, 0])
    assert control.isSteady()
    assert control.teachMode()
    assert control.endTeachMode()


def test_path_of_moves(control: Any, receiver: Any) -> None:
    start = np.array(receiver.getActualQ())
    path = [[*(start + STEP_RAD), 2.0, 4.0, 0.02], [*(start + 2 * STEP_RAD), 2.0, 4.0, 0.0]]
    assert control.moveJ(path)
    assert until(lambda: bool(np.abs(np.array(receiver.getActualQ()) - start - 2 * STEP_RAD).max() < 1e-3))
    assert until(control.isProgramRunning)
    assert control.moveJ(start.tolist(), 2.0, 4.0)


def test_custom_script(control: Any) -> None:
    assert control.sendCustomScriptFunction("greet", 'textmsg("hello")\n')
    assert until(control.isProgramRunning)


def test_watchdog_stops_the_program(control: Any) -> None:
    assert control.setWatchdog(10.0)
    assert until(lambda: not control.isProgramRunning(), 2.0)


def test_stop_script(control: Any) -> None:
    assert control.isProgramRunning()
    control.stopScript()
    assert until(lambda: not control.isProgramRunning())
    assert control.reuploadScript()
    assert until(control.isProgramRunning)


def test_io(loopback: LoopbackProcess, receiver: Any) -> None:
    io = rtde_io.RTDEIOInterface(loopback.address)
    assert io.setStandardDigitalOut(1, True)
    assert io.setToolDigitalOut(0, True)
    assert until(lambda: receiver.getDigitalOutState(1) and receiver.getDigitalOutState(16))
    assert io.setStandardDigitalOut(1, False)
    assert until(lambda: not receiver.getDigitalOutState(1))
    assert receiver.getDigitalOutState(16)
    assert io.setAnalogOutputVoltage(0, 0.5)
    assert until(lambda: receiver.getStandardAnalogOutput0() == 0.5)
    assert io.setSpeedSlider(0.5)
    assert until(lambda: receiver.getTargetSpeedFraction() == 0.5 and receiver.getSpeedScaling() == 0.5)
    io.disconnect()


def test_dashboard(dashboard: Any) -> None:
    assert dashboard.robotmode() == "Robotmode: RUNNING"
    assert dashboard.safetystatus() == "Safetystatus: NORMAL"
    assert dashboard.safetymode() == "Safetymode: NORMAL"
    assert dashboard.programState().startswith("STOPPED")
    assert not dashboard.running()
    assert dashboard.polyscopeVersion() == "5.12.2.1101534"
    assert dashboard.getSerialNumber() == "20225500001"
    assert dashboard.getRobotModel() == "UR10"
    assert dashboard.isInRemoteControl()
    dashboard.loadURP("pick.urp")
    dashboard.play()
    assert dashboard.running()
    dashboard.pause()
    assert not dashboard.running()
    dashboard.play()
    dashboard.stop()
    assert not dashboard.running()
    dashboard.powerOff()
    assert dashboard.robotmode() == "Robotmode: POWER_OFF"
    dashboard.powerOn()
    assert until(lambda: dashboard.robotmode() == "Robotmode: IDLE")
    dashboard.brakeRelease()
    assert until(lambda: dashboard.robotmode() == "Robotmode: RUNNING")
    dashboard.closeSafetyPopup()
    dashboard.restartSafety()
    dashboard.quit()
