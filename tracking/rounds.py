"""From pairs within the gate to one-to-one: what nothing competes with is taken, then three rounds of assignment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from geometry.types import Array, BoolArray, IntArray

from .assignment import assign, unambiguous
from .parameters import LifeParameters

IGNORED, WEAK, STRONG = 0, 1, 2
"""What a detection may do: nothing; continue a confirmed track; continue and start any track."""


@dataclass(slots=True, eq=False)
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


@dataclass(slots=True, eq=False)
class Matches:
    """Which detection continues which track.

    Attributes:
        track_of: Shape (M,): row of the track that each detection continues, or -1.
        silent: Shape (L,): rows of the tracks that none continues, ascending.
    """

    track_of: IntArray
    silent: IntArray


def level(scores: Array, parameters: LifeParameters) -> IntArray:
    """Shape (M,): what each detection may do, by its score (M,): `IGNORED`, `WEAK` or `STRONG`."""
    high, low = parameters.high_score, parameters.low_score
    return np.add(scores >= high, scores >= (low if low < high else high), dtype=np.int64)


def nothing(detections: int, tracks: int) -> Matches:
    """No pair at all."""
    return Matches(np.full(detections, -1, dtype=np.int64), np.arange(tracks))


def associate(pairs: Pairs, level: IntArray, confirmed: IntArray, unmatched_cost: float) -> Matches:
    """Decide which detection continues which track.

    A pair of which neither partner has another candidate is taken, whatever it costs. Rounds decide about the others,
    each on what the earlier ones left: strong detections with confirmed and lost tracks; strong ones with tentative
    tracks, so that a ghost cannot take the detection of an object that is established; weak ones with confirmed and
    lost tracks (the two stages of ByteTrack, Zhang et al. 2022).

    Args:
        pairs: Within the gate.
        level: Shape (M,): what each detection may do.
        confirmed: Shape (N,), 0 for tentative tracks, else 1.
        unmatched_cost: Where there is a choice, a pair that costs more is not made.

    Returns:
        Pairs, each detection and each track at most once.
    """
    i, j = pairs.detections, pairs.tracks
    kept = None
    allowed = level[i] + confirmed[j] >= STRONG
    if np.count_nonzero(allowed) < len(allowed):
        kept = allowed.nonzero()[0]
        i, j = i[kept], j[kept]
    track_of, detection_of = _one_to_one(i, j, len(level), len(confirmed))
    free = detection_of < 0
    # One entry for each pair on both sides: then no partner has two candidates.
    if len(j) != len(free) - np.count_nonzero(free) or len(i) != np.count_nonzero(track_of >= 0):
        track_of = _decide(pairs, kept, level, confirmed, unmatched_cost)
        free = np.ones(len(confirmed), dtype=np.bool_)
        free[track_of[track_of >= 0]] = False
    return Matches(track_of, free.nonzero()[0])


def _one_to_one(i: IntArray, j: IntArray, detections: int, tracks: int) -> tuple[IntArray, IntArray]:
    """The last partner of each detection and of each track, -1 for none."""
    track_of, detection_of = np.empty(detections, np.int64), np.empty(tracks, np.int64)
    track_of.fill(-1)
    detection_of.fill(-1)
    track_of[i] = j
    detection_of[j] = i
    return track_of, detection_of


def _decide(
    pairs: Pairs, kept: IntArray | None, level: IntArray, confirmed: IntArray, unmatched_cost: float
) -> IntArray:
    """Shape (M,): tracks of the detections, where some have several candidates."""
    kept = np.arange(len(pairs.detections)) if kept is None else kept
    i, j = pairs.detections[kept], pairs.tracks[kept]
    alone = unambiguous(i, j)
    track_of = np.full(len(level), -1)
    track_of[i[alone]] = j[alone]
    rest = (~alone).nonzero()[0]
    costs = pairs.costs(kept[rest])
    worthwhile = costs <= unmatched_cost
    rest, costs = rest[worthwhile], costs[worthwhile]
    i, j = i[rest], j[rest]
    strong, established = level[i] == STRONG, confirmed[j] > 0
    free = np.ones(len(confirmed), dtype=np.bool_)
    rounds: tuple[BoolArray, ...] = (strong & established, strong & ~established, ~strong & established)
    for entitled in rounds:
        k = (entitled & (track_of[i] < 0) & free[j]).nonzero()[0]
        if k.size:
            k = k[assign(i[k], j[k], costs[k], unmatched_cost)]
            track_of[i[k]] = j[k]
            free[j[k]] = False
    return track_of
