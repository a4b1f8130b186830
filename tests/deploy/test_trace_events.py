from __future__ import annotations

import gzip
import json
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.errors import BadInput
from deploy.trace_events import complete, counter, flow, instant, metadata, microseconds, write_events


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "0.000"),
        (7, "0.007"),
        (999, "0.999"),
        (1_000, "1.000"),
        (1_800_000_000_001, "1800000000.001"),
        (-1_001, "-1.001"),
    ],
)
def test_microseconds_keep_the_nanosecond(ns: int, text: str) -> None:
    assert microseconds(ns) == text


@pytest.mark.parametrize(
    ("line", "event"),
    [
        (metadata("thread_name", 3, {"name": "detect"}),
         {"ph": "M", "name": "thread_name", "pid": 1, "tid": 3, "args": {"name": "detect"}}),
        (complete('a "b"\n', "stage", 3, 1_500, 20, {"frame": 1}),
         {"ph": "X", "name": 'a "b"\n', "cat": "stage", "pid": 1, "tid": 3, "ts": 1.5, "dur": 0.02,
          "args": {"frame": 1}}),
        (instant("hold", "ladder", 3, 1_500, {"reason": "überfällig"}),
         {"ph": "i", "s": "t", "name": "hold", "cat": "ladder", "pid": 1, "tid": 3, "ts": 1.5,
          "args": {"reason": "überfällig"}}),
        (counter("age", 1_500, {"ms": 1.25}), {"ph": "C", "name": "age", "pid": 1, "ts": 1.5, "args": {"ms": 1.25}}),
        (flow("s", "frame", "path", 3, 1_500, 9),
         {"ph": "s", "name": "frame", "cat": "path", "id": 9, "pid": 1, "tid": 3, "ts": 1.5}),
        (flow("f", "frame", "path", 3, 1_500, 9),
         {"ph": "f", "bp": "e", "name": "frame", "cat": "path", "id": 9, "pid": 1, "tid": 3, "ts": 1.5}),
    ],
)  # fmt: skip
def test_lines(line: str, event: dict[str, object]) -> None:
    assert json.loads(line) == event
    assert "\n" not in line


def slices(count: int) -> Iterator[str]:
    return (complete("detect", "stage", 1, 1_000 * number, 500, {"frame": number}) for number in range(count))


@pytest.mark.parametrize("name", ["trace.json", "trace.json.gz"])
@pytest.mark.parametrize("count", [0, 1, 4096, 4097])
def test_file_holds_every_event_once(tmp_path: Path, name: str, count: int) -> None:
    path = tmp_path / name
    assert write_events(path, {"run": "ä"}, slices(count)) == count
    text = gzip.decompress(path.read_bytes()) if name.endswith(".gz") else path.read_bytes()
    document = json.loads(text)
    assert document["otherData"] == {"run": "ä"}
    assert [event["args"]["frame"] for event in document["traceEvents"]] == list(range(count))


def test_compressed_file_depends_on_the_events_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_events(tmp_path / "a.gz", {}, slices(10))
    monkeypatch.setattr("time.time", lambda: 1e9)
    write_events(tmp_path / "b.gz", {}, slices(10))
    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()


def test_long_trace_is_not_held_in_memory(tmp_path: Path) -> None:
    tracemalloc.start()
    try:
        write_events(tmp_path / "trace.json", {}, slices(20_000))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < (tmp_path / "trace.json").stat().st_size


def break_off(path: Path) -> None:
    def events() -> Iterator[str]:
        yield from slices(5_000)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_events(path, {}, events())


def fill_the_disk(path: Path) -> None:
    def events() -> Iterator[str]:
        yield from slices(5_000)
        raise OSError(28, "No space left on device")

    with pytest.raises(BadInput, match=r"trace.json: cannot be written \(No space left on device\); choose"):
        write_events(path, {}, events())


@pytest.mark.parametrize("fail", [break_off, fill_the_disk])
def test_trace_that_is_not_complete_leaves_what_was_there(tmp_path: Path, fail: Callable[[Path], None]) -> None:
    path = tmp_path / "trace.json"
    path.write_text("an older one")
    fail(path)
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("trace.json", "an older one")]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("nowhere/trace.json", r"cannot be written \(No such file or directory\); choose a folder that exists"),
        ("file/trace.json", r"cannot be written \(Not a directory\)"),
        ("n" * 300, r"cannot be written \(File name too long\)"),
        ("folder", r"folder: a folder; expected the name of a file, such as .*folder/trace.json.gz"),
    ],
)
def test_place_that_cannot_be_written(tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(BadInput, match=reason):
        write_events(tmp_path / name, {}, slices(1))
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "folder"]
