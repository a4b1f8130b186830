"""The page: one file with everything in it, that a browser shows from a disk, a mail or a CI artifact."""

from __future__ import annotations

import base64
import functools
import hashlib
from importlib.resources import files
from typing import Any

from deploy.report.facts import contract, machine
from deploy.report.frames import worst_frames
from deploy.report.ladder import ladder
from deploy.report.markup import Markup, data_block, joined, tag
from deploy.report.stage_table import stage_table
from deploy.report.verdict import header

_SECTIONS = {
    "stages": "Stages",
    "distribution": "Distribution",
    "timeline": "Timeline",
    "worst": "Worst frames",
    "ladder": "Ladder",
    "contract": "Contract",
    "machine": "Machine",
}
_SCRIPTS = ("plots.js", "distribution.js", "timeline.js", "start.js")
_DRAWN = ("span_s", "ccdf", "timeline", "episodes", "spans", "marks")


def html_page(report: dict[str, Any], series: dict[str, Any], title: str) -> str:
    """The latency report as one page.

    It loads nothing: its content security policy forbids every request and every script but its own. Without a script
    all tables, verdicts and the paths of the worst frames are there; the two plots are not. Elements with a figure
    carry `data-key`, its place in the report's JSON, and `data-value`, its exact value; keys that begin with `worst.`
    are places in `series`.

    Args:
        report: The report's document, as `eyehand report RUN --json` prints it.
        series: What the plots show: `ccdf`, `timeline`, `episodes`, `spans`, `marks`, and the `worst` frames.
        title: Name of the run.

    Returns:
        The page, to be written as UTF-8.
    """
    library, script = _library(), _script()
    policy = (
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
        f"script-src {_hash(library)} {_hash(script)}"
    )
    head = joined(
        Markup('<meta charset="utf-8">'),
        Markup('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        Markup('<meta name="color-scheme" content="light dark">'),
        Markup(f'<meta http-equiv="Content-Security-Policy" content="{policy}">'),
        tag("title", f"{title}: latency report"),
        tag("style", Markup(_asset("uplot/uPlot.min.css")), Markup(_asset("page.css"))),
    )
    body = joined(
        tag(
            "main",
            header(report, title),
            tag(
                "nav",
                *(tag("a", text, href=f"#{section}") for section, text in _SECTIONS.items()),
                aria_label="sections",
            ),
            stage_table(report),
            _distribution(report),
            _timeline(),
            worst_frames(series, report["reaction"]["budget_ms"]),
            ladder(report),
            contract(report),
            machine(report),
            tag("footer", tag("p", "Made by eyehand from the run's ledger. Plots by uPlot, MIT licence.")),
        ),
        data_block("series", {key: series[key] for key in _DRAWN if key in series}),
        tag("script", Markup(library)),
        tag("script", Markup(script)),
    )
    return f"<!DOCTYPE html>\n{tag('html', tag('head', head), tag('body', body), lang='en')}\n"


def _distribution(report: dict[str, Any]) -> Markup:
    virtual = report["clock"] == "virtual" and report["durations"] == "measured"
    return tag(
        "section",
        tag("h2", "How often it took longer"),
        tag(
            "p",
            "Each curve says which fraction of all durations was at least that long, the rarest at the bottom. A "
            "diamond is a limit of the p99, a triangle one of the largest: a curve keeps it that passes on its left; "
            "one that is broken is filled. A click on a name hides its curve. ",
            "The stages' curves are what this machine took; verdicts on the virtual clock are about the run's own time."
            if virtual
            else None,
            class_="how",
        ),
        _plot("ccdf", "The percentiles are in the table above."),
        id="distribution",
    )


def _timeline() -> Markup:
    return tag(
        "section",
        tag("h2", "The run, from its beginning to its end"),
        tag(
            "p",
            "Age of the photons behind each command, and each frame's reaction; below, what missed its limit and what "
            "the ladder decided. Of a long run each point is the largest of its stretch of time. Drag to look closer, "
            "double-click for the whole run.",
            class_="how",
        ),
        _plot("course", "Misses are counted in the table above, decisions are listed below."),
        id="timeline",
    )


def _plot(identity: str, instead: str) -> Markup:
    return tag(
        "figure",
        tag("noscript", tag("p", f"This plot needs JavaScript. {instead}", class_="empty")),
        id=identity,
        class_="plot",
    )


@functools.cache
def _asset(name: str) -> str:
    return files("deploy.report").joinpath("assets", *name.split("/")).read_text(encoding="utf-8")


def _library() -> str:
    """The plotting library, unmodified, under its licence, which asks to be where the library is."""
    return f"/*\n{_asset('uplot/LICENSE')}*/\n{_asset('uplot/uPlot.iife.min.js')}"


def _script() -> str:
    return '(function () {\n"use strict";\n' + "\n".join(_asset(name) for name in _SCRIPTS) + "})();\n"


def _hash(script: str) -> str:
    """What the content security policy knows a script by."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
