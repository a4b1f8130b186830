"""Times of a device's clock on the run clock, from when its frames arrive."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

BUCKET_NS: Final = 1_000_000_000
BUCKETS: Final = 30
# Quartz is within 50 ppm; a line that is steeper than this follows the transport, not the clock.
DRIFT_LIMIT: Final = 200e-6
# The drift is estimated once the minima span this much; before, the offset alone.
DRIFT_SPAN_NS: Final = 5 * BUCKET_NS
# A device that was reset starts its clock again.
JUMP_NS: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class ClockReading:
    """Where a device's clock stands: run time = device time + offset at the newest frame.

    Attributes:
        offset_ns: Run clock minus device clock [ns].
        drift_ppm: How much faster the run clock goes than the device's.
    """

    offset_ns: int
    drift_ppm: float


class ClockMap:
    """Maps a device's frame times to the run clock by the frames that came fastest.

    A frame is received after it was taken, by a delay that varies and is never negative. So the smallest difference
    between the two clocks is nearest to their true offset. The smallest difference of each second is kept for 30
    seconds, and the line under them (an edge of their lower convex hull) gives offset and drift. What remains is the
    smallest delay itself, a constant of the camera: subtract it as `latency`.

    Method: J. Zhang, Z. Liu, C. Xia, "Clock synchronization algorithms for network measurements", INFOCOM 2002.
    Memory is bounded by the 30 points.
    """

    def __init__(self) -> None:
        self._minima: list[tuple[int, int]] = []
        self._bucket = -1
        self._reading: ClockReading | None = None
        self._last_run_ns: int | None = None

    @property
    def reading(self) -> ClockReading | None:
        """Offset and drift at the newest frame; None before the first."""
        return self._reading

    def to_run_ns(self, device_ns: int, received_ns: int) -> int:
        """Time of a frame on the run clock.

        Args:
            device_ns: On the device's clock [ns].
            received_ns: When the host had it, on the run clock [ns]; frames come in this order.

        Returns:
            At most `received_ns`, and later than that of the frame before [ns].
        """
        difference = received_ns - device_ns
        if self._reading is not None and abs(difference - self._reading.offset_ns) > JUMP_NS:
            self._minima.clear()
            self._bucket = -1
        self._add(device_ns, difference)
        slope, at_ns, offset_ns = self._line()
        offset_ns += round(slope * (device_ns - at_ns))
        self._reading = ClockReading(offset_ns, slope * 1e6)
        run_ns = min(device_ns + offset_ns, received_ns)
        if self._last_run_ns is not None and self._last_run_ns < received_ns:
            run_ns = max(run_ns, self._last_run_ns + 1)
        self._last_run_ns = run_ns
        return run_ns

    def _add(self, device_ns: int, difference: int) -> None:
        bucket = device_ns // BUCKET_NS
        if bucket != self._bucket:
            self._bucket = bucket
            self._minima.append((device_ns, difference))
            del self._minima[:-BUCKETS]
        elif difference < self._minima[-1][1]:
            self._minima[-1] = (device_ns, difference)

    def _line(self) -> tuple[float, int, int]:
        """Slope, and a point on the line under the minima."""
        lowest = min(self._minima, key=lambda point: point[1])
        if self._minima[-1][0] - self._minima[0][0] < DRIFT_SPAN_NS:
            return 0.0, *lowest
        hull = _lower_hull(self._minima)
        middle = (self._minima[0][0] + self._minima[-1][0]) // 2
        for left, right in pairwise(hull):
            if left[0] <= middle <= right[0]:
                slope = (right[1] - left[1]) / (right[0] - left[0])
                if abs(slope) <= DRIFT_LIMIT:
                    return slope, *left
        return 0.0, *lowest


def _lower_hull(points: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Lower convex hull of points in order of x (Andrew's monotone chain)."""
    hull: list[tuple[int, int]] = []
    for x, y in points:
        while len(hull) >= 2:
            (x0, y0), (x1, y1) = hull[-2], hull[-1]
            if (x1 - x0) * (y - y0) - (y1 - y0) * (x - x0) > 0:
                break
            hull.pop()
        hull.append((x, y))
    return hull
