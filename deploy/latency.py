"""Durations of a stage as the figures that a budget is written in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from deploy.histogram import checked, nearest_rank
from deploy.misses import NS_PER_MS, Misses

P999_SAMPLES = 10_000


@dataclass(frozen=True, slots=True)
class StageLatency:
    """What one stage took.

    Percentiles are nearest-rank: each is a duration that was measured. The p99 of fewer than 100 is the largest.

    Attributes:
        n: Number of durations; with none all figures are 0.
        p50_ms: Median [ms].
        p90_ms: 90th percentile [ms].
        p99_ms: 99th percentile [ms].
        p999_ms: 99.9th percentile [ms]; None for fewer than 10,000 durations, of which too few are above it.
        max_ms: Largest [ms].
        budget_ms: What the stage may take [ms]; None if nothing was agreed.
        misses: How many durations were above the budget.
        longest_miss_run: Most misses that came one after the other.
    """

    n: int
    p50_ms: float
    p90_ms: float
    p99_ms: float
    p999_ms: float | None
    max_ms: float
    budget_ms: float | None
    misses: int
    longest_miss_run: int

    @property
    def within_budget(self) -> bool:
        """Whether the 99th percentile keeps the budget; true where there is none."""
        return self.budget_ms is None or self.p99_ms <= self.budget_ms

    def to_dict(self) -> dict[str, float | int | None]:
        """The figures by name, ready for JSON."""
        return asdict(self)


def summarize(durations_ns: npt.ArrayLike, budget_ms: float | None = None) -> StageLatency:
    """Summarize the durations of a stage, exactly.

    Args:
        durations_ns: Shape (N,), integers in the order of time [ns], N may be 0.
        budget_ms: Limit above which a duration is a miss [ms].

    Raises:
        BadInput: If a duration is negative, or the budget is not positive.

    Example:
        >>> found = summarize([1_000_000, 3_000_000, 2_000_000], budget_ms=2.5)
        >>> found.p50_ms, found.p99_ms, found.p999_ms, found.misses
        (2.0, 3.0, None, 1)
    """
    misses, durations = Misses(budget_ms), checked(durations_ns)
    misses.add(durations)
    ordered = np.sort(durations)
    return figures(len(ordered), lambda rank: int(ordered[rank - 1]), misses)


def figures(count: int, at_rank: Callable[[int], int], misses: Misses) -> StageLatency:
    """The figures of ordered durations.

    Args:
        count: How many there are.
        at_rank: The duration at a rank from 1, the smallest, to `count` [ns].
        misses: What was counted while they came.
    """

    def quantile(quantile: float) -> float:
        return at_rank(nearest_rank(count, quantile)) / NS_PER_MS if count else 0.0

    return StageLatency(
        n=count,
        p50_ms=quantile(0.5),
        p90_ms=quantile(0.9),
        p99_ms=quantile(0.99),
        p999_ms=quantile(0.999) if count >= P999_SAMPLES else None,
        max_ms=quantile(1.0),
        budget_ms=misses.budget_ms,
        misses=misses.count,
        longest_miss_run=misses.longest,
    )
