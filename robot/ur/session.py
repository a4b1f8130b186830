"""One controller with the control script on it: states come in, commands go out, the first fault stays."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from deploy.errors import Missing
from robot.ur import script
from robot.ur.commands import Commands
from robot.ur.inbox import Inbox
from robot.ur.link import Link
from robot.ur.protocol import Value
from robot.ur.script import Command
from robot.ur.settings import SessionSettings
from robot.ur.status import Fault, Reading, RuntimeState, echo_register, fault_of, output_names, program_fault

# How long the script may owe an answer, braking included [ns].
_ANSWER_NS: Final = 3_000_000_000
_POLL_S: Final = 0.002
_STATES_S: Final = 1.0
_SCRIPT_S: Final = 5.0
_SEE: Final = "See the cable, the switch and the control box"


class Session:
    """A connection to one controller, from `open` to `close`; a new one is made to connect again.

    The receiving thread judges every packet, so a fault is seen, latched and answered within a packet, whether or not
    somebody asks: motion is stopped, and a program that the controller could go on with by itself is ended.

    Args:
        host: Address of the controller.
        settings: How to talk to it.
        inbox: Where its readings go.
        clock: Run clock [ns].
        output: Which digital outputs are written: `tool`, `standard`, or none.
    """

    def __init__(
        self,
        host: str,
        settings: SessionSettings,
        inbox: Inbox,
        clock: Callable[[], int],
        output: str | None = None,
    ) -> None:
        self._host, self._settings, self._inbox, self._clock = host, settings, inbox, clock
        self._echo_name = echo_register(settings.registers_from)
        self._commands = Commands(settings, lambda recipe, values: self._link.write(recipe, values))
        # What one client may write no other one can: only what is needed.
        inputs = {**self._commands.inputs, "echo": (self._echo_name,)}
        if output is not None:
            inputs[output] = (f"{output}_digital_output_mask", f"{output}_digital_output")
        self._link = Link(
            host,
            outputs=output_names(settings.registers_from),
            inputs=inputs,
            rate_hz=settings.rate_hz,
            clock=clock,
            on_values=self._take,
            on_idle=self._idle,
            on_lost=self._lost,
        )
        self._lock = threading.Lock()
        self._fault: Fault | None = None
        self._alive = False
        self._guarding = False  # what stops the script is a fault
        self._feeds = False  # the script's watchdog
        self._gives_way = False
        self._awaited: tuple[int, int] | None = None

    @property
    def version(self) -> tuple[int, int, int, int]:
        """Of the controller's software."""
        return self._link.version

    @property
    def alive(self) -> bool:
        """Whether the connection is there."""
        return self._alive

    @property
    def ready(self) -> bool:
        """Whether the control script runs and nothing is wrong."""
        return self._alive and self._guarding and self._fault is None

    @property
    def fault(self) -> Fault | None:
        """The first fault since the script was started."""
        return self._fault

    @property
    def gives_way(self) -> bool:
        """Whether the arm was told to be moved by hand."""
        return self._gives_way

    # life

    def open(self) -> Reading:
        """Connect and wait for the first state.

        Raises:
            Missing: If the controller does not answer, refuses, or sends nothing, naming address and remedy.
        """
        self._inbox.open(self._clock())
        self._alive = True
        try:
            self._link.open(self._settings.timeout_s)
        except Missing:
            self._alive = False
            raise
        if not self.wait(lambda _: True, _STATES_S) or self._inbox.newest is None:
            self.close()
            raise Missing(
                f"UR controller at {self._host} sends no states within {_STATES_S:g} s: "
                "switch its control box off and on"
            )
        return self._inbox.newest.reading

    def start_script(self, program: bytes) -> None:
        """Start the control script, set its watchdog, and from then on count everything that stops it as a fault.

        A script that ends again before it has answered is started once more: a computer that is busy may have fed its
        watchdog too late.

        Raises:
            Missing: If it does not start or does not answer.
        """
        self._begin_script(program)
        if not self._commands.handshake.ready and not self._plays:
            self._begin_script(program)
        if not self._commands.handshake.ready:
            seen, todo = (
                ("does not answer", "stop the other program that writes its registers")
                if self._plays
                else ("ends at once", "see the Log tab of the teach pendant, and whether this computer is too busy")
            )
            raise Missing(f"the control script on the UR controller at {self._host} {seen}: {todo}")
        with self._lock:
            self._guarding = True

    @property
    def _plays(self) -> bool:
        newest = self._inbox.newest
        return self._alive and newest is not None and newest.reading.runtime_state == RuntimeState.PLAYING

    def _begin_script(self, program: bytes) -> None:
        """Upload the script and set its watchdog; whether it has answered by then says the handshake."""
        with self._lock:
            self._guarding, self._feeds, self._fault, self._gives_way = False, False, None, False
            self._commands.clear(self._clock())
        # The script comes by another way: it must not find the command that ended the one before.
        if self.round_trip_ns(_STATES_S) is None:
            raise Missing(f"UR controller at {self._host} does not take registers: switch its control box off and on")
        with contextlib.closing(script.upload(self._host, program, self._settings.timeout_s)) as connection:
            connection.settimeout(0.0)

            def is_ready(reading: Reading) -> bool:
                # The controller sends its state over this connection as well; what is not read would fill it.
                with contextlib.suppress(OSError):
                    connection.recv(1 << 16)
                return reading.runtime_state == RuntimeState.PLAYING and reading.script_state == script.READY

            if not self.wait(is_ready, _SCRIPT_S):
                raise Missing(
                    f"the control script does not start on the UR controller at {self._host} within {_SCRIPT_S:g} s: "
                    "see the Log tab of the teach pendant, and that it shows Remote Control"
                )
        with self._lock:
            self._feeds = True
            self._commands.call(Command.SET_WATCHDOG, self._settings.watchdog_hz, now_ns=self._clock())
        self.wait(lambda _: self._commands.handshake.ready or not self._plays, _SCRIPT_S)

    def end_script(self) -> None:
        """Let the arm come to rest and end the script, in bounded time."""
        if self._plays:
            self.stop()
            self.wait(lambda _: self._commands.handshake.ready, 1.0)
            with self._lock:
                self._guarding = self._feeds = False
                self._end(self._clock())
            self.wait(lambda reading: reading.runtime_state != RuntimeState.PLAYING, 0.5)

    def close(self) -> None:
        """End the connection; safe to call twice."""
        self._alive = False
        self._link.close()

    def wait(self, until: Callable[[Reading], bool], timeout_s: float) -> bool:
        """Wait for a state; False if it does not come in time, or the connection ends first."""
        deadline = time.monotonic() + timeout_s
        while self._alive and time.monotonic() < deadline:
            newest = self._inbox.newest
            if newest is not None and until(newest.reading):
                return True
            time.sleep(_POLL_S)
        return False

    # what goes out

    def servo(self, joints_rad: Sequence[float]) -> bool:
        """Stream a setpoint; False while another motion is still being stopped."""
        with self._lock:
            return self.ready and self._commands.servo(joints_rad, self._clock())

    def speed(self, velocities_rad_s: Sequence[float]) -> bool:
        """Stream joint velocities; False while another motion is still being stopped."""
        with self._lock:
            return self.ready and self._commands.speed(velocities_rad_s, self._clock())

    def stop(self) -> None:
        """Brake and hold, if something moves."""
        with self._lock:
            self._commands.halt(self._clock())

    def give_way(self) -> None:
        """Brake, then let the joints be moved by hand."""
        with self._lock:
            now_ns = self._clock()
            self._commands.halt(now_ns)
            if self.ready and not self._gives_way:
                self._gives_way = True
                self._commands.call(Command.TEACH_MODE, now_ns=now_ns)

    def set_output(self, kind: str, index: int, level: bool) -> None:
        """Set a digital output: of the `tool` or a `standard` one."""
        self._link.write(
            kind, {f"{kind}_digital_output_mask": 1 << index, f"{kind}_digital_output": int(level) << index}
        )

    def round_trip_ns(self, timeout_s: float) -> int | None:
        """Write a register and wait until it comes back in a state; None if it does not in time."""
        newest = self._inbox.newest
        number = (0 if newest is None else newest.reading.echo) % 1_000_000 + 1
        sent_ns = self._clock()
        self._awaited = (number, 0)
        self._link.write("echo", {self._echo_name: number})
        self.wait(lambda _: self._awaited is not None and self._awaited[1] > 0, timeout_s)
        arrived_ns = self._awaited[1]
        return arrived_ns - sent_ns if arrived_ns else None

    def latch(self, fault: Fault) -> None:
        """Take over a fault that was seen elsewhere."""
        with self._lock:
            self._latch(fault, self._clock())

    # with the lock held

    def _end(self, now_ns: int) -> None:
        self._gives_way = False
        self._commands.end(now_ns)

    def _latch(self, fault: Fault, now_ns: int) -> None:
        if self._fault is None:
            self._fault = fault
            if fault.resumes:
                self._end(now_ns)
            else:
                self._commands.halt(now_ns)

    # in the receiving thread

    def _take(self, values: Mapping[str, Value], arrival_ns: int) -> None:
        with self._lock:
            stamped = self._inbox.take(Reading.of(values, self._settings.registers_from), arrival_ns)
            if stamped is not None:
                reading = stamped.reading
                if self._awaited == (reading.echo, 0):
                    self._awaited = (reading.echo, arrival_ns)
                self._commands.tick(reading.script_state, arrival_ns)
                if self._guarding:
                    self._judge(reading, arrival_ns)
                if self._feeds and not (self._fault is not None and self._fault.resumes):
                    self._commands.keep_up(arrival_ns)

    def _judge(self, reading: Reading, now_ns: int) -> None:
        fault = fault_of(reading, self._settings.min_speed_scaling, gives_way=self._gives_way)
        fault = fault or program_fault(reading)
        if fault is None and self._commands.handshake.busy_ns(now_ns) > _ANSWER_NS:
            fault = Fault("driver", "the control script does not answer. See the Log tab of the teach pendant", True)
        fault = fault or self._silence(now_ns)
        if fault is not None:
            self._latch(fault, now_ns)

    def _silence(self, now_ns: int) -> Fault | None:
        silent_ms, limit_ms = self._inbox.silent_ns(now_ns) * 1e-6, self._settings.silence_s * 1e3
        if silent_ms <= limit_ms:
            return None
        seen = f"no new state for {silent_ms:.0f} ms (limit {limit_ms:.0f} ms, `silence_s`)"
        return Fault("disconnected", f"{seen}. {_SEE}", resumes=True)

    def _idle(self, now_ns: int) -> None:
        with self._lock:
            fault = self._silence(now_ns) if self._guarding else None
            if fault is not None:
                self._latch(fault, now_ns)

    def _lost(self, reason: str) -> None:
        self._alive = False
        with self._lock:
            self._latch(Fault("disconnected", f"the connection is lost ({reason}). {_SEE}", True), self._clock())
