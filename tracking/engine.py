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
from .parameters import LifeParameters
from .rounds import Pairs, associate
from .store import Column, TrackStore
from .tracks import Motion, Snapshot, Tracks


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """One look's detections in the tracker's own numbers, rows as they came.

    Attributes:
        stamp_ns: Capture time [ns].
        scores: Shape (M,).
        class_ids: Shape (M,), numbers in the table of classes.
        high: Shape (M,): detections that count fully, and may start a track.
        low: Shape (M,): detections that may continue a confirmed track.
    """

    stamp_ns: int
    scores: Array
    class_ids: IntArray
    high: BoolArray
    low: BoolArray


AnyLook = TypeVar("AnyLook", bound=Look, contravariant=True)


class Space(Protocol[AnyLook]):
    """What the core asks of a space. Arrays of the store that only the space knows are its `columns`."""

    @property
    def columns(self) -> Mapping[str, Column]:
        """What a track has besides its life."""

    @property
    def unmatched_cost(self) -> float:
        """A pair that costs more is not made."""

    def advance(self, store: TrackStore, from_ns: int, to_ns: int) -> None:
        """Move all tracks forward in time."""

    def pairs(self, look: AnyLook, store: TrackStore) -> Pairs:
        """Pairs that are near enough."""

    def blind(self, look: AnyLook, store: TrackStore, track_of: IntArray) -> None:
        """Enter tracks for detections that have no place, into `track_of`."""

    def correct(self, look: AnyLook, store: TrackStore, rows: IntArray, tracks: IntArray) -> None:
        """Weigh tracks against the detections `rows` that continue them."""

    def unseen(self, look: AnyLook, store: TrackStore, tracks: IntArray) -> IntArray | int:
        """Time that each of `tracks`, which were not detected, should have been seen [ns]."""

    def repeats(self, look: AnyLook, rows: IntArray) -> BoolArray:
        """Shape (K, M): whether detections `rows` are second boxes on the same thing as another."""

    def start(self, look: AnyLook, store: TrackStore, rows: IntArray, new: slice) -> None:
        """Fill the columns of new tracks from detections `rows`."""

    def motion(self, store: TrackStore, from_ns: int, to_ns: int) -> Motion:
        """A copy of where the tracks are, moved forward in time."""


class TrackerCore(Generic[AnyLook]):
    """Identities over time in one space.

    Args:
        space: What a place is.
        parameters: Lives and scores.
        classes: Which classes go together; shared with the space.
    """

    def __init__(self, space: Space[AnyLook], parameters: LifeParameters, classes: ClassTable) -> None:
        self._space = space
        self._parameters = parameters
        self._lost_ns = round(parameters.coast_s * 1e9)
        self.store = TrackStore(space.columns)
        self.classes = classes
        self.now_ns: int | None = None
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
        store, parameters, space = self.store, self._parameters, self._space
        if store.votes.shape[1] < len(self.classes):
            lifecycle.know_classes(store, len(self.classes))
        if len(store) and len(look.scores):
            pairs = space.pairs(look, store)
            track_of = associate(pairs, look.high, look.low, store.confirmed, space.unmatched_cost)
            space.blind(look, store, track_of)
        else:
            track_of = np.full(len(look.scores), -1, dtype=np.int64)
        found = track_of >= 0
        rows = found.nonzero()[0]
        if rows.size:
            tracks = track_of[rows]
            space.correct(look, store, rows, tracks)
            lifecycle.see(store, tracks, look.stamp_ns, look.scores[rows], look.class_ids[rows], parameters)
        if rows.size < len(store):
            track_of = self._miss(look, track_of, rows)
        if rows.size < len(found):
            track_of = self._begin(look, track_of, (look.high & ~found).nonzero()[0])
        if len(store) > parameters.max_tracks:
            track_of = self._drop(lifecycle.within_memory(store, parameters.max_tracks), track_of)
        return Tracks(self._snapshot(), track_of, of_update=True)

    def predicted(self, stamp_ns: int) -> Tracks:
        """All live tracks at another instant, without changing them."""
        return Tracks(self._snapshot(stamp_ns), None)

    def _snapshot(self, stamp_ns: int | None = None) -> Snapshot:
        store = self.store
        now_ns = 0 if self.now_ns is None else self.now_ns
        to_ns = now_ns if stamp_ns is None else max(now_ns, stamp_ns)
        return Snapshot(
            stamp_ns=to_ns,
            lost_ns=now_ns - self._lost_ns,
            life=store.life.copy(),
            scores=store.scores.copy(),
            motion=self._space.motion(store, now_ns, to_ns),
            class_names=self.classes.names,
        )

    def _miss(self, look: AnyLook, track_of: IntArray, rows: IntArray) -> IntArray:
        """Age the tracks that this look did not show, drop those that are over; numbers of the others may change."""
        store = self.store
        silent = np.ones(len(store), dtype=np.bool_)
        silent[track_of[rows]] = False
        tracks = silent.nonzero()[0]
        alive = lifecycle.miss(store, tracks, self._space.unseen(look, store, tracks), self._parameters)
        return track_of if alive is None else self._drop(alive, track_of)

    def _drop(self, alive: BoolArray, track_of: IntArray) -> IntArray:
        """Keep the tracks `alive`, and renumber those of the detections."""
        self.store.keep(alive)
        renumbered = np.where(alive, np.cumsum(alive) - 1, -1)
        return np.where(track_of >= 0, renumbered[track_of], -1)

    def _begin(self, look: AnyLook, track_of: IntArray, rows: IntArray) -> IntArray:
        """Start tracks for detections `rows`, highest score first, but for second boxes on the same thing.

        Detectors suppress overlapping boxes per class, so that an object whose class they doubt comes with two boxes.
        The one that is not taken would start a ghost at the same place; instead it votes on the class of the other.
        """
        store = self.store
        if rows.size > 1:
            rows = rows[np.argsort(-look.scores[rows], kind="stable")]
        if rows.size:
            same = self._space.repeats(look, rows)
            same[np.arange(len(rows)), rows] = False
            if np.count_nonzero(same):
                chosen, repeated, originals = _without_repeats(track_of, rows, same)
                track_of = self._begin_at(look, track_of, chosen)
                if store.votes.shape[1] > 1:
                    lifecycle.vote(store, track_of[originals], look.scores[repeated], look.class_ids[repeated])
                return track_of
        return self._begin_at(look, track_of, rows)

    def _begin_at(self, look: AnyLook, track_of: IntArray, rows: IntArray) -> IntArray:
        """Start a track for each of detections `rows`."""
        store = self.store
        if not rows.size:
            return track_of
        count = len(rows)
        new = store.append(count)
        store.ids[new] = np.arange(self._next_id, self._next_id + count)
        self._next_id += count
        store.born_ns[new] = store.seen_ns[new] = look.stamp_ns
        store.hits[new] = 1
        store.class_ids[new] = look.class_ids[rows]
        store.scores[new] = look.scores[rows]
        if store.votes.shape[1] > 1:
            store.votes[np.arange(new.start, new.stop), look.class_ids[rows]] = look.scores[rows]
        self._space.start(look, store, rows, new)
        track_of[rows] = np.arange(new.start, new.stop)
        if self._parameters.confirm_hits == 1:
            lifecycle.confirm(store, track_of[rows], self._parameters)
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
