"""Registers, digital and analogue outputs and the speed slider: what clients write and programs read."""

from __future__ import annotations

from typing import Final

from robot.ur.protocol import REGISTERS, Value

_INT_IN: Final = tuple(f"input_int_register_{i}" for i in range(REGISTERS))
_DOUBLE_IN: Final = tuple(f"input_double_register_{i}" for i in range(REGISTERS))
_INT_OUT: Final = tuple(f"output_int_register_{i}" for i in range(REGISTERS))
_DOUBLE_OUT: Final = tuple(f"output_double_register_{i}" for i in range(REGISTERS))


class Registers:
    """Everything that RTDE inputs reach.

    Attributes:
        values: Registers by their field's name, as they are published.
        speed_slider: 0 to 1.
        digital_outputs: Bits 0-7 standard, 8-15 configurable, 16-17 tool, as in `actual_digital_output_bits`.
        analog_outputs: Both, as a fraction of their range.
        writes: How often each input register was written by a client.
    """

    def __init__(self) -> None:
        self.values: dict[str, Value] = dict.fromkeys((*_INT_IN, *_INT_OUT), 0)
        self.values |= dict.fromkeys((*_DOUBLE_IN, *_DOUBLE_OUT), 0.0)
        self.speed_slider = 1.0
        self.digital_outputs = 0
        self.analog_outputs = [0.0, 0.0]
        self.writes: dict[str, int] = {}

    def input_int(self, index: int) -> int:
        """Integer that a client wrote."""
        return self.values[_INT_IN[index]]  # type: ignore[return-value]

    def input_double(self, index: int) -> float:
        """Number that a client wrote."""
        return self.values[_DOUBLE_IN[index]]  # type: ignore[return-value]

    def output_int(self, index: int, value: int) -> None:
        """Integer for clients to read."""
        self.values[_INT_OUT[index]] = value

    def output_doubles(self, index: int, values: tuple[float, ...]) -> None:
        """Numbers for clients to read, in a row of registers."""
        for offset, value in enumerate(values):
            self.values[_DOUBLE_OUT[index + offset]] = float(value)

    def set_digital_output(self, index: int, high: bool) -> None:
        """Set one output: 0-7 standard, 8-15 configurable, 16-17 tool."""
        self.digital_outputs = self.digital_outputs & ~(1 << index) | int(high) << index

    def write(self, fields: dict[str, Value]) -> None:
        """Take over what a client wrote in one packet."""
        for name, value in fields.items():
            if name.startswith("input_"):
                self.writes[name] = self.writes.get(name, 0) + 1
                self.values[name] = value
        self._masked(fields, "standard_digital_output", 0)
        self._masked(fields, "configurable_digital_output", 8)
        self._masked(fields, "tool_digital_output", 16)
        if int(fields.get("speed_slider_mask", 0)) & 1:  # type: ignore[arg-type]
            self.speed_slider = min(1.0, max(0.0, float(fields.get("speed_slider_fraction", 1.0))))  # type: ignore[arg-type]
        for index in range(2):
            if int(fields.get("standard_analog_output_mask", 0)) >> index & 1:  # type: ignore[arg-type]
                self.analog_outputs[index] = float(fields.get(f"standard_analog_output_{index}", 0.0))  # type: ignore[arg-type]

    def _masked(self, fields: dict[str, Value], name: str, shift: int) -> None:
        mask = int(fields.get(f"{name}_mask", 0)) << shift  # type: ignore[arg-type]
        bits = int(fields.get(name, 0)) << shift  # type: ignore[arg-type]
        self.digital_outputs = self.digital_outputs & ~mask | bits & mask
