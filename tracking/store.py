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

# Rows of the block of whole numbers.
_LIFE = ("ids", "born_ns", "seen_ns", "unseen_ns", "limit_ns", "hits", "confirmed", "class_ids")
IDS, BORN, SEEN, UNSEEN, LIMIT, HITS, CONFIRMED, CLASS = range(len(_LIFE))
LIVES = len(_LIFE)


@dataclass(frozen=True, slots=True)
class Column:
    """Shape of a quantity that only one kind of space keeps.

    Attributes:
        after: Axes behind that of the tracks.
        kind: Type of number.
        fill: Value in the row of a new track.
    """

    after: tuple[int, ...] = ()
    kind: type = np.float64
    fill: float | int = 0


class TrackStore:
    """The used part of all arrays, as views that can be written to.

    What all tracks have is in two blocks, whole and real numbers, so that tracks are dropped, added and copied in a
    handful of operations. A space may put its state into the block of real numbers, or keep arrays of its own.

    Attributes:
        life: Shape (8, N), int64, the eight rows that follow, as one block.
        ids: Shape (N,), ascending.
        born_ns: Shape (N,), first detection [ns].
        seen_ns: Shape (N,), latest detection [ns].
        unseen_ns: Shape (N,), time that it should have been seen and was not, since the latest detection [ns].
        limit_ns: Shape (N,), how long that may be [ns].
        hits: Shape (N,), number of detections.
        confirmed: Shape (N,), 0 while the track is tentative, else 1.
        class_ids: Shape (N,), winner of the vote.
        real: Shape (1 + rows, N): `scores`, then `state`, as one block.
        scores: Shape (N,), fading mean.
        state: Shape (rows, N), what the space keeps.
        votes: Shape (N, classes), fading sums of scores; with one class nobody votes.

    Args:
        rows: Of `state`.
        columns: Further arrays of the space, by name, tracks along their first axis.
        capacity: Tracks that fit without allocating.
    """

    __slots__ = (
        "_capacity", "_columns", "_count", "_kept", "_life", "_real", "_votes", "life", "real", "scores", "state",
        "votes", *_LIFE,
    )  # fmt: skip

    life: IntArray
    ids: IntArray
    born_ns: IntArray
    seen_ns: IntArray
    unseen_ns: IntArray
    limit_ns: IntArray
    hits: IntArray
    confirmed: IntArray
    class_ids: IntArray
    real: Array
    scores: Array
    state: Array
    votes: Array

    def __init__(self, rows: int, columns: Mapping[str, Column], capacity: int = 64) -> None:
        self._capacity = capacity
        self._life = np.zeros((len(_LIFE), capacity), dtype=np.int64)
        self._real = np.zeros((1 + rows, capacity))
        self._votes = np.zeros((capacity, 1))
        self._columns = dict(columns)
        self._kept: dict[str, npt.NDArray[Any]] = {
            name: np.full((capacity, *column.after), column.fill, column.kind) for name, column in columns.items()
        }
        self._show(0)

    def __len__(self) -> int:
        return self._count

    @property
    def capacity(self) -> int:
        """Tracks that fit without allocating."""
        return self._capacity

    def column(self, name: str) -> Any:
        """Shape (N, ...): the used part of an array of the space."""
        return self._kept[name][: self._count]

    def append(self, count: int) -> slice:
        """Add tracks at the end and return where; `life`, `scores` and `state` are whatever they were before."""
        first, needed = self._count, self._count + count
        if needed > self._capacity:
            self._grow(max(needed, 2 * self._capacity))
        if self._votes.shape[1] > 1:
            self._votes[first:needed] = 0.0
        for name, array in self._kept.items():
            array[first:needed] = self._columns[name].fill
        self._show(needed)
        return slice(first, needed)

    def keep(self, rows: BoolArray) -> None:
        """Drop the other tracks; the order stays."""
        kept = rows.nonzero()[0]
        count = len(kept)
        self._life[:, :count] = self._life.take(kept, 1)
        self._real[:, :count] = self._real.take(kept, 1)
        if self._votes.shape[1] > 1:
            self._votes[:count] = self._votes.take(kept, 0)
        for array in self._kept.values():
            array[:count] = array.take(kept, 0)
        self._show(count)

    def know_classes(self, count: int) -> None:
        """Make room for votes on so many classes."""
        if count > self._votes.shape[1]:
            self._votes = _larger(self._votes, (self._capacity, count), 0)
            self._show(self._count)

    def widen(self, name: str, size: int) -> None:
        """Make the first axis behind that of the tracks at least `size` long."""
        array, fill = self._kept[name], self._columns[name].fill
        if size > array.shape[1]:
            self._kept[name] = _larger(array, (len(array), size, *array.shape[2:]), fill)

    def _grow(self, capacity: int) -> None:
        self._capacity = capacity
        self._life = _larger(self._life, (len(self._life), capacity), 0)
        self._real = _larger(self._real, (len(self._real), capacity), 0)
        self._votes = _larger(self._votes, (capacity, self._votes.shape[1]), 0)
        for name, array in self._kept.items():
            self._kept[name] = _larger(array, (capacity, *array.shape[1:]), self._columns[name].fill)

    def _show(self, count: int) -> None:
        self._count = count
        self.life = life = self._life[:, :count]
        (
            self.ids, self.born_ns, self.seen_ns, self.unseen_ns, self.limit_ns, self.hits, self.confirmed,
            self.class_ids,
        ) = life  # fmt: skip
        self.real = real = self._real[:, :count]
        self.scores, self.state = real[0], real[1:]
        self.votes = self._votes[:count]


def _larger(old: npt.NDArray[Any], shape: tuple[int, ...], fill: float) -> npt.NDArray[Any]:
    new: npt.NDArray[Any] = np.full(shape, fill, old.dtype)
    new[tuple(slice(size) for size in old.shape)] = old
    return new
