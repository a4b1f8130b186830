"""Truth and tracks side by side: which rows share a frame, and how alike they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from geometry.types import Array, BoolArray, IntArray
from tracking.mot_files import MotRows

# How alike rows of truth (N,) and rows of tracks (M,) are: (N, M), in [0, 1].
Similarity = Callable[[IntArray, IntArray], Array]


@dataclass(frozen=True, slots=True, eq=False)
class Alignment:
    """Rows by frame. The tuples have one entry per frame in which one of the two has a row, in their order.

    Attributes:
        truth: Numbers of the rows of truth, (N,) each.
        tracks: Numbers of the rows of tracks, (M,) each.
        similarity: Shape (N, M) each, in [0, 1].
    """

    truth: tuple[IntArray, ...]
    tracks: tuple[IntArray, ...]
    similarity: tuple[Array, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Sequence:
    """What the metrics take: identities numbered from 0 without a gap. The tuples have one entry per frame.

    Attributes:
        truth_ids: Shape (N,) each, in 0 .. objects - 1.
        track_ids: Shape (M,) each, in 0 .. identities - 1.
        similarity: Shape (N, M) each, in [0, 1].
        truth_counts: Shape (objects,): frames in which each object is.
        track_counts: Shape (identities,): frames in which each track is.
    """

    truth_ids: tuple[IntArray, ...]
    track_ids: tuple[IntArray, ...]
    similarity: tuple[Array, ...]
    truth_counts: IntArray
    track_counts: IntArray


def align(truth: MotRows, tracks: MotRows, similarity: Similarity) -> Alignment:
    """Put rows of the same frame side by side.

    In each frame they are in the order of their identities, so that no figure depends on the order of rows in a file.

    Args:
        truth: The ground truth, in any order.
        tracks: What is judged, in any order.
        similarity: Asked once per frame.
    """
    frames = np.union1d(truth.frames, tracks.frames)
    rows = _by_frame(truth, frames), _by_frame(tracks, frames)
    return Alignment(*rows, tuple(similarity(*pair) for pair in zip(*rows, strict=True)))


def sequence_of(
    alignment: Alignment, truth_ids: IntArray, track_ids: IntArray, truth_counts: BoolArray, tracks_count: BoolArray
) -> Sequence:
    """Keep the rows that count, and number their identities anew.

    Args:
        alignment: Of all rows.
        truth_ids: Shape (N,): identity of each row of truth.
        track_ids: Shape (M,): of each row of tracks.
        truth_counts: Shape (N,): which of them count.
        tracks_count: Shape (M,).
    """
    truth_labels, truth_frames = _renumbered(truth_ids, truth_counts)
    track_labels, track_frames = _renumbered(track_ids, tracks_count)
    kept_truth = tuple(rows[truth_counts[rows]] for rows in alignment.truth)
    kept_tracks = tuple(rows[tracks_count[rows]] for rows in alignment.tracks)
    similarity = tuple(
        value[np.ix_(truth_counts[truth], tracks_count[tracks])]
        for truth, tracks, value in zip(alignment.truth, alignment.tracks, alignment.similarity, strict=True)
    )
    return Sequence(
        tuple(truth_labels[rows] for rows in kept_truth),
        tuple(track_labels[rows] for rows in kept_tracks),
        similarity,
        truth_frames,
        track_frames,
    )


def _by_frame(rows: MotRows, frames: IntArray) -> tuple[IntArray, ...]:
    order = np.lexsort((rows.ids, rows.frames))
    return tuple(np.split(order, np.searchsorted(rows.frames[order], frames[1:])))


def _renumbered(ids: IntArray, counted: BoolArray) -> tuple[IntArray, IntArray]:
    """A label for each row, -1 where it does not count, and the number of rows of each label."""
    labels = np.full(len(ids), -1, np.int64)
    _, labels[counted], counts = np.unique(ids[counted], return_inverse=True, return_counts=True)
    return labels, counts.astype(np.int64)
