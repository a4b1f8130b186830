"""RTDE version 2, the protocol of a UR controller's port 30004: packets, recipes, and the types of all fields.

A packet is a big-endian header (size of the whole packet as uint16, kind as uint8) and a payload. A client agrees on
the version, sends the names of the outputs it wants with a frequency, and of the inputs it will write, and is told
their types; that list is a recipe. After START the controller sends one DATA packet per period: the recipe's number
(uint8), then the values without padding. The client writes inputs with DATA packets of its own.

Source: Universal Robots, "Real-Time Data Exchange (RTDE) Guide"; the names and types of the fields from the same guide
and from UR's client library (Apache-2.0).
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

RTDE_PORT: Final = 30004
PROTOCOL_VERSION: Final = 2
NOT_FOUND: Final = "NOT_FOUND"
IN_USE: Final = "IN_USE"
# The guide's limit on a list of field names [bytes].
NAMES_LIMIT: Final = 2048
REGISTERS: Final = 48
BIT_REGISTERS: Final = 128

HEADER: Final = struct.Struct(">HB")
_LARGEST: Final = 0xFFFF

Value = float | int | bool | tuple[float, ...] | tuple[int, ...]


class Kind(enum.IntEnum):
    """Kinds of packets: the ASCII letters of the guide."""

    PROTOCOL_VERSION = ord("V")
    CONTROLLER_VERSION = ord("v")
    TEXT = ord("M")
    DATA = ord("U")
    SETUP_OUTPUTS = ord("O")
    SETUP_INPUTS = ord("I")
    START = ord("S")
    PAUSE = ord("P")


class BadPacket(ValueError):
    """Bytes that are not what the protocol allows; the connection they came over cannot be trusted any more."""


TYPE_FORMATS: Final = {
    "BOOL": "?",
    "UINT8": "B",
    "UINT32": "I",
    "UINT64": "Q",
    "INT32": "i",
    "DOUBLE": "d",
    "VECTOR3D": "3d",
    "VECTOR6D": "6d",
    "VECTOR6INT32": "6i",
    "VECTOR6UINT32": "6I",
}


def _fields(**names_of_type: str) -> dict[str, str]:
    return {name: kind for kind, names in names_of_type.items() for name in names.split()}


def _numbered(kind: str, name: str, numbers: Iterable[int]) -> dict[str, str]:
    return {f"{name}{i}": kind for i in numbers}


def _registers(direction: str) -> dict[str, str]:
    return (
        _fields(UINT32=f"{direction}_bit_registers0_to_31 {direction}_bit_registers32_to_63")
        | _numbered("BOOL", f"{direction}_bit_register_", range(64, BIT_REGISTERS))
        | _numbered("INT32", f"{direction}_int_register_", range(REGISTERS))
        | _numbered("DOUBLE", f"{direction}_double_register_", range(REGISTERS))
    )


# What a client may write. The pairs `..._mask` and value: only the masked bits are taken over.
INPUT_TYPES: Final[dict[str, str]] = _fields(
    UINT32="speed_slider_mask",
    DOUBLE="speed_slider_fraction standard_analog_output_0 standard_analog_output_1",
    UINT8="standard_digital_output_mask standard_digital_output configurable_digital_output_mask "
    "configurable_digital_output tool_digital_output_mask tool_digital_output standard_analog_output_mask "
    "standard_analog_output_type",
    VECTOR6D="external_force_torque",
) | _registers("input")

# What a client may read; input registers can be read back.
OUTPUT_TYPES: Final[dict[str, str]] = (
    _fields(
        DOUBLE="timestamp actual_execution_time target_execution_time speed_scaling target_speed_fraction "
        "actual_momentum actual_main_voltage actual_robot_voltage actual_robot_current standard_analog_input0 "
        "standard_analog_input1 standard_analog_output0 standard_analog_output1 io_current euromap67_24V_voltage "
        "euromap67_24V_current tool_analog_input0 tool_analog_input1 tool_output_current tool_temperature "
        "tcp_force_scalar joint_position_deviation_ratio collision_detection_ratio payload "
        "actual_robot_energy_consumed actual_robot_braking_energy_dissipated",
        VECTOR6D="target_q target_qd target_qdd target_current target_moment actual_q actual_qd actual_current "
        "actual_current_window actual_current_as_torque joint_control_output actual_TCP_pose actual_TCP_speed "
        "actual_TCP_force target_TCP_pose target_TCP_speed tcp_offset actual_TCP_acceleration "
        "target_TCP_acceleration joint_temperatures actual_joint_voltage ft_raw_wrench wrench_calc_from_currents "
        "payload_inertia target_base_acceleration target_base_wrench",
        VECTOR3D="actual_tool_accelerometer elbow_position elbow_velocity payload_cog target_gravity",
        VECTOR6INT32="joint_mode",
        INT32="robot_mode safety_mode safety_status encoder0_raw encoder1_raw tool_output_voltage time_scale_source",
        UINT32="runtime_state robot_status_bits safety_status_bits analog_io_types euromap67_input_bits "
        "euromap67_output_bits tool_mode tool_analog_input_types script_control_line",
        UINT64="actual_digital_input_bits actual_configurable_digital_input_bits actual_digital_output_bits "
        "actual_configurable_digital_output_bits control_step",
        UINT8="tool_output_mode tool_digital_output0_mode tool_digital_output1_mode",
    )
    | _registers("output")
    | _registers("input")
)


def packet(kind: Kind, payload: bytes = b"") -> bytes:
    """A whole packet.

    Raises:
        BadPacket: If the payload does not fit into the size field, naming both.
    """
    size = HEADER.size + len(payload)
    if size > _LARGEST:
        raise BadPacket(f"packet {kind.name} of {size} bytes: the size field holds {_LARGEST}")
    return HEADER.pack(size, kind) + payload


def text(message: str, source: str, level: int = 1) -> bytes:
    """A text packet: what a controller says before it closes; level 0 exception, 1 error, 2 warning, 3 info."""
    said, by = message.encode()[:255], source.encode()[:255]
    return packet(Kind.TEXT, bytes((len(said),)) + said + bytes((len(by),)) + by + bytes((level,)))


def names_of(payload: bytes) -> tuple[str, ...]:
    """Field names of a set-up packet, comma-separated; empty ones (a comma at the end) are left out.

    Raises:
        BadPacket: If the list is over the guide's limit or is not text.
    """
    if len(payload) > NAMES_LIMIT:
        raise BadPacket(f"list of field names of {len(payload)} bytes: the controller takes {NAMES_LIMIT}")
    try:
        return tuple(name.strip() for name in payload.decode("ascii").split(",") if name.strip())
    except UnicodeDecodeError as error:
        raise BadPacket(f"field names are not text: {error}") from error


class PacketReader:
    """Cuts a stream of bytes into packets, however it was split on the way. Holds at most one packet and a read."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[Kind, bytes]]:
        """Take what was read and return the packets that are whole now: kind and payload.

        Raises:
            BadPacket: At a size that no packet can have or a kind that is not known; the packets before it were given.
        """
        self._buffer += data
        while len(self._buffer) >= HEADER.size:
            size, kind = HEADER.unpack_from(self._buffer)
            if size < HEADER.size:
                raise BadPacket(f"packet says its size is {size} bytes: the header alone has {HEADER.size}")
            try:
                known = Kind(kind)
            except ValueError:
                raise BadPacket(f"packet of kind {kind} ({chr(kind)!r}) is not known in version 2") from None
            if len(self._buffer) < size:
                return
            payload = bytes(self._buffer[HEADER.size : size])
            del self._buffer[:size]
            yield known, payload


@dataclass(frozen=True, slots=True)
class Recipe:
    """A list of fields and how their values lie in a DATA packet.

    Attributes:
        names: Names of the fields.
        types: Their types, keys of `TYPE_FORMATS`.
    """

    names: tuple[str, ...]
    types: tuple[str, ...]
    _layout: struct.Struct = field(init=False, repr=False, compare=False)
    _counts: tuple[int, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        formats = [TYPE_FORMATS[kind] for kind in self.types]
        object.__setattr__(self, "_layout", struct.Struct(">" + "".join(formats)))
        object.__setattr__(self, "_counts", tuple(int(f[0]) if len(f) > 1 else 1 for f in formats))

    @classmethod
    def of(cls, names: Sequence[str], known: dict[str, str]) -> Recipe:
        """A recipe of fields whose types are looked up in `INPUT_TYPES` or `OUTPUT_TYPES`.

        Raises:
            KeyError: At a field that is not known.
        """
        return cls(tuple(names), tuple(known[name] for name in names))

    @property
    def size(self) -> int:
        """Bytes of the values."""
        return self._layout.size

    def pack(self, values: dict[str, Value]) -> bytes:
        """Values in the recipe's order, as bytes."""
        flat: list[float | int | bool] = []
        for name, count in zip(self.names, self._counts, strict=True):
            value = values[name]
            if count == 1:
                flat.append(value)  # type: ignore[arg-type]  # the count says which of the two it is
            else:
                flat.extend(value)  # type: ignore[arg-type]
        return self._layout.pack(*flat)

    def unpack(self, payload: bytes) -> dict[str, Value]:
        """Values by name.

        Raises:
            BadPacket: If the payload does not have the recipe's size, naming both.
        """
        if len(payload) != self.size:
            raise BadPacket(f"values of {len(payload)} bytes for a recipe of {self.size}: {','.join(self.names)}")
        flat = self._layout.unpack(payload)
        values: dict[str, Value] = {}
        at = 0
        for name, count in zip(self.names, self._counts, strict=True):
            values[name] = flat[at] if count == 1 else flat[at : at + count]
            at += count
        return values
