"""Tracks against ground truth."""

from __future__ import annotations

import numpy as np

from deploy.errors import BadInput, require
from geometry.types import Array, IntArray
from tracking.mot_files import MotRows

from .alignment import align, sequence_of
from .clear_identity import clear_identity
from .conventions import counted
from .files import identity_fault
from .hota import hota
from .scores import Scores
from .similarity import nearness, overlap


def evaluate(truth: MotRows, tracks: MotRows, *, iou: float = 0.5, distance_m: float | None = None) -> Scores:
    """Score tracks by the overlap of boxes, or by the distance of places.

    By distance the similarity is 1 - d / (2 distance_m), so that HOTA and `motp` are about metres too: a pair at
    `distance_m` has 0.5. Classes are not compared; see `conventions` for what counts.

    Args:
        truth: The ground truth.
        tracks: What is judged; may have no rows.
        iou: Overlap from which on CLEAR and identity figures take a pair for a match, in (0, 1].
        distance_m: Distance [m] up to which they do: places are compared, and `iou` is not used.

    Returns:
        The figures.

    Raises:
        BadInput: If a threshold is out of range, no row of truth counts, an identity is twice in a frame or missing, or
            places are to be compared and a row has none.
        Missing: If motmetrics is not installed.
    """
    require("motmetrics", "eval")
    if distance_m is None and not 0.0 < iou <= 1.0:
        raise BadInput(f"overlap {iou}: expected an IoU above 0 and up to 1, such as 0.5")
    if distance_m is not None and not 0.0 < distance_m < np.inf:
        raise BadInput(f"distance {distance_m}: expected more than 0 m, such as 0.05")
    for name, rows in (("truth", truth), ("tracks", tracks)):
        _check(name, rows, places=distance_m is not None)

    def similarity(true: IntArray, tracked: IntArray) -> Array:
        if distance_m is None:
            return overlap(truth.boxes_ltwh[true], tracks.boxes_ltwh[tracked])
        return nearness(truth.points_m[true], tracks.points_m[tracked], distance_m)

    alignment = align(truth, tracks, similarity)
    count = counted(truth, tracks, alignment)
    sequence = sequence_of(alignment, truth.ids, tracks.ids, count.truth, count.tracks)
    clear = clear_identity(sequence, iou if distance_m is None else 0.5)
    order = hota(sequence)
    motp = clear["motp"]
    return Scores(
        similarity="iou" if distance_m is None else "distance",
        threshold=iou if distance_m is None else distance_m,
        hota=order.hota,
        deta=order.deta,
        assa=order.assa,
        loca=order.loca,
        mean_distance_m=None if distance_m is None or motp is None else (1.0 - motp) * 2.0 * distance_m,
        objects=len(sequence.truth_counts),
        truth_rows=int(sequence.truth_counts.sum()),
        track_rows=int(sequence.track_counts.sum()),
        frames=len(alignment.truth),
        notes=count.notes + _outside(truth, tracks),
        **clear,
    )


def _check(name: str, rows: MotRows, places: bool) -> None:
    fault = identity_fault(rows)
    if fault is not None:
        raise BadInput(f"{name}: {fault[1]}")
    without = ~np.isfinite(rows.points_m).all(axis=1)
    if places and without.any():
        raise BadInput(
            f"{name}: {int(without.sum())} of {len(rows)} rows have no x,y,z in metres (columns 8 to 10), the first in "
            f"frame {rows.frames[without][0]}: a distance needs them; compare boxes with an IoU instead"
        )


def _outside(truth: MotRows, tracks: MotRows) -> tuple[str, ...]:
    first, last = int(truth.frames.min()), int(truth.frames.max())
    beyond = int(((tracks.frames < first) | (tracks.frames > last)).sum())
    note = (
        f"tracks: {beyond} of {len(tracks)} rows outside the frames {first} to {last} of the truth, all false "
        "positives: are both numbered alike?"
    )
    return (note,) if beyond else ()
