"""The dashboard server: who the controller is, whether it may be commanded from here, and its few buttons."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from typing import Any, Final

from deploy.errors import Missing, require

DASHBOARD_PORT: Final = 29999
# ur_rtde waits this long for each answer [s]; it cannot be told otherwise.
ANSWER_S: Final = 2.5
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
    """One connection to the dashboard server, through ur_rtde's client, whose waits are bounded (2.5 s an answer).

    Args:
        host: Address of the controller.

    Raises:
        Missing: If ur_rtde is not installed, or the controller does not answer or is too old, naming the address.
    """

    def __init__(self, host: str, timeout_s: float) -> None:
        self._host = host
        self._client: Any = require("dashboard_client", "ur").DashboardClient(host, DASHBOARD_PORT, False)
        try:
            self._client.connect(round(timeout_s * 1e3))
        except (RuntimeError, IndexError, ValueError) as error:
            raise Missing(
                f"UR dashboard server does not answer at {host}:{DASHBOARD_PORT} ({error}): see that PolyScope has "
                "started and that the service is enabled under Settings > Security > Services. PolyScope X has none "
                "and is not supported"
            ) from error

    def ask(self, question: str) -> str:
        """Send one line and return the answer's.

        Raises:
            Missing: If there is none.
        """
        try:
            self._client.send(f"{question}\n")
            return str(self._client.receive()).strip()
        except (RuntimeError, IndexError, ValueError) as error:
            raise Missing(
                f"UR dashboard server at {self._host}:{DASHBOARD_PORT} gives no answer to {question!r} ({error})"
            ) from error

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
        with contextlib.suppress(RuntimeError):
            self._client.disconnect()


def require_remote(identity: Identity) -> None:
    """See that the controller takes commands.

    Raises:
        Missing: If it is in local control, saying where that is changed.
    """
    if not identity.remote_control:
        raise Missing(f"UR controller at {identity.address} is in local control. {_REMOTE}")
