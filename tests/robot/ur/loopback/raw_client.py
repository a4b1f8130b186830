"""A client of bare sockets and a front that is stepped by hand: no clock, no threads."""

from __future__ import annotations

import socket
import struct
from collections.abc import Sequence

from robot.ur.loopback import UrFront
from robot.ur.loopback.front import CYCLE_NS
from robot.ur.protocol import OUTPUT_TYPES, RTDE_PORT, Kind, PacketReader, Recipe, Value, packet

CYCLES = 5


def step(front: UrFront, cycles: int = CYCLES) -> None:
    """Cycles of 2 ms of the front's own time, however long they take."""
    for _ in range(cycles):
        front.step(front._t_ns + CYCLE_NS)


class Peer:
    """One socket to one port; every exchange steps the front."""

    def __init__(self, front: UrFront, port: int, receive_buffer: int | None = None) -> None:
        self.front = front
        self.socket = socket.socket()
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.connect((front.address, port))
        self.socket.setblocking(False)
        self.closed = self.reset = False
        step(front)

    def send(self, data: bytes) -> None:
        try:
            self.socket.sendall(data)
        except OSError:
            self.closed = True

    def read(self) -> bytes:
        """Everything that is there, after a few cycles."""
        step(self.front)
        data = b""
        while not self.closed:
            try:
                part = self.socket.recv(1 << 16)
            except BlockingIOError:
                break
            except OSError:
                part, self.reset = b"", True
            if not part:
                self.closed = True
            data += part
        return data

    def ask(self, line: str) -> str:
        """Send a line, return what comes back."""
        self.send(line.encode() + b"\n")
        return self.read().decode().strip()

    def close(self) -> None:
        self.socket.close()


class RtdePeer(Peer):
    """A peer that speaks RTDE."""

    def __init__(self, front: UrFront, receive_buffer: int | None = None) -> None:
        super().__init__(front, RTDE_PORT, receive_buffer)
        self.reader = PacketReader()
        self.recipe: Recipe | None = None

    def packets(self) -> list[tuple[Kind, bytes]]:
        return list(self.reader.feed(self.read()))

    def request(self, kind: Kind, payload: bytes = b"") -> bytes:
        self.send(packet(kind, payload))
        answers = [body for found, body in self.packets() if found is kind]
        assert len(answers) == 1, (kind, answers)
        return answers[0]

    def agree(self) -> None:
        assert self.request(Kind.PROTOCOL_VERSION, b"\x00\x02") == b"\x01"

    def outputs(self, names: Sequence[str], frequency: float = 500.0) -> None:
        answer = self.request(Kind.SETUP_OUTPUTS, struct.pack(">d", frequency) + ",".join(names).encode())
        assert answer[0] == 1, answer
        self.recipe = Recipe.of(names, OUTPUT_TYPES)
        assert answer[1:].decode() == ",".join(self.recipe.types)

    def start(self) -> None:
        assert self.request(Kind.START) == b"\x01"

    def states(self) -> list[dict[str, Value]]:
        assert self.recipe is not None
        return [self.recipe.unpack(body[1:]) for kind, body in self.packets() if kind is Kind.DATA]
