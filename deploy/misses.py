"""How many durations were above a budget, and how many in a row."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from deploy.errors import BadInput

NS_PER_MS = 1e6


class Misses:
    """Counts durations above a budget exactly, as they come.

    Args:
        budget_ms: Limit above which a duration is a miss [ms]; None counts nothing.

    Attributes:
        budget_ms: The limit [ms].
        limit_ns: The limit in whole nanoseconds.
        count: Misses.
        longest: Most misses that came one after the other.

    Raises:
        BadInput: If the budget is not positive.
    """

    __slots__ = ("_run", "budget_ms", "count", "limit_ns", "longest")

    def __init__(self, budget_ms: float | None) -> None:
        if budget_ms is not None and not (math.isfinite(budget_ms) and budget_ms > 0.0):
            raise BadInput(f"budget {budget_ms} ms: expected > 0; leave it out for a stage without one")
        self.budget_ms = budget_ms
        # 2.3 * 1e6 is a little less than 2300000 in floating point, and 2.3 ms keep a budget of 2.3 ms
        self.limit_ns = None if budget_ms is None else min(int(budget_ms * NS_PER_MS + 1e-3), np.iinfo(np.int64).max)
        self.count = self.longest = self._run = 0

    def add(self, durations_ns: npt.NDArray[np.int64], interval_ns: int | None = None) -> None:
        """Count the next durations.

        Args:
            durations_ns: Shape (N,), in the order of time, not negative [ns], N may be 0.
            interval_ns: Count after each duration v also v - T, v - 2T, ... down to this T [ns], as
                `deploy.histogram.Histogram.add_with_interval` does.
        """
        if self.limit_ns is None or not len(durations_ns):
            return
        if interval_ns is None:
            terms = np.ones(len(durations_ns), dtype=np.int64)
            above = (durations_ns > self.limit_ns).astype(np.int64)
        else:
            terms = np.maximum(durations_ns // interval_ns, 1)
            # terms fall, so those above the limit are the first ones: v - kT > limit for k < (v - limit) / T
            above = np.clip(-((self.limit_ns - durations_ns) // interval_ns), 0, terms)
        total = np.cumsum(above)
        # misses counted when the last run ended; the run that came from earlier durations began before the first
        ended = np.maximum.accumulate(np.concatenate(([-self._run], np.where(above < terms, total, -self._run))))
        self.longest = max(self.longest, int((total - ended[:-1]).max()))
        self.count += int(total[-1])
        self._run = int(total[-1] - ended[-1])
