"""The connection by itself, against a server that follows a script: what breaks it in the middle."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from robot.ur import protocol
from robot.ur.link import Link
from robot.ur.protocol import Kind, Value
from tests.robot.ur.loopback_process import until

SETUP = (
    protocol.packet(Kind.PROTOCOL_VERSION, b"\x01"),
    protocol.packet(Kind.CONTROLLER_VERSION, struct.pack(">4I", 5, 12, 2, 7)),
    protocol.packet(Kind.SETUP_OUTPUTS, b"\x01DOUBLE"),
    protocol.packet(Kind.SETUP_INPUTS, b"\x03INT32"),
    protocol.packet(Kind.START, b"\x01"),
)


def state(timestamp_s: float) -> bytes:
    return protocol.packet(Kind.DATA, b"\x01" + struct.pack(">d", timestamp_s))


class Watched:
    """A link and what it told."""

    def __init__(self, address: str) -> None:
        self.values: list[float] = []
        self.lost: list[str] = []
        self.idle = 0
        self.link = Link(
            address,
            outputs=("timestamp",),
            inputs={"command": ("input_int_register_0",)},
            rate_hz=500.0,
            clock=time.monotonic_ns,
            on_values=self._on_values,
            on_idle=self._on_idle,
            on_lost=self.lost.append,
        )

    def _on_values(self, values: Mapping[str, Value], arrival_ns: int) -> None:
        value = values["timestamp"]
        assert isinstance(value, float)
        self.values.append(value)
        if value < 0.0:
            raise RuntimeError("mistake of ours")

    def _on_idle(self, now_ns: int) -> None:
        self.idle += 1


@contextmanager
def linked(address: str, serve: Callable[[socket.socket], object]) -> Iterator[Watched]:
    """A link whose server answers the set-up and then does as told."""
    server = socket.create_server((address, protocol.RTDE_PORT))

    def run() -> None:
        connection, _ = server.accept()
        with connection:
            for answer in SETUP:
                connection.recv(4096)
                connection.sendall(answer)
            serve(connection)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    watched = Watched(address)
    try:
        watched.link.open(2.0)
        yield watched
    finally:
        watched.link.close()
        thread.join(2.0)
        server.close()


def test_states_come_in_whatever_pieces_and_registers_go_out(loopback_address: str) -> None:
    received: list[bytes] = []

    def serve(connection: socket.socket) -> None:
        for byte in state(1.0) + state(2.0) + protocol.text("hello", "test"):
            connection.sendall(bytes((byte,)))
        connection.sendall(state(3.0) + state(4.0))
        received.append(connection.recv(100))

    with linked(loopback_address, serve) as watched:
        assert watched.link.version == (5, 12, 2, 7)
        assert until(lambda: watched.values == [1.0, 2.0, 3.0, 4.0])
        assert watched.link.write("command", {"input_int_register_0": 77})
        assert until(lambda: received == [protocol.packet(Kind.DATA, b"\x03" + struct.pack(">i", 77))])
        # The server is done and has closed.
        assert until(lambda: watched.lost == ["the controller closed the connection"])
        assert until(lambda: not watched.link.write("command", {"input_int_register_0": 1}))


def test_silence_is_told_and_closing_is_not_a_loss(loopback_address: str) -> None:
    with linked(loopback_address, lambda connection: connection.recv(1)) as watched:
        assert until(lambda: watched.idle > 2)
        watched.link.close()
        watched.link.close()
        assert watched.lost == []


@pytest.mark.parametrize(
    "sent",
    [
        b"\x00\x00U",
        b"\x00\x05X__",
        protocol.packet(Kind.DATA, b"\x01too short"),
        state(-1.0),
    ],
    ids=["no size", "unknown kind", "wrong size of values", "the driver's own mistake"],
)
def test_what_cannot_be_trusted_ends_the_connection_once(loopback_address: str, sent: bytes) -> None:
    with linked(
        loopback_address, lambda connection: (connection.sendall(state(1.0) + sent), connection.recv(1))
    ) as watched:
        assert until(lambda: len(watched.lost) == 1)
        assert watched.values[0] == 1.0


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(noise=st.binary(max_size=200))
def test_noise_neither_hangs_nor_kills(loopback_address: str, noise: bytes) -> None:
    with linked(loopback_address, lambda connection: connection.sendall(noise)) as watched:
        assert until(lambda: len(watched.lost) == 1)
