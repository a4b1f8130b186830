"""A Robotiq gripper over the socket of its URCap."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
from typing import Final

from deploy.errors import Missing
from robot.ur.link import connect

ROBOTIQ_PORT: Final = 63352
# Positions that the gripper knows: 0 is open, 255 is closed.
_STEPS: Final = 255
_ACTIVE: Final = 3
# OBJ: 0 still moving, 1 stopped by something while opening, 2 while closing, 3 where it was sent.
_STOPPED_BY_OBJECT: Final = (1, 2)
# How often the gripper is asked where it is [s]. Its own loop runs at about this rate.
_PERIOD_S: Final = 0.02
_ANSWER_S: Final = 0.5
_MORE_S: Final = 0.003
_NUMBER: Final = re.compile(rb"[A-Z]{3} \d+")
_ACTIVATION_S: Final = 10.0


class RobotiqGripper:
    """A Robotiq 2F-85, 2F-140 or Hand-E with Robotiq's URCap on the controller.

    A thread of its own talks to the socket: the URCap answers in milliseconds to tens of them. Connecting activates the
    gripper if it is not, which opens and closes the fingers once.

    Args:
        host: Address of the controller.
        speed: 0 to 1 of the gripper's.
        force: 0 to 1 of the gripper's.
        timeout_s: How long a connection may take [s].

    Source: Robotiq, "2F-85 & 2F-140 Instruction Manual", section "Control": registers, which the socket names likewise.
    """

    def __init__(self, host: str, *, speed: float = 1.0, force: float = 0.5, timeout_s: float = 2.0) -> None:
        self._host, self._speed, self._force, self._timeout_s = host, speed, force, timeout_s
        self._socket: socket.socket | None = None
        self._buffer = b""
        self._position = 0
        self._object = 0
        self._wanted: int | None = None
        self._fault: str | None = None
        self._thread: threading.Thread | None = None
        self._wake = threading.Event()
        self._closing = False

    @property
    def _where(self) -> str:
        return f"Robotiq gripper at {self._host}:{ROBOTIQ_PORT}"

    @property
    def opening(self) -> float:
        """Where the fingers were at the last answer."""
        return 1.0 - self._position / _STEPS

    @property
    def object_detected(self) -> bool:
        """Whether the fingers were stopped by something."""
        return self._object in _STOPPED_BY_OBJECT

    @property
    def fault(self) -> str | None:
        """What is wrong with it."""
        return self._fault

    def connect(self) -> None:
        """Connect, activate if needed, and start to follow what is wanted."""
        self.close()
        self._closing, self._fault, self._wanted, self._buffer = False, None, None, b""
        try:
            self._socket = connect(self._host, ROBOTIQ_PORT, self._timeout_s)
        except Missing as error:
            raise Missing(
                f"{self._where} does not answer: see that Robotiq's URCap is installed and the gripper is chosen "
                f"in the installation, or set `gripper` to another one ({error})"
            ) from error
        try:
            self._activate()
            self._read()
        except (OSError, ValueError) as error:
            self.close()
            raise Missing(f"{self._where} does not answer as a gripper: {error}; see its URCap's page") from error
        except Missing:
            self.close()
            raise
        self._thread = threading.Thread(target=self._run, name="ur-gripper", daemon=True)
        self._thread.start()

    def want(self, opening: float) -> None:
        """Send it somewhere; the thread does it."""
        wanted = round((1.0 - min(1.0, max(0.0, opening))) * _STEPS)
        if wanted != self._wanted:
            self._wanted = wanted
            self._wake.set()

    def close(self) -> None:
        """End thread and connection."""
        self._closing = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout=2.0 * _ANSWER_S)
            self._thread = None
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.close()
            self._socket = None

    def _run(self) -> None:
        sent: int | None = None
        while not self._closing:
            try:
                wanted = self._wanted
                if wanted is not None and wanted != sent:
                    self._set("POS", wanted)
                    sent = wanted
                self._read()
            except (OSError, ValueError) as error:
                if not self._closing:
                    self._fault = (
                        f"{self._where} stopped answering ({error}). See its cable and its page in the installation of "
                        "the teach pendant"
                    )
                return
            self._wake.wait(_PERIOD_S)
            self._wake.clear()

    def _activate(self) -> None:
        if self._get("STA") != _ACTIVE:
            self._set("ACT", 0)
            self._set("ACT", 1)
            deadline = time.monotonic() + _ACTIVATION_S
            while self._get("STA") != _ACTIVE:
                if time.monotonic() > deadline:
                    raise Missing(
                        f"{self._where} is not active after {_ACTIVATION_S:g} s (fault {self._get('FLT')}): see its "
                        "power and that nothing blocks its fingers, and activate it on its page at the teach pendant"
                    )
                time.sleep(_PERIOD_S)
        self._set("GTO", 1)
        self._set("SPE", round(self._speed * _STEPS))
        self._set("FOR", round(self._force * _STEPS))

    def _read(self) -> None:
        self._position = min(_STEPS, max(0, self._get("POS")))
        self._object = self._get("OBJ")

    def _get(self, name: str) -> int:
        answer = self._ask(f"GET {name}").split()
        if len(answer) != 2 or answer[0] != name:
            raise ValueError(f"{' '.join(answer)!r} is no answer to GET {name}")
        return int(answer[1])

    def _set(self, name: str, value: int) -> None:
        answer = self._ask(f"SET {name} {value}")
        if answer != "ack":
            raise ValueError(f"{answer!r} is no answer to SET {name} {value}")

    def _ask(self, line: str) -> str:
        """Send one line and return the answer, which may or may not end with a line feed."""
        if self._socket is None:
            raise ConnectionError("closed")
        self._socket.sendall(f"{line}\n".encode())
        while b"\n" not in self._buffer and self._buffer not in (b"ack", b"?"):
            # A number may go on, so what looks whole is waited for a little longer.
            whole = _NUMBER.fullmatch(self._buffer) is not None
            self._socket.settimeout(_MORE_S if whole else _ANSWER_S)
            try:
                data = self._socket.recv(1024)
            except TimeoutError:
                if not whole:
                    raise
                break
            if not data:
                raise ConnectionError("it closed the connection")
            self._buffer = (self._buffer + data).lstrip()
            if len(self._buffer) > 1024:
                raise ValueError(f"answer of more than 1024 bytes to {line!r}")
        answer, _, self._buffer = self._buffer.partition(b"\n")
        return answer.decode("ascii", "replace").strip()
