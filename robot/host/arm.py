"""The arm in the main process: what it does with it happens in the arm host."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from typing import Any

import numpy as np

from deploy.errors import EyehandError
from robot.arm import ArmFault, JointCommand, RobotState
from robot.host import mailboxes
from robot.host.child import Child
from robot.host.events import EVENT_KINDS, HostEvent
from robot.host.mailboxes import Mailboxes, as_text, shared_file
from robot.host.settings import EXIT_S, HostSettings
from robot.host.status import FAULT_KINDS

# how long the first state may take [s]
FIRST_STATE_S = 5.0
# how long the driver may take to become ready again [s]
RECOVER_S = 60.0
_POLL_S = 0.002
# states that wait to be read: as many as the ring holds
_WAITING = 512
# a status row of a host that has not said anything
_NO_STATUS: tuple[Any, ...] = (0, False, 0, 0, True, b"")


class HostedArm:
    """An arm whose driver runs in a process of its own, which outlives this one for as long as the arm moves.

    Reading and sending are the heartbeat: call them, and `recover`, from the control loop only. `stop` and `limp` may
    be called from any thread, `events` from one.

    Args:
        settings: What the host is told.

    Attributes:
        notes: What the system refused the host, a line each.
    """

    def __init__(self, settings: HostSettings) -> None:
        self._settings = settings
        self._child: Child | None = None
        self._boxes: Mailboxes | None = None
        self._name, self._joint_names = settings.driver, ()
        self._lock = threading.Lock()
        self._states: deque[RobotState] = deque(maxlen=_WAITING)
        self._newest: RobotState | None = None
        self._last, self._shift = -1, 0
        self._status: tuple[Any, ...] = _NO_STATUS
        self._events: deque[HostEvent] = deque(maxlen=1024)
        self.notes: list[str] = []

    @property
    def name(self) -> str:
        """Name for logs and errors; the driver's once it is connected."""
        return self._name

    @property
    def joint_names(self) -> tuple[str, ...]:
        """Names of the six joints, base to wrist; empty until it is connected."""
        return self._joint_names

    def connect(self) -> None:
        """Start the host, have it connect the driver, and wait for the first state. A host that ended is replaced.

        Raises:
            deploy.errors.BadInput: What the driver says about its options.
            deploy.errors.Missing: What the driver says about an arm that does not answer; or if the host ends.
            ArmFault: If the arm is there and cannot be commanded.
        """
        self.close()
        self._states.clear()
        self._newest, self._status = None, _NO_STATUS
        memory = shared_file()
        try:
            self._boxes = Mailboxes(memory)
            self._child = Child(self._settings, memory)
        finally:
            os.close(memory)
        answer = self._child.answer
        self._name, self._joint_names = answer["name"], tuple(answer["joint_names"])
        self.notes = [f"arm host: {note}" for note in answer["notes"]]
        try:
            self._await_state()
        except BaseException:
            self.close()
            raise

    # -- the control loop -------------------------------------------------------------------------------------------

    def read_states(self) -> list[RobotState]:
        """All states since the last call, oldest first; the newest again if there was none. It is a heartbeat.

        Raises:
            ArmFault: If the arm cannot be commanded, or the host has ended: at every call until `recover`.
        """
        self._take_states()
        if self._newest is None:
            raise ArmFault("disconnected", f"{self._name}: no state has come from the arm host yet: connect first")
        states = list(self._states) or [self._newest]
        self._states.clear()
        return states

    def read_state(self) -> RobotState:
        """The newest state; `read_states` still returns it. It is a heartbeat.

        Raises:
            ArmFault: As `read_states`.
        """
        self._take_states()
        if self._newest is None:
            raise ArmFault("disconnected", f"{self._name}: no state has come from the arm host yet: connect first")
        return self._newest

    def send(self, command: JointCommand) -> None:
        """Hand a command to the host. It is a heartbeat.

        Raises:
            ArmFault: As `read_states`; nothing was sent.
        """
        boxes = self._connected()
        self._raise_fault(boxes)
        self._raise_end()
        kind = mailboxes.VELOCITY if command.mode == "velocity" else mailboxes.POSITION
        self._post(boxes, kind, command.stamp_ns, command.joints.tolist(), float(command.gripper_opening))

    def _take_states(self) -> None:
        boxes = self._connected()
        boxes.beats.append(self._now_ns())
        rows = boxes.states.take()
        for _, number, stamp_ns, a, b, c, d, e, f, u, v, w, x, y, z, opening in rows:
            if number + self._shift <= self._last:  # a driver that connects anew counts anew: its reader does not
                self._shift = self._last + 1 - number
            self._last = sequence = number + self._shift
            state = RobotState(sequence, stamp_ns, np.array((a, b, c, d, e, f)), np.array((u, v, w, x, y, z)), opening)
            self._states.append(state)
            self._newest = state
        self._raise_fault(boxes)
        if not rows:
            self._raise_end()

    # -- what an operator, or another thread, asks for ----------------------------------------------------------------

    def stop(self) -> None:
        """Decelerate within the limits and hold; returns at once."""
        self._ask(mailboxes.STOP)

    def limp(self) -> None:
        """Decelerate, then give way; returns at once."""
        self._ask(mailboxes.LIMP)

    def recover(self) -> None:
        """Have the arm made ready again and wait for it; to be called on an operator's word only.

        A host that has ended is replaced: the new one connects the driver and holds the arm where it finds it.

        Raises:
            ArmFault: If the cause is still there.
        """
        boxes = self._connected()
        if self._ended:
            self._replace_host()
            return
        number = self._post(boxes, mailboxes.RECOVER)
        deadline = time.monotonic() + RECOVER_S
        while self._status_now(boxes)[3] < number:
            self._raise_end()
            if time.monotonic() > deadline:
                raise ArmFault("driver", f"{self._name}: the driver did not recover within {RECOVER_S:g} s")
            boxes.beats.append(self._now_ns())
            time.sleep(_POLL_S)
        self._raise_fault(boxes)
        boxes.states.take()
        self._states.clear()
        self._newest = None
        self._await_state()

    def events(self) -> list[HostEvent]:
        """What the host did beside passing commands on, since the last call; oldest first."""
        if self._boxes is not None:
            self._take_events(self._boxes)
        events = list(self._events)
        self._events.clear()
        return events

    def close(self) -> None:
        """Have the host do what the exit policy says and end, and wait for it. Safe to call twice.

        Ctrl-C meanwhile ends a parking: the arm brakes and holds. It is raised when that is done.
        """
        child, boxes = self._child, self._boxes
        if child is None or boxes is None:
            return
        self._child = None
        self._post(boxes, mailboxes.CLOSE)
        try:
            failed = child.end(self._settings.exit_s)
        except KeyboardInterrupt:
            self._post(boxes, mailboxes.STOP)
            child.end(EXIT_S)
            self._take_events(boxes)
            raise
        if failed:
            self.notes.append(f"arm host: {failed}: see whether the arm did what the exit policy says")
        self._take_events(boxes)

    # -- parts ------------------------------------------------------------------------------------------------------

    def _now_ns(self) -> int:
        return time.monotonic_ns() - self._settings.epoch_ns

    def _connected(self) -> Mailboxes:
        if self._boxes is None or self._child is None:
            raise ArmFault("disconnected", f"{self._name} is not connected")
        return self._boxes

    def _post(
        self, boxes: Mailboxes, kind: int, stamp_ns: int = 0, joints: list[float] | None = None, opening: float = 0.0
    ) -> int:
        with self._lock:
            return boxes.commands.append(kind, stamp_ns, self._now_ns(), *(joints or [0.0] * 6), opening)

    def _ask(self, kind: int) -> None:
        if self._boxes is not None and self._child is not None:
            self._post(self._boxes, kind)

    def _status_now(self, boxes: Mailboxes) -> tuple[Any, ...]:
        rows = boxes.status.take()
        if rows:
            self._status = rows[-1]
        return self._status

    def _raise_fault(self, boxes: Mailboxes) -> None:
        _, fault, kind, _, _, sentence = self._status_now(boxes)
        if fault:
            raise ArmFault(FAULT_KINDS[kind], as_text(sentence))

    @property
    def _ended(self) -> bool:
        """Whether the host has ended, which nobody told it to."""
        return self._child is not None and self._child.process.poll() is not None

    def _raise_end(self) -> None:
        child = self._child
        if child is not None and self._ended:
            raise ArmFault(
                "disconnected",
                f"{self._name}: the arm host is gone: {child.epitaph()}; a reset starts another one",
            )

    def _replace_host(self) -> None:
        gone, notes = self._child, self.notes
        assert gone is not None
        try:
            self.connect()
        except EyehandError as error:
            self._child = gone  # the next reset tries again
            raise ArmFault("disconnected", str(error)) from error
        except BaseException:
            self._child = gone
            raise
        self.notes = [*notes, f"arm host: {gone.epitaph()}: another one was started", *self.notes]

    def _await_state(self) -> None:
        deadline = time.monotonic() + FIRST_STATE_S
        while self._newest is None:
            self._take_states()
            if self._newest is None and time.monotonic() > deadline:
                raise ArmFault("driver", f"{self._name}: no state came from the driver within {FIRST_STATE_S:g} s")
            time.sleep(_POLL_S)

    def _take_events(self, boxes: Mailboxes) -> None:
        for _, stamp_ns, kind, joint, value, limit, count, duration_s, distance_rad, text in boxes.events.take():
            self._events.append(
                HostEvent(
                    stamp_ns, EVENT_KINDS[kind], as_text(text), joint, value, limit, count, duration_s, distance_rad
                )
            )
