from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from deploy.errors import BadInput
from launch import plugins
from robot.arm import Arm, ArmFault, BufferedArm, RobotState
from robot.ur.driver import UrArm
from tests.robot.ur.loopback_process import ROOT, LoopbackProcess, until
from tests.robot.ur.moving import connected, position, rest_after_s, stream, swing, velocity

pytest.importorskip("script_client")


def test_is_a_registered_arm() -> None:
    arm = plugins.build("arms", "ur", "rig.arm", host="127.0.0.1", gripper="none")
    assert isinstance(arm, Arm)
    assert isinstance(arm, BufferedArm)


@pytest.mark.parametrize("options", [{}, {"upper_registers": True}], ids=["lower registers", "upper registers"])
def test_setpoints_are_followed_without_drift_and_held(loopback: LoopbackProcess, options: dict[str, bool]) -> None:
    with connected(loopback, **options) as arm:
        start = arm.read_state().joint_positions_rad
        stream(arm, 0.8, swing(start))
        end = np.array(start) + 0.05
        # The setpoint goes there in half a second and stays, then nothing is sent any more: the arm stays as well.
        stream(arm, 0.9, lambda t: position(start + (end - start) * min(1.0, 2.0 * t) ** 2 * (3.0 - min(2.0, 4.0 * t))))
        assert np.abs(arm.read_state().joint_positions_rad - end).max() < 1e-3
        time.sleep(0.8)
        state = arm.read_state()
        assert np.abs(state.joint_positions_rad - end).max() < 1e-4
        assert np.abs(state.joint_velocities_rad_s).max() < 1e-3


def test_states_come_at_500_hz_in_order_and_on_the_run_clock(loopback: LoopbackProcess) -> None:
    with connected(loopback) as arm:
        arm.read_states()
        states: list[RobotState] = []
        assert until(lambda: states.extend(arm.read_states()) or len(states) >= 250)
        now = time.monotonic_ns()
        states = list({state.sequence: state for state in states}.values())
        stamps = np.array([state.stamp_ns for state in states])
        assert np.diff([state.sequence for state in states]).max() == 1
        assert (np.diff(stamps) >= 0).all()
        assert -1_000_000 < now - stamps[-1] < 2_000_000_000
        assert 1.5e6 < np.median(np.diff(stamps)) < 2.5e6
        assert arm.read_states()[-1].sequence >= states[-1].sequence
        report = arm.clock_report()
        assert report is not None
        truth_ns = time.monotonic_ns() - round(loopback.status()["time_s"] * 1e9)
        assert abs(report.offset_ns - truth_ns) < 100_000_000
        assert report.packets >= 250


def test_time_of_the_run_clock_is_used(loopback: LoopbackProcess) -> None:
    epoch = time.monotonic_ns() - 5_000_000_000
    with connected(loopback, clock=lambda: time.monotonic_ns() - epoch) as arm:
        assert 5_000_000_000 <= arm.read_state().stamp_ns < 60_000_000_000


def test_velocities_are_followed_and_end_when_they_are_not_sent_again(loopback: LoopbackProcess) -> None:
    with connected(loopback, velocity_hold_s=0.6) as arm:
        stream(arm, 0.4, lambda _: velocity(np.full(6, 0.1)))
        assert np.abs(arm.read_state().joint_velocities_rad_s - 0.1).max() < 0.02
        assert until(lambda: float(np.abs(arm.read_state().joint_velocities_rad_s).max()) < 1e-3)
        # Position commands follow velocity commands and the other way round; nothing jumps (a protective stop would).
        start = arm.read_state().joint_positions_rad
        stream(arm, 0.4, swing(start, amplitude=0.05))
        stream(arm, 0.4, lambda _: velocity(np.full(6, -0.1)))
        assert np.abs(arm.read_state().joint_velocities_rad_s + 0.1).max() < 0.02


def test_stop_brakes_and_holds(loopback: LoopbackProcess, tmp_path: Path) -> None:
    with connected(loopback) as arm:
        start = arm.read_state().joint_positions_rad
        # Ended in the middle of the swing, where it is fastest.
        stream(arm, 0.25, swing(start))
        assert abs(arm.read_state().joint_velocities_rad_s[0]) > 0.1
        at_ns = time.monotonic_ns()
        arm.stop()
        assert until(lambda: float(np.abs(arm.read_state().joint_velocities_rad_s).max()) < 1e-3)
        held = arm.read_state().joint_positions_rad
        time.sleep(0.2)
        assert np.abs(arm.read_state().joint_positions_rad - held).max() < 1e-4
        assert rest_after_s(loopback, at_ns, tmp_path) < 2.0
        arm.stop()
        # From there it can be sent on.
        stream(arm, 0.3, swing(held, amplitude=0.05))
        arm.read_state()


def test_what_is_not_finite_is_refused_and_nothing_is_sent(loopback: LoopbackProcess) -> None:
    with connected(loopback) as arm:
        home = arm.read_state().joint_positions_rad
        for broken in (position(np.full(6, np.nan)), velocity(np.full(6, np.inf)), position(home, math.nan)):
            with pytest.raises(BadInput, match="expected finite values"):
                arm.send(broken)
        arm.read_state()


def test_calls_return_at_once(loopback: LoopbackProcess) -> None:
    with connected(loopback) as arm:
        joints = arm.read_state().joint_positions_rad
        taken = []
        for _ in range(300):
            begin = time.perf_counter()
            arm.read_state()
            arm.send(position(joints))
            taken.append(time.perf_counter() - begin)
            time.sleep(0.001)
        assert np.median(taken) < 0.002


def test_limp_gives_way_until_recover(loopback: LoopbackProcess) -> None:
    with connected(loopback) as arm:
        start = arm.read_state().joint_positions_rad
        stream(arm, 0.2, swing(start))
        arm.limp()
        assert until(lambda: arm._session is not None and arm._session._commands.handshake.ready)
        arm.read_state()
        with pytest.raises(ArmFault, match="gives way"):
            arm.send(position(start))
        arm.recover()
        stream(arm, 0.2, swing(arm.read_state().joint_positions_rad))


def test_robotiq_gripper_follows(loopback: LoopbackProcess) -> None:
    with connected(loopback, gripper="robotiq") as arm:
        joints = arm.read_state().joint_positions_rad
        for wanted in (0.2, 0.9):
            stream(arm, 0.05, lambda _, wanted=wanted: position(joints, wanted))  # type: ignore[misc]
            assert until(lambda wanted=wanted: abs(arm.read_state().gripper_opening - wanted) < 0.02)  # type: ignore[misc]
        assert not arm.object_detected


@pytest.mark.parametrize(("kind", "output", "bit"), [("tool_digital_output", 1, 17), ("digital_output", 3, 3)])
def test_gripper_at_a_digital_output(loopback: LoopbackProcess, kind: str, output: int, bit: int) -> None:
    with connected(loopback, gripper=kind, gripper_output=output, gripper_open_level=True) as arm:
        joints = arm.read_state().joint_positions_rad
        for wanted in (1.0, 0.0, 0.7):
            arm.send(position(joints, wanted))
            assert until(lambda wanted=wanted: arm.read_state().gripper_opening == round(wanted))  # type: ignore[misc]
            assert arm._session is not None
            newest = arm._inbox.newest
            assert newest is not None
            assert newest.reading.digital_outputs == round(wanted) << bit


def test_identity_and_round_trip(loopback: LoopbackProcess) -> None:
    identity = UrArm(loopback.address, gripper="none").read_identity()
    assert identity.model == "UR10"
    assert identity.serial_number == "20225500001"
    assert identity.polyscope.startswith("5.12")
    assert identity.remote_control
    with connected(loopback) as arm:
        trips = arm.measure_round_trip(20)
        assert trips.count + trips.lost == 20
        assert trips.lost == 0
        assert 0 < trips.least_ns <= trips.p50_ns <= trips.p99_ns < 1_000_000_000


def test_close_ends_the_program_at_rest_and_can_be_called_twice(loopback: LoopbackProcess, tmp_path: Path) -> None:
    before = threading.active_count()
    with connected(loopback) as arm:
        stream(arm, 0.2, swing(arm.read_state().joint_positions_rad))
        assert loopback.status()["runtime"] == "PLAYING"
        arm.close()
        assert loopback.status()["runtime"] == "STOPPED"
        # What is left is the joints' own lag.
        assert np.abs(loopback.status()["velocity_rad_s"]).max() < 0.1
        arm.close()
        with pytest.raises(ArmFault, match="not connected"):
            arm.read_state()
        arm.stop()
        arm.limp()
        # The same driver connects again.
        arm.connect()
        arm.read_state()
    assert until(lambda: threading.active_count() <= before)


_DRIVE = """
import sys, time
import numpy as np
from robot.arm import JointCommand
from robot.ur.driver import UrArm
arm = UrArm(sys.argv[1], gripper="none", silence_s=1.0)
arm.connect()
for i in range(100000):
    arm.send(JointCommand(0, "velocity", np.full(6, 0.1), 0.0))
    if i == 200:
        print("moving", flush=True)
    time.sleep(0.002)
"""


def test_the_arm_stops_when_the_process_dies(loopback: LoopbackProcess, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", _DRIVE, loopback.address], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "moving\n"
    assert np.abs(loopback.status()["velocity_rad_s"]).max() > 0.05
    at_ns = time.monotonic_ns()
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert until(lambda: loopback.status()["runtime"] == "STOPPED")
    assert until(lambda: bool(np.abs(loopback.status()["velocity_rad_s"]).max() < 1e-3))
    assert rest_after_s(loopback, at_ns, tmp_path) < 4.0


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("model", "ur99", "'ur99' is not known: name one of ur3e"),
        ("gripper", "hook", "'hook': expected robotiq"),
        ("rate_hz", 1000.0, "rate_hz 1000.0: expected 1 to 500"),
        ("rate_hz", math.nan, "rate_hz nan"),
        ("lookahead_s", 0.5, "lookahead_s 0.5: expected 0.03 to 0.2"),
        ("gain", 50, "gain 50: expected 100 to 2000"),
        ("min_speed_scaling", 1.5, "expected 0 to 1"),
        ("watchdog_hz", 0, "watchdog_hz 0"),
    ],
)
def test_options_outside_their_range(option: str, value: object, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        UrArm("127.0.0.1", **{option: value})  # type: ignore[arg-type]


def test_output_that_there_is_not() -> None:
    with pytest.raises(BadInput, match="a tool has the digital outputs 0 to 1"):
        UrArm("127.0.0.1", gripper="tool_digital_output", gripper_output=2)


def test_a_clock_that_starts_again_is_followed(loopback: LoopbackProcess) -> None:
    with connected(loopback) as arm:
        arm.read_states()
        loopback.inject("shift_clock -900")
        time.sleep(0.4)
        stamps = np.array([state.stamp_ns for state in arm.read_states()])
        assert (np.diff(stamps) >= 0).all()
        assert -1_000_000 < time.monotonic_ns() - stamps[-1] < 300_000_000
        report = arm.clock_report()
        assert report is not None
        assert report.restarts == 1
        loopback.inject("shift_clock 900")
