"""The contract clause by clause, and what the figures depend on: the machine and the engines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from deploy.report.markup import Markup, count, figure, limit, share, tag, words
from deploy.report.verdict import clause_words, quantity, statistic_words

_UNITS = {"_mhz": "MHz", "_gb": "GB", "_us": "µs", "_ms": "ms", "_c": "°C"}


def contract(report: dict[str, Any]) -> Markup:
    """The section of the contract's clauses."""
    found = report["contract"]
    columns = ("clause", "statistic", "found", "limit", "of it", "samples", "verdict")
    own_time = " It is judged in the run's own time." if report["clock"] == "virtual" else ""
    return tag(
        "section",
        tag("h2", "The contract, clause by clause"),
        tag("p", f"Budget {found['name']}.{own_time}", class_="how"),
        tag(
            "table",
            tag("thead", tag("tr", *(tag("th", text, scope="col") for text in columns))),
            tag("tbody", *(_clause(i, clause) for i, clause in enumerate(found["clauses"]))),
            class_="clauses",
        )
        if found["clauses"]
        else tag("p", "It has no clauses.", class_="empty"),
        id="contract",
    )


def _clause(index: int, clause: dict[str, Any]) -> Markup:
    key, value, allowed, unit = f"contract.clauses.{index}", clause["value"], clause["limit"], clause["unit"]
    unseen = bool(unit) and not clause["n"]
    broken = not clause["kept"] and not clause["ignored"]
    verdict = (
        "no samples"
        if unseen
        else "✓ kept"
        if clause["kept"]
        else "✗ broken, ignored"
        if clause["ignored"]
        else "✗ broken"
    )
    return tag(
        "tr",
        tag("th", clause_words(clause), scope="row"),
        tag("td", statistic_words(clause), data_label="statistic"),
        figure("td", f"{key}.value", value, "–" if unseen else quantity(value, unit), data_label="found"),
        figure("td", f"{key}.limit", allowed, f"{limit(allowed)} {unit}".rstrip(), data_label="limit"),
        tag("td", share(value / allowed) if allowed > 0 and not unseen else "–", data_label="of it"),
        figure("td", f"{key}.n", clause["n"], count(clause["n"]) if unit else "–", data_label="samples"),
        tag(
            "td",
            tag("span", verdict, class_="broken" if broken else "kept" if clause["kept"] and not unseen else "quiet"),
        ),
        class_="broken" if broken else "idle" if unseen else None,
    )


def machine(report: dict[str, Any]) -> Markup:
    """The section of what ran where."""
    facts, engines = report.get("machine"), report.get("engines") or []
    return tag(
        "section",
        tag("h2", "Machine and engines"),
        tag("dl", *(_fact(*item) for item in facts.items()), class_="machine")
        if facts
        else tag("p", "The run did not record its machine.", class_="empty"),
        tag("ul", *(_engine(engine) for engine in engines), class_="engines")
        if engines
        else tag("p", "The run did not record its engines.", class_="empty"),
        id="machine",
    )


def _fact(label: str, value: Any) -> Markup:
    suffix = next((suffix for suffix in _UNITS if label.endswith(suffix)), "")
    name = words(label[: len(label) - len(suffix)])
    text = "not readable" if value is None else ", ".join(_texts(value)) + (f" {_UNITS[suffix]}" if suffix else "")
    return tag("div", tag("dt", name), tag("dd", text, class_="quiet" if value is None else None))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield f"{name} {'; '.join(_texts(item))}"
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, bool):
        yield "yes" if value else "no"
    else:
        yield "not readable" if value is None else str(value)


def _engine(engine: dict[str, Any]) -> Markup:
    return tag("li", tag("span", engine["role"]), tag("b", engine["model"]), tag("code", engine["fingerprint"]))
