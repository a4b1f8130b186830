from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from deploy.errors import Missing
from robot.ur.gripper import NoGripper, OutputGripper
from robot.ur.robotiq import ROBOTIQ_PORT, RobotiqGripper
from tests.robot.ur.loopback_process import until


class UrCap:
    """A gripper's socket with the habits that URCaps have: line feeds after answers, or not, or in pieces."""

    def __init__(self, address: str, end: bytes = b"", pieces: bool = False) -> None:
        self.registers = {"ACT": 0, "GTO": 0, "SPE": 0, "FOR": 0, "POS": 0, "OBJ": 3, "STA": 0, "FLT": 0}
        self.asked: list[str] = []
        self.reply: bytes | None = None
        self._end, self._pieces = end, pieces
        self._server = socket.create_server((address, ROBOTIQ_PORT))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        try:
            connection, _ = self._server.accept()
            with connection, connection.makefile("rb") as lines:
                for raw in lines:
                    answer = self._answer(raw.decode().split())
                    if self._pieces:
                        connection.sendall(answer[:2])
                    connection.sendall(answer[2 if self._pieces else 0 :])
        except OSError:
            return

    def _answer(self, words: list[str]) -> bytes:
        if self.reply is not None:
            return self.reply
        if words[0] == "GET":
            return f"{words[1]} {self.registers[words[1]]}".encode() + self._end
        self.asked.append(" ".join(words))
        self.registers[words[1]] = int(words[2])
        if words[1] == "ACT":
            self.registers["STA"] = 3 * int(words[2])
        return b"ack" + self._end

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()


@pytest.fixture(params=[(b"", False), (b"\n", False), (b"\r\n", True)], ids=["bare", "lines", "pieces"])
def urcap(request: pytest.FixtureRequest, loopback_address: str) -> Iterator[tuple[UrCap, RobotiqGripper]]:
    server = UrCap(loopback_address, *request.param)
    gripper = RobotiqGripper(loopback_address, speed=0.5, force=0.2)
    yield server, gripper
    gripper.close()
    server.close()


def test_robotiq_is_activated_and_follows(urcap: tuple[UrCap, RobotiqGripper]) -> None:
    server, gripper = urcap
    gripper.connect()
    assert server.asked == ["SET ACT 0", "SET ACT 1", "SET GTO 1", "SET SPE 128", "SET FOR 51"]
    gripper.want(1.0)
    assert until(lambda: gripper.opening == 1.0)
    gripper.want(0.0)
    assert until(lambda: gripper.opening == 0.0)
    gripper.want(-3.0)
    gripper.want(0.4)
    assert until(lambda: server.registers["POS"] == 153)
    # What does not change is not sent again.
    count = len(server.asked)
    for _ in range(100):
        gripper.want(0.4)
    assert len(server.asked) == count
    assert not gripper.object_detected
    server.registers["OBJ"] = 2
    assert until(lambda: gripper.object_detected)
    assert gripper.fault is None


def test_robotiq_that_is_active_is_not_moved(loopback_address: str) -> None:
    server = UrCap(loopback_address)
    server.registers["STA"] = 3
    gripper = RobotiqGripper(loopback_address)
    gripper.connect()
    assert not any("ACT" in line for line in server.asked)
    gripper.close()
    gripper.close()
    server.close()


@pytest.mark.parametrize("reply", [b"?", b"POS banana", b"POS", b"x" * 3000])
def test_answers_that_make_no_sense(loopback_address: str, reply: bytes) -> None:
    server = UrCap(loopback_address)
    gripper = RobotiqGripper(loopback_address)
    gripper.connect()
    server.reply = reply
    assert until(lambda: gripper.fault is not None)
    assert gripper.fault is not None
    assert f"{loopback_address}:{ROBOTIQ_PORT} stopped answering" in gripper.fault
    gripper.close()
    server.close()


def test_something_else_at_the_port(loopback_address: str) -> None:
    server = UrCap(loopback_address)
    server.reply = b"HTTP/1.1 400 Bad Request\r\n"
    with pytest.raises(Missing, match="does not answer as a gripper"):
        RobotiqGripper(loopback_address).connect()
    server.close()


def test_gripper_at_an_output() -> None:
    level: list[bool] = [True]
    gripper = OutputGripper(lambda: level[-1], level.append, open_level=True)
    gripper.connect()
    assert gripper.opening == 1.0
    for opening in (0.9, 0.6, 0.3, 0.1, 0.5):
        gripper.want(opening)
    assert level == [True, True, False, True]


def test_no_gripper_says_what_was_wanted() -> None:
    gripper = NoGripper()
    gripper.want(0.3)
    assert gripper.opening == 0.3
    gripper.want(7.0)
    assert gripper.opening == 1.0
