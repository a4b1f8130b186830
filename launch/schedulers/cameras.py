"""Cameras of the virtual clock: they take their frames when its time has come."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from perception.frame import Frame


class VirtualCamera(Protocol):
    """A camera that takes its frames when the scheduler's time has come to their instants."""

    def next_ns(self, now_ns: int) -> int | None:
        """When the next exposure is, not before `now_ns` [ns]; None after the last."""
        ...

    def expose(self, now_ns: int) -> Frame:
        """The frame of this instant."""
        ...


class SimulatedCamera:
    """A camera at a fixed rate; `capture(stamp_ns, sequence)` renders the world as it is."""

    def __init__(self, capture: Callable[[int, int], Frame], period_ns: int) -> None:
        self._capture = capture
        self._period_ns = period_ns
        self._sequence = 0
        self._last_ns: int | None = None

    def next_ns(self, now_ns: int) -> int | None:
        """One period after the last exposure."""
        return now_ns if self._last_ns is None else max(now_ns, self._last_ns + self._period_ns)

    def expose(self, now_ns: int) -> Frame:
        """Render."""
        frame = self._capture(now_ns, self._sequence)
        self._sequence += 1
        self._last_ns = now_ns
        return frame
