"""Latency figures as a table for the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rich import box
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from deploy.latency import StageLatency

COLUMNS = ("stage", "budget", "n", "p50", "p90", "p99", "p99.9", "max", "misses", "run", "verdict")
LEFT_OUT_FIRST = ("p90", "n", "run", "budget", "p50", "misses", "p99.9")
UNITS = (("k", 1e3), ("M", 1e6), ("G", 1e9))

Row = Mapping[str, Text]


def latency_table(
    stages: Mapping[str, StageLatency],
    title: str | None = None,
    verdicts: Mapping[str, bool] | None = None,
    corrected: Mapping[str, StageLatency] | None = None,
) -> LatencyTable:
    """Lay out one row for each stage; a p99 above its budget and a broken clause stand out.

    Args:
        stages: Figures by stage, in the order of the rows.
        title: Line above the table.
        verdicts: Whether the contract is kept, by stage; a stage that is not in it has no clause. Without it there is
            no such column.
        corrected: Figures corrected for coordinated omission, by stage; where they differ they are a second row.

    Returns:
        For `rich.console.Console.print`; all times in ms. `run` is the longest run of misses. There is a column p99.9
        if a row has one; on a narrow terminal the columns that matter least are left out, and named below the table.
    """
    rows: list[Row] = []
    for name, latency in stages.items():
        verdict = None if verdicts is None else verdicts.get(name)
        rows.append({"stage": Text(name), **_cells(latency), "verdict": _verdict(verdict)})
        second = None if corrected is None else corrected.get(name)
        if second is not None and second != latency:
            cells = {**_cells(second), "budget": Text(), "verdict": Text()}
            rows.append({"stage": Text("  corrected"), **cells})
            for cell in rows[-1].values():
                cell.stylize("dim")
    absent = {"verdict"} if verdicts is None else set()
    if all(row["p99.9"].plain == "-" for row in rows):
        absent.add("p99.9")
    return LatencyTable(title, tuple(column for column in COLUMNS if column not in absent), tuple(rows))


@dataclass(frozen=True, slots=True)
class LatencyTable:
    """Rows of cells, laid out when the width is known."""

    title: str | None
    columns: tuple[str, ...]
    rows: tuple[Row, ...]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The widest table that fits."""
        columns, left_out = list(self.columns), []
        for column in LEFT_OUT_FIRST:
            if column in columns and self._width(columns) > options.max_width:
                columns.remove(column)
                left_out.append(column)
        yield self._table(columns, left_out)

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        """From the narrowest to the widest table."""
        narrowest = self._width([column for column in self.columns if column not in LEFT_OUT_FIRST])
        return Measurement(narrowest, self._width(self.columns)).with_maximum(options.max_width)

    def _width(self, columns: Iterable[str]) -> int:
        return sum(1 + max(len(column), *(len(row[column]) for row in self.rows), 0) for column in columns) - 1

    def _table(self, columns: list[str], left_out: list[str]) -> Table:
        caption = "ms, nearest-rank percentiles" + (f"; no room for {', '.join(left_out)}" if left_out else "")
        table = Table(
            title=self.title, title_justify="left", caption=caption, caption_justify="left",
            box=box.SIMPLE_HEAD, show_edge=False, padding=0,
        )  # fmt: skip
        for column in columns:
            table.add_column(column, justify="left" if column == "stage" else "right", no_wrap=True)
        for row in self.rows:
            table.add_row(*(row[column] for column in columns))
        return table


def _cells(latency: StageLatency) -> dict[str, Text]:
    """All columns but the stage and the verdict."""
    agreed, measured = latency.budget_ms is not None, latency.n > 0
    times = {
        "budget": latency.budget_ms,
        "p50": latency.p50_ms if measured else None,
        "p90": latency.p90_ms if measured else None,
        "p99": latency.p99_ms if measured else None,
        "p99.9": latency.p999_ms,
        "max": latency.max_ms if measured else None,
    }
    cells = {column: Text("-" if value is None else _ms(value)) for column, value in times.items()}
    if measured and not latency.within_budget:
        cells["p99"].stylize("bold red")
    return {
        **cells,
        "n": Text(_count(latency.n)),
        "misses": Text(_count(latency.misses) if agreed else "-"),
        "run": Text(_count(latency.longest_miss_run) if agreed else "-"),
    }


def _verdict(kept: bool | None) -> Text:
    return Text("-") if kept is None else Text("kept", "green") if kept else Text("BROKEN", "bold red")


def _ms(value: float) -> str:
    """Five characters up to 100 s, so that the table fits 80 columns."""
    return f"{value:.2f}" if value < 99.995 else f"{value:.1f}" if value < 999.95 else f"{value:.0f}"


def _count(value: int) -> str:
    """Five characters; the exact number is in the report's JSON."""
    if value < 100_000:
        return str(value)
    unit, scale = next((unit, scale) for unit, scale in UNITS if value < 999.5 * scale or unit == UNITS[-1][0])
    return f"{value / scale:.3g}{unit}"
