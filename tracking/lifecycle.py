"""The life of a track: a detection counts, silence only where there was something to see, and time is in seconds."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from geometry.types import BoolArray, IntArray
from perception.visibility import Sight

from .parameters import TrackerParameters
from .store import TrackStore
from .tracks import TrackState

# Looking a member of an enumeration up costs as much as a small array operation.
TENTATIVE, CONFIRMED, LOST = (np.uint8(state) for state in TrackState)
VISIBLE, HIDDEN = np.uint8(Sight.VISIBLE), np.uint8(Sight.HIDDEN)

SCORE_MEMORY = 0.8
VOTE_MEMORY = 0.9
# How much more another class must have gathered. A detector that says one thing and the other by turns decides nothing.
VOTE_MARGIN = 1.25


def see(
    store: TrackStore,
    tracks: IntArray,
    camera: int,
    stamp_ns: int,
    boxes: npt.NDArray[np.float64],
    scores: npt.NDArray[np.float64],
    class_ids: npt.NDArray[np.int32],
    parameters: TrackerParameters,
) -> None:
    """Enter detections of tracks: they are seen, their class gets a vote, and they may become confirmed.

    A lost track is confirmed again at once.

    Args:
        store: Tracks.
        tracks: Shape (K,), rows, each once.
        camera: Number of the camera.
        stamp_ns: Capture time [ns].
        boxes: Shape (K, 4) [px].
        scores: Shape (K,).
        class_ids: Shape (K,).
        parameters: `confirm_hits`, `confirm_s`.
    """
    first = store.hits[tracks] == 0
    store.hits[tracks] += 1
    seen_ns = np.maximum(store.seen_ns[tracks], stamp_ns)
    store.seen_ns[tracks] = store.aged_until_ns[tracks] = seen_ns
    store.unseen_ns[tracks] = 0
    store.boxes[tracks, camera] = boxes
    store.box_ns[tracks, camera] = stamp_ns
    store.scores[tracks] = np.where(first, scores, SCORE_MEMORY * store.scores[tracks] + (1 - SCORE_MEMORY) * scores)
    store.votes[tracks] *= VOTE_MEMORY
    vote(store, tracks, scores, class_ids)
    proven = store.hits[tracks] >= parameters.confirm_hits
    proven &= seen_ns - store.born_ns[tracks] >= parameters.confirm_s * 1e9
    proven |= store.states[tracks] != TENTATIVE
    store.states[tracks] = np.where(proven, CONFIRMED, TENTATIVE)


def vote(
    store: TrackStore,
    tracks: IntArray,
    scores: npt.NDArray[np.float64],
    class_ids: npt.NDArray[np.int32],
) -> None:
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
    winner, present = votes.argmax(axis=1).astype(np.int32), store.class_ids[tracks]
    better = votes[everyone, winner] > VOTE_MARGIN * votes[everyone, present]
    store.class_ids[tracks] = np.where(better, winner, present)


def miss(
    store: TrackStore,
    tracks: IntArray,
    visibility: npt.NDArray[np.uint8],
    stamp_ns: int,
    previous_look_ns: int,
    parameters: TrackerParameters,
) -> BoolArray:
    """Age tracks that a camera did not detect, and find those that are over.

    In plain view the time since this camera's previous look counts, unless the track was seen or the time was counted
    since; behind a nearer surface `hidden_rate` of it; outside the view nothing. A tentative track has not earned that
    patience: its time always counts. One look, however late it comes, counts for half a lifetime at most: a stream that
    stood still for a minute says nothing about that minute.

    Args:
        store: Tracks.
        tracks: Shape (K,), rows, each once.
        visibility: Shape (K,), what the camera could see of each.
        stamp_ns: Capture time of the look [ns].
        previous_look_ns: Capture time of this camera's look before it; `stamp_ns` if there is none [ns].
        parameters: `coast_s`, `lost_s`, `tentative_s`, `hidden_rate`.

    Returns:
        Shape (N,), all rows of the store: those that live on.
    """
    tentative = store.states[tracks] == TENTATIVE
    counts = tentative | (visibility == VISIBLE)
    limit = np.full(len(tracks), round(parameters.lost_s * 1e9), dtype=np.int64)
    limit[tentative] = round(min(parameters.tentative_s, parameters.lost_s) * 1e9)
    since = np.maximum(store.aged_until_ns[tracks], previous_look_ns)
    elapsed = np.maximum(stamp_ns - since, 0)
    hidden = ~counts & (visibility == HIDDEN)
    added = np.where(counts, elapsed, np.where(hidden, np.rint(elapsed * parameters.hidden_rate), 0)).astype(np.int64)
    unseen = store.unseen_ns[tracks] + np.minimum(added, (limit + 1) // 2)
    store.unseen_ns[tracks] = unseen
    # A look at something hidden, or past it, leaves the time open for another camera that sees the place.
    counted = store.aged_until_ns[tracks]
    store.aged_until_ns[tracks] = np.where(counts, np.maximum(counted, stamp_ns), counted)
    silent = stamp_ns - store.seen_ns[tracks] > parameters.coast_s * 1e9
    store.states[tracks] = np.where(silent & ~tentative, LOST, store.states[tracks])
    alive = np.ones(len(store), dtype=np.bool_)
    alive[tracks[unseen >= limit]] = False
    return alive
