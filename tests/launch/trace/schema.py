"""What the Trace Event Format asks of a file, and what Perfetto's importer asks beyond it.

"Trace Event Format", https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU: phases, scopes,
"bp", metadata names. Perfetto (src/trace_processor, importers/json and importers/common/slice_tracker.cc): negative
times and slices that overlap partially are dropped; a flow is bound to the slice that is open on its track when the
importer comes to it, which is the last one that began.
"""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

Event = dict[str, Any]
SCALARS = (str, int, Decimal, bool)


def checked(path: Path) -> list[Event]:
    """The events of a file that keeps every rule; times are in nanoseconds."""
    data = path.read_bytes()
    document = json.loads(gzip.decompress(data) if path.suffix == ".gz" else data, parse_float=Decimal)
    assert set(document) == {"displayTimeUnit", "otherData", "traceEvents"}
    assert document["displayTimeUnit"] == "ms"
    events: list[Event] = document["traceEvents"]
    for event in events:
        check_fields(event)
    timed = [event for event in events if event["ph"] != "M"]
    assert events[len(events) - len(timed) :] == timed, "metadata comes first"
    assert all(a["ts"] <= b["ts"] for a, b in pairwise(timed)), "sorted"
    check_tracks(events)
    check_slices(timed)
    check_flows(timed)
    return events


def check_fields(event: Event) -> None:
    """Types and values that a phase wants; turns times into nanoseconds."""
    wanted = {
        "M": {"tid", "args"}, "X": {"cat", "tid", "ts", "dur", "args"}, "i": {"cat", "tid", "ts", "s", "args"},
        "C": {"ts", "args"}, "s": {"cat", "tid", "ts", "id"}, "t": {"cat", "tid", "ts", "id"},
        "f": {"cat", "tid", "ts", "id", "bp"},
    }[event["ph"]]  # fmt: skip
    assert set(event) == wanted | {"ph", "name", "pid"}
    assert isinstance(event["name"], str)
    assert event["name"]
    assert type(event["pid"]) is int
    assert event["pid"] > 0, "Perfetto takes process 0 for the idle one"
    for key in {"tid", "id"} & set(event):
        assert type(event[key]) is int
        assert 0 <= event[key] < 2**32
    for key in {"ts", "dur"} & set(event):
        ns = event[key] * 1000
        assert isinstance(ns, Decimal)
        assert ns == int(ns) >= 0
        event[key] = int(ns)
    assert event.get("s", "t") == "t"
    assert event.get("bp", "e") == "e"
    for value in event.get("args", {}).values():
        assert isinstance(value, SCALARS)
    if event["ph"] == "C":
        assert all(isinstance(value, int | Decimal) for value in event["args"].values())


def check_tracks(events: list[Event]) -> None:
    """One process with a name; each track with a name of its own and a place."""
    metadata = [event for event in events if event["ph"] == "M"]
    assert {event["pid"] for event in events} == {metadata[0]["pid"]}
    assert [event["name"] for event in metadata].count("process_name") == 1
    names = {event["tid"]: event["args"]["name"] for event in metadata if event["name"] == "thread_name"}
    places = {event["tid"]: event["args"]["sort_index"] for event in metadata if event["name"] == "thread_sort_index"}
    assert len(set(names.values())) == len(names)
    assert len(set(places.values())) == len(places)
    assert names.keys() == places.keys() == {e["tid"] for e in events if e["ph"] not in "MC"}, "none is empty"


def check_slices(timed: list[Event]) -> None:
    """None overlaps another on its track, and none begins with another: a flow could not tell them apart."""
    ends: dict[int, int] = {}
    begins: dict[int, int] = {}
    for event in timed:
        if event["ph"] == "X":
            track, begin = event["tid"], event["ts"]
            assert begin >= ends.get(track, 0), f"{event} overlaps"
            assert begin > begins.get(track, -1), f"{event} begins with another"
            ends[track], begins[track] = begin + event["dur"], begin


def check_flows(timed: list[Event]) -> None:
    """Each flow starts once, ends once, and lies inside the slice that began last on its track."""
    flows: dict[int, list[Event]] = defaultdict(list)
    newest: dict[int, Event] = {}
    for event in timed:
        if event["ph"] == "X":
            newest[event["tid"]] = event
        elif event["ph"] in "stf":
            around = newest[event["tid"]]
            assert around["ts"] <= event["ts"] <= around["ts"] + around["dur"], f"{event} outside of {around}"
            assert event["ts"] < around["ts"] + around["dur"] or around["dur"] == 0
            flows[event["id"]].append(event)
    for points in flows.values():
        assert [point["ph"] for point in points] == ["s", *"t" * (len(points) - 2), "f"]
        assert len({(point["name"], point["cat"]) for point in points}) == 1
