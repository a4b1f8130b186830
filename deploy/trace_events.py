"""The Trace Event Format: events as lines of JSON, and the file that takes them; Perfetto and others open it.

Every time comes in nanoseconds of one clock and is written in microseconds with three decimals, as the format wants
it: no nanosecond is lost. Source: "Trace Event Format" (Duffin and others, Google,
https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU). Perfetto's importer is stricter, and
it is followed here: times are not negative, slices of one track do not overlap partially, and a flow is bound to the
innermost slice that is open on its track, so of two events at one instant the slice comes first.
"""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack, suppress
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Final, Literal

from deploy.errors import BadInput

PID: Final = 1
EVENTS_AT_ONCE: Final = 4096
FlowPhase = Literal["s", "t", "f"]
Value = str | int | float | bool
Args = Mapping[str, Value]

_text = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_quoted = lru_cache(maxsize=1024)(_text)


def microseconds(ns: int) -> str:
    """Nanoseconds as a JSON number of microseconds.

    Example:
        >>> microseconds(1_234_005), microseconds(-1)
        ('1234.005', '-0.001')
    """
    whole, rest = divmod(abs(ns), 1000)
    return f"{'-' if ns < 0 else ''}{whole}.{rest:03d}"


def metadata(name: str, track: int, args: Args) -> str:
    """Name, or place in the order, of the process or of a track."""
    return f'{{"ph":"M","name":{_quoted(name)},"pid":{PID},"tid":{track},"args":{_text(args)}}}'


def complete(name: str, category: str, track: int, begin_ns: int, duration_ns: int, args: Args) -> str:
    """A slice: something that took time."""
    return (
        f'{{"ph":"X","name":{_quoted(name)},"cat":{_quoted(category)},"pid":{PID},"tid":{track},'
        f'"ts":{microseconds(begin_ns)},"dur":{microseconds(duration_ns)},"args":{_text(args)}}}'
    )


def instant(name: str, category: str, track: int, at_ns: int, args: Args) -> str:
    """A marker on a track."""
    return (
        f'{{"ph":"i","s":"t","name":{_quoted(name)},"cat":{_quoted(category)},"pid":{PID},"tid":{track},'
        f'"ts":{microseconds(at_ns)},"args":{_text(args)}}}'
    )


def counter(name: str, at_ns: int, args: Args) -> str:
    """A value that changes; each of `args` is a curve of its own."""
    return f'{{"ph":"C","name":{_quoted(name)},"pid":{PID},"ts":{microseconds(at_ns)},"args":{_text(args)}}}'


def flow(phase: FlowPhase, name: str, category: str, track: int, at_ns: int, number: int) -> str:
    """A point of an arrow: where it starts ("s"), passes ("t") or ends ("f"). Points with the same number are joined.

    It is bound to the slice of the track that encloses the instant, at its end too: without "bp": "e" the end of an
    arrow would go to the next slice that begins.
    """
    bound = ',"bp":"e"' if phase == "f" else ""
    return (
        f'{{"ph":"{phase}"{bound},"name":{_quoted(name)},"cat":{_quoted(category)},"id":{number},"pid":{PID},'
        f'"tid":{track},"ts":{microseconds(at_ns)}}}'
    )


def write_events(path: Path, about: Args, events: Iterable[str]) -> int:
    """Write a trace. It takes its name when it is complete: a file of that name stays as it was until then.

    Args:
        path: Where it goes; compressed if the name ends in ".gz". The same events give the same bytes.
        about: What is said of the whole trace.
        events: Lines of the functions above, ordered by time; of a long run they are better made as they are asked for.

    Returns:
        Number of events.

    Raises:
        BadInput: If the file cannot be written, naming it and the reason.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "trace.json"
        >>> write_events(path, {"clock": "wall"}, [complete("detect", "stage", 1, 1_000, 2_500, {})])
        1
        >>> json.loads(path.read_text())["traceEvents"][0]["dur"]
        2.5
    """
    source, count = iter(events), 0
    part = path.parent / f".{path.name}.{os.getpid()}.part"
    try:
        if path.is_dir():
            raise BadInput(f"trace {path}: a folder; expected the name of a file, such as {path / 'trace.json.gz'}")
        with ExitStack() as stack:
            raw = stack.enter_context(part.open("wb"))
            write: Callable[[bytes], int] = raw.write
            if path.suffix == ".gz":  # without its name and the time of day: the same events, the same bytes
                write = stack.enter_context(gzip.GzipFile("", "wb", 6, raw, mtime=0)).write
            write(f'{{"displayTimeUnit":"ms","otherData":{_text(about)},"traceEvents":['.encode())
            while block := list(islice(source, EVENTS_AT_ONCE)):
                write((",\n" if count else "\n").encode() + ",\n".join(block).encode())
                count += len(block)
            write(b"\n]}\n")
        part.replace(path)
    except OSError as error:
        raise BadInput(
            f"trace {path}: cannot be written ({error.strerror or error}); choose a folder that exists and has room"
        ) from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
    return count
