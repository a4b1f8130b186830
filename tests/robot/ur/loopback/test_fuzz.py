"""Whatever comes in on any port: no crash, no hang, and good clients do not notice."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from robot.kinematics import UR10E_HOME_RAD
from robot.ur.loopback import CONTROL_PORT, IdealPlant, UrFront
from robot.ur.loopback.controller import Controller
from robot.ur.loopback.dashboard import DASHBOARD_PORT
from robot.ur.loopback.faults import COMMANDS
from robot.ur.loopback.robotiq import GRIPPER_PORT
from robot.ur.loopback.rtde_program import RtdeProgram
from robot.ur.loopback.script_server import SCRIPT_PORTS
from robot.ur.loopback.settings import ControllerSettings, arm_model
from robot.ur.protocol import INPUT_TYPES, OUTPUT_TYPES, RTDE_PORT, Kind, packet
from tests.robot.ur.loopback.raw_client import Peer, RtdePeer

PORTS = (RTDE_PORT, DASHBOARD_PORT, SCRIPT_PORTS[0], GRIPPER_PORT)
FUZZ = settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])

names = st.lists(
    st.one_of(st.sampled_from(sorted({*OUTPUT_TYPES, *INPUT_TYPES})), st.text("abc_0,", max_size=8)), max_size=60
).map(lambda parts: ",".join(parts).encode())
payloads = st.one_of(
    st.binary(max_size=64),
    names,
    st.tuples(st.floats(allow_nan=True).map(lambda hz: struct.pack(">d", hz)), names).map(b"".join),
    st.just(b"\x00\x02"),
    st.integers(2000, 9000).map(lambda n: b"actual_q," * (n // 9)),
)
packets = st.tuples(st.sampled_from(list(Kind)), payloads).map(lambda p: packet(*p))
conversations = st.lists(st.one_of(packets, st.binary(max_size=20)), max_size=12)


@pytest.fixture(scope="module")
def watched() -> Iterator[tuple[UrFront, RtdePeer]]:
    """A controller, and a good client that watches it."""
    front = UrFront(IdealPlant(UR10E_HOME_RAD), f"127.0.{1 + os.getpid() % 250}.250")
    front.start()
    good = RtdePeer(front)
    good.agree()
    good.outputs(["timestamp"], 500.0)
    good.start()
    yield front, good
    front.close()


def still_well(good: RtdePeer) -> None:
    stamps = [state["timestamp"] for state in good.states()]
    assert len(stamps) >= 5
    assert not good.closed


@FUZZ
@given(conversations, st.booleans())
def test_rtde_conversations(watched: tuple[UrFront, RtdePeer], conversation: list[bytes], agreed: bool) -> None:
    front, good = watched
    bad = RtdePeer(front)
    if agreed:
        bad.agree()
    for data in conversation:
        bad.send(data)
        bad.read()
    still_well(good)
    bad.close()
    front.step()


@FUZZ
@given(st.sampled_from(PORTS), st.lists(st.binary(max_size=400), max_size=6))
def test_random_bytes_on_every_port(watched: tuple[UrFront, RtdePeer], port: int, chunks: list[bytes]) -> None:
    front, good = watched
    bad = Peer(front, port)
    for chunk in chunks:
        bad.send(chunk)
        bad.read()
    still_well(good)
    bad.close()
    front.step()


@FUZZ
@given(st.sampled_from((*PORTS[1:], CONTROL_PORT)), st.lists(st.text(max_size=60), max_size=6))
def test_random_lines(watched: tuple[UrFront, RtdePeer], port: int, lines: list[str]) -> None:
    front, good = watched
    bad = Peer(front, port)
    for line in lines:
        if line.strip().partition(" ")[0] not in COMMANDS:
            bad.send(line.encode("utf-8", "replace") + b"\n")
            bad.read()
    still_well(good)
    bad.close()
    front.step()


@FUZZ
@given(
    st.integers(-1, 260),
    st.lists(st.floats(width=64), min_size=18, max_size=18),
    st.lists(st.integers(-(2**31), 2**31 - 1), min_size=7, max_size=7),
)
def test_any_command_to_the_program(command: int, numbers: list[float], integers: list[int]) -> None:
    home = np.array(UR10E_HOME_RAD)
    arm = Controller(arm_model("ur10e"), ControllerSettings(), home)
    arm.play(RtdeProgram(b"# int register offset\n0"))
    arm.registers.write(
        {"input_int_register_0": command}
        | {f"input_double_register_{i}": value for i, value in enumerate(numbers)}
        | {f"input_int_register_{i + 1}": value for i, value in enumerate(integers)}
    )
    before = home
    for _ in range(20):
        after = arm.step(before, np.zeros(6))
        assert np.isfinite(after).all()
        assert (np.abs(after - before) <= np.array(arm.model.limits.velocity_rad_s) * 0.002 * 1.01 + 1e-12).all()
        before = after


@pytest.mark.parametrize("port", [DASHBOARD_PORT, SCRIPT_PORTS[0], GRIPPER_PORT, CONTROL_PORT])
def test_a_line_without_end_is_cut_off(watched: tuple[UrFront, RtdePeer], port: int) -> None:
    front, good = watched
    bad = Peer(front, port)
    for _ in range(200):
        bad.send(b"x" * 20_000)
        bad.read()
        if bad.closed:
            break
    assert bad.closed
    still_well(good)


def test_unknown_kind_is_told_before_the_close(watched: tuple[UrFront, RtdePeer]) -> None:
    front, _ = watched
    bad = RtdePeer(front)
    bad.agree()
    bad.send(b"\x00\x04Qx" + b"more that nobody reads" * 3000)
    found = bad.packets()
    assert found[0][0] is Kind.TEXT
    assert b"packet of kind 81" in found[0][1]
    bad.read()
    assert bad.closed
    assert not bad.reset, "the last words can be lost"
    assert any("packet of kind 81" in event for event in front.controller.events)
