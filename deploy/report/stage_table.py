"""Each stage and the whole path against the budget: a table on a desk, a card for each row on a phone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from deploy.report.markup import ABSENT, Markup, count, figure, limit, milliseconds, tag, words
from deploy.report.meter import meter

PATH = ("reaction", "command_age", "control_period", "control_lateness")
_TIMES = {"p50_ms": "p50", "p90_ms": "p90", "p99_ms": "p99", "p999_ms": "p99.9", "max_ms": "max"}
_COUNTS = {"n": "n", "misses": "misses", "longest_miss_run": "in a row"}
_COLUMNS = ("", "against the budget", "budget", *_TIMES.values(), *_COUNTS.values(), "wait p99", "verdict")


def stage_table(report: dict[str, Any]) -> Markup:
    """The section of the page."""
    virtual = report["clock"] == "virtual" and report["durations"] == "measured"
    stages, path = report["stages"], {name: report[name] for name in PATH}
    clauses = report["contract"]["clauses"]
    return tag(
        "section",
        tag("h2", "Where the milliseconds went"),
        tag("p", *_explanation(report, virtual), class_="how"),
        tag(
            "table",
            tag("thead", tag("tr", *(tag("th", column, scope="col") for column in _COLUMNS))),
            _group("Stages", "stages.", stages, clauses, judged=not virtual),
            _group("The whole path and the control loop", "", path, clauses, judged=True),
            class_="stages",
        ),
        id="stages",
    )


def _explanation(report: dict[str, Any], virtual: bool) -> Iterator[object]:
    yield "Milliseconds; percentiles are nearest-rank, each a duration that occurred. In a bar the mark is the budget; "
    yield "dark goes up to the median, light up to the p99, and a tick or an arrow is the largest. "
    yield "A corrected row also counts what a slow activation kept from being measured (coordinated omission). "
    if virtual:
        yield tag(
            "strong",
            f"Virtual clock, profile {report['profile']}: the stages' durations here are what this machine took; ",
            "verdicts, and the rows of the path, are in the run's own time.",
        )
    elif report["clock"] == "virtual":
        yield f"Virtual clock: all durations are in the run's own time, profile {report['profile']}."


def _group(name: str, prefix: str, rows: dict[str, Any], clauses: list[dict[str, Any]], *, judged: bool) -> Markup:
    return tag(
        "tbody",
        tag("tr", tag("th", name, scope="rowgroup", colspan=len(_COLUMNS)), class_="group"),
        *(line for row, latency in rows.items() for line in _lines(prefix + row, row, latency, clauses, judged)),
    )


def _lines(
    key: str, name: str, latency: dict[str, Any], clauses: list[dict[str, Any]], judged: bool
) -> Iterable[Markup]:
    about = [clause for clause in clauses if clause["unit"] and clause["clause"].rpartition(".")[2] == name]
    state = "broken" if any(map(_is_broken, about)) else ""
    # of a stage's clauses the first is the one about its p99, the other its hard limit
    first = about[0] if about else {"statistic": "p99", "limit": latency["budget_ms"], "kept": True}
    yield _line(key, words(name), latency, _verdict(about), first, over=judged and _is_broken(first), state=state)
    corrected = latency.get("corrected")
    if corrected is not None and any(corrected[field] != latency[field] for field in corrected):
        yield _line(f"{key}.corrected", "corrected", corrected, Markup(""), first, over=False, state="corrected")


def _is_broken(clause: dict[str, Any]) -> bool:
    return not clause["kept"] and not clause["ignored"]


def _line(
    key: str, name: str, latency: dict[str, Any], verdict: Markup, clause: dict[str, Any], *, over: bool, state: str
) -> Markup:
    ran, budget, statistic = bool(latency["n"]), latency["budget_ms"], clause["statistic"]
    bar = meter(latency, statistic, clause["limit"], broken=over)
    cells = [tag("th", name, scope="row"), tag("td", bar, class_="bar")]
    cells.append(_cell(f"{key}.budget_ms", budget, limit(budget), "budget"))
    for field, label in _TIMES.items():
        value = latency[field]
        text = milliseconds(value) if ran else ABSENT
        cells.append(_cell(f"{key}.{field}", value, text, label, over=over and field == f"{statistic}_ms"))
    for field, label in _COUNTS.items():
        value = latency[field]
        text = count(value) if field == "n" or budget is not None else ABSENT
        cells.append(_cell(f"{key}.{field}", value, text, label))
    wait = latency.get("wait")
    if wait and wait["n"]:
        cells.append(_cell(f"{key}.wait.p99_ms", wait["p99_ms"], milliseconds(wait["p99_ms"]), "wait p99"))
    else:
        cells.append(tag("td", ABSENT, data_label="wait p99"))
    cells.append(tag("td", verdict, class_="verdict-cell"))
    return tag("tr", *cells, class_=" ".join(filter(None, (state, "" if ran else "idle"))) or None)


def _cell(key: str, value: Any, text: str, label: str, *, over: bool = False) -> Markup:
    return figure("td", key, value, text, data_label=label, class_="over" if over else None)


def _verdict(about: list[dict[str, Any]]) -> Markup:
    if not about:
        return tag("span", "no clause", class_="quiet")
    if all(clause["n"] == 0 for clause in about):
        return tag("span", "no samples", class_="quiet")
    broken = any(map(_is_broken, about))
    return tag("span", "✗ broken", class_="broken") if broken else tag("span", "✓ kept", class_="kept")
