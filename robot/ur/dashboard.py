"""The dashboard server: who the controller is, whether it may be commanded from here, and its few buttons."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import Final

from deploy.errors import Missing
from robot.ur.link import connect

DASHBOARD_PORT: Final = 29999
_LINE_LIMIT: Final = 4096
_NONE: Final = "PolyScope X has no dashboard server and is not supported"
_LEAST_VERSION: Final = (5, 6)
_REMOTE: Final = (
    "At the teach pendant: Settings > System > Remote Control > Enable, then choose Remote with the switch at the "
    "upper right"
)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a controller is.

    Attributes:
        address: Where it was found.
        serial_number: Of the arm.
        model: As the controller gives it, for example `UR10`: without the e of the e-Series.
        polyscope: Version of PolyScope.
        remote_control: Whether it takes commands from other computers.
        robot_mode: As the dashboard words it.
        safety_status: As the dashboard words it.
        program: State of its program and its name.
    """

    address: str
    serial_number: str
    model: str
    polyscope: str
    remote_control: bool
    robot_mode: str
    safety_status: str
    program: str


class Dashboard:
    """One connection to the dashboard server: a line out, a line back, each in bounded time.

    Args:
        host: Address of the controller.
        timeout_s: How long the connection and each answer may take [s].

    Raises:
        Missing: If the controller does not answer, naming its address.
    """

    def __init__(self, host: str, timeout_s: float) -> None:
        self._where = f"UR dashboard server at {host}:{DASHBOARD_PORT}"
        self._host, self._timeout_s = host, timeout_s
        self._rest = b""
        try:
            self._socket = connect(host, DASHBOARD_PORT, timeout_s)
        except Missing as error:
            raise Missing(f"{error}. {_NONE}") from error
        try:
            self._line("the connection")
        except Missing as error:
            self.close()
            raise Missing(f"{error}. {_NONE}") from error

    def ask(self, question: str) -> str:
        """Send one line and return the answer's.

        Raises:
            Missing: If there is none.
        """
        try:
            self._socket.sendall(f"{question}\n".encode())
        except OSError as error:
            raise Missing(f"{self._where} does not take {question!r}: {error}") from error
        return self._line(repr(question))

    def _line(self, asked: str) -> str:
        deadline = time.monotonic() + self._timeout_s
        while b"\n" not in self._rest:
            try:
                self._socket.settimeout(max(0.001, deadline - time.monotonic()))
                data = self._socket.recv(4096)
            except OSError as error:
                raise Missing(f"{self._where} gives no answer to {asked} within {self._timeout_s:g} s") from error
            if not data or len(self._rest) > _LINE_LIMIT:
                raise Missing(f"{self._where} gives no answer to {asked}: it closed the connection")
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        return line.decode("utf-8", "replace").strip()

    def identity(self) -> Identity:
        """Ask for everything.

        Raises:
            Missing: If the controller is older than PolyScope 5.6, which tells neither serial number nor control mode.
        """
        version = re.search(r"(\d+)\.(\d+)[\d.]*", self.ask("PolyscopeVersion"))
        if version is None or (int(version[1]), int(version[2])) < _LEAST_VERSION:
            found = version[0] if version else "of an unknown version"
            raise Missing(f"UR controller at {self._host} has PolyScope {found}: update it to 5.6 or newer")
        return Identity(
            address=self._host,
            serial_number=self.ask("get serial number"),
            model=self.ask("get robot model"),
            polyscope=version[0],
            remote_control=self.ask("is in remote control").lower() == "true",
            robot_mode=self.ask("robotmode").partition(":")[2].strip(),
            safety_status=self.ask("safetystatus").partition(":")[2].strip(),
            program=self.ask("programState"),
        )

    def close(self) -> None:
        """End the connection."""
        self._socket.close()


def require_remote(identity: Identity) -> None:
    """See that the controller takes commands.

    Raises:
        Missing: If it is in local control, saying where that is changed.
    """
    if not identity.remote_control:
        raise Missing(f"UR controller at {identity.address} is in local control. {_REMOTE}")
