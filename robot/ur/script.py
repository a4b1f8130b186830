"""ur_rtde's control script: what runs on the controller, and how it is talked to through registers.

The script waits for a number in an input register, does what the number stands for with the doubles next to it, and
answers in an output register. Streamed commands (servoj, speedj) are taken over in every cycle; any other command is
answered with DONE, and the register must then be cleared before the next.

Source: ur_rtde 1.6 (MIT), `rtde_control.script` and `RTDEControlInterface::sendCommand`.
"""

from __future__ import annotations

import enum
import socket
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from deploy.errors import Missing, require
from robot.ur.link import connect

SCRIPT_PORT: Final = 30003
# Doubles that a command of ours can have.
ARGUMENTS: Final = 11
# What the script must know, or it is not the one that this module speaks to.
_EXPECTED: Final = (
    "# float register offset\n",
    "# int register offset\n",
    "elif cmd == 9:",
    "elif cmd == 11:",
    "elif cmd == 16:",
    "rtde_set_watchdog",
)


class Command(enum.IntEnum):
    """Commands of the script that the driver uses."""

    NONE = 0
    SPEEDJ = 9
    SERVOJ = 11
    SPEED_STOP = 15
    SERVO_STOP = 16
    TEACH_MODE = 18
    END_TEACH_MODE = 19
    SET_WATCHDOG = 35
    END = 255


READY: Final = 1
DONE: Final = 2


def control_script(host: str, major: int, minor: int, registers_from: int) -> bytes:
    """The program to upload, as ur_rtde would send it to this controller.

    Args:
        host: Address of the controller.
        major: Version of its software; lines that it does not know are left out.
        minor: The same.
        registers_from: First general purpose register, 0 or 24.

    Raises:
        Missing: If ur_rtde is not installed, or is a version whose script is another one.
    """
    client = require("script_client", "ur").ScriptClient(host, major, minor)
    body: str = client.getScript()
    unknown = [text.strip() for text in _EXPECTED if text not in body]
    if unknown:
        raise Missing(f"ur_rtde's control script has no {unknown[0]!r}: pip install 'ur_rtde>=1.6,<1.7'")
    for kind in ("float", "int"):
        place = f"# {kind} register offset\n"
        body = body.replace(place, f"{place}{registers_from}")
    return f"def rtde_control():\n{body}end\n".encode()


def upload(host: str, program: bytes, timeout_s: float) -> socket.socket:
    """Send a program to a controller, which ends the one that runs and starts this.

    Returns:
        The connection, to be closed once the program runs: closed earlier, the controller may not have read it all.

    Raises:
        Missing: If the controller does not take it.
    """
    connection = connect(host, SCRIPT_PORT, timeout_s)
    try:
        connection.sendall(program)
    except OSError as error:
        connection.close()
        raise Missing(f"UR controller at {host}:{SCRIPT_PORT} does not take the control script: {error}") from error
    return connection


Write = Callable[[int, Sequence[float]], bool]


class Handshake:
    """Commands to the control script, in order, without waiting for its answers.

    `tick` is called with every packet; it sees the answers and goes on.

    Args:
        write: Writes a command and its doubles into the registers; whether that was possible.
    """

    def __init__(self, write: Write) -> None:
        self._write = write
        self._queue: deque[tuple[Command, tuple[float, ...]]] = deque()
        self._current: tuple[Command, tuple[float, ...]] | None = None
        self._clearing = False
        self._done_in_a_row = 0
        self._since_ns = 0

    @property
    def ready(self) -> bool:
        """Whether a streamed command would be taken now."""
        return self._current is None and not self._clearing and not self._queue

    def busy_ns(self, now_ns: int) -> int:
        """For how long the script has owed an answer [ns]; 0 if it does not."""
        return 0 if self.ready else now_ns - self._since_ns

    def stream(self, command: Command, arguments: Sequence[float]) -> bool:
        """Write a streamed command; False, and nothing written, while another one is not done."""
        return self.ready and self._write(command, arguments)

    def call(self, command: Command, *arguments: float, now_ns: int) -> None:
        """Have a command done after those before it."""
        if self.ready:
            self._since_ns = now_ns
        self._queue.append((command, arguments))
        self._next(now_ns)

    def tick(self, script_state: int, now_ns: int) -> None:
        """Go on by what the script answers."""
        if self._current is not None:
            # One DONE may be left from a streamed command, which the script answers with DONE and READY in one cycle.
            self._done_in_a_row = self._done_in_a_row + 1 if script_state == DONE else 0
            if self._done_in_a_row >= 2 and self._write(Command.NONE, ()):
                self._current, self._clearing = None, True
        elif self._clearing and script_state == READY:
            self._clearing = False
            self._next(now_ns)

    def touch(self) -> None:
        """Write again what the registers hold, which tells the script's watchdog that somebody is there."""
        self._write(*(self._current or (Command.NONE, ())))

    def reset(self) -> None:
        """Forget everything: the script was started anew, or has ended."""
        self._queue.clear()
        self._current = None
        self._clearing = False
        self._done_in_a_row = 0

    def _next(self, now_ns: int) -> None:
        if self._current is None and not self._clearing and self._queue:
            self._current = self._queue.popleft()
            self._done_in_a_row = 0
            self._since_ns = now_ns
            self._write(*self._current)
