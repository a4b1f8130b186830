"""What passes between the main process and the arm host, and where it lies in the memory that they share."""

from __future__ import annotations

import mmap
import os
import tempfile
from typing import Final

from robot.host.ring import Ring

# kinds of rows from the main process; those after VELOCITY are requests
POSITION, VELOCITY, STOP, LIMP, RECOVER, CLOSE = range(6)
TEXT_BYTES: Final = 480

# name: slots, fields
_LAYOUT: Final = {
    # kind, stamp [ns], when it was sent [ns], joints [rad] or [rad/s], gripper opening
    "commands": (64, "Bqq6dd"),
    # when the control loop was last alive [ns]
    "beats": (8, "q"),
    # sequence, stamp [ns], joints [rad], velocities [rad/s], gripper opening; a second at 500 Hz
    "states": (512, "qq6d6dd"),
    # whether there is a fault, its kind, last request that was answered, whether it succeeded, the fault's sentence
    "status": (8, f"?BqB{TEXT_BYTES}s"),
    # stamp [ns], kind, joint, value, limit, count, duration [s], distance [rad], text
    "events": (256, f"qBbddqdd{TEXT_BYTES}s"),
}


class Mailboxes:
    """The rings between the two processes; each has one side that writes it.

    Args:
        descriptor: File of the memory, as `shared_file` made it; it can be closed afterwards.
    """

    def __init__(self, descriptor: int) -> None:
        memory = mmap.mmap(descriptor, _size())
        rings, offset = {}, 0
        for name, (slots, fields) in _LAYOUT.items():
            rings[name] = Ring(memory, offset, slots, fields)
            offset += rings[name].size
        self.commands, self.beats = rings["commands"], rings["beats"]
        self.states, self.status, self.events = rings["states"], rings["status"], rings["events"]


def shared_file() -> int:
    """Make memory that has no name: it is gone when the last process that has it is. Returns its descriptor."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("eyehand-arm-host")
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.ftruncate(descriptor, _size())
    return descriptor


def as_text(field: bytes) -> str:
    """The text in a field of fixed length."""
    return field.rstrip(b"\0").decode("utf-8", "replace")


def as_field(text: str) -> bytes:
    """A text for a field of fixed length; cut where it is longer."""
    return text.encode()[:TEXT_BYTES]


def _size() -> int:
    probe = mmap.mmap(-1, 1)
    return sum(Ring(probe, 0, slots, fields).size for slots, fields in _LAYOUT.values())
