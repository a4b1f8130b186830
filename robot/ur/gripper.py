"""What a gripper is to the driver; a valve or relay at a digital output, or none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class Gripper(Protocol):
    """A gripper that never makes its user wait."""

    @property
    def opening(self) -> float:
        """Where it is: 0 = closed, 1 = open."""
        ...

    @property
    def object_detected(self) -> bool:
        """Whether something holds its fingers apart; False where it cannot tell."""
        ...

    @property
    def fault(self) -> str | None:
        """What is wrong with it and what to do; None if nothing is."""
        ...

    def connect(self) -> None:
        """Make it ready.

        Raises:
            Missing: If it does not answer, naming address and remedy.
        """
        ...

    def want(self, opening: float) -> None:
        """Send it somewhere: 0 = closed, 1 = open; values outside are clipped."""
        ...

    def close(self) -> None:
        """Release it; it stays where it is. Safe to call twice."""
        ...


class NoGripper:
    """There is none: the opening is what was last wanted."""

    object_detected = False
    fault: str | None = None

    def __init__(self) -> None:
        self._opening = 0.0

    @property
    def opening(self) -> float:
        """What was last wanted."""
        return self._opening

    def connect(self) -> None:
        """Nothing to do."""

    def want(self, opening: float) -> None:
        """Remember it."""
        self._opening = min(1.0, max(0.0, opening))

    def close(self) -> None:
        """Nothing to release."""


class OutputGripper:
    """A gripper that is open or closed by one digital output.

    Args:
        read: Gives the output's present level.
        write: Sets the output.
        open_level: Level at which it is open.
    """

    object_detected = False
    fault: str | None = None

    def __init__(self, read: Callable[[], bool], write: Callable[[bool], None], *, open_level: bool = False) -> None:
        self._read, self._write, self._open_level = read, write, open_level
        self._wanted: bool | None = None

    @property
    def opening(self) -> float:
        """0 or 1 by the output's level: how far the fingers are, nothing tells."""
        return float(self._read() == self._open_level)

    def connect(self) -> None:
        """Nothing to do: the level stays as it is until something is wanted."""

    def want(self, opening: float) -> None:
        """Open at 0.5 and above; written when it changes."""
        level = (opening >= 0.5) == self._open_level
        if level != self._wanted:
            self._wanted = level
            self._write(level)

    def close(self) -> None:
        """Nothing to release."""
