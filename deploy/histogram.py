"""Durations counted in bins of constant relative width: quantiles of days of samples in 220 KiB."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from deploy.errors import BadInput

Int64 = npt.NDArray[np.int64]

SUB_BITS = 9
BINS = (64 - SUB_BITS) << SUB_BITS
STEPS = 64


class Histogram:
    """Counts of integer durations [ns] in log-linear bins.

    Below 1024 ns each value has its own bin; above, each power of two is cut into 512 bins of the same width. A bin
    answers with its middle, which is at most 1/1024 (0.098 %) from any value in it; smallest and largest are exact. The
    bins cover all of int64, so nothing overflows. The memory, 225,280 bytes, is allocated with the first value.

    After HdrHistogram by Gil Tene (https://hdrhistogram.org), which answers with a bin's upper end and so needs twice
    the bins for the same error.

    Example:
        >>> histogram = Histogram()
        >>> histogram.add([2_000_000, 1_000_000, 4_000_000])
        >>> histogram.count, histogram.max, histogram.quantile(1 / 3), histogram.count_above(3_000_000)
        (3, 4000000, 1000000, 1)
    """

    __slots__ = ("_counts", "_max", "_min", "count")

    def __init__(self) -> None:
        self._counts: Int64 = np.zeros(0, dtype=np.int64)
        self._min, self._max = np.iinfo(np.int64).max, 0
        self.count = 0

    @property
    def max(self) -> int:
        """Largest value [ns], exact; 0 if there is none."""
        return self._max

    def add(self, values_ns: npt.ArrayLike) -> None:
        """Count values.

        Args:
            values_ns: Shape (N,), integers [ns], N may be 0.

        Raises:
            BadInput: If a value is negative; nothing is counted then.
        """
        values = checked(values_ns)
        if len(values):
            np.add.at(self._allocated(), _bin_of(values), 1)
            self._noted(len(values), int(values.min()), int(values.max()))

    def add_with_interval(self, values_ns: npt.ArrayLike, interval_ns: int) -> None:
        """Count values, and for each those that it kept from being measured.

        What should have been measured each interval was not while one value v took longer: v - T, v - 2T, ... down to
        T are counted too. This is `recordValueWithExpectedInterval` of HdrHistogram, against what Gil Tene named
        coordinated omission ("How NOT to Measure Latency", 2013). Time and memory do not grow with v.

        Args:
            values_ns: Shape (N,), integers [ns], N may be 0.
            interval_ns: Expected interval T between values [ns].

        Raises:
            BadInput: If a value is negative or the interval is not positive; nothing is counted then.
        """
        values, interval = checked(values_ns), positive_interval(interval_ns)
        for _ in range(STEPS):
            if not len(values):
                return
            self.add(values)
            earlier = values - interval
            values = earlier[earlier >= interval]
        # what still stands stood for a long time, and is rare: its terms are counted bin by bin instead of one by one
        for value in values.tolist():
            self._add_terms(value, interval)

    def merge(self, other: Histogram) -> None:
        """Count all that another histogram counted."""
        if other.count:
            self._allocated()[:] += other._counts
            self._noted(other.count, other._min, other._max)

    def at_rank(self, rank: int) -> int:
        """The value at a rank [ns], within 0.1 %: 1 is the smallest, `count` the largest.

        Raises:
            BadInput: If there is no such rank.
        """
        if not 1 <= rank <= self.count:
            raise BadInput(f"rank {rank} of {self.count} values: expected 1 to {self.count}")
        if rank == self.count:
            return self._max
        return int(self._middles(np.searchsorted(np.cumsum(self._counts), rank)))

    def quantile(self, quantile: float) -> int:
        """The nearest-rank quantile [ns], within 0.1 %; 0 if there are no values.

        Args:
            quantile: More than 0 and at most 1: 0.5 is the median, 1 the largest value.

        Raises:
            BadInput: If the quantile is not in that range.
        """
        return self.at_rank(nearest_rank(self.count, quantile)) if self.count else 0

    def count_above(self, limit_ns: int) -> int:
        """How many values are above a limit [ns]; those in the bin of the limit, within 0.2 % of it, do not count."""
        return self.count if limit_ns < 0 else int(self._counts[int(_bin_of(np.int64(limit_ns))) + 1 :].sum())

    def bins(self) -> tuple[Int64, Int64]:
        """The bins that hold something.

        Returns:
            Values [ns], increasing, and their counts, each of shape (B,).
        """
        occupied = np.flatnonzero(self._counts)
        return self._middles(occupied), self._counts[occupied]

    def _allocated(self) -> Int64:
        if not self.count:
            self._counts = np.zeros(BINS, dtype=np.int64)
        return self._counts

    def _noted(self, count: int, smallest: int, largest: int) -> None:
        self.count += count
        self._min, self._max = min(self._min, smallest), max(self._max, largest)

    def _add_terms(self, value: int, interval: int) -> None:
        """Count value, value - interval, ... down to the interval, in as many steps as there are bins between."""
        terms = max(value // interval, 1)
        smallest = value - (terms - 1) * interval
        first, last = (int(_bin_of(np.int64(end))) for end in (smallest, value))
        ends = _lower(np.arange(first + 1, last + 1))
        below = np.concatenate(([0], terms - (value - ends) // interval - 1, [terms]))
        self._allocated()[first : last + 1] += np.diff(below)
        self._noted(terms, smallest, value)

    def _middles(self, index: Any) -> Int64:
        middles: Int64 = _lower(index) + (np.int64(1) << _shift(index)) // 2
        return np.clip(middles, self._min, self._max)


def nearest_rank(count: int, quantile: float) -> int:
    """Rank of the smallest value that at least this share of all values does not exceed.

    Args:
        count: Number of values, at least 1.
        quantile: More than 0 and at most 1.

    Raises:
        BadInput: If the quantile is not in that range.

    Example:
        >>> nearest_rank(100, 0.07), nearest_rank(101, 0.99)
        (7, 100)
    """
    if not 0.0 < quantile <= 1.0:
        raise BadInput(f"quantile {quantile}: expected more than 0 and at most 1; the 99th percentile is 0.99")
    # 0.07 * 100 is 7.000000000000001 in floating point, and is rank 7
    return max(1, math.ceil(round(quantile * count, 6)))


def checked(durations_ns: npt.ArrayLike) -> Int64:
    """Durations as int64, shape (N,).

    Raises:
        BadInput: If one is negative.
    """
    values = np.asarray(durations_ns, dtype=np.int64).ravel()
    if len(values) and (least := int(values.min())) < 0:
        raise BadInput(f"duration {least} ns: expected >= 0; take both stamps from the same monotonic clock")
    return values


def positive_interval(interval_ns: int) -> int:
    """The interval [ns].

    Raises:
        BadInput: If it is not positive.
    """
    if interval_ns < 1:
        raise BadInput(f"expected interval {interval_ns} ns: expected >= 1; leave it out where none is known")
    return interval_ns


def _bin_of(values: Any) -> Int64:
    """Number of the bin of each value.

    Above 2**53 the conversion to float64 can round up to the next power of two; the shift is then one too large, and
    the sum the same.
    """
    shift = np.maximum(np.frexp(np.asarray(values, dtype=np.float64))[1].astype(np.int64) - (SUB_BITS + 1), 0)
    numbers: Int64 = (shift << SUB_BITS) + (values >> shift)
    return numbers


def _shift(index: Any) -> Int64:
    """How many bits the values of a bin are apart from its number."""
    shift: Int64 = np.maximum((np.asarray(index, dtype=np.int64) >> SUB_BITS) - 1, 0)
    return shift


def _lower(index: Any) -> Int64:
    """Smallest value of each bin."""
    shift = _shift(index)
    lower: Int64 = (np.asarray(index, dtype=np.int64) - (shift << SUB_BITS)) << shift
    return lower
