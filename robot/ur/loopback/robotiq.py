"""Port 63352: a Robotiq two-finger gripper, as its URCap serves it, and what moves its fingers.

Lines `SET POS 255 SPE 128 ...` are answered `ack`, lines `GET POS` are answered `POS 3`, both without a newline, what
is not understood `?`. Positions run from 0, open, to 255, closed. SET POS is the request, GET POS where the fingers
are, GET PRE the request's echo. Modelled: activation (STA 1 for half a second, then 3), speed (SPE 0 to 255 is 20 to
150 mm/s over 85 mm), object detection (OBJ: 0 moving, 1 and 2 stopped by something while opening and closing, 3 there).
Not modelled: force (FOR is kept, not used), the calibration sweep of the activation, faults (FLT is 0).
"""

from __future__ import annotations

from typing import Final

from robot.ur.loopback.net import Connection
from robot.ur.loopback.plant import CYCLE_S

GRIPPER_PORT: Final = 63352
_WRITABLE: Final = frozenset({"ACT", "GTO", "ATR", "ADR", "ARD", "FOR", "SPE", "POS", "MOD"})
_FULL: Final = 255
_ACTIVATION_S: Final = 0.5
_STROKE_M: Final = 0.085
_SLOWEST_M_S: Final = 0.020
_FASTEST_M_S: Final = 0.150
_AT_REST: Final = 0.002
_BLOCKED_CYCLES: Final = 50
_LINE_LIMIT: Final = 1024


class Gripper:
    """The fingers: where they were sent, how fast, whether something is in the way."""

    def __init__(self) -> None:
        self.registers = dict.fromkeys(_WRITABLE, 0) | {"SPE": _FULL, "FOR": _FULL}
        self.command = 1.0
        self._goal = 1.0
        self._opening = 1.0
        self._activated_s = 0.0
        self._still = 0
        self._object = 3
        self._speed = self._of(_FULL)

    @staticmethod
    def _of(speed: int) -> float:
        return (_SLOWEST_M_S + (_FASTEST_M_S - _SLOWEST_M_S) * speed / _FULL) / _STROKE_M

    def place(self, opening: float) -> None:
        """Where the fingers are before anybody commands them."""
        self.command = self._goal = self._opening = opening

    def go(self, opening: float) -> None:
        """Send the fingers somewhere, without the registers: what a digital output does."""
        self._goal = opening

    def set(self, name: str, value: int) -> bool:
        """Write one register; False if there is none of that name or the value is out of range."""
        if name not in _WRITABLE or not 0 <= value <= _FULL:
            return False
        self.registers[name] = value
        if name == "ACT" and value == 0:
            self._activated_s = 0.0
        if name == "POS" and self._active and abs(1.0 - value / _FULL - self._opening) > _AT_REST:
            self._object, self._still = 0, 0
        return True

    def get(self, name: str) -> int | None:
        """Read one register; None if there is none of that name."""
        if name == "POS":
            return round((1.0 - self._opening) * _FULL)
        if name == "PRE":
            return self.registers["POS"]
        if name == "STA":
            return 0 if not self.registers["ACT"] else 3 if self._active else 1
        if name == "OBJ":
            return self._object
        if name == "FLT":
            return 0
        return self.registers.get(name)

    @property
    def _active(self) -> bool:
        return self._activated_s >= _ACTIVATION_S

    def step(self, opening: float) -> float:
        """One cycle: take where the fingers are, 0 to 1, and return where they shall be."""
        if self.registers["ACT"]:
            self._activated_s += CYCLE_S
            if self._active and self.registers["GTO"]:
                self._goal = 1.0 - self.registers["POS"] / _FULL
                self._speed = self._of(self.registers["SPE"])
        reach = self._speed * CYCLE_S
        self.command += min(reach, max(-reach, self._goal - self.command))
        moved = abs(opening - self._opening) > 1e-4
        self._opening = min(1.0, max(0.0, opening))
        self._still = 0 if moved else self._still + 1
        left = self._goal - self._opening
        if abs(left) <= _AT_REST:
            self._object = 3
        elif self._still < _BLOCKED_CYCLES or self.command != self._goal:
            self._object = 0
        else:
            self._object = 1 if left > 0.0 else 2
        return self.command


class GripperSession:
    """One client of the gripper's port."""

    def __init__(self, connection: Connection, gripper: Gripper) -> None:
        self._connection = connection
        self._gripper = gripper
        self._rest = b""

    def received(self, data: bytes) -> None:
        """Answer whole lines."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._connection.send(self._answer(line.decode("ascii", "replace").split()))
        if len(self._rest) > _LINE_LIMIT:
            self._connection.close(f"a line of more than {_LINE_LIMIT} bytes")

    def _answer(self, words: list[str]) -> bytes:
        if len(words) == 2 and words[0] == "GET":
            value = self._gripper.get(words[1])
            return b"?" if value is None else f"{words[1]} {value}".encode()
        if len(words) >= 3 and len(words) % 2 == 1 and words[0] == "SET":
            pairs = list(zip(words[1::2], words[2::2], strict=True))
            if all(value.isdecimal() and self._gripper.set(name, int(value)) for name, value in pairs):
                return b"ack"
        return b"?"

    def closed(self) -> None:
        """The fingers stay where they are."""
