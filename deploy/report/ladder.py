"""What the run time did about broken clauses: how often it was on each rung, and its decisions."""

from __future__ import annotations

from typing import Any

from deploy.report.markup import ABSENT, Markup, count, figure, joined, milliseconds, tag, words

MEANINGS = {
    "drop": "A frame was left out because a newer one had come.",
    "overrun": "A stage took more than its p99; the time is borrowed from the deadline.",
    "predict": "Too little time was left to detect: the tracker predicted from the last detections.",
    "fallback": "The detector's smaller engine took over.",
    "continue": "No fresh chunk, or a stage that failed: the arm went on along the rest of the present chunk.",
    "hold": "Nothing left to follow, or photons too old: the arm decelerated and held.",
    "stop": "Safe stop, latched until an operator's reset.",
}


def ladder(report: dict[str, Any]) -> Markup:
    """The section of the page."""
    found = report["ladder"]
    rungs, decisions = found["rungs"], found["decisions"]
    latched = tag("p", "The safe stop was still latched when the run ended.", class_="latched")
    return tag(
        "section",
        tag("h2", "What was done about it"),
        tag(
            "p",
            "The ladder of enforcement, the mildest rung first. " if any(rungs.values()) else "No rung was needed. ",
            "Slack is the time that was left until the deadline of reaction.",
            class_="how",
        ),
        latched if found["latched"] else None,
        tag(
            "table",
            tag("thead", tag("tr", *(tag("th", text, scope="col") for text in ("rung", "times", "what it means")))),
            tag("tbody", *(_rung(number, *rung) for number, rung in enumerate(rungs.items()))),
            class_="rungs",
        ),
        _decisions(decisions) if decisions else None,
        id="ladder",
    )


def _rung(number: int, name: str, times: int) -> Markup:
    return tag(
        "tr",
        tag("th", tag("i", number, class_=f"rung rung-{number}"), words(name), scope="row"),
        figure("td", f"ladder.rungs.{name}", times, count(times)),
        tag("td", MEANINGS.get(name, "")),
        class_=None if times else "idle",
    )


def _decisions(decisions: list[dict[str, Any]]) -> Markup:
    columns = ("at", "rung", "because", "stage", "found", "limit", "slack")
    few = "1 decision" if len(decisions) == 1 else f"{len(decisions)} decisions"
    return joined(
        tag("h3", f"The newest {few} from rung 2 on, in milliseconds"),
        tag(
            "div",
            tag(
                "table",
                tag("thead", tag("tr", *(tag("th", text, scope="col") for text in columns))),
                tag("tbody", *(_decision(i, decision) for i, decision in enumerate(decisions))),
                class_="decisions",
            ),
            class_="scroll",
            tabindex="0",
            role="region",
            aria_label="decisions of the ladder",
        ),
    )


def _decision(index: int, decision: dict[str, Any]) -> Markup:
    key, at = f"ladder.decisions.{index}", decision["t_s"]
    names = list(MEANINGS)
    rung = decision["rung"]
    number = names.index(rung) if rung in names else 0
    cells = [
        tag("td", tag("i", number, class_=f"rung rung-{number}"), words(rung), data_label="rung"),
        tag("td", decision["text"], data_label="because"),
        tag("td", decision["stage"] or ABSENT, data_label="stage"),
    ]
    for field, label in (("value_ms", "found"), ("limit_ms", "limit"), ("slack_ms", "slack")):
        value = decision[field]
        cells.append(figure("td", f"{key}.{field}", value, milliseconds(value) if value else ABSENT, data_label=label))
    time = tag("a", figure("time", f"{key}.t_s", at, f"{at:.3f} s"), href="#timeline", data_from=at, data_to=at)
    return tag("tr", tag("th", time, scope="row"), *cells)
