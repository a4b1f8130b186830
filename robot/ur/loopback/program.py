"""What the controller expects of a program."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from robot.ur.loopback.controller import Controller


class ProgramError(Exception):
    """The program did what the controller's interpreter refuses: it ends there."""


class Program(Protocol):
    """A program that runs on the controller."""

    @property
    def name(self) -> str:
        """What the dashboard calls it."""
        ...

    def step(self, arm: Controller, dt: float) -> bool:
        """Run for one cycle, `dt` seconds of the program's own time; False when it has come to its end.

        Raises:
            ProgramError: If it asks for what the interpreter refuses.
        """
        ...
