"""Durations of a stage as they come, for days, in bounded memory."""

from __future__ import annotations

import copy

import numpy as np
import numpy.typing as npt

from deploy.histogram import Histogram, Int64, checked, positive_interval
from deploy.latency import StageLatency, figures, summarize
from deploy.misses import NS_PER_MS, Misses

Float64 = npt.NDArray[np.float64]

EXACT = 4096
POINTS = 200


class LatencySeries:
    """Latency figures of durations that come block by block.

    Up to 4096 durations are kept, and the figures are exact. After that they are counted in a histogram: percentiles
    are within 0.1 % then, and on the right side of the budget; n, largest, misses and the longest run of misses stay
    exact. The figures do not depend on how the durations were cut into blocks. Takes at most 0.5 MB.

    Args:
        budget_ms: Limit above which a duration is a miss [ms].
        expected_interval_ns: Time from one duration to the next when all is well [ns]. None, and nothing is corrected,
            if there is no such rate, or if a long duration keeps no other from being measured: an age does not.

    Raises:
        BadInput: If the budget or the interval is not positive.

    Example:
        >>> series = LatencySeries(budget_ms=3.0, expected_interval_ns=2_000_000)
        >>> series.add([1_000_000, 6_500_000, 1_000_000])
        >>> series.summary().misses, series.corrected().n, series.corrected().misses
        (1, 5, 2)
    """

    __slots__ = ("_budget_ms", "_corrected", "_counted", "_filled", "_interval_ns", "_recent")

    def __init__(self, budget_ms: float | None = None, expected_interval_ns: int | None = None) -> None:
        Misses(budget_ms)  # a wrong budget is told now, not with the first duration
        self._budget_ms = budget_ms
        self._interval_ns = None if expected_interval_ns is None else positive_interval(expected_interval_ns)
        self._recent: Int64 = np.empty(0, dtype=np.int64)
        self._filled = 0
        self._counted: _Counted | None = None
        self._corrected: _Counted | None = None

    def add(self, durations_ns: npt.ArrayLike) -> None:
        """Take the next durations.

        Args:
            durations_ns: Shape (N,), integers in the order of time [ns], N may be 0.

        Raises:
            BadInput: If a duration is negative; nothing is taken then.
        """
        values = checked(durations_ns)
        if len(values) and not len(self._recent):
            self._recent = np.empty(EXACT, dtype=np.int64)
        while len(values):
            if self._filled == EXACT:
                self._fold()
            part, values = values[: EXACT - self._filled], values[EXACT - self._filled :]
            self._recent[self._filled : self._filled + len(part)] = part
            self._filled += len(part)

    def summary(self) -> StageLatency:
        """The figures of what was taken."""
        if self._counted is None:
            return summarize(self._recent[: self._filled], self._budget_ms)
        self._fold()
        return self._counted.figures()

    def corrected(self) -> StageLatency | None:
        """The figures as they would be had a slow activation not kept the next ones from being measured.

        A duration v of two expected intervals T or more counts as v, v - T, v - 2T, ... down to T: what activations
        that came due in the meantime would have waited, had they been measured. Without it a stall of 10 s of a loop of
        500 Hz is 1 sample, not 5000, and no percentile shows it. Gil Tene calls this coordinated omission ("How NOT to
        Measure Latency", 2013).

        Returns:
            None if no interval is expected.
        """
        interval = self._interval_ns
        if interval is None:
            return None
        if self._counted is None:
            recent = self._recent[: self._filled]
            if np.maximum(recent // interval, 1).sum(dtype=np.float64) <= EXACT:
                return summarize(_with_missing(recent, interval), self._budget_ms)
            counted = _Counted(self._budget_ms, interval)
            counted.add(recent)
            return counted.figures()
        self._fold()
        return (self._corrected or self._counted).figures()

    def ccdf(self) -> tuple[Float64, Float64]:
        """The complementary distribution, for a plot with logarithmic axes.

        Returns:
            Durations [ms], increasing, and the fraction of all durations that took at least that long, from 1 down to
            that of the largest; each of shape (P,), P at most 200, closer together in the tail.
        """
        if self._counted is None:
            values, counts = np.unique(self._recent[: self._filled], return_counts=True)
        else:
            self._fold()
            values, counts = self._counted.histogram.bins()
        if not len(values):
            return np.empty(0), np.empty(0)
        fraction = np.cumsum(counts[::-1])[::-1] / counts.sum()
        if len(values) > POINTS:
            wanted = np.geomspace(1.0, fraction[-1], POINTS)
            chosen = np.unique(np.searchsorted(-fraction, -wanted).clip(max=len(values) - 1))
            values, fraction = values[chosen], fraction[chosen]
        return values / NS_PER_MS, fraction

    def _fold(self) -> None:
        """Count what was kept."""
        recent = self._recent[: self._filled]
        if self._counted is None:
            self._counted = _Counted(self._budget_ms)
        interval = self._interval_ns
        # until something is missing, the corrected figures are the same
        if interval is not None and self._corrected is None and (recent // interval > 1).any():
            self._corrected = copy.deepcopy(self._counted)
            self._corrected.interval_ns = interval
        for counted in (self._counted, self._corrected):
            if counted is not None:
                counted.add(recent)
        self._filled = 0


class _Counted:
    """A histogram, and the misses that it cannot tell exactly."""

    __slots__ = ("histogram", "interval_ns", "misses")

    def __init__(self, budget_ms: float | None, interval_ns: int | None = None) -> None:
        self.histogram, self.misses, self.interval_ns = Histogram(), Misses(budget_ms), interval_ns

    def add(self, durations_ns: Int64) -> None:
        if self.interval_ns is None:
            self.histogram.add(durations_ns)
        else:
            self.histogram.add_with_interval(durations_ns, self.interval_ns)
        self.misses.add(durations_ns, self.interval_ns)

    def figures(self) -> StageLatency:
        return figures(self.histogram.count, self._at_rank, self.misses)

    def _at_rank(self, rank: int) -> int:
        """A rank is a miss or is not: a bin that reaches over the limit must not turn one into the other."""
        value, limit = self.histogram.at_rank(rank), self.misses.limit_ns
        if limit is None:
            return value
        kept = rank <= self.histogram.count - self.misses.count
        return min(value, limit) if kept else max(value, limit + 1)


def _with_missing(durations_ns: Int64, interval_ns: int) -> Int64:
    """Each duration followed by those that it kept from being measured."""
    terms = np.maximum(durations_ns // interval_ns, 1)
    first = np.repeat(np.cumsum(terms) - terms, terms)
    all_terms: Int64 = np.repeat(durations_ns, terms) - (np.arange(len(first)) - first) * interval_ns
    return all_terms
