"""From pairs within the gate to one-to-one: what nothing competes with is taken, then three rounds of assignment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from geometry.types import Array, BoolArray, IntArray

from .assignment import assign, unambiguous
from .parameters import LifeParameters


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Pairs within the gate, ordered by detection, then track.

    Attributes:
        detections: Shape (K,), row of the detection.
        tracks: Shape (K,), row of the track.
        costs: Gives the costs (L,) of some pairs, of which it is told the numbers (L,). It is called only if there is
            something to decide.
    """

    detections: IntArray
    tracks: IntArray
    costs: Callable[[IntArray], Array]


def usable(scores: Array, parameters: LifeParameters) -> tuple[BoolArray, BoolArray]:
    """Which detections count fully, and which only continue a confirmed track: two arrays of shape (M,)."""
    high = scores >= parameters.high_score
    low = (scores >= min(parameters.low_score, parameters.high_score)) & ~high
    return high, low


def associate(pairs: Pairs, high: BoolArray, low: BoolArray, confirmed: IntArray, unmatched_cost: float) -> IntArray:
    """Decide which detection continues which track.

    A pair of which neither partner has another candidate is taken. Rounds decide about the others, each on what the
    earlier ones left: high scores with confirmed and lost tracks; high scores with tentative tracks, so that a ghost
    cannot take the detection of an object that is established; low scores with confirmed and lost tracks (the two
    stages of ByteTrack, Zhang et al. 2022).

    Args:
        pairs: Within the gate.
        high: Shape (M,): detections that count fully.
        low: Shape (M,): detections that may continue a confirmed track.
        confirmed: Shape (N,), 0 for tentative tracks.
        unmatched_cost: A pair that costs more is not made.

    Returns:
        Shape (M,): row of the track that each detection continues, or -1.
    """
    track_of = np.full(len(high), -1, dtype=np.int64)
    detections, tracks = pairs.detections, pairs.tracks
    if not detections.size:
        return track_of
    usable_ = high[detections] | (low[detections] & (confirmed[tracks] > 0))
    if np.count_nonzero(usable_) < len(usable_):
        kept = usable_.nonzero()[0]
        detections, tracks = detections[kept], tracks[kept]
    else:
        kept = None
    alone = unambiguous(detections, tracks)
    if np.count_nonzero(alone) == len(alone):
        track_of[detections] = tracks
        return track_of
    track_of[detections[alone]] = tracks[alone]
    rest = (~alone).nonzero()[0]
    detections, tracks = detections[rest], tracks[rest]
    costs = pairs.costs(rest if kept is None else kept[rest])
    established, sure = confirmed[tracks] > 0, high[detections]
    free = np.ones(len(confirmed), dtype=np.bool_)
    for round_ in (sure & established, sure & ~established, ~sure & established):
        k = (round_ & (track_of[detections] < 0) & free[tracks]).nonzero()[0]
        if k.size:
            k = k[assign(detections[k], tracks[k], costs[k], unmatched_cost)]
            track_of[detections[k]] = tracks[k]
            free[tracks[k]] = False
    return track_of
