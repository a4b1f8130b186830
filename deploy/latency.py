"""Durations of a stage as the figures that a budget is written in."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from deploy.errors import BadInput

NS_PER_MS = 1e6


@dataclass(frozen=True, slots=True)
class StageLatency:
    """What one stage took.

    Percentiles are nearest-rank: each is a duration that was measured. The p99 of fewer than 100 is the largest.

    Attributes:
        n: Number of durations; with none all figures are 0.
        p50_ms: Median [ms].
        p90_ms: 90th percentile [ms].
        p99_ms: 99th percentile [ms].
        max_ms: Largest [ms].
        budget_ms: What the stage may take [ms]; None if nothing was agreed.
        misses: How many durations were above the budget.
    """

    n: int
    p50_ms: float
    p90_ms: float
    p99_ms: float
    max_ms: float
    budget_ms: float | None
    misses: int

    @property
    def within_budget(self) -> bool:
        """Whether the 99th percentile keeps the budget; true where there is none."""
        return self.budget_ms is None or self.p99_ms <= self.budget_ms

    def to_dict(self) -> dict[str, float | int | None]:
        """The figures by name, ready for JSON."""
        return asdict(self)


def summarize(durations_ns: npt.ArrayLike, budget_ms: float | None = None) -> StageLatency:
    """Summarize the durations of a stage.

    Args:
        durations_ns: Shape (N,), integers [ns], N may be 0.
        budget_ms: Limit above which a duration is a miss [ms].

    Raises:
        BadInput: If a duration is negative, or the budget is not positive.

    Example:
        >>> summarize([1_000_000, 3_000_000, 2_000_000], budget_ms=2.5)
        StageLatency(n=3, p50_ms=2.0, p90_ms=3.0, p99_ms=3.0, max_ms=3.0, budget_ms=2.5, misses=1)
    """
    if budget_ms is not None and not (math.isfinite(budget_ms) and budget_ms > 0.0):
        raise BadInput(f"budget {budget_ms} ms: expected > 0; leave it out for a stage without one")
    ordered = np.sort(np.asarray(durations_ns, dtype=np.int64).ravel())
    count = len(ordered)
    if not count:
        return StageLatency(0, 0.0, 0.0, 0.0, 0.0, budget_ms, 0)
    if ordered[0] < 0:
        raise BadInput(f"duration {ordered[0]} ns: expected >= 0; take both stamps from the same monotonic clock")

    def rank(percent: int) -> float:
        return float(ordered[-(-percent * count // 100) - 1]) / NS_PER_MS

    misses = 0 if budget_ms is None else int(np.count_nonzero(ordered > budget_ms * NS_PER_MS))
    return StageLatency(count, rank(50), rank(90), rank(99), float(ordered[-1]) / NS_PER_MS, budget_ms, misses)
