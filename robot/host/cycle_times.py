"""How well the host's loop kept its time."""

from __future__ import annotations

import numpy as np

# cycles that are remembered: two minutes at 500 Hz
CYCLES = 65_536


class CycleTimes:
    """Start, lateness and duration of the newest cycles, in memory that is there from the beginning.

    Attributes:
        count: Cycles so far.
    """

    def __init__(self) -> None:
        self._started, self._late, self._taken = (np.zeros(CYCLES, dtype=np.int64) for _ in range(3))
        self.count = 0

    def add(self, started_ns: int, late_ns: int, taken_ns: int) -> None:
        """Remember a cycle [ns]."""
        at = self.count % CYCLES
        self._started[at], self._late[at], self._taken[at] = started_ns, late_ns, taken_ns
        self.count += 1

    def figures(self) -> dict[str, float | int]:
        """Percentiles over the newest cycles [us], by name."""
        used = min(self.count, CYCLES)
        if used < 2:
            return {"cycles": self.count}
        figures: dict[str, float | int] = {"cycles": self.count, "newest": used}
        first = self.count % CYCLES if self.count > CYCLES else 0
        periods = np.diff(np.roll(self._started[:used], -first))
        for name, values in (("period", periods), ("late", self._late[:used]), ("cycle", self._taken[:used])):
            for mark, quantile in (("p50", 50.0), ("p99", 99.0), ("p99.9", 99.9), ("max", 100.0)):
                figures[f"{name}_{mark}_us"] = round(float(np.percentile(values, quantile)) * 1e-3, 1)
        return figures

    def sentence(self) -> str:
        """The figures in a line."""
        figures = self.figures()
        if "cycle_p50_us" not in figures:
            return f"{self.count} cycles"
        return (
            f"{self.count} cycles; period p50 {figures['period_p50_us']:g} us, p99 {figures['period_p99_us']:g} us, "
            f"p99.9 {figures['period_p99.9_us']:g} us; a cycle takes p50 {figures['cycle_p50_us']:g} us, "
            f"p99 {figures['cycle_p99_us']:g} us"
        )
