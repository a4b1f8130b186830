"""The controller's clock on the run clock, and how well it is known."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

import numpy as np

from perception.sources.clock_map import ClockMap

# Delays that the spread is taken over: two seconds at 500 Hz.
DELAYS: Final = 1000
# A timestamp this far behind the one before comes from a controller that was started again [s].
RESTART_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class ClockReport:
    """Where the controller's clock stands: run time = controller time + offset.

    The fastest packets still took a while, at least half of the least round trip; that constant is in the offset.

    Attributes:
        offset_ns: Run clock minus controller clock at the newest packet [ns].
        drift_ppm: How much faster the run clock goes than the controller's.
        delay_p50_ns: Median of how much later packets came than the fastest ones [ns].
        delay_p99_ns: The same, 99th percentile [ns].
        packets: How many packets have been seen.
        restarts: How often the controller's clock went back.
    """

    offset_ns: int
    drift_ppm: float
    delay_p50_ns: int
    delay_p99_ns: int
    packets: int
    restarts: int


class ControllerClock:
    """Maps RTDE timestamps to the run clock by the packets that come fastest (`ClockMap`), and keeps their spread."""

    def __init__(self) -> None:
        self._map = ClockMap()
        self._delays: deque[int] = deque(maxlen=DELAYS)
        self._packets = 0
        self._restarts = 0
        self._last_s = -np.inf

    def to_run_ns(self, timestamp_s: float, arrival_ns: int) -> int:
        """When the controller wrote a packet, on the run clock.

        Args:
            timestamp_s: The packet's RTDE timestamp, time since the controller was started [s].
            arrival_ns: When the packet came, on the run clock [ns]; packets come in this order.

        Returns:
            At most `arrival_ns`, and not before that of the packet before [ns].
        """
        self._packets += 1
        if timestamp_s < self._last_s - RESTART_S:
            self._restarts += 1
            self._map = ClockMap()
            self._delays.clear()
        self._last_s = timestamp_s
        run_ns = self._map.to_run_ns(round(timestamp_s * 1e9), arrival_ns)
        self._delays.append(arrival_ns - run_ns)
        return run_ns

    def report(self) -> ClockReport | None:
        """What is known of the controller's clock; None before the first packet."""
        reading = self._map.reading
        if reading is None:
            return None
        # The other thread may append in the meantime: a copy is taken at once.
        median, late = np.percentile(list(self._delays.copy()), (50, 99))
        return ClockReport(
            offset_ns=reading.offset_ns,
            drift_ppm=reading.drift_ppm,
            delay_p50_ns=round(median),
            delay_p99_ns=round(late),
            packets=self._packets,
            restarts=self._restarts,
        )
