"""Port 29999: the dashboard server, one command per line, one answer per line.

Source: Universal Robots, "Dashboard Server e-Series"; answers as PolyScope 5 gives them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from robot.ur.loopback.controller import Controller
from robot.ur.loopback.modes import RobotMode, Runtime
from robot.ur.loopback.net import Connection

DASHBOARD_PORT: Final = 29999
_GREETING: Final = b"Connected: Universal Robots Dashboard Server\n"
_LINE_LIMIT: Final = 4096
_UNLOCK_REFUSED: Final = (
    "Cannot unlock protective stop until 5s after occurrence. Always inspect cause of protective stop before unlocking"
)


class LoadedProgram:
    """A program of the controller's own disk: it plays and does nothing until it is stopped."""

    def __init__(self, name: str) -> None:
        self.name = name

    def step(self, arm: Controller, dt: float) -> bool:  # noqa: ARG002  # a program's signature
        """Go on."""
        return True


class DashboardSession:
    """One client of the dashboard.

    Args:
        connection: To the client.
        arm: The controller.
    """

    def __init__(self, connection: Connection, arm: Controller) -> None:
        self._connection = connection
        self._arm = arm
        self._rest = b""
        self._loaded: str | None = None
        connection.send(_GREETING)

    def received(self, data: bytes) -> None:
        """Answer whole lines."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for raw in lines:
            line = raw.decode("utf-8", "replace").strip()
            if line.lower() in ("quit", "exit"):
                self._connection.close_after(b"Disconnected\n", f"it said {line}")
                return
            self._connection.send(self._answer(line).encode() + b"\n")
        if len(self._rest) > _LINE_LIMIT:
            self._connection.close(f"a line of more than {_LINE_LIMIT} bytes")

    def closed(self) -> None:
        """Nothing changes when a client goes."""

    def _answer(self, line: str) -> str:
        command = " ".join(line.lower().split())
        whole = self._commands().get(command)
        if whole is not None:
            return whole()
        first, _, argument = line.partition(" ")
        argument = argument.strip()
        if first.lower() == "load" and argument:
            return self._load(argument)
        if first.lower() == "popup":
            return "showing popup"
        if first.lower() == "addtolog":
            self._arm.say(f"log: {argument[:200]}")
            return "Added log message"
        if command.startswith("set operational mode"):
            return f"Operational mode '{argument.split()[-1]}' is set" if argument else "Failed"
        if first.lower() == "setuserrole":
            return f"Setting user role: {argument}"
        return f"could not understand: '{line}'"

    def _commands(self) -> dict[str, Callable[[], str]]:
        arm = self._arm
        return {
            "robotmode": lambda: f"Robotmode: {arm.mode.name}",
            "safetymode": lambda: f"Safetymode: {arm.safety.name}",
            "safetystatus": lambda: f"Safetystatus: {arm.safety.name}",
            "programstate": self._program_state,
            "running": lambda: f"Program running: {str(arm.playing).lower()}",
            "polyscopeversion": lambda: "URSoftware {}.{}.{}.{} (Jul 06 2022)".format(*arm.settings.version),
            "version": lambda: "{}.{}.{}.{}".format(*arm.settings.version),
            "get serial number": lambda: arm.settings.serial_number,
            "get robot model": lambda: arm.model.dashboard_name,
            "get loaded program": lambda: f"Loaded program: {self._loaded}" if self._loaded else "No program loaded",
            "isprogramsaved": lambda: f"true {self._loaded or '<unnamed>'}",
            "is in remote control": lambda: str(arm.remote).lower(),
            "get operational mode": lambda: "NONE",
            "clear operational mode": lambda: "No longer controlling the operational mode",
            "getuserrole": lambda: "PROGRAMMER",
            "play": self._play,
            "pause": lambda: "Pausing program" if arm.pause() else "Failed to execute: pause",
            "stop": self._stop,
            "power on": lambda: self._power(RobotMode.IDLE, "Powering on"),
            "power off": lambda: self._power(RobotMode.POWER_OFF, "Powering off"),
            "brake release": lambda: self._power(RobotMode.RUNNING, "Brake releasing"),
            "unlock protective stop": lambda: "Protective stop releasing" if arm.unlock() else _UNLOCK_REFUSED,
            "close safety popup": lambda: "closing safety popup",
            "close popup": lambda: "closing popup",
            "restart safety": self._restart_safety,
            "shutdown": lambda: "Shutting down",
        }

    def _program_state(self) -> str:
        arm = self._arm
        state = {Runtime.PLAYING: "PLAYING", Runtime.PAUSED: "PAUSED"}.get(arm.runtime, "STOPPED")
        name = arm.program.name if arm.program is not None else self._loaded or "<unnamed>"
        return f"{state} {name}"

    def _play(self) -> str:
        arm = self._arm
        if arm.runtime is Runtime.PAUSED:
            started = arm.play()
        else:
            started = self._loaded is not None and arm.play(LoadedProgram(self._loaded))
        return "Starting program" if started else "Failed to execute: play"

    def _stop(self) -> str:
        # with no program as well: ur_rtde stops its script and then says stop, and would take a refusal for a failure
        self._arm.stop("the dashboard said so")
        return "Stopped"

    def _load(self, name: str) -> str:
        if name.lower().startswith("installation"):
            return f"Loading installation: {name.partition(' ')[2].strip()}"
        if not name.endswith(".urp"):
            return f"File not found: {name}"
        self._arm.stop("another program was loaded")
        self._loaded = name
        return f"Loading program: {name}"

    def _power(self, goal: RobotMode, answer: str) -> str:
        return answer if self._arm.power(goal) else f"Failed to execute: {answer.lower()}"

    def _restart_safety(self) -> str:
        self._arm.restart_safety()
        return "Restarting safety"
