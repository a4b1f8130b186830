"""The registers that carry the arguments and the answers of one command of ur_rtde's script."""

from __future__ import annotations

from typing import Final

import numpy as np

from geometry.types import Array
from robot.ur.loopback.program import ProgramError
from robot.ur.loopback.registers import Registers

# Beyond this no figure of an arm makes sense, and arithmetic on it overflows.
LARGEST: Final = 1e6


class Arguments:
    """The registers of one command, counted from the script's offset."""

    def __init__(self, registers: Registers, offset: int) -> None:
        self._registers = registers
        self._offset = offset

    def number(self, index: int) -> float:
        """One input double.

        Raises:
            ProgramError: If it is not a number that an arm has to do with.
        """
        value = self._registers.input_double(self._offset + index)
        if not abs(value) <= LARGEST:
            raise ProgramError(f"runtime error: argument {index} is {value}")
        return value

    def six(self, index: int) -> Array:
        """Six input doubles in a row: joint values or a pose."""
        return np.array([self.number(index + i) for i in range(6)])

    def integer(self, index: int) -> int:
        """One input integer."""
        return self._registers.input_int(self._offset + index)

    def answer(self, *values: float) -> None:
        """Write output doubles, from the first on."""
        self._registers.output_doubles(self._offset, values)

    def answer_int(self, value: int, index: int = 1) -> None:
        """Write an output integer."""
        self._registers.output_int(self._offset + index, value)
