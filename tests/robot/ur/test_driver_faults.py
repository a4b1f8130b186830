"""Each fault on a moving arm: named in time, the arm at rest soon after, and nothing goes on by itself."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import numpy as np
import pytest

from deploy.errors import Missing
from robot.arm import ArmFault
from robot.ur.dashboard import Dashboard
from robot.ur.driver import UrArm
from tests.robot.ur.loopback_process import LoopbackProcess, until
from tests.robot.ur.moving import connected, position, rest_after_s, stream, swing

pytest.importorskip("script_client")

# Generous: the machine may be busy with other things.
SEEN_S = 5.0
REST_S = 4.0
# Of the faults that are silence: longer than a busy machine keeps a process waiting, shorter than those faults.
SILENCE_S = 0.6


def run_into(arm: UrArm, loopback: LoopbackProcess, fault: str) -> tuple[ArmFault, int]:
    """Move, let something happen, and go on until it is seen: the fault, and when it happened [ns]."""
    motion = swing(arm.read_state().joint_positions_rad)
    stream(arm, 0.2, motion)
    at_ns = time.monotonic_ns()
    loopback.inject(fault)
    with pytest.raises(ArmFault) as seen:
        stream(arm, SEEN_S + 1.0, lambda t: motion(0.2 + t))
    assert (time.monotonic_ns() - at_ns) * 1e-9 < SEEN_S
    return seen.value, at_ns


@pytest.mark.parametrize(
    ("fault", "kind", "words", "cure"),
    [
        ("protective_stop", "protective_stop", "Enable Robot", ["unlock"]),
        ("safeguard_stop", "safeguard_stop", "light curtain", ["release"]),
        ("emergency_stop", "emergency_stop", "release the button", ["reset"]),
        ("power_off", "not_running", "POWER_OFF", ["reset"]),
        ("stop_program", "program_stopped", "STOPPED", []),
        ("pause_program", "program_stopped", "PAUS", []),
        ("speed_slider 0.4", "speed_slider", "40%", ["speed_slider 1"]),
        ("drop_packets 100000", "disconnected", "no new state for", ["clear"]),
        ("delay_packets 30", "disconnected", "no new state for", ["clear"]),
        ("silence 1.8", "disconnected", "no new state for", ["clear"]),
        ("drop_connections", "disconnected", "connection is lost", []),
        ("close_mid_packet", "disconnected", "connection is lost", []),
    ],
)
def test_fault_is_named_the_arm_comes_to_rest_and_goes_on_only_when_told(
    loopback: LoopbackProcess,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    fault: str,
    kind: str,
    words: str,
    cure: list[str],
) -> None:
    with connected(loopback, **({"silence_s": SILENCE_S} if "no new state" in words else {})) as arm:
        seen, at_ns = run_into(arm, loopback, fault)
        assert seen.kind == kind
        assert words in str(seen)
        assert str(seen).startswith(f"UR10e at {loopback.address}: ")
        # It stays, for reading and sending alike, and stopping is always possible.
        with pytest.raises(ArmFault, match="UR10e"):
            arm.read_states()
        arm.stop()
        # Put right by now, but nobody has said so to the driver.
        time.sleep(0.15)
        for line in cure:
            loopback.inject(line)
        time.sleep(0.3)
        with pytest.raises(ArmFault) as still:
            arm.read_state()
        assert still.value.kind == kind
        assert rest_after_s(loopback, at_ns, tmp_path) < REST_S
        before = np.array(loopback.status()["joints_rad"])
        arm.recover()
        after = arm.read_state().joint_positions_rad
        assert np.abs(after - before).max() < 5e-3  # the servo still closes on its last setpoint
        stream(arm, 0.2, swing(after))
        assert loopback.status()["runtime"] == "PLAYING"
    assert capfd.readouterr() == ("", "")


def test_protective_stop_needs_the_operator(loopback: LoopbackProcess) -> None:
    with connected(loopback) as arm:
        run_into(arm, loopback, "protective_stop")
        time.sleep(0.2)
        with pytest.raises(ArmFault, match="Enable Robot") as refused:
            arm.recover()
        assert refused.value.kind == "protective_stop"
        assert loopback.status()["safety_mode"] == "PROTECTIVE_STOP"
        with pytest.raises(ArmFault):
            arm.read_state()


def test_protective_stop_is_unlocked_where_that_is_allowed(loopback: LoopbackProcess) -> None:
    with connected(loopback, unlock_protective_stop=True) as arm:
        run_into(arm, loopback, "protective_stop")
        time.sleep(0.2)
        arm.recover()
        arm.read_state()


@pytest.mark.parametrize(("fault", "cure"), [("protective_stop", "unlock"), ("safeguard_stop", "release")])
def test_a_program_that_is_played_on_at_the_pendant_does_not_move_the_arm(
    loopback: LoopbackProcess, tmp_path: Path, fault: str, cure: str
) -> None:
    with connected(loopback) as arm:
        run_into(arm, loopback, fault)
        time.sleep(0.3)
        loopback.inject(cure)
        dashboard = Dashboard(loopback.address, 2.0)
        at_ns = time.monotonic_ns()
        dashboard.ask("play")
        dashboard.close()
        assert until(lambda: loopback.status()["runtime"] == "STOPPED")
        assert rest_after_s(loopback, at_ns, tmp_path) == 0.0


def test_lost_connection_is_not_made_again_without_word(loopback: LoopbackProcess) -> None:
    with connected(loopback) as arm:
        run_into(arm, loopback, "drop_connections")
        # The controller is there all the time; its watchdog ends the program.
        assert until(lambda: loopback.status()["runtime"] == "STOPPED")
        time.sleep(0.3)
        with pytest.raises(ArmFault, match="connection is lost"):
            arm.read_state()
        assert loopback.status()["program"] is None
        arm.recover()
        stream(arm, 0.2, swing(arm.read_state().joint_positions_rad))


def test_recover_says_what_is_still_wrong(loopback: LoopbackProcess) -> None:
    with connected(loopback, timeout_s=0.5) as arm:
        run_into(arm, loopback, "drop_connections")
        loopback.inject("refuse_connections 600")
        with pytest.raises(ArmFault, match=f"does not answer at {loopback.address}:30004") as refused:
            arm.recover()
        assert refused.value.kind == "disconnected"
        loopback.inject("clear")
        loopback.inject("remote_control 0")
        assert until(lambda: _listens(loopback))
        with pytest.raises(ArmFault, match="local control"):
            arm.recover()
        with pytest.raises(ArmFault, match="local control"):
            arm.send(position(np.zeros(6)))
        loopback.inject("remote_control 1")
        arm.recover()
        arm.read_state()


def _listens(loopback: LoopbackProcess) -> bool:
    try:
        socket.create_connection((loopback.address, 30004), timeout=0.2).close()
    except OSError:
        return False
    return True


def test_numbers_go_on_over_a_reconnection(loopback: LoopbackProcess) -> None:
    with connected(loopback) as arm:
        before = arm.read_state()
        run_into(arm, loopback, "drop_connections")
        arm.recover()
        after = arm.read_state()
        assert after.sequence > before.sequence
        assert after.stamp_ns > before.stamp_ns


def test_a_gripper_that_stops_answering_is_a_fault(loopback: LoopbackProcess) -> None:
    with connected(loopback, gripper="robotiq") as arm:
        gripper = arm._gripper
        assert gripper._socket is not None  # type: ignore[attr-defined]
        gripper._socket.shutdown(socket.SHUT_RDWR)  # type: ignore[attr-defined]
        with pytest.raises(ArmFault, match=r"Robotiq gripper .* stopped answering") as seen:
            stream(arm, 2.0, swing(arm.read_state().joint_positions_rad))
        assert seen.value.kind == "driver"
        arm.recover()
        arm.read_state()


def test_recover_of_an_arm_that_is_well_does_nothing(loopback: LoopbackProcess) -> None:
    with connected(loopback) as arm:
        events = loopback.status()["events"]
        arm.recover()
        assert loopback.status()["events"] == events
        arm.read_state()


def test_connecting_unlocks_nothing(loopback: LoopbackProcess) -> None:
    loopback.inject("protective_stop")
    time.sleep(0.2)
    with pytest.raises(Missing, match="Enable Robot"):
        UrArm(loopback.address, gripper="none", unlock_protective_stop=True).connect()
    assert loopback.status()["safety_mode"] == "PROTECTIVE_STOP"
