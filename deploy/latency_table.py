"""Latency figures as a table for the terminal."""

from __future__ import annotations

from collections.abc import Mapping

from rich.table import Table

from deploy.latency import StageLatency

COLUMNS = ("stage", "budget", "n", "p50", "p90", "p99", "max", "misses")


def latency_table(stages: Mapping[str, StageLatency], title: str | None = None) -> Table:
    """Lay out one row for each stage; a p99 above its budget stands out.

    Args:
        stages: Figures by stage, in the order of the rows.
        title: Line above the table.

    Returns:
        A table for `rich.console.Console.print`; all times in ms.
    """
    table = Table(title=title, caption="ms, nearest-rank percentiles", caption_justify="left")
    for column in COLUMNS:
        table.add_column(column, justify="left" if column == "stage" else "right", no_wrap=True)
    for name, latency in stages.items():
        table.add_row(name, *_cells(latency))
    return table


def _cells(latency: StageLatency) -> tuple[str, ...]:
    budget = "-" if latency.budget_ms is None else _ms(latency.budget_ms)
    misses = "-" if latency.budget_ms is None else str(latency.misses)
    if not latency.n:
        return (budget, "0", "-", "-", "-", "-", misses)
    p99 = _ms(latency.p99_ms) if latency.within_budget else f"[bold red]{_ms(latency.p99_ms)}[/]"
    return (budget, str(latency.n), _ms(latency.p50_ms), _ms(latency.p90_ms), p99, _ms(latency.max_ms), misses)


def _ms(value: float) -> str:
    """Four digits at most, so that the table fits 80 columns."""
    return f"{value:.2f}" if value < 100.0 else f"{value:.1f}" if value < 1000.0 else f"{value:.0f}"
