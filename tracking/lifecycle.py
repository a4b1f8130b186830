"""The life of a track: a detection counts, silence only where there was something to see, and time is in seconds."""

from __future__ import annotations

import numpy as np

from geometry.types import Array, BoolArray, IntArray

from .parameters import LifeParameters
from .store import BORN, HITS, LIMIT, LIVES, SEEN, UNSEEN, TrackStore

SCORE_MEMORY = 0.8
# Weight of a track's k-th detection in its score: the plain mean until that would forget less than SCORE_MEMORY does.
_WEIGHT = np.maximum(1.0 / np.maximum(np.arange(9), 1), 1.0 - SCORE_MEMORY)
VOTE_MEMORY = 0.9
# How much more another class must have gathered. A detector that says one thing and the other by turns decides nothing.
VOTE_MARGIN = 1.25


class Lifecycle:
    """The rules.

    Args:
        parameters: `confirm_hits`, `confirm_s`, `confirm_score`, `tentative_s`, `lost_s`, `max_tracks`.
    """

    def __init__(self, parameters: LifeParameters) -> None:
        self._confirm_hits = parameters.confirm_hits
        self._confirm_ns = round(parameters.confirm_s * 1e9)
        self._confirm_score = parameters.confirm_score
        self._lost_ns = round(parameters.lost_s * 1e9)
        self._tentative_ns = min(round(parameters.tentative_s * 1e9), self._lost_ns)
        self._max_tracks = parameters.max_tracks
        self._new = np.zeros((LIVES, 1), dtype=np.int64)
        self._new[HITS], self._new[LIMIT] = 1, self._tentative_ns

    def begin(
        self, store: TrackStore, new: slice, first_id: int, stamp_ns: int, scores: Array, class_ids: IntArray
    ) -> None:
        """Fill the lives of new tracks, which their first detections (K,) started."""
        self._new[BORN : SEEN + 1] = stamp_ns
        store.life[:, new] = self._new
        store.ids[new] = np.arange(first_id, first_id + len(scores))
        store.class_ids[new] = class_ids
        store.scores[new] = scores
        if store.votes.shape[1] > 1:
            store.votes[np.arange(new.start, new.stop), class_ids] = scores
        if self._confirm_hits == 1:
            self._confirm(store, np.arange(new.start, new.stop))

    def trust(self, store: TrackStore, tracks: slice | IntArray | BoolArray) -> None:
        """Confirm tracks."""
        store.confirmed[tracks] = 1
        store.limit_ns[tracks] = self._lost_ns

    def see(
        self, store: TrackStore, tracks: IntArray, stamp_ns: int, late: bool, scores: Array, class_ids: IntArray
    ) -> None:
        """Enter detections of tracks: they are seen, their class gets a vote, and they may become confirmed.

        A lost track is confirmed again at once.

        Args:
            store: Tracks.
            tracks: Shape (K,), rows, each once.
            stamp_ns: Capture time [ns].
            late: Something newer has been seen.
            scores: Shape (K,).
            class_ids: Shape (K,).
        """
        hits = store.hits[tracks] + 1
        store.hits[tracks] = hits
        if late:
            store.seen_ns[tracks] = np.maximum(store.seen_ns[tracks], stamp_ns)
            store.unseen_ns[tracks] = 0
        else:
            store.life[SEEN : UNSEEN + 1, tracks] = [[stamp_ns], [0]]
        before = store.scores[tracks]
        store.scores[tracks] = before + _WEIGHT.take(hits, mode="clip") * (scores - before)
        if store.votes.shape[1] > 1:
            store.votes[tracks] *= VOTE_MEMORY
            vote(store, tracks, scores, class_ids)
        sure = store.confirmed[tracks]
        if np.count_nonzero(sure) < len(sure):
            self._confirm(store, tracks[sure == 0])

    def _confirm(self, store: TrackStore, doubted: IntArray) -> None:
        """Confirm those that have been seen often enough, for long enough, with scores that are high enough."""
        hits = store.hits[doubted]
        proven = hits >= self._confirm_hits
        if self._confirm_score > 0.0:
            proven &= hits * store.scores[doubted] >= self._confirm_score
        proven &= store.seen_ns[doubted] - store.born_ns[doubted] >= self._confirm_ns
        if np.count_nonzero(proven):
            self.trust(store, doubted[proven])

    def miss(self, store: TrackStore, tracks: IntArray, unseen_ns: IntArray | int) -> BoolArray | None:
        """Age tracks that a camera did not detect, and find those that are over.

        One look, however late it comes, counts for half a lifetime at most: a stream that stood still for a minute says
        nothing about that minute.

        Args:
            store: Tracks.
            tracks: Shape (K,), rows, each once.
            unseen_ns: Shape (K,), or one figure for all: time that each should have been seen and was not [ns].

        Returns:
            Shape (N,), all rows of the store: those that live on; None if all do.
        """
        limit = store.limit_ns[tracks]
        if isinstance(unseen_ns, np.ndarray) or 2 * unseen_ns > self._tentative_ns:
            unseen_ns = np.minimum(unseen_ns, (limit + 1) // 2)
        total = store.unseen_ns[tracks] + unseen_ns
        store.unseen_ns[tracks] = total
        over = total >= limit
        if not np.count_nonzero(over):
            return None
        alive = np.ones(len(store), dtype=np.bool_)
        alive[tracks[over]] = False
        return alive

    def within_memory(self, store: TrackStore) -> BoolArray | None:
        """Find the tracks to keep so that at most `max_tracks` are left: those seen latest, of these the oldest.

        Returns:
            Shape (N,); None if all may stay.
        """
        excess = len(store) - self._max_tracks
        if excess <= 0:
            return None
        kept = np.ones(len(store), dtype=np.bool_)
        kept[np.lexsort((-store.ids, store.seen_ns))[:excess]] = False
        return kept


def vote(store: TrackStore, tracks: IntArray, scores: Array, class_ids: IntArray) -> None:
    """Count what detections say of the class of their tracks; it changes when another has gathered clearly more.

    A second box on an object votes too. Otherwise the first class would hold for ever: boxes of that class are
    preferred in matching, and so the others would never be heard.

    Args:
        store: Tracks.
        tracks: Shape (K,), rows; a row may come several times.
        scores: Shape (K,), weights of the votes.
        class_ids: Shape (K,).
    """
    np.add.at(store.votes, (tracks, class_ids), scores)
    votes, everyone = store.votes[tracks], np.arange(len(tracks))
    winner, present = votes.argmax(axis=1), store.class_ids[tracks]
    better = votes[everyone, winner] > VOTE_MARGIN * votes[everyone, present]
    store.class_ids[tracks] = np.where(better, winner, present)


def know_classes(store: TrackStore, count: int) -> None:
    """Make room for votes on `count` classes.

    With one class nothing is voted on; when a second appears, the votes of the first are those that constant scores
    would have left.
    """
    alone = store.votes.shape[1] == 1
    store.know_classes(count)
    if alone and count > 1:
        store.votes[:, 0] = store.scores * (1.0 - VOTE_MEMORY**store.hits) / (1.0 - VOTE_MEMORY)
