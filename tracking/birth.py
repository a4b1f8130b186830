"""Which detections that continue nothing start a track, and which tracks make room when memory is full."""

from __future__ import annotations

import numpy as np

from geometry.types import BoolArray, IntArray

from .assignment import box_iou
from .association import Measurements
from .parameters import TrackerParameters
from .store import TrackStore


def newcomers(
    measured: Measurements, track_of: IntArray, parameters: TrackerParameters
) -> tuple[IntArray, IntArray, IntArray]:
    """Choose the detections that start a track: high score, a point in space, and not a second box on the same thing.

    Detectors suppress overlapping boxes per class, so that an object whose class they doubt comes with two boxes. The
    one that is not taken would start a ghost at the same place. It is recognised by both its overlap
    (`duplicate_iou`) and its distance (three `slack_m`) to a box that is taken.

    Args:
        measured: The detections.
        track_of: Shape (M,), row of the track that each continues; -1 if none.
        parameters: `high_score`, `duplicate_iou`, `slack_m`.

    Returns:
        Rows of the detections that start a track, highest score first; rows of those that are second boxes; and for
        each of the latter the row of the box that it repeats.
    """
    rows = np.flatnonzero(measured.located & (measured.scores >= parameters.high_score) & (track_of < 0))
    if not rows.size:
        return rows, rows, rows
    rows = rows[np.argsort(-measured.scores[rows], kind="stable")]
    taken = (track_of >= 0) & measured.located
    offsets = measured.points_m[rows][:, None] - measured.points_m[None]
    same = (offsets**2).sum(axis=2) <= (3.0 * parameters.slack_m) ** 2
    same &= box_iou(measured.boxes[rows][:, None], measured.boxes[None]) >= parameters.duplicate_iou
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


def start(
    store: TrackStore, measured: Measurements, rows: IntArray, first_id: int, parameters: TrackerParameters
) -> slice:
    """Append tracks for detections: at rest at the measured point, with the doubt of both.

    Args:
        store: Tracks.
        measured: The detections.
        rows: Shape (K,), those that start a track.
        first_id: Id of the first; the others count on.
        parameters: `initial_speed_m_s`.

    Returns:
        The rows of the store.
    """
    new = store.append(len(rows))
    store.ids[new] = np.arange(first_id, first_id + len(rows))
    store.class_ids[new] = measured.class_ids[rows]
    store.means[new, :3] = measured.points_m[rows]
    store.covariances[new, :3, :3] = measured.noise_m2[rows]
    store.covariances[new, 3:, 3:] = parameters.initial_speed_m_s**2 * np.eye(3)
    for stamps in (store.born_ns, store.seen_ns, store.measured_ns, store.aged_until_ns):
        stamps[new] = measured.stamp_ns
    return new


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
