"""Whether the arm can be commanded, as the host tells the main process."""

from __future__ import annotations

from typing import Final, get_args

from robot.arm import FaultKind
from robot.host.mailboxes import as_field
from robot.host.ring import Ring

FAULT_KINDS: Final[tuple[FaultKind, ...]] = get_args(FaultKind)


class Status:
    """The host's side of the status ring; it is written when something changes.

    Attributes:
        fault: Whether the main process may not command the arm until it has recovered.
    """

    def __init__(self, ring: Ring) -> None:
        self._ring = ring
        self.fault = False
        self._kind: FaultKind = "driver"
        self._sentence = ""
        self._answered, self._succeeded = 0, True

    def fail(self, kind: FaultKind, sentence: str) -> None:
        """There is a fault; the newest one is told."""
        self.fault, self._kind, self._sentence = True, kind, sentence
        self._write()

    def answer(self, number: int, *, succeeded: bool) -> None:
        """A request was dealt with."""
        self._answered, self._succeeded = number, succeeded
        self._write()

    def recovered(self, number: int) -> None:
        """The fault is gone, as was asked for."""
        self.fault = False
        self.answer(number, succeeded=True)

    def _write(self) -> None:
        self._ring.append(
            self.fault, FAULT_KINDS.index(self._kind), self._answered, self._succeeded, as_field(self._sentence)
        )
