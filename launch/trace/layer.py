"""A layer of a trace: events of one kind in arrays, turned into text one by one; and the tracks that they lie on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from deploy.trace_events import PID
from launch.ledger import Rows
from launch.trace.timeline import Int64, lanes

FIRST_TRACK = PID + 1  # a track of the process's own number would be its main thread
SLICES, ARROWS, MARKS, CURVES = range(4)  # of events at one instant, which come first


class Row(NamedTuple):
    """A row of the ledger in plain numbers; the fields are those of `launch.ledger.ROW`, in their order."""

    order: int
    stage: int
    outcome: int
    camera: int
    decision: int
    sequence: int
    input: int
    other: int
    now_ns: int
    photon_ns: int
    modelled_ns: int
    measured_ns: int
    wait_ns: int
    frame: int
    engine: int
    rung: int


class Event(NamedTuple):
    """One event of a layer; instants count from the origin of the time line [ns]."""

    at_ns: int
    duration_ns: int
    track: int
    extra: int
    row: Row


@dataclass(frozen=True, slots=True)
class Layer:
    """M events of one kind.

    Attributes:
        at_ns: Shape (M,), when [ns].
        row: Shape (M,), index of the row that each is about.
        text: Makes the line of one.
        rank: Which come first of events at one instant.
        track: Shape (M,), or one for all.
        duration_ns: Shape (M,) [ns], or one for all.
        extra: Shape (M,), what `text` needs beside the row, or one for all.
    """

    at_ns: Int64
    row: Int64
    text: Callable[[Event], str]
    rank: int
    track: Int64 | int = 0
    duration_ns: Int64 | int = 0
    extra: Int64 | int = 0

    def lines(self, rows: Rows, index: Int64) -> Iterator[str]:
        """The lines of some of the events.

        Args:
            rows: The ledger.
            index: Shape (K,), which events.
        """
        columns = (
            np.broadcast_to(column, self.at_ns.shape)[index].tolist()
            for column in (self.at_ns, self.duration_ns, self.track, self.extra)
        )
        for at_ns, duration_ns, track, extra, row in zip(*columns, rows[self.row[index]].tolist(), strict=True):
            yield self.text(Event(at_ns, duration_ns, track, extra, Row._make(row)))


class Tracks:
    """The tracks of a trace, in the order in which they are shown.

    Attributes:
        names: Name of each by its number.
    """

    def __init__(self) -> None:
        self.names: dict[int, str] = {}

    def add(self, name: str) -> int:
        """Put a track below the others.

        Returns:
            Its number.
        """
        number = FIRST_TRACK + len(self.names)
        self.names[number] = name
        return number

    def add_lanes(self, name: str, begin_ns: Int64, end_ns: Int64) -> Int64:
        """Put as many tracks of one name below the others as it takes for slices that do not overlap.

        Returns:
            Shape (N,), the track of each slice.
        """
        lane = lanes(begin_ns, end_ns)
        numbers = [
            self.add(name if number == 0 else f"{name} ({number + 1})")
            for number in range(int(lane.max(initial=-1)) + 1)
        ]
        return np.array(numbers, dtype=np.int64)[lane]


def ms(ns: int) -> float:
    """Milliseconds, to the nanosecond."""
    return ns / 1e6
