"""The top of the page: which run this is, whether its contract was kept, and the figures that matter most."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from deploy.report.markup import ABSENT, Markup, count, figure, joined, limit, milliseconds, share, tag, words
from deploy.report.meter import meter

_STATISTICS = {"p99": "p99", "p50": "median", "max": "largest", "count": "count"}
_SPOKEN = {"stale_commands_sent": "stale commands sent", "safe_stop": "safe stops", "lost_rows": "rows lost"}


def clause_words(clause: dict[str, Any]) -> str:
    """A clause's name as it is spoken: `hard.detect` is the hard limit of detect."""
    kind, _, stage = clause["clause"].rpartition(".")
    return f"hard limit of {words(stage)}" if kind == "hard" else _SPOKEN.get(stage, words(stage))


def statistic_words(clause: dict[str, Any]) -> str:
    """What of the durations is held against the limit."""
    return _STATISTICS.get(clause["statistic"], str(clause["statistic"]))


def quantity(value: float, unit: str) -> str:
    """A clause's value with its unit."""
    return f"{milliseconds(value)} {unit}" if unit else count(round(value))


def header(report: dict[str, Any], title: str) -> Markup:
    """Title, facts of the run, verdict, headline figures."""
    return tag(
        "header",
        tag("p", "eyehand latency report", class_="overline"),
        tag("h1", title),
        tag("p", *_facts(report), class_="facts"),
        _verdict(report["contract"]),
        tag("div", *_headlines(report), class_="headlines"),
    )


def _facts(report: dict[str, Any]) -> Iterator[Markup]:
    if report.get("name"):
        yield tag("span", report["name"])
    clock = f"{report['clock']} clock"
    yield tag("span", f"{clock}, profile {report['profile']}" if report["clock"] == "virtual" else clock)
    took = "of this machine" if report["durations"] == "measured" else "as modelled"
    yield tag("span", f"stage durations {took}")
    for key in ("episodes", "frames", "commands"):
        value = report[key]
        yield tag("span", figure("b", key, value, count(value)), f" {key if value != 1 else key[:-1]}")


def _verdict(contract: dict[str, Any]) -> Markup:
    clauses = contract["clauses"]
    broken = [(i, clause) for i, clause in enumerate(clauses) if not clause["kept"] and not clause["ignored"]]
    ignored = sum(clause["ignored"] for clause in clauses)
    if not clauses:
        sentence, state, mark = "No contract: this budget has no clauses", "none", ABSENT
    elif contract["kept"]:
        sentence, state, mark = f"Contract {contract['name']} kept", "kept", "✓"
    else:
        sentence, state, mark = f"Contract {contract['name']} broken", "broken", "✗"
    of = f"{len(broken)} of {len(clauses)} clauses" if broken else f"all {len(clauses)} clauses"
    aside = (of if clauses else "") + (f" ({ignored} ignored)" if ignored else "")
    return tag(
        "div",
        tag("p", tag("strong", tag("span", mark, class_="mark", aria_hidden="true"), sentence), tag("span", aside)),
        tag("ul", *(tag("li", *_sentence(index, clause)) for index, clause in broken)) if broken else None,
        class_=f"verdict {state}",
        data_verdict=state,
    )


def _sentence(index: int, clause: dict[str, Any]) -> Iterator[object]:
    value, allowed, unit = clause["value"], clause["limit"], clause["unit"]
    yield tag("b", clause_words(clause))
    yield f" {statistic_words(clause)} " if unit else " "
    yield figure("b", f"contract.clauses.{index}.value", value, quantity(value, unit))
    yield f", limit {limit(allowed)} {unit}".rstrip() if unit or allowed else ", none allowed"
    if allowed > 0 and value > allowed:
        times = value / allowed
        yield f" ({share(times - 1)} over)" if times < 2 else f" ({times:.1f}\u202f× the limit)"


def _headlines(report: dict[str, Any]) -> Iterator[Markup]:
    yield _latency(report, "reaction", "p99_ms", "Reaction, p99", "from photons to the first command because of them")
    yield _latency(report, "command_age", "max_ms", "Command age, largest", "of the photons behind any command")
    yield _latency(report, "control_lateness", "p99_ms", "Control lateness, p99", "of a control tick")
    stops, latched = report["ladder"]["rungs"].get("stop", 0), report["ladder"]["latched"]
    then = "latched at the end" if latched else "let go before the end" if stops else "none was needed"
    yield _number("ladder.rungs.stop", stops, "Safe stops", then)
    of = f"of {count(report['frames'])}"
    yield _number("dropped_frames", report["dropped_frames"], "Frames dropped", of, bad=False)
    yield _number("stale_commands_sent", report["stale_commands_sent"], "Stale commands sent", "must be none")


def _latency(report: dict[str, Any], name: str, statistic: str, label: str, meaning: str) -> Markup:
    latency = report[name]
    ran, budget = bool(latency["n"]), latency["budget_ms"]
    value = latency[statistic]
    over = ran and budget is not None and value > budget
    allowed = f" of {limit(budget)} ms" if budget is not None else " ms, no clause" if ran else " no clause"
    found = figure("b", f"{name}.{statistic}", value, milliseconds(value) if ran else ABSENT)
    bar = meter(latency, statistic.removesuffix("_ms"), budget, broken=over) if ran and budget else None
    return _headline(label, joined(found, tag("small", allowed)), joined(bar, tag("span", meaning)), bad=over)


def _number(key: str, value: int, label: str, meaning: str, *, bad: bool = True) -> Markup:
    return _headline(label, figure("b", key, value, count(value)), tag("span", meaning), bad=bad and value > 0)


def _headline(label: str, value: Markup, meaning: Markup, *, bad: bool) -> Markup:
    return tag(
        "div",
        tag("h2", label),
        tag("p", value, class_="value"),
        tag("p", meaning, class_="meaning"),
        class_="headline bad" if bad else "headline",
    )
