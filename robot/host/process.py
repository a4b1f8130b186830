"""The arm host's process: `main` is what it runs, with the descriptors of the shared memory and of a socket to main."""

from __future__ import annotations

import contextlib
import faulthandler
import importlib
import inspect
import json
import os
import select
import signal
import socket
import sys
import threading
import time
import traceback
from dataclasses import dataclass
from types import FrameType
from typing import Any

from deploy.errors import BadInput, EyehandError, Missing
from deploy.realtime import Realtime
from robot.arm import Arm, ArmFault
from robot.host.events import HostEvent
from robot.host.journal import Journal
from robot.host.mailboxes import Mailboxes
from robot.host.servo import Servo
from robot.host.settings import HostSettings

# a call of the driver that takes longer is written down while it lasts [ns]
HANG_NS = 200_000_000
# a driver that does not return for so long, with nobody left to serve, is given up [ns]
GIVE_UP_NS = 3_000_000_000
WATCH_S = 0.05
# the parent is asked for every so many cycles: a child of it may hold the socket open
PARENT_CYCLES = 25


def main(descriptors: list[str]) -> int:
    """Run the arm host until its exit policy is done; returns the exit code."""
    memory, channel = map(int, descriptors)
    faulthandler.enable()
    end = _End(socket.socket(fileno=channel))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's Ctrl-C is the main process's business
    signal.signal(signal.SIGTERM, end.on_signal)
    settings = HostSettings.from_json(end.receive())
    boxes = Mailboxes(memory)
    os.close(memory)

    def clock() -> int:
        return time.monotonic_ns() - settings.epoch_ns

    journal = Journal(settings.log_path, boxes.events)
    try:
        driver = build(settings, clock)
        driver.connect()
    except (EyehandError, ArmFault) as error:
        end.send(_as_answer(error))
        return 3
    except Exception as error:
        traceback.print_exc()
        end.send(_as_answer(Missing(f"{settings.driver} failed while it connected: {type(error).__name__}: {error}")))
        return 3
    try:
        realtime = Realtime(_Request(settings.priority, settings.lock_memory))
        servo = Servo(driver, boxes, settings, clock, journal, end.reason)
        with realtime:
            threading.Thread(target=_watch, args=(servo, end, clock, journal), name="watchdog", daemon=True).start()
            realtime.enter_control_thread()
            text = f"{driver.name}, {settings.rate_hz:g} Hz, exit policy {settings.exit_policy}"
            details: dict[str, Any] = {"pid": os.getpid(), "realtime": realtime.achieved, "notes": realtime.notes}
            journal.tell(HostEvent(clock(), "connected", text), **details)
            end.send({"name": driver.name, "joint_names": list(driver.joint_names), "notes": realtime.notes})
            try:
                servo.run()
            finally:
                if not servo.gave_way:
                    driver.stop()
    finally:
        driver.close()
        journal.tell(HostEvent(clock(), "closed"))
        journal.close()
    return 0


def build(settings: HostSettings, clock: Any) -> Arm:
    """Make the driver.

    Raises:
        deploy.errors.BadInput: If there is no such driver, or it does not take the options.
    """
    module, attribute = settings.driver.split(":")
    try:
        factory = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise BadInput(f"arm host: driver {settings.driver} cannot be imported: {error}") from error
    options = dict(settings.options)
    signature = inspect.signature(factory)
    if "clock" in signature.parameters:
        options["clock"] = clock
    try:
        signature.bind(**options)
    except TypeError as error:
        raise BadInput(f"arm host: {settings.driver} cannot be made from its options: {error}") from error
    driver: Arm = factory(**options)
    return driver


class _End:
    """Knows when the main process is gone, or somebody told this one to end.

    Args:
        channel: Socket to the main process; the system closes the other end when that one ends, however it ends.
    """

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._parent = os.getppid()
        self._poll = select.poll()
        self._poll.register(channel, select.POLLIN | select.POLLHUP)
        self._cycle = 0
        self._told = ""
        self._reason = ""

    def on_signal(self, number: int, _frame: FrameType | None) -> None:
        self._told = f"the arm host was told to end ({signal.Signals(number).name}); the arm came to rest"

    def reason(self) -> str:
        """Why to end; nothing as long as there is no reason."""
        if not self._reason:
            self._cycle += 1
            alone = self._cycle % PARENT_CYCLES == 0 and os.getppid() != self._parent
            if self._told:
                self._reason = self._told
            elif alone or self._poll.poll(0):
                self._reason = "the main process ended without closing the arm"
        return self._reason

    def receive(self) -> str:
        with self._channel.makefile("r", encoding="utf-8") as lines:
            return lines.readline()

    def send(self, answer: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):  # nobody is there: the loop will see it
            self._channel.sendall(json.dumps(answer).encode() + b"\n")


@dataclass(frozen=True, slots=True)
class _Request:
    """What the host asks of the system."""

    priority: int | None
    lock_memory: bool
    freeze_gc: bool = True
    switch_interval_ms: float = 0.5
    control_cpu: int | None = None


def _as_answer(error: Exception) -> dict[str, Any]:
    kind = "BadInput" if isinstance(error, BadInput) else "ArmFault" if isinstance(error, ArmFault) else "Missing"
    return {"error": kind, "sentence": str(error), "fault": getattr(error, "kind", None)}


def _watch(servo: Servo, end: _End, clock: Any, journal: Journal) -> None:
    """Write down a call of the driver that hangs; end the process where nobody is left who waits for it."""
    told: tuple[str, int] | None = None
    while True:
        time.sleep(WATCH_S)
        call = servo.calling
        name, since_ns = call
        now_ns = clock()
        if not name or now_ns - since_ns < HANG_NS:
            told = None
            continue
        if told != call:
            told = call
            journal.tell(HostEvent(now_ns, "hang", f"{name} of the driver does not return"))
        if now_ns - since_ns > GIVE_UP_NS and end.reason():
            text = f"{name} of the driver did not return for {(now_ns - since_ns) * 1e-9:.1f} s: given up"
            journal.tell(HostEvent(now_ns, "closed", text))
            journal.close()
            print(text, file=sys.stderr, flush=True)  # noqa: T201
            os._exit(75)
