"""Every fault of the vocabulary, as an unmodified ur_rtde sees it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from robot.ur.loopback.faults import COMMANDS
from tests.robot.ur.loopback_process import LoopbackProcess, until

rtde_control = pytest.importorskip("rtde_control")
rtde_receive = pytest.importorskip("rtde_receive")
dashboard_client = pytest.importorskip("dashboard_client")

BY_OTHER_MEANS = {"status", "reset", "clear", "release", "unlock", "drop_connections", "pause_program"}


def at_rest(receiver: Any) -> bool:
    return bool(np.abs(receiver.getActualQd()).max() < 1e-3)


def keep_moving(control: Any, receiver: Any) -> None:
    """Start joint 6 turning at 0.3 rad/s, without end."""
    control.speedJ([0, 0, 0, 0, 0, 0.3], 2.0, 0.002)
    assert until(lambda: receiver.getActualQd()[5] > 0.25)


def test_protective_stop(loopback: LoopbackProcess, control: Any, receiver: Any, dashboard: Any) -> None:
    keep_moving(control, receiver)
    loopback.inject("protective_stop")
    assert until(receiver.isProtectiveStopped)
    assert (receiver.getSafetyMode(), receiver.getRobotMode()) == (3, 7)
    assert until(lambda: at_rest(receiver) and not control.isProgramRunning())
    assert dashboard.safetystatus() == "Safetystatus: PROTECTIVE_STOP"
    assert until(lambda: not _raises(dashboard.unlockProtectiveStop))
    assert until(lambda: receiver.getSafetyMode() == 1)
    assert at_rest(receiver), "the program goes on without anybody's word"
    dashboard.play()
    assert until(lambda: receiver.getActualQd()[5] > 0.25), "a paused program goes on where it was"
    assert control.speedStop()


def _raises(action: Callable[[], object]) -> bool:
    try:
        action()
    except RuntimeError:
        return True
    return False


def test_protective_stop_cannot_be_unlocked_at_once(spare: LoopbackProcess) -> None:
    spare.inject("protective_stop")
    dashboard = dashboard_client.DashboardClient(spare.address)
    dashboard.connect()
    with pytest.raises(RuntimeError, match="Cannot unlock protective stop until 5s after occurrence"):
        dashboard.unlockProtectiveStop()
    assert dashboard.safetystatus() == "Safetystatus: PROTECTIVE_STOP"
    dashboard.disconnect()


def test_emergency_stop(loopback: LoopbackProcess, control: Any, receiver: Any, dashboard: Any) -> None:
    keep_moving(control, receiver)
    loopback.inject("emergency_stop")
    assert until(receiver.isEmergencyStopped)
    assert until(lambda: at_rest(receiver) and receiver.getRobotMode() == 3)
    assert dashboard.robotmode() == "Robotmode: POWER_OFF"
    assert dashboard.programState().startswith("STOPPED")
    loopback.inject("release")
    assert until(lambda: receiver.getSafetyMode() == 1)
    assert receiver.getRobotMode() == 3, "power does not come back by itself"
    dashboard.powerOn()
    assert until(lambda: receiver.getRobotMode() == 5)
    dashboard.brakeRelease()
    assert until(lambda: receiver.getRobotMode() == 7)


def test_safeguard_stop(loopback: LoopbackProcess, control: Any, receiver: Any, dashboard: Any) -> None:
    keep_moving(control, receiver)
    loopback.inject("safeguard_stop")
    assert until(lambda: receiver.getSafetyMode() == 5 and at_rest(receiver))
    assert dashboard.programState().startswith("PAUSED")
    loopback.inject("release")
    assert until(lambda: receiver.getSafetyMode() == 1)
    assert at_rest(receiver)
    dashboard.play()
    assert until(lambda: receiver.getActualQd()[5] > 0.25)


def test_stop_program(loopback: LoopbackProcess, control: Any, receiver: Any) -> None:
    keep_moving(control, receiver)
    loopback.inject("stop_program")
    assert until(lambda: not control.isProgramRunning() and at_rest(receiver))
    assert receiver.getSafetyMode() == 1


def test_power_off(loopback: LoopbackProcess, receiver: Any) -> None:
    loopback.inject("power_off")
    assert until(lambda: receiver.getRobotMode() == 3 and not receiver.getRobotStatus() & 1)


def test_speed_slider_scales_motion(loopback: LoopbackProcess, control: Any, receiver: Any) -> None:
    keep_moving(control, receiver)
    loopback.inject("speed_slider 0.3")
    assert until(lambda: receiver.getTargetSpeedFraction() == 0.3 and receiver.getSpeedScaling() == 0.3)
    assert until(lambda: abs(receiver.getActualQd()[5] - 0.09) < 0.005)
    assert control.speedStop()


def test_sudden_change_of_servoj_is_a_protective_stop(loopback: LoopbackProcess, control: Any, receiver: Any) -> None:
    here = np.array(receiver.getActualQ())
    control.servoJ((here + 0.5).tolist(), 0, 0, 0.002, 0.1, 300)
    assert until(receiver.isProtectiveStopped)
    assert np.abs(np.array(receiver.getActualQ()) - here).max() < 0.01
    assert any("C204A1" in event for event in loopback.status()["events"])


def test_local_control_takes_no_program(loopback: LoopbackProcess, dashboard: Any) -> None:
    loopback.inject("remote_control 0")
    assert not dashboard.isInRemoteControl()
    with pytest.raises(RuntimeError, match="remote control"):
        rtde_control.RTDEControlInterface(loopback.address, 500.0)


def visit(loopback: LoopbackProcess) -> None:
    rtde_receive.RTDEReceiveInterface(loopback.address, 500.0).disconnect()


@pytest.mark.parametrize(("fault", "says"), [("wrong_version", "."), ("refuse_recipe", "not found by the controller")])
def test_client_is_turned_away(loopback: LoopbackProcess, fault: str, says: str) -> None:
    loopback.inject(fault)
    with pytest.raises((RuntimeError, ValueError), match=says):
        rtde_receive.RTDEReceiveInterface(loopback.address, 500.0)
    loopback.inject("clear")
    visit(loopback)


def test_refused_connections(loopback: LoopbackProcess) -> None:
    loopback.inject("refuse_connections 1.0")
    with pytest.raises(RuntimeError, match="Could not connect"):
        rtde_receive.RTDEReceiveInterface(loopback.address, 500.0)
    assert until(lambda: not _raises(lambda: visit(loopback)))


def largest_gap(receiver: Any, seconds: float) -> float:
    """Longest step of the controller's clock between two states."""
    stamps = [receiver.getTimestamp()]
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        stamps.append(receiver.getTimestamp())
        time.sleep(0.0005)
    return float(np.diff(np.unique(stamps)).max())


def test_dropped_packets_are_a_gap(loopback: LoopbackProcess, receiver: Any) -> None:
    loopback.inject("drop_packets 100")
    assert largest_gap(receiver, 0.6) >= 0.199


def test_delayed_packets(loopback: LoopbackProcess, receiver: Any) -> None:
    loopback.inject("delay_packets 0.2")
    time.sleep(0.5)
    behind = loopback.status()["time_s"] - receiver.getTimestamp()
    assert behind >= 0.19
    loopback.inject("delay_packets 0")
    assert until(lambda: loopback.status()["time_s"] - receiver.getTimestamp() < 0.1)


def test_silence(loopback: LoopbackProcess, receiver: Any) -> None:
    loopback.inject("silence 0.3")
    assert largest_gap(receiver, 0.8) >= 0.299


@pytest.mark.parametrize("fault", ["close_mid_packet", "drop_connections"])
def test_connection_is_lost(fault: str, spare: LoopbackProcess) -> None:
    receiver = rtde_receive.RTDEReceiveInterface(spare.address, 500.0)
    assert receiver.isConnected()
    spare.inject(fault)
    assert until(lambda: not receiver.isConnected())
    assert receiver.reconnect()
    assert receiver.isConnected()
    receiver.disconnect()


def test_clock_jumps_and_drifts(loopback: LoopbackProcess, receiver: Any) -> None:
    before = receiver.getTimestamp()
    loopback.inject("shift_clock 50")
    assert until(lambda: receiver.getTimestamp() > before + 50)
    loopback.inject("clock_drift 0.5")
    time.sleep(0.05)
    theirs, ours = receiver.getTimestamp(), time.monotonic()
    time.sleep(0.5)
    rate = (receiver.getTimestamp() - theirs) / (time.monotonic() - ours)
    loopback.inject("clock_drift 0")
    assert 1.2 < rate < 1.9


def test_every_fault_has_a_test() -> None:
    tested = {
        "protective_stop",
        "emergency_stop",
        "safeguard_stop",
        "stop_program",
        "power_off",
        "speed_slider",
        "remote_control",
        "wrong_version",
        "refuse_recipe",
        "refuse_connections",
        "drop_packets",
        "delay_packets",
        "silence",
        "close_mid_packet",
        "drop_connections",
        "shift_clock",
        "clock_drift",
    }
    assert tested | BY_OTHER_MEANS == set(COMMANDS)
