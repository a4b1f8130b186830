"""What goes wrong on purpose, at run time: the vocabulary, for the object and for the control socket alike."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from deploy.errors import BadInput
from robot.ur.loopback.controller import Controller
from robot.ur.loopback.modes import RobotMode
from robot.ur.loopback.net import Connection

CONTROL_PORT: Final = 29998
_LINE_LIMIT: Final = 4096
_LONGEST_S: Final = 600.0


class Faults:
    """Faults that are on, and those that wait to be carried out in the next cycle.

    `inject` may be called from any thread. The words are those of `COMMANDS`.

    Attributes:
        wrong_version: Protocol version 2 is refused.
        refuse_recipe: No field of any recipe is known.
        close_mid_packet: Each client's next packet ends half way, with its connection.
        delay_s: Outputs arrive this much later [s].
        drop_packets: So many cycles still go without outputs.
        silent_s: So long no socket is served yet [s]: the cable is out.
    """

    def __init__(self) -> None:
        self.waiting: deque[str] = deque()
        self.clear()

    def clear(self) -> None:
        """Nothing goes wrong any more."""
        self.wrong_version = False
        self.refuse_recipe = False
        self.close_mid_packet = False
        self.delay_s = 0.0
        self.drop_packets = 0
        self.silent_s = 0.0

    def inject(self, line: str) -> None:
        """Do what one line of the vocabulary says, in the next cycle.

        Raises:
            BadInput: If there is no such command or its argument is not what it takes.
        """
        parse(line)
        self.waiting.append(line)


class Front(Protocol):
    """What the commands act on."""

    @property
    def controller(self) -> Controller:
        """State machine."""
        ...

    @property
    def faults(self) -> Faults:
        """Faults that are on."""
        ...

    def drop_connections(self) -> None:
        """Close all connections but those of the control port."""
        ...

    def refuse_connections(self, seconds: float) -> None:
        """Take no connections, but to the control port, for so long."""
        ...

    def reset(self) -> None:
        """As after powering up."""
        ...

    def shift_clock(self, seconds: float) -> None:
        """Put the controller's clock forward."""
        ...

    def set_drift(self, drift: float) -> None:
        """Change how much faster the controller's clock runs."""
        ...

    def write_trace(self, path: str) -> None:
        """Write the last minute of joint positions and velocities to a file."""
        ...


Command = Callable[[Front, float], str]


def _act(action: Callable[[Front], object]) -> Command:
    def command(front: Front, _: float) -> str:
        action(front)
        return "ok"

    return command


def _set(name: str, kind: Callable[[float], float | bool]) -> Command:
    def command(front: Front, value: float) -> str:
        setattr(front.faults, name, kind(value))
        return "ok"

    return command


def _slider(front: Front, value: float) -> str:
    front.controller.registers.speed_slider = min(1.0, max(0.0, value))
    return "ok"


def _refuse(front: Front, value: float) -> str:
    front.refuse_connections(min(_LONGEST_S, max(0.0, value)))
    return "ok"


def _remote(front: Front, value: float) -> str:
    front.controller.remote = bool(value)
    return "ok"


def _clear(front: Front, _: float) -> str:
    front.faults.clear()
    front.refuse_connections(0.0)
    return "ok"


def _reset(front: Front, value: float) -> str:
    front.reset()
    return _clear(front, value)


def _shift(front: Front, value: float) -> str:
    front.shift_clock(value)
    return "ok"


def _drift(front: Front, value: float) -> str:
    front.set_drift(value)
    return "ok"


def _status(front: Front, _: float) -> str:
    arm = front.controller
    return json.dumps(
        {
            "time_s": arm.time_s,
            "robot_mode": arm.mode.name,
            "safety_mode": arm.safety.name,
            "runtime": arm.runtime.name,
            "program": arm.program.name if arm.program else None,
            "scaling": arm.targets.scaling,
            "joints_rad": arm.joints_rad.tolist(),
            "velocity_rad_s": arm.velocity_rad_s.tolist(),
            "target_rad": arm.targets.rad.tolist(),
            "events": list(arm.events)[-50:],
        }
    )


# Each takes one number at most: its default, or None where it must be given.
COMMANDS: Final[dict[str, tuple[float | None, Command]]] = {
    "protective_stop": (0.0, _act(lambda front: front.controller.protective_stop("requested", "on purpose"))),
    "emergency_stop": (0.0, _act(lambda front: front.controller.emergency_stop())),
    "safeguard_stop": (0.0, _act(lambda front: front.controller.safeguard_stop())),
    "release": (0.0, _act(lambda front: front.controller.release())),
    "unlock": (0.0, _act(lambda front: front.controller.unlock())),
    "stop_program": (0.0, _act(lambda front: front.controller.stop("on purpose"))),
    "pause_program": (0.0, _act(lambda front: front.controller.pause())),
    "power_off": (0.0, _act(lambda front: front.controller.power(RobotMode.POWER_OFF))),
    "speed_slider": (None, _slider),
    "remote_control": (1.0, _remote),
    "drop_packets": (None, _set("drop_packets", int)),
    "delay_packets": (None, _set("delay_s", lambda s: min(_LONGEST_S, max(0.0, s)))),
    "close_mid_packet": (1.0, _set("close_mid_packet", bool)),
    "refuse_recipe": (1.0, _set("refuse_recipe", bool)),
    "wrong_version": (1.0, _set("wrong_version", bool)),
    "refuse_connections": (None, _refuse),
    "drop_connections": (0.0, _act(lambda front: front.drop_connections())),
    "silence": (None, _set("silent_s", lambda s: min(_LONGEST_S, max(0.0, s)))),
    "shift_clock": (None, _shift),
    "clock_drift": (None, _drift),
    "clear": (0.0, _clear),
    "reset": (0.0, _reset),
    "status": (0.0, _status),
}


def parse(line: str) -> tuple[Command, float]:
    """Find a command and its number.

    Raises:
        BadInput: If there is no such command, or no number where one must be.
    """
    name, _, argument = line.strip().partition(" ")
    if name not in COMMANDS:
        raise BadInput(f"no fault named {name!r}: choose one of {', '.join(sorted(COMMANDS))}")
    default, command = COMMANDS[name]
    if not argument:
        if default is None:
            raise BadInput(f"{name} needs a number")
        return command, default
    try:
        value = float(argument)
    except ValueError:
        raise BadInput(f"{name} {argument!r}: expected a number") from None
    if not abs(value) < float("inf"):
        raise BadInput(f"{name} {argument!r}: expected a finite number")
    return command, value


class ControlSession:
    """Port 29998: the same vocabulary for other processes, one command per line, `ok` or `error: ...` per line.

    `trace PATH` writes the last minute of joints to a file (`UrFront.write_trace`).
    """

    def __init__(self, connection: Connection, front: Front) -> None:
        self._connection = connection
        self._front = front
        self._rest = b""

    def received(self, data: bytes) -> None:
        """Carry out whole lines."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for raw in lines:
            line = raw.decode("utf-8", "replace").strip()
            if not line:
                continue
            self._connection.send(self._do(line).encode() + b"\n")
        if len(self._rest) > _LINE_LIMIT:
            self._connection.close(f"a line of more than {_LINE_LIMIT} bytes")

    def _do(self, line: str) -> str:
        try:
            if line.startswith("trace "):
                self._front.write_trace(line.partition(" ")[2].strip())
                return "ok"
            command, value = parse(line)
            return command(self._front, value)
        except (BadInput, OSError) as error:
            return f"error: {error}"

    def closed(self) -> None:
        """Faults stay on."""
