"""What goes to the control script: which motion runs, how it is stopped, and that the watchdog is fed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from robot.ur.protocol import Value
from robot.ur.script import ARGUMENTS, Command, Handshake
from robot.ur.settings import SessionSettings

Write = Callable[[str, Mapping[str, Value]], bool]


class Commands:
    """Commands in the script's registers. Not for two threads at once: its session holds a lock.

    Attributes:
        handshake: What the script still owes an answer to.
    """

    def __init__(self, settings: SessionSettings, write: Write) -> None:
        """Nothing is written yet.

        Args:
            settings: How the controller is talked to.
            write: Writes a recipe of `inputs`; whether that was possible.
        """
        self._settings, self._send = settings, write
        first = settings.registers_from
        self._names = (
            f"input_int_register_{first}",
            *(f"input_double_register_{first + i}" for i in range(ARGUMENTS)),
        )
        self.handshake = Handshake(self._write)
        self._motion: Command | None = None
        self._moved_ns = 0
        self._wrote_ns = 0
        self._now_ns = 0

    @property
    def inputs(self) -> dict[str, tuple[str, ...]]:
        """RTDE inputs per recipe that is written."""
        return {"command": self._names, "clear": self._names[:1]}

    def servo(self, joints_rad: Sequence[float], now_ns: int) -> bool:
        """Stream a setpoint; False while another motion is still being stopped."""
        settings = self._settings
        rest = (0.0, 0.0, 1.0 / settings.rate_hz, settings.lookahead_s, settings.gain)
        return self._stream(Command.SERVOJ, (*joints_rad, *rest), now_ns)

    def speed(self, velocities_rad_s: Sequence[float], now_ns: int) -> bool:
        """Stream joint velocities; False while another motion is still being stopped."""
        settings = self._settings
        rest = (settings.acceleration_rad_s2, 1.0 / settings.rate_hz)
        return self._stream(Command.SPEEDJ, (*velocities_rad_s, *rest), now_ns)

    def halt(self, now_ns: int) -> None:
        """Brake and hold, if something moves."""
        if self._motion is Command.SERVOJ:
            self.call(Command.SERVO_STOP, self._settings.stop_m_s2, now_ns=now_ns)
        elif self._motion is Command.SPEEDJ:
            self.call(Command.SPEED_STOP, self._settings.acceleration_rad_s2, now_ns=now_ns)
        self._motion = None

    def call(self, command: Command, *arguments: float, now_ns: int) -> None:
        """Have a command done after those before it."""
        self._now_ns = now_ns
        self.handshake.call(command, *arguments, now_ns=now_ns)

    def clear(self, now_ns: int) -> None:
        """Forget what was before, for a script that is started anew."""
        self._now_ns = now_ns
        self.handshake.reset()
        self._motion = None
        self._write(Command.NONE, ())

    def end(self, now_ns: int) -> None:
        """End the script, now or, if it is paused, as soon as it goes on."""
        self._now_ns = now_ns
        self.handshake.reset()
        self._motion = None
        self._write(Command.END, ())

    def tick(self, script_state: int, now_ns: int) -> None:
        """Go on by what the script answers."""
        self._now_ns = now_ns
        self.handshake.tick(script_state, now_ns)

    def keep_up(self, now_ns: int) -> None:
        """Stop a velocity that was not sent again, and tell the watchdog that somebody is there."""
        settings = self._settings
        if self._motion is Command.SPEEDJ and now_ns - self._moved_ns > settings.velocity_hold_s * 1e9:
            self.halt(now_ns)
        if now_ns - self._wrote_ns > 0.25e9 / settings.watchdog_hz:
            self._now_ns = now_ns
            self.handshake.touch()

    def _stream(self, command: Command, arguments: Sequence[float], now_ns: int) -> bool:
        self._now_ns = now_ns
        if self._motion not in (None, command):
            # In the script each runs in a thread of its own: the other one must have ended.
            self.halt(now_ns)
        if not self.handshake.stream(command, arguments):
            return False
        self._motion, self._moved_ns = command, now_ns
        return True

    def _write(self, command: int, arguments: Sequence[float]) -> bool:
        self._wrote_ns = self._now_ns
        if command == Command.NONE:
            return self._send("clear", {self._names[0]: 0})
        values = (int(command), *arguments, *(0.0,) * (ARGUMENTS - len(arguments)))
        return self._send("command", dict(zip(self._names, values, strict=True)))
