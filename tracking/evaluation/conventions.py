"""What counts: the conventions of the MOTChallenge, as TrackEval applies them.

Rows of truth whose confidence is 0 are not to be considered. Where the truth has classes (MOT16, MOT17, MOT20), only
pedestrians are judged, and a tracker is not blamed for a track on something that looks like one: in each frame tracks
are matched to the truth of all classes, and those that match a distractor do not count. Where it has none (2D MOT 2015,
places in 3D) everything counts that is to be considered, and classes of tracks are not looked at.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from deploy.errors import BadInput
from geometry.types import BoolArray, IntArray
from tracking.mot_files import MotRows

from .alignment import Alignment
from .similarity import ROUNDING

# Classes of the ground truth, from 1 on.
CLASSES = (
    "pedestrian", "person on vehicle", "car", "bicycle", "motorbike", "non-motorized vehicle", "static person",
    "distractor", "occluder", "occluder on the ground", "occluder full", "reflection", "crowd",
)  # fmt: skip
PEDESTRIAN = 1
# In MOT20 also the sixth; the rows do not say which benchmark they are of.
DISTRACTORS = (2, 7, 8, 12)
SIXTH = 6
# Similarity from which on a track is on a distractor, whatever the threshold of the figures.
LEAST = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Counted:
    """Which rows count.

    Attributes:
        truth: Shape (N,).
        tracks: Shape (M,).
        notes: What was left out, in sentences.
    """

    truth: BoolArray
    tracks: BoolArray
    notes: tuple[str, ...]


def counted(truth: MotRows, tracks: MotRows, alignment: Alignment) -> Counted:
    """Find the rows that count.

    Args:
        truth: The ground truth.
        tracks: What is judged.
        alignment: Of all their rows.

    Raises:
        BadInput: If no row of truth counts, or a class is none of the MOTChallenge.
    """
    considered = truth.scores != 0.0
    judged, free, notes = np.ones(len(truth), bool), np.ones(len(tracks), bool), []
    if not considered.all():
        notes.append(f"truth: {_rows(~considered)} of confidence 0 left out")
    if (truth.class_ids != -1).any():
        _check_classes(truth, tracks)
        judged = truth.class_ids == PEDESTRIAN
        others = considered & ~judged
        if others.any():
            names = ", ".join(CLASSES[number - 1] for number in np.unique(truth.class_ids[others]).tolist())
            notes.append(f"truth: {_rows(others)} of other classes than pedestrian left out ({names})")
        matched = _class_of_match(truth, tracks, alignment)
        free = ~np.isin(matched, DISTRACTORS)
        if not free.all():
            notes.append(f"tracks: {_rows(~free)} on distractors left out, as in MOT16 and MOT17")
        if (matched == SIXTH).any():
            notes.append(
                f"tracks: {_rows(matched == SIXTH)} on a {CLASSES[SIXTH - 1]}, false positives as in MOT16 and MOT17; "
                "MOT20 leaves them out"
            )
    if not (considered & judged).any():
        why = "".join(f" ({note})" for note in notes if note.startswith("truth"))
        raise BadInput(f"truth: no row of {len(truth)} counts{why}: give ground truth with an object")
    return Counted(considered & judged, free, tuple(notes))


def _check_classes(truth: MotRows, tracks: MotRows) -> None:
    unknown = np.flatnonzero((truth.class_ids < 1) | (truth.class_ids > len(CLASSES)))
    for row in unknown[:1]:
        raise BadInput(
            f"truth: class {truth.class_ids[row]} in frame {truth.frames[row]}: expected the classes 1..{len(CLASSES)} "
            "of the MOTChallenge in each row, or -1 in each where there are none"
        )
    for row in np.flatnonzero(tracks.class_ids > PEDESTRIAN)[:1]:
        raise BadInput(
            f"tracks: class {tracks.class_ids[row]} in frame {tracks.frames[row]}: a truth with classes judges "
            f"pedestrians, class {PEDESTRIAN}; leave other rows out"
        )


def _class_of_match(truth: MotRows, tracks: MotRows, alignment: Alignment) -> IntArray:
    """Class of the row of truth that each row of tracks is on; 0 for none."""
    matched = np.zeros(len(tracks), np.int64)
    for true, tracked, similarity in zip(alignment.truth, alignment.tracks, alignment.similarity, strict=True):
        value = np.where(similarity >= LEAST - ROUNDING, similarity, 0.0)
        rows, columns = linear_sum_assignment(value, maximize=True)
        real = value[rows, columns] > 0.0
        matched[tracked[columns[real]]] = truth.class_ids[true[rows[real]]]
    return matched


def _rows(which: BoolArray) -> str:
    count = int(which.sum())
    return f"{count} row{'' if count == 1 else 's'}"
