"""The life of a track: a detection counts, silence only where there was something to see, and time is in seconds."""

from __future__ import annotations

import numpy as np

from geometry.types import Array, BoolArray, IntArray

from .parameters import LifeParameters
from .store import TrackStore

SCORE_MEMORY = 0.8
VOTE_MEMORY = 0.9
# How much more another class must have gathered. A detector that says one thing and the other by turns decides nothing.
VOTE_MARGIN = 1.25


def see(
    store: TrackStore, tracks: IntArray, stamp_ns: int, scores: Array, class_ids: IntArray, parameters: LifeParameters
) -> None:
    """Enter detections of tracks: they are seen, their class gets a vote, and they may become confirmed.

    A lost track is confirmed again at once.

    Args:
        store: Tracks.
        tracks: Shape (K,), rows, each once.
        stamp_ns: Capture time [ns].
        scores: Shape (K,).
        class_ids: Shape (K,).
        parameters: `confirm_hits`, `confirm_s`.
    """
    store.hits[tracks] += 1
    store.seen_ns[tracks] = np.maximum(store.seen_ns[tracks], stamp_ns)
    store.unseen_ns[tracks] = 0
    before = store.scores[tracks]
    store.scores[tracks] = before + (1.0 - SCORE_MEMORY) * (scores - before)
    if store.votes.shape[1] > 1:
        store.votes[tracks] *= VOTE_MEMORY
        vote(store, tracks, scores, class_ids)
    if np.count_nonzero(store.confirmed) < len(store):
        confirm(store, tracks, parameters)


def confirm(store: TrackStore, tracks: IntArray, parameters: LifeParameters) -> None:
    """Confirm the tentative ones of some tracks if they have been seen often enough, for long enough."""
    doubted = tracks[store.confirmed[tracks] == 0]
    if doubted.size:
        proven = store.hits[doubted] >= parameters.confirm_hits
        proven &= store.seen_ns[doubted] - store.born_ns[doubted] >= parameters.confirm_s * 1e9
        store.confirmed[doubted] = proven


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
    store.widen("votes", count)
    if alone and count > 1:
        store.votes[:, 0] = store.scores * (1.0 - VOTE_MEMORY**store.hits) / (1.0 - VOTE_MEMORY)


def miss(
    store: TrackStore, tracks: IntArray, unseen_ns: IntArray | int, parameters: LifeParameters
) -> BoolArray | None:
    """Age tracks that a camera did not detect, and find those that are over.

    One look, however late it comes, counts for half a lifetime at most: a stream that stood still for a minute says
    nothing about that minute.

    Args:
        store: Tracks.
        tracks: Shape (K,), rows, each once.
        unseen_ns: Shape (K,), or one figure for all: time that each should have been seen and was not [ns].
        parameters: `lost_s`, `tentative_s`.

    Returns:
        Shape (N,), all rows of the store: those that live on; None if all do.
    """
    lost, tentative = round(parameters.lost_s * 1e9), round(min(parameters.tentative_s, parameters.lost_s) * 1e9)
    limit = np.where(store.confirmed[tracks] > 0, lost, tentative)
    total = store.unseen_ns[tracks] + np.minimum(unseen_ns, (limit + 1) // 2)
    store.unseen_ns[tracks] = total
    over = total >= limit
    if not np.count_nonzero(over):
        return None
    alive = np.ones(len(store), dtype=np.bool_)
    alive[tracks[over]] = False
    return alive


def within_memory(store: TrackStore, limit: int) -> BoolArray:
    """Find the tracks to keep so that at most `limit` are left: those seen latest, of these the oldest.

    Args:
        store: Tracks.
        limit: Number of tracks.

    Returns:
        Shape (N,).
    """
    kept = np.ones(len(store), dtype=np.bool_)
    excess = len(store) - limit
    if excess > 0:
        kept[np.lexsort((-store.ids, store.seen_ns))[:excess]] = False
    return kept
