"""What can be wrong when connecting: each is said with the address and what to do, within a bounded time."""

from __future__ import annotations

import socket
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from deploy.errors import BadInput, Missing
from robot.arm import ArmFault
from robot.ur import protocol
from robot.ur.commands import Commands
from robot.ur.driver import UrArm
from robot.ur.protocol import Kind
from robot.ur.script import Command
from tests.robot.ur.loopback_process import LoopbackProcess, until
from tests.robot.ur.moving import connected

pytest.importorskip("script_client")


def connect(address: str, **options: object) -> str:
    """What is said when it cannot be; that nothing is left behind."""
    threads = threading.active_count()
    arm = UrArm(address, **{"gripper": "none", "timeout_s": 0.5, **options})  # type: ignore[arg-type]
    begin = time.monotonic()
    with pytest.raises(Missing) as refused:
        arm.connect()
    assert time.monotonic() - begin < 10.0
    assert threading.active_count() <= threads
    return str(refused.value)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("wrong_version", ["refuses version 2 of RTDE", "update PolyScope"]),
        ("refuse_recipe", ["refuses timestamp", "update PolyScope"]),
        ("remote_control 0", ["local control", "Settings > System > Remote Control"]),
        ("power_off", ["POWER_OFF: expected RUNNING", "ON, then START"]),
        ("protective_stop", ["protective stop", "Enable Robot"]),
        ("emergency_stop", ["emergency stop", "release the button"]),
        ("speed_slider 0.3", ["30%: expected at least 99%", "min_speed_scaling"]),
        ("drop_packets 100000", ["sends no states"]),
        ("silence 1.5", ["does not answer within 0.5 s"]),
    ],
)
def test_controller_that_cannot_be_commanded(loopback: LoopbackProcess, fault: str, words: list[str]) -> None:
    loopback.inject(fault)
    time.sleep(0.05)
    said = connect(loopback.address)
    for word in (loopback.address, *words):
        assert word in said


def test_a_slower_arm_is_taken_where_that_is_allowed(loopback: LoopbackProcess) -> None:
    loopback.inject("speed_slider 0.5")
    with connected(loopback, min_speed_scaling=0.3) as arm:
        arm.read_state()


def test_nobody_at_the_address(loopback_address: str) -> None:
    said = connect(loopback_address)
    assert f"{loopback_address}:30004" in said
    assert "control box is on" in said


def test_name_that_does_not_exist() -> None:
    assert "no-such-arm.invalid:30004" in connect("no-such-arm.invalid")


def test_another_arm_than_configured(loopback: LoopbackProcess) -> None:
    with pytest.raises(BadInput, match=r"model UR5e: .* has a UR10; set `model`"):
        UrArm(loopback.address, "ur5e", gripper="none").connect()


def test_registers_of_another_client(loopback: LoopbackProcess) -> None:
    with connected(loopback):
        said = connect(loopback.address)
    assert "input_int_register_0" in said
    assert "written by another client" in said


def test_a_program_that_was_left_running_is_replaced(loopback: LoopbackProcess) -> None:
    with connected(loopback) as arm:
        assert arm._session is not None
        arm._session.close()
        assert loopback.status()["runtime"] == "PLAYING"
        with connected(loopback) as second:
            second.read_state()


def stopped(loopback: LoopbackProcess, times: int) -> Iterator[None]:
    """Has the script stopped so many times, and then no more: as its watchdog does where it is fed too late."""
    for _ in range(times):
        loopback.inject("stop_program")
        assert until(lambda: loopback.status()["runtime"] == "STOPPED")
        yield
    while True:
        yield


@pytest.mark.parametrize("times", [1, 2])
def test_a_script_that_ends_before_it_answers_is_started_once_more(
    loopback: LoopbackProcess, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    call, stops = Commands.call, stopped(loopback, times)

    def stopping(self: Commands, command: Command, *arguments: float, now_ns: int) -> None:
        if command is Command.SET_WATCHDOG:
            next(stops)
        call(self, command, *arguments, now_ns=now_ns)

    monkeypatch.setattr(Commands, "call", stopping)
    if times == 2:
        assert "ends at once" in connect(loopback.address)
    else:
        with connected(loopback) as arm:
            arm.read_state()


@pytest.mark.parametrize("times", [1, 2])
def test_a_script_that_ends_while_the_gripper_starts_is_started_once_more(
    loopback: LoopbackProcess, times: int
) -> None:
    arm = UrArm(loopback.address, gripper="none", silence_s=1.5, watchdog_hz=1.0)
    start, stops = arm._start, stopped(loopback, times)

    def starting(*, unlock: bool) -> None:
        start(unlock=unlock)
        next(stops)
        until(lambda: arm._session is not None and arm._session.fault is not None, 0.5)

    arm._start = starting  # type: ignore[method-assign]
    arm.connect()
    if times == 2:
        with pytest.raises(ArmFault, match="STOPPED"):
            arm.read_state()
    else:
        arm.read_state()
    arm.close()


def test_without_the_library(monkeypatch: pytest.MonkeyPatch, loopback: LoopbackProcess) -> None:
    monkeypatch.setitem(sys.modules, "script_client", None)
    assert "eyehand[ur]" in connect(loopback.address)


def test_no_gripper_where_one_is_configured(loopback: LoopbackProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("robot.ur.robotiq.ROBOTIQ_PORT", 63353)
    said = connect(loopback.address, gripper="robotiq")
    assert f"{loopback.address}:63353" in said
    assert "URCap" in said
    assert loopback.status()["runtime"] == "STOPPED"


class Imposter:
    """A server on the RTDE port that is no controller: says something when asked, or nothing."""

    def __init__(self, address: str, answer: bytes | None) -> None:
        self._server = socket.create_server((address, protocol.RTDE_PORT))
        self._answer = answer
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        try:
            connection, _ = self._server.accept()
            with connection:
                while connection.recv(4096):
                    if self._answer is None:
                        continue
                    connection.sendall(self._answer)
                    if not self._answer:
                        return
        except OSError:
            return

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join(2.0)


@pytest.fixture
def imposter(request: pytest.FixtureRequest, loopback_address: str) -> Iterator[str]:
    server = Imposter(loopback_address, request.param)
    yield loopback_address
    server.close()


@pytest.mark.parametrize(
    ("imposter", "words"),
    [
        (None, "does not answer within 0.5 s"),
        (b"", "closed the connection when asked for PROTOCOL_VERSION"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "does not speak RTDE"),
        (protocol.packet(Kind.PROTOCOL_VERSION, b"\x00"), "refuses version 2"),
        (b"\x00\x01V", "does not speak RTDE"),
        # The right kind of answer to the first question, and again to the second, for ever.
        (protocol.packet(Kind.PROTOCOL_VERSION, b"\x01"), "does not answer within"),
        (protocol.packet(Kind.PROTOCOL_VERSION, b"\x01") + protocol.packet(Kind.CONTROLLER_VERSION, b""), "RTDE"),
    ],
    indirect=["imposter"],
)
def test_something_else_at_the_address(imposter: str, words: str) -> None:
    said = connect(imposter)
    assert imposter in said
    assert words in said


@pytest.mark.parametrize("host", [5, "", None])
def test_an_address_that_is_none_is_refused(host: Any) -> None:
    with pytest.raises(BadInput, match="expected the controller's address in quotes"):
        UrArm(host)
