"""Reports and series as the page gets them, made up."""

from __future__ import annotations

import copy
import json
from html.parser import HTMLParser
from typing import Any

STAGES = {"capture": 5.0, "detect": 15.0, "localize": 2.0, "track": 1.0, "plan": 20.0, "ik": 10.0, "send": 5.0}
RUNGS = ("drop", "overrun", "predict", "fallback", "continue", "hold", "stop")
HOSTILE = '</script><img src=x onerror="window.hacked=1">\'&<!--'
VOID = {"meta"}


def latency(budget_ms: float | None, *, n: int = 20_000, scale: float = 0.8) -> dict[str, Any]:
    """A row of the report whose p99 is a part of its budget."""
    top = (budget_ms or 10.0) * scale
    figures = {
        "n": n, "p50_ms": top * 0.7, "p90_ms": top * 0.9, "p99_ms": top, "p999_ms": top * 1.5, "max_ms": top * 1.9,
        "budget_ms": budget_ms, "misses": 12, "longest_miss_run": 3,
    }  # fmt: skip
    return {**figures, "corrected": {**figures, "n": n + 7, "misses": 19}}


def clause(name: str, limit: float, value: float, statistic: str = "p99", **more: Any) -> dict[str, Any]:
    """A clause of the contract."""
    unit = "" if statistic == "count" else "ms"
    made = {"clause": name, "statistic": statistic, "limit": limit, "value": value, "unit": unit, "n": 20_000}
    return {**made, "kept": value <= limit, "ignored": False, **more}


def report() -> dict[str, Any]:
    """A wall-clock run that broke two clauses and was on every rung."""
    wait = {"n": 20_000, "p50_ms": 0.1, "p99_ms": 0.75, "max_ms": 3.25}
    decisions = [
        {
            "t_s": 1.5 + index, "rung": rung, "reason": "reason", "text": f"because of {rung}", "stage": "detect",
            "value_ms": 16.5 + index, "limit_ms": 15.0, "slack_ms": -1.25,
        }
        for index, rung in enumerate(RUNGS[2:])
    ]  # fmt: skip
    return {
        "name": "sim_pick_place", "clock": "wall", "profile": "nominal", "durations": "measured",
        "stages": {name: {**latency(budget), "wait": wait} for name, budget in STAGES.items()},
        "reaction": latency(57.0, scale=1.25), "command_age": latency(2100.0, scale=0.5),
        "control_period": latency(None), "control_lateness": latency(2.0),
        "frames": 4321, "dropped_frames": 17, "commands": 12345, "episodes": 2, "lost_rows": 0,
        "stale_commands_sent": 0,
        "ladder": {
            "rungs": {rung: index + 1 for index, rung in enumerate(RUNGS)}, "decisions": decisions, "latched": True,
        },
        "contract": {
            "name": "orin_agx", "kept": False,
            "clauses": [
                *(clause(f"stage.{name}", budget, budget * 0.8) for name, budget in STAGES.items()),
                clause("hard.detect", 200.0, 120.0, "max"), clause("reaction", 57.0, 71.25),
                clause("command_age", 2100.0, 1995.0, "max"), clause("control_lateness", 2.0, 2.5, ignored=True),
                clause("safe_stop", 0, 1, "count"), clause("lost_rows", 0, 0, "count"),
            ],
        },
        "machine": {
            "cpu": "ARMv8", "governor": None, "clock_mhz": 2201, "temperatures_c": {"cpu": 51.5}, "preempt_rt": True,
        },
        "engines": [{"role": "detector", "model": "tabletop", "fingerprint": "sha256:12ab"}],
    }  # fmt: skip


def series() -> dict[str, Any]:
    """What belongs to that run."""
    names = (*STAGES, "reaction", "command_age", "control_lateness")
    t_s = [0.05 * index for index in range(200)]
    segments = [
        {"name": "capture", "kind": "capture", "start_ms": 0.0, "ms": 4.5, "budget_ms": 5.0, "over": False},
        {"name": "detect", "kind": "detect", "start_ms": 4.5, "ms": 50.25, "budget_ms": 15.0, "over": True},
        {"name": "wait for tick", "kind": "wait", "start_ms": 54.75, "ms": 8.0, "budget_ms": None, "over": False},
        {"name": "send", "kind": "send", "start_ms": 62.75, "ms": 8.5, "budget_ms": 5.0, "over": True},
    ]
    frame = {"frame": 7, "camera": 0, "chunk": 3, "command": 9, "engine": 1, "t_s": 2.0, "end_s": 2.07125}
    lane = {"n": 3, "t_s": [1.5, 2.5, 6.5], "value_ms": [16.5, 17.5, 71.25], "count": [1, 1, 4]}
    ladder = {
        "limit_ms": [15.0] * 3,
        "slack_ms": [-1.25] * 3,
        "reason": ["too many misses"] * 3,
        "stage": ["detect"] * 3,
    }
    return {
        "span_s": [0.0, 10.0],
        "ccdf": {
            name: {
                "n": 1000, "ms": [0.5 * (i + 1), i + 1.0, 2.0 * (i + 1), 40.0 + i], "fraction": [1.0, 0.5, 0.02, 0.001],
                "limit_ms": STAGES.get(name, 57.0), "statistic": "max" if name == "command_age" else "p99",
            }
            for i, name in enumerate(names)
        },
        "timeline": {
            "command_age": {
                "n": 5000, "shown": 200, "t_s": t_s, "limit_ms": 2100.0,
                "ms": [None if index == 100 else 100.0 + index for index in range(200)],
            },
            "reaction": {"n": 3, "shown": 3, "t_s": [1.0, 2.0, 3.0], "ms": [45.0, 71.25, 46.0], "limit_ms": 57.0},
        },
        "episodes": {"t_s": [0.0, 5.0], "number": [0, 1]},
        "spans": {"from_s": [4.0, 4.4, 4.6], "to_s": [4.4, 4.6, 5.0], "rung": ["continue", "hold", "stop"]},
        "marks": [
            {"lane": "detect", "kind": "miss", "limit_ms": 15.0, **lane},
            {"lane": "reaction", "kind": "miss", "limit_ms": 57.0, **lane},
            *({"lane": rung, "kind": "ladder", **lane, **ladder} for rung in (*RUNGS, "back")),
        ],
        "worst": [{**frame, "total_ms": 71.25, "over": True, "segments": segments}],
    }  # fmt: skip


def quiet_report() -> dict[str, Any]:
    """A run of cameras alone on the virtual clock in which nothing came to anything."""
    made = report()
    none = {**dict.fromkeys(("p50_ms", "p90_ms", "p99_ms", "max_ms"), 0.0), "n": 0, "misses": 0, "longest_miss_run": 0}
    none |= {"p999_ms": None, "corrected": None}
    for name in ("reaction", "command_age", "control_period", "control_lateness"):
        made[name] = {**none, "budget_ms": made[name]["budget_ms"]}
    made["stages"] = {
        name: {**none, "budget_ms": row["budget_ms"], "wait": {"n": 0, "p50_ms": 0.0, "p99_ms": 0.0, "max_ms": 0.0}}
        for name, row in made["stages"].items()
    }
    made |= {"clock": "virtual", "machine": None, "engines": [], "frames": 0, "commands": 0, "dropped_frames": 0}
    made["ladder"] = {"rungs": dict.fromkeys(RUNGS, 0), "decisions": [], "latched": False}
    made["contract"] = {"name": "none", "kept": True, "clauses": []}
    return made


def quiet_series() -> dict[str, Any]:
    """What belongs to that run."""
    none: dict[str, Any] = {"n": 0, "shown": 0, "t_s": [], "ms": [], "limit_ms": None}
    curves = {name: {**none, "fraction": [], "statistic": "p99"} for name in STAGES}
    return {
        "span_s": [0.0, 0.0], "ccdf": curves, "timeline": {"command_age": none, "reaction": copy.deepcopy(none)},
        "episodes": {"t_s": [], "number": []}, "spans": {"from_s": [], "to_s": [], "rung": []},
        "marks": [], "worst": [],
    }  # fmt: skip


def hostile(value: Any) -> Any:
    """The same data with every text replaced by one that would like to be markup; what a program reads stays."""
    if isinstance(value, dict):
        kept = ("clock", "durations", "statistic", "unit", "kind", "rung", "lane", "clause")
        return {key: item if key in kept else hostile(item) for key, item in value.items()}
    if isinstance(value, list):
        return [hostile(item) for item in value]
    return HOSTILE if isinstance(value, str) else value


def at(data: Any, key: str) -> Any:
    """What is at a place: `contract.clauses.0.value`."""
    for part in key.split("."):
        data = data[int(part)] if isinstance(data, list) else data[part]
    return data


class Parsed(HTMLParser):
    """A page as a browser sees it: its elements, its text, its figures.

    Attributes:
        elements: Name and attributes of each, in their order.
        text: What is to be read, without scripts and styles.
        scripts: What is in each script.
        figures: `data-key` and value of each figure; several elements may have one.
    """

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.scripts: list[str] = []
        self.figures: list[tuple[str, Any]] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert not self._open, f"not closed: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        self.elements.append((tag, attributes))
        if tag not in VOID:
            self._open.append(tag)
        if tag == "script":
            self.scripts.append("")
        key = attributes.get("data-key")
        if key is not None:
            self.figures.append((key, json.loads(attributes["data-value"] or "")))

    def handle_endtag(self, tag: str) -> None:
        assert self._open[-1:] == [tag], f"</{tag}> closes {self._open[-1:]}"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        if self._open[-1:] == ["script"]:
            self.scripts[-1] += data
        elif self._open[-1:] != ["style"]:
            self.text += data
