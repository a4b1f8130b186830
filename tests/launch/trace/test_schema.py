from __future__ import annotations

from pathlib import Path

import pytest

from deploy.trace_events import complete, flow, metadata, write_events
from tests.launch.trace.schema import checked

NAMES = [
    metadata("process_name", 0, {"name": "run"}),
    metadata("thread_name", 2, {"name": "detect"}),
    metadata("thread_sort_index", 2, {"sort_index": 2}),
]


def slice_at(begin_ns: int, duration_ns: int = 1_000) -> str:
    return complete("detect", "stage", 2, begin_ns, duration_ns, {})


def point(phase: str, at_ns: int, name: str = "frame") -> str:
    return flow(phase, name, "frame", 2, at_ns, 7)  # type: ignore[arg-type]


KEPT = [*NAMES, slice_at(0), point("s", 0), slice_at(1_000), point("t", 1_500), slice_at(2_000), point("f", 2_000)]


def test_what_keeps_the_rules_passes(tmp_path: Path) -> None:
    write_events(tmp_path / "trace.json", {}, KEPT)
    assert len(checked(tmp_path / "trace.json")) == len(KEPT)


@pytest.mark.parametrize(
    "events",
    [
        [*NAMES, slice_at(0), slice_at(999)],
        [*NAMES, slice_at(0, 0), slice_at(0)],
        [*NAMES, slice_at(-1)],
        [*NAMES, slice_at(0, -1)],
        [*NAMES, slice_at(5_000), slice_at(0)],
        [slice_at(0), *NAMES],
        NAMES,
        [*NAMES[:2], slice_at(0)],
        [*NAMES[1:], slice_at(0)],
        [*NAMES, slice_at(0), slice_at(0).replace('"tid":2', '"tid":3')],
        [*NAMES, slice_at(0).replace('"tid":2', '"tid":"2"')],
        [*NAMES, slice_at(0).replace('"ts":0.000', '"ts":0.0001')],
        [*NAMES, slice_at(0).replace('"args":{}', '"args":{"a":null}')],
        [*NAMES, slice_at(0).replace('"dur":1.000,', "")],
        [*NAMES, slice_at(0), point("s", 0)],
        [*NAMES, slice_at(0), point("f", 0)],
        [*NAMES, slice_at(0), point("s", 0), point("s", 1), point("f", 2)],
        [*NAMES, slice_at(0), point("s", 0), point("f", 1).replace(',"bp":"e"', "")],
        [*NAMES, slice_at(0), point("s", 0), point("f", 1, "other")],
        [*NAMES, slice_at(0), point("s", 0), point("f", 1_000)],
        [*NAMES, point("s", 0), slice_at(0), point("f", 0)],
    ],
)
def test_what_breaks_one_does_not(tmp_path: Path, events: list[str]) -> None:
    write_events(tmp_path / "trace.json", {}, events)
    with pytest.raises((AssertionError, KeyError)):
        checked(tmp_path / "trace.json")
