"""Memory of the tracks: one preallocated array per quantity, tracks in the order of their ids."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from geometry.types import Array, BoolArray, IntArray

NEVER_NS = -(2**62)
"""Stamp of what has not happened; far enough from the limits of int64 to subtract from."""

# Rows of the block of whole numbers: they are copied and compacted in one go.
_LIFE = ("ids", "born_ns", "seen_ns", "unseen_ns", "hits", "confirmed", "class_ids")


@dataclass(frozen=True, slots=True)
class Column:
    """Shape of a quantity that only one kind of space keeps.

    Attributes:
        before: Axes in front of that of the tracks.
        after: Axes behind it.
        kind: Type of number.
        fill: Value in the row of a new track.
    """

    before: tuple[int, ...] = ()
    after: tuple[int, ...] = ()
    kind: type = np.float64
    fill: float | int = 0


class TrackStore:
    """The used part of all arrays, as views that can be written to.

    Attributes:
        life: Shape (7, N), the seven rows that follow, as one block.
        ids: Shape (N,), ascending.
        born_ns: Shape (N,), first detection [ns].
        seen_ns: Shape (N,), latest detection [ns].
        unseen_ns: Shape (N,), time that it should have been seen and was not, since the latest detection [ns].
        hits: Shape (N,), number of detections.
        confirmed: Shape (N,), 0 while the track is tentative, else 1.
        class_ids: Shape (N,), winner of the vote.
        scores: Shape (N,), fading mean.
        votes: Shape (N, classes), fading sums of scores.

    Args:
        columns: What else is kept, by name.
        capacity: Tracks that fit without allocating.
    """

    life: IntArray
    ids: IntArray
    born_ns: IntArray
    seen_ns: IntArray
    unseen_ns: IntArray
    hits: IntArray
    confirmed: IntArray
    class_ids: IntArray
    scores: Array
    votes: Array

    def __init__(self, columns: Mapping[str, Column], capacity: int = 64) -> None:
        self._columns = {
            "life": Column(before=(len(_LIFE),), kind=np.int64),
            "scores": Column(),
            "votes": Column(after=(1,)),
            **columns,
        }
        self._memory: dict[str, npt.NDArray[Any]] = {}
        self._capacity = capacity
        for name, column in self._columns.items():
            self._memory[name] = np.full((*column.before, capacity, *column.after), column.fill, column.kind)
        self._show(0)

    def __len__(self) -> int:
        return self._count

    @property
    def capacity(self) -> int:
        """Tracks that fit without allocating."""
        return self._capacity

    def column(self, name: str) -> Any:
        """The used part of a quantity that the space keeps; its shape is that of its `Column`."""
        column = self._columns[name]
        return self._memory[name][(slice(None),) * len(column.before) + (slice(self._count),)]

    def append(self, count: int) -> slice:
        """Add tracks at the end, all quantities at their fill value, and return where."""
        first, needed = self._count, self._count + count
        if needed > self._capacity:
            self._capacity = max(needed, 2 * self._capacity)
            for name in self._columns:
                self._reallocate(name, self._columns[name])
        for name, column in self._columns.items():
            self._memory[name][(slice(None),) * len(column.before) + (slice(first, needed),)] = column.fill
        self._show(needed)
        return slice(first, needed)

    def keep(self, rows: BoolArray) -> None:
        """Drop the other tracks; the order stays."""
        kept = rows.nonzero()[0]
        count = len(kept)
        for name, column in self._columns.items():
            axis = len(column.before)
            memory = self._memory[name]
            memory[(slice(None),) * axis + (slice(count),)] = memory.take(kept, axis)
        self._show(count)

    def widen(self, name: str, size: int) -> None:
        """Make the first axis behind that of the tracks at least `size` long."""
        column = self._columns[name]
        if size > column.after[0]:
            column = Column(column.before, (size, *column.after[1:]), column.kind, column.fill)
            self._columns[name] = column
            self._reallocate(name, column)
            self._show(self._count)

    def _reallocate(self, name: str, column: Column) -> None:
        """Copy an array into a larger one."""
        old = self._memory[name]
        new: npt.NDArray[Any] = np.full((*column.before, self._capacity, *column.after), column.fill, column.kind)
        new[tuple(slice(size) for size in old.shape)] = old
        self._memory[name] = new

    def _show(self, count: int) -> None:
        self._count = count
        self.life = life = self._memory["life"][:, :count]
        self.ids, self.born_ns, self.seen_ns, self.unseen_ns, self.hits, self.confirmed, self.class_ids = life
        self.scores = self._memory["scores"][:count]
        self.votes = self._memory["votes"][:count]
