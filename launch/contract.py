"""Whether a run kept its budget, clause by clause, in the run's own time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from launch.config.budget import BudgetConfig
from launch.tally import Tally

# a median of 10.00004 ms is a period of 10 ms
PERIOD_TOLERANCE = 1.01


@dataclass(frozen=True, slots=True)
class Clause:
    """One clause of the contract, and what the run made of it.

    Attributes:
        clause: Name: `stage.detect`, `hard.plan`, `reaction`, ...
        statistic: What is held against the limit: `p99`, `p50`, `max` or `count`.
        limit: The limit.
        value: What was found.
        unit: `ms`, or empty for a count.
        n: Out of how many.
        kept: Whether the clause was kept.
        ignored: Whether the contract says that it does not matter.
    """

    clause: str
    statistic: str
    limit: float
    value: float
    unit: str
    n: int
    kept: bool
    ignored: bool

    def describe(self) -> str:
        """One line for a person."""
        if not self.n and self.unit:
            return f"{self.clause}: no command ever used a frame"
        return f"{self.clause}: {self.statistic} {self.value:.4g} {self.unit}".rstrip() + f", limit {self.limit:.4g}"


@dataclass(frozen=True, slots=True)
class Contract:
    """All clauses of a budget."""

    name: str
    clauses: tuple[Clause, ...]

    @property
    def kept(self) -> bool:
        """Whether every clause that matters was kept."""
        return not self.broken

    @property
    def broken(self) -> tuple[Clause, ...]:
        """The clauses that were not kept and matter."""
        return tuple(clause for clause in self.clauses if not clause.kept and not clause.ignored)

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        return {"name": self.name, "kept": self.kept, "clauses": [asdict(clause) for clause in self.clauses]}


def judge(tally: Tally, lost_rows: int = 0) -> Contract:
    """Hold a run against its budget.

    On the virtual clock a stage takes what the profile says, and that is judged: what this machine took for it says
    nothing about the machine that the profile stands for.

    Args:
        tally: The run's figures.
        lost_rows: Rows and frames that could not be recorded.
    """
    return Contract(tally.budget.name, tuple(_clauses(tally, tally.budget, lost_rows)))


def _clauses(tally: Tally, budget: BudgetConfig, lost_rows: int) -> Iterator[Clause]:
    def clause(name: str, series: str, statistic: str, limit: float | None, tolerance: float = 1.0) -> Iterator[Clause]:
        if limit is None:
            return
        figures = tally.series(series, modelled=True).summary()
        value = {"p50": figures.p50_ms, "p99": figures.p99_ms, "max": figures.max_ms}[statistic]
        # frames came and an arm waited for commands: that none of them used a frame is no reaction in time
        starved = name == "reaction" and not figures.n and tally.frames > 0 and tally.commands > 0
        kept = value <= limit * tolerance and not starved
        yield Clause(name, statistic, limit, round(value, 6), "ms", figures.n, kept, name in budget.ignore)

    def count(name: str, value: int) -> Clause:
        return Clause(name, "count", 0, value, "", value, value == 0, name in budget.ignore)

    for stage, limit in budget.stages_ms.items():
        yield from clause(f"stage.{stage}", stage, "p99", limit)
    for stage, limit in budget.hard_ms.items():
        yield from clause(f"hard.{stage}", stage, "max", limit)
    yield from clause("reaction", "reaction", "p99", budget.reaction_ms)
    yield from clause("command_age", "command_age", "max", budget.command_age_ms)
    yield from clause("control_period", "control_period", "p50", budget.control_period_ms, PERIOD_TOLERANCE)
    yield from clause("control_lateness", "control_lateness", "p99", budget.control_lateness_ms)
    yield from clause("detections_age", "detections_age", "max", budget.detections_age_ms)
    yield count("safe_stop", tally.stops)
    yield count("lost_rows", lost_rows)
