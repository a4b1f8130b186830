"""Port 30004: one RTDE client."""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable
from typing import Final

from robot.ur.loopback.controller import Controller
from robot.ur.loopback.faults import Faults
from robot.ur.loopback.net import Connection
from robot.ur.loopback.outputs import TOOL_OUTPUTS
from robot.ur.loopback.plant import CYCLE_S
from robot.ur.protocol import (
    IN_USE,
    INPUT_TYPES,
    NOT_FOUND,
    OUTPUT_TYPES,
    PROTOCOL_VERSION,
    BadPacket,
    Kind,
    PacketReader,
    Recipe,
    Value,
    names_of,
    packet,
    text,
)

_SOURCE: Final = "controller"
_HIGHEST_HZ: Final = 1.0 / CYCLE_S
_LOWEST_HZ: Final = 1.0
_RECIPES: Final = 255
_ACCEPTED: Final = b"\x01"
_REFUSED: Final = b"\x00"


class RtdeSession:
    """Set-up, inputs and outputs of one client.

    Args:
        connection: To the client.
        arm: The controller.
        faults: What goes wrong on purpose.
        owners: Which client writes which input; shared by all clients.
        left: Called when the client is gone.

    Attributes:
        wants_tool: Whether its recipe has one of `TOOL_OUTPUTS`.
    """

    def __init__(
        self,
        connection: Connection,
        arm: Controller,
        faults: Faults,
        owners: dict[str, RtdeSession],
        left: Callable[[RtdeSession], None],
    ) -> None:
        self._connection = connection
        self._arm = arm
        self._faults = faults
        self._owners = owners
        self._left = left
        self._reader = PacketReader()
        self._agreed = False
        self._outputs: Recipe | None = None
        self.wants_tool = False
        self._every = 1
        self._cycle = 0
        self._inputs: dict[int, Recipe] = {}
        self._started = False
        self._late: deque[tuple[float, bytes]] = deque()

    def received(self, data: bytes) -> None:
        """Handle packets; a client that sends what is not one is told so and closed."""
        try:
            for kind, payload in self._reader.feed(data):
                self._handle(kind, payload)
        except BadPacket as error:
            self._connection.close_after(text(str(error), _SOURCE), str(error))

    def closed(self) -> None:
        """The client is gone: its inputs are free for others; the registers keep what it wrote."""
        self._started = False
        for name in [name for name, owner in self._owners.items() if owner is self]:
            del self._owners[name]
        self._left(self)

    def _send(self, kind: Kind, payload: bytes) -> None:
        self._connection.send(packet(kind, payload))

    def _handle(self, kind: Kind, payload: bytes) -> None:
        if kind is Kind.PROTOCOL_VERSION:
            if len(payload) != 2:
                raise BadPacket(f"protocol version of {len(payload)} bytes: expected 2")
            wanted = struct.unpack(">H", payload)[0]
            self._agreed = wanted == PROTOCOL_VERSION and not self._faults.wrong_version
            self._send(kind, _ACCEPTED if self._agreed else _REFUSED)
        elif kind is Kind.CONTROLLER_VERSION:
            self._send(kind, struct.pack(">4I", *self._arm.settings.version))
        elif kind is Kind.TEXT:
            self._arm.say(f"{self._connection.peer} says {payload[:200]!r}")
        elif not self._agreed:
            raise BadPacket(f"{kind.name} before the protocol version was agreed on: this controller speaks version 2")
        elif kind is Kind.SETUP_OUTPUTS:
            self._set_up_outputs(payload)
        elif kind is Kind.SETUP_INPUTS:
            self._set_up_inputs(payload)
        elif kind is Kind.START:
            self._started = self._outputs is not None
            self._cycle = 0
            self._send(kind, _ACCEPTED if self._started else _REFUSED)
        elif kind is Kind.PAUSE:
            self._started = False
            self._send(kind, _ACCEPTED)
        else:
            self._write(payload)

    def _set_up_outputs(self, payload: bytes) -> None:
        if len(payload) < 8:
            raise BadPacket(f"set-up of outputs of {len(payload)} bytes: expected a frequency of 8 and names")
        frequency = struct.unpack(">d", payload[:8])[0]
        if not _LOWEST_HZ <= frequency <= _HIGHEST_HZ:
            raise BadPacket(f"output frequency {frequency} Hz: expected {_LOWEST_HZ:.0f} to {_HIGHEST_HZ:.0f}")
        names = names_of(payload[8:])
        types = [NOT_FOUND if self._faults.refuse_recipe else OUTPUT_TYPES.get(name, NOT_FOUND) for name in names]
        self._started = False
        usable = bool(names) and NOT_FOUND not in types
        self._outputs = Recipe(names, tuple(types)) if usable else None
        self.wants_tool = usable and not TOOL_OUTPUTS.isdisjoint(names)
        self._every = max(1, round(_HIGHEST_HZ / frequency))
        self._send(Kind.SETUP_OUTPUTS, bytes((1 if usable else 0,)) + ",".join(types).encode())

    def _set_up_inputs(self, payload: bytes) -> None:
        names = names_of(payload)
        types = [self._input_type(name) for name in names]
        number = len(self._inputs) + 1
        if number > _RECIPES:
            raise BadPacket(f"input recipe {number}: the controller takes {_RECIPES}")
        usable = bool(names) and NOT_FOUND not in types and IN_USE not in types
        if usable:
            self._inputs[number] = Recipe(names, tuple(types))
            self._owners.update(dict.fromkeys(names, self))
        self._send(Kind.SETUP_INPUTS, bytes((number if usable else 0,)) + ",".join(types).encode())

    def _input_type(self, name: str) -> str:
        if name not in INPUT_TYPES or self._faults.refuse_recipe:
            return NOT_FOUND
        return INPUT_TYPES[name] if self._owners.get(name, self) is self else IN_USE

    def _write(self, payload: bytes) -> None:
        recipe = self._inputs.get(payload[0]) if payload else None
        if recipe is None:
            raise BadPacket(f"values for input recipe {payload[:1].hex() or '(none)'}: it was not set up")
        # taken before START as well: ur_rtde's I/O interface never sends one
        self._arm.registers.write(recipe.unpack(payload[1:]))

    def publish(self, values: dict[str, Value], now_s: float) -> None:
        """Send the outputs if they are due in this cycle, with what the faults say should happen to them."""
        while self._late and self._late[0][0] <= now_s:
            self._connection.send(self._late.popleft()[1])
        if not self._started or self._outputs is None:
            return
        self._cycle += 1
        if self._cycle % self._every or self._faults.drop_packets > 0:
            return
        data = packet(Kind.DATA, _ACCEPTED + self._outputs.pack(values))
        if self._faults.close_mid_packet:
            self._connection.close_after(data[: len(data) // 2], "in the middle of a packet, on purpose")
        elif self._faults.delay_s > 0.0 or self._late:
            self._late.append((now_s + self._faults.delay_s, data))
        else:
            self._connection.send(data)
