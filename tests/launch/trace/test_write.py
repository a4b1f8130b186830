from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.errors import BadInput
from launch.config.budget import BudgetConfig
from launch.ledger import ROW, ROW_FIELDS, Ledger, Rows, Stage
from launch.trace import write_trace
from launch.trace.layer import Row
from tests.launch.trace.scenes import CAMERAS, MS, SCENE, WRIST, Story, everything
from tests.launch.trace.schema import checked

Event = dict[str, Any]
BUDGET = BudgetConfig(
    name="strict", stages_ms={"detect": 20.0, "plan": 8.0}, hard_ms={"detect": 40.0}, reaction_ms=57.0,
    command_age_ms=100.0, control_lateness_ms=2.0, detections_age_ms=50.0,
)  # fmt: skip


def trace(rows: Rows, path: Path, *, virtual: bool = True, measured: bool = True) -> list[Event]:
    count = write_trace(
        rows, path, title="a run", budget=BUDGET, cameras=CAMERAS, virtual=virtual, measured=measured
    )  # fmt: skip
    events = checked(path)
    assert count == len(events)
    return events


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> list[Event]:
    return trace(everything(), tmp_path_factory.mktemp("trace") / "trace.json")


def names_of_tracks(events: list[Event]) -> dict[int, str]:
    return {event["tid"]: event["args"]["name"] for event in events if event["name"] == "thread_name"}


def on_track(events: list[Event], track: str) -> list[Event]:
    tracks = names_of_tracks(events)
    return [event for event in events if event["ph"] in "Xi" and tracks[event["tid"]] == track]


def placed(events: list[Event], track: str) -> list[tuple[str, float, float]]:
    """Name, begin and duration [ms] of what lies on a track."""
    return [(event["name"], event["ts"] / MS, event.get("dur", 0) / MS) for event in on_track(events, track)]


@pytest.mark.parametrize("name", ["trace.json", "trace.json.gz"])
@pytest.mark.parametrize("virtual", [True, False])
def test_file_keeps_the_rules_of_the_format(tmp_path: Path, name: str, virtual: bool) -> None:
    assert len(trace(everything(), tmp_path / name, virtual=virtual)) > 100
    assert [file.name for file in tmp_path.iterdir()] == [name]


def test_tracks_are_in_the_order_of_the_path(events: list[Event]) -> None:
    places = {event["tid"]: event["args"]["sort_index"] for event in events if event["name"] == "thread_sort_index"}
    names = names_of_tracks(events)
    assert [names[track] for track in sorted(places, key=lambda track: places[track])] == [
        "episodes", "ladder", "misses",
        "photons wrist", "capture wrist", "photons scene", "capture scene", "capture scene (2)",
        "detect: waiting", "detect", "localize", "track: waiting", "track", "plan", "ik: late", "ik", "send",
    ]  # fmt: skip
    assert [event["args"]["name"] for event in events if event["name"] == "process_name"] == ["a run"]


@pytest.mark.parametrize(
    ("track", "slices"),
    [
        ("episodes", [("episode 0", 0, 180), ("episode 1", 180, 52)]),
        ("photons scene", [("photons", at, 0) for at in (2, 100, 101, 118, 151)]),
        ("capture wrist", [("capture", 0, 5), ("capture", 33, 5), ("capture", 66, 5), ("capture", 99, 5),
                           ("capture", 165, 5), ("capture", 180, 5)]),
        ("capture scene", [("capture", 2, 8), ("capture", 100, 8), ("capture", 118, 42)]),
        ("capture scene (2)", [("capture", 101, 24), ("capture", 151, 28)]),
        ("detect: waiting", [("detect: waiting", 10, 13), ("detect: waiting", 104, 10)]),
        ("detect", [("detect", 5, 15), ("detect: stale", 23, 52), ("detect: fallback", 108, 6),
                    ("detect: fallback", 114, 6), ("detect", 170, 10), ("detect", 185, 15)]),
        ("localize", [("localize", 20, 2), ("localize: dropped", 114, 0), ("localize", 120, 2), ("localize", 200, 2)]),
        ("track", [("track", 22, 1), ("track: predicted", 75, 1), ("track", 122, 1), ("track", 202, 1)]),
        ("plan", [("plan", 76, 8), ("plan: error", 123, 0), ("plan", 203, 10)]),
        ("ik: late", [("ik: late", 130, 3)]),
        ("ik", [("ik: held", 0, 1), ("ik", 90, 1), ("ik: clipped", 100, 1), ("ik: held", 110, 1), ("ik: stale", 133, 1),
                ("ik", 210, 1), ("ik", 220, 1), ("ik", 230, 1)]),
        ("send", [("send", at, 1) for at in (1, 91, 101, 111, 211, 221, 231)]),
        ("ladder", [("drop", 71, 0), ("overrun", 75, 0), ("fallback", 75, 0), ("predict", 75, 0), ("continue", 100, 0),
                    ("hold", 110, 0), ("back to normal", 120, 0), ("back to the configured engine", 120, 0),
                    ("drop", 125, 0), ("stop", 140, 0), ("back to normal", 150, 0)]),
        ("misses", [("stage.detect", 75, 0), ("hard.detect", 75, 0), ("detections_age", 76, 0), ("reaction", 92, 0),
                    ("command_age", 102, 0), ("control_lateness", 133, 0), ("stage.plan", 213, 0)]),
    ],
)  # fmt: skip
def test_what_lies_on_a_track(events: list[Event], track: str, slices: list[tuple[str, float, float]]) -> None:
    assert placed(events, track) == slices


def test_arrow_follows_a_frame_from_its_photons_to_the_first_command(events: list[Event]) -> None:
    newest: dict[int, Event] = {}
    arrows: dict[int, list[str]] = {}
    for event in events:
        if event["ph"] == "X":
            newest[event["tid"]] = event
        elif event["ph"] in "stf":
            bound = newest[event["tid"]]
            arrows.setdefault(event["id"], []).append(f"{bound['name']} {bound['ts'] / MS:g}")
    assert sorted(", ".join(arrow) for arrow in arrows.values()) == sorted([
        # planned on a prediction of what it showed; the command at 100 ms is not the first
        "photons 0, capture 0, detect 5, localize 20, track 22, track: predicted 75, plan 76, ik 90, send 91",
        "photons 2, capture 2, detect: stale 23",
        "photons 33, capture 33",  # overtaken
        "photons 66, capture 66, track: predicted 75",  # left out
        "photons 99, capture 99, detect: fallback 114, localize 120, track 122, plan: error 123",
        "photons 100, capture 100, detect: fallback 108, localize: dropped 114",
        "photons 101, capture 101",  # too late
        "photons 118, capture 118",
        "photons 151, capture 151",
        "photons 165, capture 165, detect 170",
        "photons 180, capture 180, detect 185, localize 200, track 202, plan 203, ik 220, send 221",
    ])  # fmt: skip


@pytest.mark.parametrize(
    ("track", "at_ms", "args"),
    [
        ("detect", 23, {
            "sequence": 1, "input": 0, "camera": "scene", "frame": 0, "age_ms": 73, "outcome": "stale", "engine": 0,
            "wait_ms": 13, "measured_ms": 52, "modelled_ms": 52,
        }),
        ("track", 75, {
            "sequence": 1, "input": -1, "camera": "wrist", "frame": 0, "age_ms": 76, "outcome": "ok", "engine": 0,
            "rung": "predict", "wait_ms": 4, "measured_ms": 1, "modelled_ms": 1,
        }),
        ("ik", 0, {
            "sequence": 0, "input": -1, "outcome": "held", "engine": 0, "wait_ms": 0, "measured_ms": 1,
            "modelled_ms": 1,
        }),
        ("ik", 100, {
            "sequence": 2, "input": 0, "camera": "wrist", "frame": 0, "age_ms": 101, "outcome": "clipped", "engine": 0,
            "rung": "continue", "changed": "velocity, acceleration", "wait_ms": 0, "measured_ms": 1, "modelled_ms": 1,
        }),
        ("ladder", 71, {"reason": "a newer frame came first", "value_ms": 38, "frame": 1}),
        ("ladder", 140, {"reason": "the control loop was silent", "value_ms": 29, "limit_ms": 25}),
        ("misses", 92, {"value_ms": 92, "limit_ms": 57, "frame": 0}),
        ("misses", 133, {"value_ms": 3, "limit_ms": 2, "frame": 0}),
    ],
)  # fmt: skip
def test_arguments_say_what_happened(events: list[Event], track: str, at_ms: float, args: dict[str, Any]) -> None:
    assert [event["args"] for event in on_track(events, track) if event["ts"] == at_ms * MS] == [args]


def test_decision_names_its_stage_and_what_was_left(events: list[Event]) -> None:
    (predicted,) = (event for event in on_track(events, "ladder") if event["name"] == "predict")
    assert predicted["args"] == {
        "reason": "less time left than the stage's p99", "stage": "detect", "value_ms": 11, "limit_ms": 20,
        "slack_ms": 11, "frame": 2,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "key", "curve"),
    [
        ("command age", "ms", [(92, 92), (102, 102), (112, 112), (222, 42), (232, 52)]),
        ("frames", "waiting", [
            (5, 0), (10, 1), (23, 0), (38, 1), (75, 0), (104, 1), (114, 0),
            (160, 1), (180, 0),  # the scene's frames of 118 and 151 ms: nobody looks, the newer one stays to the end
        ]),
    ],
)  # fmt: skip
def test_curves(events: list[Event], name: str, key: str, curve: list[tuple[float, float]]) -> None:
    counts = [event for event in events if event["ph"] == "C" and event["name"] == name]
    assert [(event["ts"] / MS, event["args"][key]) for event in counts] == curve


def test_on_the_wall_clock_a_slice_is_as_long_as_it_took(tmp_path: Path) -> None:
    rows = everything(slower=1.5)
    assert placed(trace(rows, tmp_path / "t.json", virtual=True), "localize")[0] == ("localize", 20, 2)
    assert placed(trace(rows, tmp_path / "t.json", virtual=False), "localize")[0] == ("localize", 20, 3)


def test_virtual_run_gives_the_same_bytes_on_every_machine_without_what_the_machine_took(tmp_path: Path) -> None:
    def data(slower: float, *, measured: bool) -> bytes:
        path = tmp_path / f"{slower}.json.gz"
        trace(everything(slower), path, measured=measured)
        return path.read_bytes()

    assert data(1.0, measured=False) == data(2.0, measured=False)
    assert data(1.0, measured=True) == data(1.0, measured=True) != data(2.0, measured=True)


def test_photons_from_before_the_run_are_its_origin(tmp_path: Path) -> None:
    story = Story()
    story.row(Stage.EPISODE, 0, 0, 0)
    story.capture(WRIST, 0, -20.5, 12)
    story.row(Stage.DETECT, 0, 12, -1, 3, camera=WRIST, input_sequence=0, frame=0)
    events = trace(story.ledger.take(), tmp_path / "trace.json")
    assert placed(events, "capture wrist") == [("capture", 0, 32.5)]
    assert placed(events, "detect") == [("detect", 32.5, 3)]
    assert json.loads((tmp_path / "trace.json").read_text())["otherData"] == {
        "run": "a run", "budget": "strict", "clock": "virtual", "origin_ns": -20_500_000,
    }  # fmt: skip


def test_no_nanosecond_is_lost_in_a_long_run(tmp_path: Path) -> None:
    ledger = Ledger()
    instants = 30 * 60 * 10**9 + np.cumsum(np.arange(1, 200))
    for number, at_ns in enumerate(instants.tolist()):
        ledger.append(Stage.SEND, number, at_ns, -1, modelled_ns=number + 1, measured_ns=number + 1)
    slices = on_track(trace(ledger.take(), tmp_path / "trace.json"), "send")
    assert [event["ts"] for event in slices] == instants.tolist()
    assert [event["dur"] for event in slices] == list(range(1, 200))


@pytest.mark.parametrize("camera", [SCENE, 2])
def test_camera_without_a_name_and_camera_without_frames(tmp_path: Path, camera: int) -> None:
    story = Story()
    story.capture(camera, 0, 0, 5)
    events = trace(story.ledger.take(), tmp_path / "trace.json")
    name = ("wrist", "scene", "camera 2")[camera]
    assert list(names_of_tracks(events).values()) == [f"photons {name}", f"capture {name}"]


def test_empty_ledger_is_an_empty_trace(tmp_path: Path) -> None:
    assert [event["name"] for event in trace(np.empty(0, dtype=ROW), tmp_path / "trace.json")] == ["process_name"]


def test_rows_have_the_fields_of_the_ledger() -> None:
    assert Row._fields == ROW_FIELDS


@settings(max_examples=60, deadline=None)
@given(lost=st.sets(st.integers(0, len(everything()) - 1)), virtual=st.booleans())
def test_ledger_with_lost_rows_gives_a_trace(
    tmp_path_factory: pytest.TempPathFactory, lost: set[int], virtual: bool
) -> None:
    rows = np.delete(everything(1.1), sorted(lost))
    trace(rows, tmp_path_factory.getbasetemp() / "lost.json", virtual=virtual)


def test_trace_that_cannot_be_written_is_a_mistake_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"trace .*nowhere/trace.json: cannot be written \(No such file"):
        trace(everything(), tmp_path / "nowhere" / "trace.json")
