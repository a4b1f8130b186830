from __future__ import annotations

import base64
import hashlib
import json
import math
import re
from collections.abc import Callable
from importlib.resources import files
from typing import Any

import pytest

from deploy.report import html_page
from tests.deploy.report import documents
from tests.deploy.report.documents import HOSTILE, RUNGS, STAGES, Parsed, at

TIMES = ("budget_ms", "p50_ms", "p90_ms", "p99_ms", "p999_ms", "max_ms", "n", "misses", "longest_miss_run")
PATH = ("reaction", "command_age", "control_period", "control_lateness")


def parsed(report: dict[str, Any] | None = None, series: dict[str, Any] | None = None, title: str = "run") -> Parsed:
    return Parsed(html_page(report or documents.report(), documents.series() if series is None else series, title))


@pytest.mark.parametrize(
    ("report", "series"),
    [
        (documents.report(), documents.series()),
        (documents.quiet_report(), documents.quiet_series()),
        (documents.hostile(documents.report()), documents.hostile(documents.series())),
    ],
    ids=["broken", "quiet", "hostile"],
)
def test_every_figure_on_the_page_is_the_reports(report: dict[str, Any], series: dict[str, Any]) -> None:
    page = parsed(report, series)
    assert page.figures
    for key, value in page.figures:
        assert at(series if key.startswith("worst.") else report, key) == value, key


def test_the_page_has_every_figure_of_the_report() -> None:
    report, keys = documents.report(), {key for key, _ in parsed().figures}
    rows = [f"stages.{name}" for name in STAGES] + list(PATH)
    wanted = {f"{row}.{field}" for row in rows for field in TIMES}
    wanted |= {f"{row}.corrected.{field}" for row in rows for field in TIMES}
    wanted |= {f"stages.{name}.wait.p99_ms" for name in STAGES}
    wanted |= {f"ladder.rungs.{rung}" for rung in RUNGS}
    wanted |= {
        f"ladder.decisions.{i}.{field}" for i in range(5) for field in ("t_s", "value_ms", "limit_ms", "slack_ms")
    }
    clauses = range(len(report["contract"]["clauses"]))
    wanted |= {f"contract.clauses.{i}.{field}" for i in clauses for field in ("value", "limit", "n")}
    wanted |= {"frames", "dropped_frames", "commands", "episodes", "stale_commands_sent"}
    wanted |= {f"worst.0.segments.{i}.{field}" for i in range(4) for field in ("start_ms", "ms", "budget_ms")}
    assert wanted - keys == set()


def test_a_corrected_row_that_says_nothing_new_is_left_out() -> None:
    report = documents.report()
    for row in (*report["stages"].values(), *(report[name] for name in PATH)):
        row["corrected"] = {field: row[field] for field in TIMES}
    report["stages"]["ik"]["corrected"] = None
    assert not any("corrected" in key for key, _ in parsed(report).figures)


def test_text_is_never_markup() -> None:
    report, series = documents.hostile(documents.report()), documents.hostile(documents.series())
    report["stages"] = {HOSTILE: report["stages"]["detect"]}
    report["ladder"]["rungs"] = {HOSTILE: 1}
    report["ladder"]["decisions"][0]["rung"] = HOSTILE
    report["contract"]["clauses"][0]["clause"] = HOSTILE
    report["machine"] = {HOSTILE: {HOSTILE: [HOSTILE]}}
    series["marks"][0]["lane"] = HOSTILE
    page = parsed(report, series, HOSTILE)
    names = [name for name, _ in page.elements]
    assert names.count("script") == 3
    assert "img" not in names
    assert not any(key.startswith("on") for _, attributes in page.elements for key in attributes)
    assert page.text.count(HOSTILE.replace("_", " ")) >= 12
    assert json.loads(page.scripts[0])["marks"][0]["lane"] == HOSTILE


@pytest.mark.parametrize(
    ("change", "verdict", "said"),
    [
        (lambda _: None, "broken", "Contract orin_agx broken2 of 13 clauses (1 ignored)"),
        (lambda _: None, "broken", "reaction p99 71.25 ms, limit 57 ms (25\u202f% over)"),
        (lambda _: None, "broken", "safe stops 1, none allowed"),
        (
            lambda found: found["clauses"][8].update(value=171.0),
            "broken",
            "reaction p99 171.0 ms, limit 57 ms (3.0\u202f× the limit)",
        ),
        (
            lambda found: found.update(kept=True, clauses=found["clauses"][:8]),
            "kept",
            "Contract orin_agx keptall 8 clauses",
        ),
        (lambda found: found.update(kept=True, clauses=[]), "none", "No contract: this budget has no clauses"),
    ],
)
def test_the_verdict_is_told_in_words(change: Callable[[dict[str, Any]], None], verdict: str, said: str) -> None:
    report = documents.report()
    change(report["contract"])
    page = parsed(report)
    assert [attributes["data-verdict"] for _, attributes in page.elements if "data-verdict" in attributes] == [verdict]
    assert said in page.text


@pytest.mark.parametrize(
    "said",
    [
        "No contract", "No command followed a frame", "No rung was needed", "none was needed", "never ran",
        "The run did not record its machine", "The run did not record its engines", "It has no clauses",
        "Virtual clock, profile nominal: the stages' durations here are what this machine took",
    ],
)  # fmt: skip
def test_what_is_not_there_is_said(said: str) -> None:
    assert said in parsed(documents.quiet_report(), documents.quiet_series()).text


@pytest.mark.parametrize("series", [{}, documents.quiet_series()])
def test_a_page_without_series_still_has_the_report(series: dict[str, Any]) -> None:
    assert ("stages.detect.p99_ms", 12.0) in parsed(series=series).figures


def test_a_clause_without_samples_is_not_called_kept() -> None:
    report = documents.report()
    report["contract"]["clauses"] = [documents.clause("reaction", 57.0, 0.0, n=0)]
    report["contract"]["kept"] = True
    assert parsed(report).text.count("no samples") == 2


def test_machine_facts_are_shown_with_their_units() -> None:
    text = parsed().text
    for said in ("governornot readable", "clock2201 MHz", "temperaturescpu 51.5 °C", "preempt rtyes"):
        assert said in text


def test_figures_that_json_cannot_say_are_null() -> None:
    report, series = documents.report(), documents.series()
    report["stages"]["detect"]["max_ms"] = math.inf
    series["ccdf"]["detect"]["ms"][-1] = math.nan
    page = parsed(report, series)
    assert ("stages.detect.max_ms", None) in page.figures
    assert json.loads(page.scripts[0])["ccdf"]["detect"]["ms"][-1] is None


def test_nothing_is_loaded_and_only_its_own_scripts_run() -> None:
    page = parsed()
    for name, attributes in page.elements:
        assert name not in {"link", "img", "iframe", "object", "embed", "base"}
        assert not {"src", "srcset", "onload"} & attributes.keys()
        assert (attributes.get("href") or "#").startswith("#")
    policy = next(a["content"] or "" for _, a in page.elements if a.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy
    for script in page.scripts[1:]:
        assert f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'" in policy
    assert not re.search(r"url\(|@import", files("deploy.report").joinpath("assets/page.css").read_text())


def test_a_page_is_small() -> None:
    report = documents.report()
    report["ladder"]["decisions"] = report["ladder"]["decisions"] * 40
    assert len(html_page(report, documents.series(), "run").encode()) < 300_000


@pytest.mark.parametrize(
    ("name", "sha256"),
    [
        ("uPlot.iife.min.js", "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f"),
        ("uPlot.min.css", "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04"),
        ("LICENSE", "8f989229699b4fe2f1a0432d0e9edc338a8a911e250e2d1b01ecd770a5f5b1bd"),
        ("package.json", "6bfea8e275a2f8194e2395d2dc15f64151e69f141db19741e5a5afe75ba4180b"),
    ],
)
def test_the_plotting_library_is_unmodified(name: str, sha256: str) -> None:
    content = files("deploy.report").joinpath("assets", "uplot", name).read_bytes()
    assert hashlib.sha256(content).hexdigest() == sha256


def test_the_librarys_licence_is_on_the_page() -> None:
    assert files("deploy.report").joinpath("assets/uplot/LICENSE").read_text() in parsed().scripts[1]


@pytest.mark.parametrize(
    ("clause", "gauges"),
    [
        (documents.clause("control_period", 10.0, 10.0, "p50"), 0),
        (documents.clause("control_period", 5.0, 5.6, "p50"), 1),
        (documents.clause("control_period", 5.0, 5.6, "p50", ignored=True), 0),
        (documents.clause("hard.detect", 20.0, 21.0, "max"), 1),
    ],
)
def test_a_bar_warns_where_its_clause_is_broken(clause: dict[str, Any], gauges: int) -> None:
    report = documents.report()
    report["contract"]["clauses"] = [clause]
    report["reaction"]["budget_ms"] = None
    rows = [attributes for name, attributes in parsed(report).elements if attributes.get("class") == "gauge over"]
    assert len(rows) == gauges


def test_on_the_virtual_clock_what_this_machine_took_is_not_judged() -> None:
    report = {**documents.report(), "clock": "virtual"}
    report["contract"]["clauses"] = [documents.clause("stage.detect", 10.0, 12.0)]
    assert parsed(report).text.count("✗ broken") == 2  # in the table and in the contract
    report["reaction"]["budget_ms"] = None
    assert not [1 for _, attributes in parsed(report).elements if attributes.get("class") == "gauge over"]
