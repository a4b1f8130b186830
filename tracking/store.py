"""Memory of the tracks: one preallocated array per quantity, one row per track, in the order of the ids."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from deploy.errors import BadInput
from geometry.types import Array, BoolArray, IntArray

NEVER_NS = -(2**62)
"""Stamp of what has not happened; far enough from the limits of int64 to subtract from."""

MAX_NAMES = 1024


class NameTable:
    """Numbers for names, in the order in which they come."""

    __slots__ = ("_kind", "_numbers", "names")

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._numbers: dict[str, int] = {}
        self.names: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.names)

    def number(self, name: str) -> int:
        """Number of a name, which is a new one if the name is new.

        Raises:
            BadInput: If there are too many.
        """
        found = self._numbers.get(name)
        if found is None:
            found = len(self._numbers)
            if found == MAX_NAMES:
                raise BadInput(
                    f"{self._kind} {name!r} is number {found + 1}: expected at most {MAX_NAMES}; reset the tracker"
                )
            self._numbers[name] = found
            self.names = tuple(self._numbers)
        return found


_FIELDS: dict[str, tuple[tuple[int, ...], Any]] = {
    "ids": ((), np.int64),
    "means": ((6,), np.float64),
    "covariances": ((6, 6), np.float64),
    "trends": ((3,), np.float64),
    "scores": ((), np.float64),
    "class_ids": ((), np.int32),
    "votes": ((0,), np.float64),
    "states": ((), np.uint8),
    "hits": ((), np.int64),
    "born_ns": ((), np.int64),
    "seen_ns": ((), np.int64),
    "measured_ns": ((), np.int64),
    "aged_until_ns": ((), np.int64),
    "unseen_ns": ((), np.int64),
    "boxes": ((0, 4), np.float64),
    "box_ns": ((0,), np.int64),
}


class TrackStore:
    """The used rows of all arrays, as views that can be written to.

    Attributes:
        ids: Shape (N,), ascending.
        means: Shape (N, 6), position [m] and velocity [m/s].
        covariances: Shape (N, 6, 6).
        trends: Shape (N, 3), fading sum of normalised innovations.
        scores: Shape (N,), fading mean.
        class_ids: Shape (N,), winner of the vote.
        votes: Shape (N, classes), fading sums of scores.
        states: Shape (N,), values of ``TrackState``.
        hits: Shape (N,), number of detections.
        born_ns: Shape (N,), first detection [ns].
        seen_ns: Shape (N,), latest detection [ns].
        measured_ns: Shape (N,), latest detection with a point [ns].
        aged_until_ns: Shape (N,), up to where the time without a detection has been counted [ns].
        unseen_ns: Shape (N,), time that it should have been seen and was not, since the latest detection [ns].
        boxes: Shape (N, cameras, 4), latest box in each camera [px].
        box_ns: Shape (N, cameras), its stamp [ns]; `NEVER_NS` if there is none.
    """

    ids: IntArray
    means: Array
    covariances: Array
    trends: Array
    scores: Array
    class_ids: npt.NDArray[np.int32]
    votes: Array
    states: npt.NDArray[np.uint8]
    hits: IntArray
    born_ns: IntArray
    seen_ns: IntArray
    measured_ns: IntArray
    aged_until_ns: IntArray
    unseen_ns: IntArray
    boxes: Array
    box_ns: IntArray

    def __init__(self, capacity: int = 64) -> None:
        self._memory = {name: np.zeros((capacity, *shape), kind) for name, (shape, kind) in _FIELDS.items()}
        self._show(0)

    def __len__(self) -> int:
        return self._count

    @property
    def capacity(self) -> int:
        """Rows that fit without allocating."""
        return len(self._memory["ids"])

    def append(self, count: int) -> slice:
        """Add zeroed rows without boxes at the end, and return where."""
        first, needed = self._count, self._count + count
        if needed > self.capacity:
            self._reallocate(lambda old: (max(needed, 2 * len(old)), *old.shape[1:]))
        for name, array in self._memory.items():
            array[first:needed] = NEVER_NS if name == "box_ns" else 0
        self._show(needed)
        return slice(first, needed)

    def keep(self, rows: BoolArray) -> None:
        """Drop the other rows; the order stays."""
        kept = np.flatnonzero(rows)
        for array in self._memory.values():
            array[: len(kept)] = array[kept]
        self._show(len(kept))

    def widen(self, classes: int, cameras: int) -> None:
        """Make room for votes on so many classes and boxes of so many cameras; never less than there is."""
        if classes > self.votes.shape[1]:
            self._reallocate(lambda old: (len(old), classes), "votes")
        if cameras > self.boxes.shape[1]:
            self._reallocate(lambda old: (len(old), cameras, *old.shape[2:]), "boxes", "box_ns")

    def _reallocate(self, shape_of: Callable[[npt.NDArray[Any]], tuple[int, ...]], *names: str) -> None:
        """Copy arrays into larger ones of zeros; a box that is not there was never seen."""
        for name in names or tuple(self._memory):
            old = self._memory[name]
            new = np.full(shape_of(old), NEVER_NS if name == "box_ns" else 0, dtype=old.dtype)
            new[tuple(slice(size) for size in old.shape)] = old
            self._memory[name] = new
        self._show(self._count)

    def _show(self, count: int) -> None:
        self._count = count
        for name, array in self._memory.items():
            setattr(self, name, array[:count])
