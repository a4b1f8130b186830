"""All ports of the controller, spoken to in bare bytes."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest

from deploy.errors import BadInput
from robot.kinematics import UR10E_HOME_RAD
from robot.ur.loopback import CONTROL_PORT, ControllerSettings, IdealPlant, UrFront
from robot.ur.loopback.dashboard import DASHBOARD_PORT
from robot.ur.loopback.robotiq import GRIPPER_PORT
from robot.ur.loopback.script_server import SCRIPT_PORTS
from robot.ur.protocol import OUTPUT_TYPES, Kind
from tests.robot.ur.loopback.raw_client import Peer, RtdePeer, step


def peer(front: UrFront, *names: str, frequency: float = 500.0) -> RtdePeer:
    client = RtdePeer(front)
    client.agree()
    client.outputs(names, frequency)
    return client


def said(front: UrFront, words: str) -> bool:
    return any(words in event for event in front.controller.events)


@pytest.mark.parametrize(("frequency", "every"), [(500.0, 1), (250.0, 2), (125.0, 4), (10.0, 50), (1.0, 500)])
def test_output_frequencies(front: UrFront, frequency: float, every: int) -> None:
    client = peer(front, "timestamp", frequency=frequency)
    client.start()
    client.states()
    step(front, 3 * every)
    stamps = [state["timestamp"] for state in client.states()]
    assert len(stamps) in (3 + 5 // every, 4 + 5 // every, 3)
    assert np.diff(stamps) == pytest.approx(0.002 * every, abs=1e-9)


@pytest.mark.parametrize("frequency", [0.0, -1.0, 501.0, float("nan"), float("inf")])
def test_impossible_frequency_is_told_and_closed(front: UrFront, frequency: float) -> None:
    client = RtdePeer(front)
    client.agree()
    client.send(b"\x00\x1aO" + struct.pack(">d", frequency) + b"timestamp,actual_q"[:15])
    packets = client.packets()
    assert packets[-1][0] is Kind.TEXT
    assert b"output frequency" in packets[-1][1]
    client.read()
    assert client.closed


def test_pause_and_start(front: UrFront) -> None:
    client = peer(front, "timestamp")
    assert client.states() == []
    client.start()
    assert client.states()
    assert client.request(Kind.PAUSE) == b"\x01"
    client.states()
    assert client.states() == []
    client.start()
    assert client.states()


def test_start_without_outputs_is_refused(front: UrFront) -> None:
    client = RtdePeer(front)
    client.agree()
    assert client.request(Kind.START) == b"\x00"


def test_only_version_2(front: UrFront) -> None:
    client = RtdePeer(front)
    assert client.request(Kind.PROTOCOL_VERSION, b"\x00\x01") == b"\x00"
    assert client.request(Kind.PROTOCOL_VERSION, b"\x00\x02") == b"\x01"


def test_unknown_field_is_named_and_not_started(front: UrFront) -> None:
    client = RtdePeer(front)
    client.agree()
    answer = client.request(Kind.SETUP_OUTPUTS, struct.pack(">d", 125.0) + b"actual_q,no_such_field")
    assert answer == b"\x00VECTOR6D,NOT_FOUND"
    assert client.request(Kind.START) == b"\x00"


def test_clients_have_their_own_recipes(front: UrFront) -> None:
    fast, slow = peer(front, "actual_q"), peer(front, "timestamp", "robot_mode", frequency=125.0)
    fast.start()
    slow.start()
    step(front, 40)
    assert len(fast.states()) > 3 * len(slow.states()) > 0
    assert fast.states()[0]["actual_q"] == pytest.approx(UR10E_HOME_RAD)


def test_slow_client_is_dropped_and_nobody_else_notices(front: UrFront) -> None:
    names = [name for name, kind in OUTPUT_TYPES.items() if kind == "VECTOR6D"]
    slow = RtdePeer(front, receive_buffer=4096)
    slow.agree()
    slow.outputs(names)
    slow.start()
    good = peer(front, "timestamp")
    good.start()
    stamps: list[float] = []
    for _ in range(200):
        step(front, 20)
        stamps += [float(state["timestamp"]) for state in good.states()]  # type: ignore[arg-type]
        if said(front, "does not read"):
            break
    assert said(front, "does not read")
    assert np.diff(stamps) == pytest.approx(0.002, abs=1e-9), "the other client missed states"


def test_input_of_another_client_is_in_use_until_it_leaves(front: UrFront) -> None:
    first, second = RtdePeer(front), RtdePeer(front)
    first.agree()
    second.agree()
    assert first.request(Kind.SETUP_INPUTS, b"input_int_register_7") == b"\x01INT32"
    assert second.request(Kind.SETUP_INPUTS, b"input_int_register_7") == b"\x00IN_USE"
    first.close()
    step(front)
    assert second.request(Kind.SETUP_INPUTS, b"input_int_register_7") == b"\x01INT32"


def test_a_client_that_was_turned_away_holds_no_inputs(front: UrFront) -> None:
    first, second = RtdePeer(front), RtdePeer(front)
    first.agree()
    second.agree()
    assert first.request(Kind.SETUP_INPUTS, b"input_int_register_7") == b"\x01INT32"
    first.send(b"\x00\x03Q")
    step(front)
    assert second.request(Kind.SETUP_INPUTS, b"input_int_register_7") == b"\x01INT32"


def test_two_controllers_cannot_share_an_address(front: UrFront) -> None:
    other = UrFront(IdealPlant(UR10E_HOME_RAD), front.address)
    with pytest.raises(BadInput, match=f"port {CONTROL_PORT} of {front.address} cannot be had"):
        other.start()


def test_unknown_model() -> None:
    with pytest.raises(BadInput, match="ur99"):
        UrFront(IdealPlant(UR10E_HOME_RAD), model="ur99")


@pytest.mark.parametrize(("model", "says"), [("ur10e", "UR10"), ("ur5e", "UR5"), ("ur20", "UR20")])
def test_model_names(loopback_address: str, model: str, says: str) -> None:
    front = UrFront(IdealPlant(UR10E_HOME_RAD), loopback_address, model)
    front.start()
    dashboard = Peer(front, DASHBOARD_PORT)
    dashboard.read()
    assert dashboard.ask("get robot model") == says
    front.close()


def test_clock_offset_and_drift(plant: IdealPlant) -> None:
    front = UrFront(plant, settings=ControllerSettings(clock_offset_s=7.0, clock_drift=0.01))
    front.step(1_000_000_000)
    start = front.controller.time_s
    assert start == pytest.approx(7.0, abs=0.01)
    front.step(1_002_000_000)
    front.step(1_012_000_000)
    assert front.controller.time_s - start == pytest.approx(0.012 * 1.01, abs=1e-12)


def test_reset_is_as_after_powering_up(front: UrFront) -> None:
    script = Peer(front, 30002)
    script.send(b"movej([0,-1.5,1.5,-1.5,-1.5,0], a=2, v=1)\nset_tool_digital_out(0, True)\n")
    step(front, 100)
    assert front.controller.velocity_rad_s.any()
    assert Peer(front, CONTROL_PORT).ask("reset") == "ok"
    assert front.controller.joints_rad == pytest.approx(UR10E_HOME_RAD)
    assert not front.controller.velocity_rad_s.any()
    assert front.controller.registers.digital_outputs == 0
    assert not front.controller.playing
    step(front, 100)
    assert front.controller.joints_rad == pytest.approx(UR10E_HOME_RAD)


def test_trace_is_the_last_minute(front: UrFront, tmp_path: Path) -> None:
    for i in range(30_010):
        front.trace.add(i, np.full(6, float(i)), np.full(6, -float(i)))
    times, positions, velocities = front.trace.rows()
    assert (times[0], times[-1], len(times)) == (10, 30_009, 30_000)
    assert (positions[0, 0], velocities[-1, 5]) == (10.0, -30_009.0)
    control = Peer(front, CONTROL_PORT)
    assert control.ask(f"trace {tmp_path / 'joints.npz'}") == "ok"
    with np.load(tmp_path / "joints.npz") as saved:
        assert saved["q"].shape == saved["qd"].shape == (30_000, 6)
        assert saved["t_ns"].dtype == np.int64
    assert control.ask(f"trace {tmp_path / 'no' / 'where.npz'}").startswith("error: ")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("explode", "no fault named 'explode'"),
        ("speed_slider", "speed_slider needs a number"),
        ("speed_slider fast", "expected a number"),
        ("drop_packets inf", "expected a finite number"),
    ],
)
def test_bad_faults_are_named(front: UrFront, line: str, says: str) -> None:
    assert says in Peer(front, CONTROL_PORT).ask(line)
    with pytest.raises(BadInput, match=says):
        front.faults.inject(line)


def test_faults_of_the_object_are_done_in_the_next_cycle(front: UrFront) -> None:
    front.faults.inject("protective_stop")
    assert front.controller.safety == 1
    front.step()
    assert front.controller.safety == 3
    assert json.loads(Peer(front, CONTROL_PORT).ask("status"))["safety_mode"] == "PROTECTIVE_STOP"


@pytest.mark.parametrize("port", SCRIPT_PORTS)
def test_script_statements(front: UrFront, port: int) -> None:
    script = Peer(front, port)
    script.send(b"set_tool_digital_out(0, True)\nset_standard_digital_out(3,True)\n")
    script.read()
    assert front.controller.registers.digital_outputs == 1 << 16 | 1 << 3
    script.send(b"movej([0,-1.5,1.5,-1.5,-1.5,0], a=2, v=1)\n")
    script.read()
    assert front.controller.playing
    script.send(b"stopj(2.0)\n")
    script.read()
    assert not front.controller.playing
    script.send(b'popup("hello")\n')
    script.read()
    assert said(front, "accepted, it does nothing here: popup")


def test_many_statements_at_once(front: UrFront) -> None:
    script = Peer(front, 30001)
    script.send(
        b"\n".join(b"set_standard_digital_out(%d, True)" % (i % 8) for i in range(400)) + b"\nmovej([1e9,0,0,0,0,0])\n"
    )
    step(front, 10)
    assert front.controller.registers.digital_outputs == 0xFF
    assert not front.controller.playing


def test_program_of_moves_runs_and_ends(front: UrFront) -> None:
    target = [0.1 + q for q in UR10E_HOME_RAD]
    script = Peer(front, 30002)
    script.send(f"def pick():\n  movej({target}, a=4, v=2)\n  movej({list(UR10E_HOME_RAD)})\nend\n".encode())
    script.read()
    assert front.controller.program is not None
    assert front.controller.program.name == "pick"
    step(front, 150)
    assert front.trace.rows()[1].max(axis=0) == pytest.approx(target, abs=0.01)
    step(front, 400)
    assert front.controller.program is None
    assert front.controller.joints_rad == pytest.approx(UR10E_HOME_RAD, abs=1e-3)


def test_program_that_is_not_understood_plays_under_its_name(front: UrFront) -> None:
    script = Peer(front, 30001)
    script.send(b"def grind():\n  force_mode(p[0,0,0,0,0,0])\nend\n")
    step(front, 100)
    dashboard = Peer(front, DASHBOARD_PORT)
    dashboard.read()
    assert dashboard.ask("programState") == "PLAYING grind"
    assert dashboard.ask("stop") == "Stopped"
    assert dashboard.ask("programState").startswith("STOPPED")


@pytest.mark.parametrize("line", ["load", "fly", "load picking", ""])
def test_dashboard_says_what_it_does_not_understand(front: UrFront, line: str) -> None:
    dashboard = Peer(front, DASHBOARD_PORT)
    assert dashboard.read() == b"Connected: Universal Robots Dashboard Server\n"
    assert dashboard.ask(line).startswith(("could not understand", "File not found"))


def test_dashboard_power_needs_safety(front: UrFront) -> None:
    dashboard = Peer(front, DASHBOARD_PORT)
    dashboard.read()
    front.controller.emergency_stop()
    step(front)
    assert dashboard.ask("power on") == "Failed to execute: powering on"
    assert dashboard.ask("play") == "Failed to execute: play"
    front.controller.release()
    assert dashboard.ask("brake release") == "Brake releasing"
    step(front, 400)
    assert dashboard.ask("robotmode") == "Robotmode: RUNNING"


def test_gripper_stops_at_an_object(loopback_address: str) -> None:
    class Holding(IdealPlant):
        def command(self, joints_rad: np.ndarray, opening: float) -> None:
            super().command(joints_rad, max(opening, 0.4))

    front = UrFront(Holding(UR10E_HOME_RAD), loopback_address)
    front.start()
    gripper = Peer(front, GRIPPER_PORT)
    assert gripper.ask("GET STA") == "STA 0"
    assert gripper.ask("SET POS 255") == "ack"
    step(front, 500)
    assert gripper.ask("GET POS") == "POS 0", "it moves without having been activated"
    assert gripper.ask("SET ACT 1 GTO 1 SPE 255 POS 255") == "ack"
    assert gripper.ask("GET STA") == "STA 1"
    step(front, 260)
    assert gripper.ask("GET STA") == "STA 3"
    assert gripper.ask("GET OBJ") == "OBJ 0"
    step(front, 600)
    assert gripper.ask("GET OBJ") == "OBJ 2"
    assert gripper.ask("GET POS") == "POS 153"
    assert gripper.ask("GET PRE") == "PRE 255"
    assert gripper.ask("SET POS 0") == "ack"
    step(front, 600)
    assert gripper.ask("GET OBJ") == "OBJ 3"
    front.close()


@pytest.mark.parametrize("line", ["SET POS 256", "SET POS -1", "SET XYZ 1", "SET POS", "GET NOPE", "GO", "SET POS x"])
def test_gripper_answers_what_it_does_not_understand(front: UrFront, line: str) -> None:
    assert Peer(front, GRIPPER_PORT).ask(line) == "?"


@pytest.mark.parametrize(("wire", "bit"), [("tool_digital_output", 16), ("digital_output", 0)])
def test_gripper_on_an_output(plant: IdealPlant, wire: str, bit: int) -> None:
    front = UrFront(plant, gripper=wire)  # type: ignore[arg-type]
    front.controller.registers.set_digital_output(bit, True)
    step(front, 500)
    assert plant.read()[2] == 0.0
    front.controller.registers.set_digital_output(bit, False)
    step(front, 500)
    assert plant.read()[2] == 1.0
