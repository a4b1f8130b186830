"""Readings of a controller, put on the run clock and kept until they are taken."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

from robot.ur.clock_map import ClockReport, ControllerClock
from robot.ur.status import Reading

# Readings that wait to be taken: a second of them at 500 Hz.
BUFFER: Final = 500


@dataclass(frozen=True, slots=True)
class Stamped:
    """A reading on the run clock.

    Attributes:
        sequence: Number of the packet.
        stamp_ns: When the controller wrote it, on the run clock [ns].
        arrival_ns: When it came [ns].
        reading: What it says.
    """

    sequence: int
    stamp_ns: int
    arrival_ns: int
    reading: Reading


class Inbox:
    """What came in; lives on when a connection is made anew, so that numbers and clock go on.

    Written by the receiving thread; `newest` and `drain` may be used by another one.

    Attributes:
        damaged: How many packets held what no arm can say.
    """

    def __init__(self) -> None:
        self._clock = ControllerClock()
        self._buffer: deque[Stamped] = deque(maxlen=BUFFER)
        self._newest: Stamped | None = None
        self._advanced_ns = 0
        self._count = 0
        self.damaged = 0

    @property
    def newest(self) -> Stamped | None:
        """The newest reading of this connection."""
        return self._newest

    def open(self, now_ns: int) -> None:
        """A connection begins: what came over the one before is old."""
        self._newest = None
        self._buffer.clear()
        self._advanced_ns = now_ns

    def take(self, reading: Reading, arrival_ns: int) -> Stamped | None:
        """Stamp a reading and keep it; None if it cannot be that of an arm."""
        if not reading.plausible:
            self.damaged += 1
            return None
        stamp_ns = self._clock.to_run_ns(reading.timestamp_s, arrival_ns)
        if self._newest is None or reading.timestamp_s != self._newest.reading.timestamp_s:
            self._advanced_ns = arrival_ns
        stamped = Stamped(self._count, stamp_ns, arrival_ns, reading)
        self._count += 1
        self._newest = stamped
        self._buffer.append(stamped)
        return stamped

    def silent_ns(self, now_ns: int) -> int:
        """For how long the controller's clock has not advanced [ns]."""
        return now_ns - self._advanced_ns

    def drain(self) -> list[Stamped]:
        """Readings since the last call, oldest first; the newest again if there was none."""
        readings = []
        while self._buffer:
            readings.append(self._buffer.popleft())
        return readings or ([] if self._newest is None else [self._newest])

    def clock_report(self) -> ClockReport | None:
        """Where the controller's clock stands."""
        return self._clock.report()
