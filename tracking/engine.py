"""The one tracker core: predict, associate, correct, age, begin. What a place is belongs to the space.

Two spaces use it: boxes in an image, points in the robot's base.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np

from geometry.types import Array, BoolArray, IntArray

from . import lifecycle
from .classes import ClassTable
from .lifecycle import Lifecycle
from .parameters import LifeParameters
from .rounds import STRONG, Matches, Pairs, associate, nothing
from .store import NEVER_NS, Column, TrackStore
from .tracks import Motion, Snapshot, Tracks

# Pairs of detections that are compared at a time: memory for a detector that suppresses nothing.
AT_ONCE = 500_000


@dataclass(slots=True, eq=False)
class Look:
    """One look's detections in the tracker's own numbers, rows as they came.

    Attributes:
        stamp_ns: Capture time [ns].
        scores: Shape (M,).
        class_ids: Shape (M,), numbers in the table of classes.
        level: Shape (M,): what each may do, `IGNORED`, `WEAK` or `STRONG`.
    """

    stamp_ns: int
    scores: Array
    class_ids: IntArray
    level: IntArray


AnyLook = TypeVar("AnyLook", bound=Look, contravariant=True)


class Space(Protocol[AnyLook]):
    """What the core asks of a space."""

    @property
    def rows(self) -> int:
        """Of `TrackStore.state`."""

    @property
    def columns(self) -> Mapping[str, Column]:
        """Further arrays of the store."""

    @property
    def unmatched_cost(self) -> float:
        """A pair that costs more is not made."""

    def advance(self, store: TrackStore, from_ns: int, to_ns: int) -> None:
        """Move all tracks forward in time."""

    def pairs(self, look: AnyLook, store: TrackStore) -> Pairs:
        """Pairs that are near enough."""

    def blind(self, look: AnyLook, store: TrackStore, matches: Matches) -> Matches:
        """Match detections that have no place, too."""

    def correct(self, look: AnyLook, store: TrackStore, rows: IntArray, tracks: IntArray) -> None:
        """Weigh tracks against the detections `rows` that continue them."""

    def unseen(self, look: AnyLook, store: TrackStore, tracks: IntArray) -> IntArray | int:
        """Time that each of `tracks`, which were not detected, should have been seen [ns]."""

    def repeats(self, look: AnyLook, rows: IntArray) -> BoolArray | None:
        """Shape (K, M): whether detections `rows` are second boxes on the same thing as another; None if none is."""

    def start(self, look: AnyLook, store: TrackStore, rows: IntArray, new: slice) -> None:
        """Fill the state of new tracks from detections `rows`."""

    def motion(self, store: TrackStore, life: IntArray, real: Array) -> Motion:
        """Where the tracks are; `life` and `real` are copies of the store's, to keep."""


class TrackerCore(Generic[AnyLook]):
    """Identities over time in one space.

    Args:
        space: What a place is.
        parameters: Lives and scores.
        classes: Which classes go together; shared with the space.
    """

    def __init__(self, space: Space[AnyLook], parameters: LifeParameters, classes: ClassTable) -> None:
        self._space = space
        self._lost_ns = round(parameters.coast_s * 1e9)
        self.lifecycle = Lifecycle(parameters)
        self.store = TrackStore(space.rows, space.columns)
        self.classes = classes
        self.now_ns: int | None = None
        self._max_tracks = parameters.max_tracks
        self._next_id = 1

    def advance(self, stamp_ns: int) -> None:
        """Move the state forward in time, never back."""
        before_ns = self.now_ns
        if before_ns is None:
            self.now_ns = stamp_ns
        elif stamp_ns > before_ns:
            if len(self.store):
                self._space.advance(self.store, before_ns, stamp_ns)
            self.now_ns = stamp_ns

    def update(self, look: AnyLook) -> Tracks:
        """Take in one look's detections; the state is moved to its stamp before."""
        store, space = self.store, self._space
        if store.votes.shape[1] < len(self.classes):
            lifecycle.know_classes(store, len(self.classes))
        count, known = len(look.scores), len(store)
        if count and known:
            matches = associate(space.pairs(look, store), look.level, store.confirmed, space.unmatched_cost)
            matches = space.blind(look, store, matches)
        else:
            matches = nothing(count, known)
        track_of, silent = matches.track_of, matches.silent
        # First of all: a user's view of the scene may fail.
        unseen_ns = space.unseen(look, store, silent) if len(silent) else 0
        if len(silent) < known:
            rows = (track_of >= 0).nonzero()[0]
            tracks = track_of[rows]
            space.correct(look, store, rows, tracks)
            late = self.now_ns is not None and look.stamp_ns < self.now_ns
            self.lifecycle.see(store, tracks, look.stamp_ns, late, look.scores[rows], look.class_ids[rows])
        if len(silent):
            alive = self.lifecycle.miss(store, silent, unseen_ns)
            if alive is not None:
                track_of = self._drop(alive, track_of)
        if known - len(silent) < count:
            track_of = self._begin(look, track_of, ((track_of < 0) & (look.level == STRONG)).nonzero()[0])
        kept = self.lifecycle.within_memory(store)
        if kept is not None:
            track_of = self._drop(kept, track_of)
        return Tracks(self._snapshot(), track_of, of_update=True)

    def predicted(self, stamp_ns: int) -> Tracks:
        """All live tracks at another instant, without changing them."""
        return Tracks(self._snapshot(), None).predicted(stamp_ns)

    def _snapshot(self) -> Snapshot:
        store, now_ns = self.store, NEVER_NS if self.now_ns is None else self.now_ns
        life, real = store.life.copy(), store.real.copy()
        motion = self._space.motion(store, life, real)
        return Snapshot(now_ns, now_ns - self._lost_ns, life, real[0], motion, self.classes.names)

    def _drop(self, alive: BoolArray, track_of: IntArray) -> IntArray:
        """Keep the tracks `alive`, and renumber those of the detections."""
        self.store.keep(alive)
        if not track_of.size:
            return track_of
        renumbered = alive.cumsum() - 1
        return np.where((track_of >= 0) & alive[track_of], renumbered[track_of], -1)

    def _begin(self, look: AnyLook, track_of: IntArray, rows: IntArray) -> IntArray:
        """Start tracks for detections `rows`, highest score first, but for second boxes on the same thing.

        Detectors suppress overlapping boxes per class, so that an object whose class they doubt comes with two boxes.
        The one that is not taken would start a ghost at the same place; instead it votes on the class of the other.
        """
        if not len(rows):
            return track_of
        if len(rows) > 1:
            rows = rows[(-look.scores[rows]).argsort(kind="stable")]
            rows = rows[: self._max_tracks]
        same = self._repeats(look, rows)
        if same is None:
            return self._start(look, track_of, rows)
        chosen, repeated, originals = _without_repeats(track_of, rows, same)
        track_of = self._start(look, track_of, chosen)
        if len(repeated) and self.store.votes.shape[1] > 1:
            lifecycle.vote(self.store, track_of[originals], look.scores[repeated], look.class_ids[repeated])
        return track_of

    def _repeats(self, look: AnyLook, rows: IntArray) -> BoolArray | None:
        """`Space.repeats`, some rows at a time where they are many; classes that are never one object do not repeat."""
        space, count = self._space, len(look.scores)
        if len(rows) * count <= AT_ONCE:
            same = space.repeats(look, rows)
        else:
            parts = np.array_split(rows, -(-len(rows) * count // AT_ONCE))
            found = [(len(part), space.repeats(look, part)) for part in parts]
            same = np.vstack([np.zeros((size, count), np.bool_) if some is None else some for size, some in found])
        if same is not None and len(self.classes) > 1:
            same &= self.classes.matrix[look.class_ids[rows]][:, look.class_ids] > 0.0
        return same

    def _start(self, look: AnyLook, track_of: IntArray, rows: IntArray) -> IntArray:
        """Start a track for each of detections `rows`."""
        count = len(rows)
        if count:
            new = self.store.append(count)
            scores, class_ids = look.scores[rows], look.class_ids[rows]
            self.lifecycle.begin(self.store, new, self._next_id, look.stamp_ns, scores, class_ids)
            self._next_id += count
            self._space.start(look, self.store, rows, new)
            track_of[rows] = np.arange(new.start, new.stop)
        return track_of


def _without_repeats(track_of: IntArray, rows: IntArray, same: BoolArray) -> tuple[IntArray, IntArray, IntArray]:
    """Tell things from second boxes on things.

    Args:
        track_of: Shape (M,), -1 for detections without a track.
        rows: Shape (K,), detections that may start a track, the best first.
        same: Shape (K, M), whether they lie on the same thing as another detection.

    Returns:
        Rows of the detections that start a track; rows of those that repeat another; for each of the latter that other.
    """
    taken = track_of >= 0
    chosen, repeated, originals = [], [], []
    for k, row in enumerate(rows.tolist()):
        original = int((same[k] & taken).argmax())
        if same[k, original] and taken[original]:
            repeated.append(row)
            originals.append(original)
        else:
            taken[row] = True
            chosen.append(row)
    return np.array(chosen, np.int64), np.array(repeated, np.int64), np.array(originals, np.int64)
