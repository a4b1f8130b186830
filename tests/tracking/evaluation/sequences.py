"""Small sequences whose figures are known."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from tracking.mot_files import MotRows

# Frame, identity, left, top, width, height.
Row = tuple[float, ...]


def boxes(rows: Iterable[Row], scores: object = None, class_ids: object = None) -> MotRows:
    """Rows with boxes and without places."""
    values = np.array(list(rows), np.float64).reshape(-1, 6)
    count = len(values)
    return MotRows(
        frames=values[:, 0].astype(np.int64),
        ids=values[:, 1].astype(np.int64),
        boxes_ltwh=values[:, 2:],
        scores=np.ones(count) if scores is None else scores,
        points_m=np.full((count, 3), np.nan),
        class_ids=np.full(count, -1) if class_ids is None else class_ids,
    )


def places(rows: Iterable[Row]) -> MotRows:
    """Rows with places and boxes that say nothing: frame, identity, x, y, z."""
    values = np.array(list(rows), np.float64).reshape(-1, 5)
    count = len(values)
    return MotRows(
        frames=values[:, 0].astype(np.int64),
        ids=values[:, 1].astype(np.int64),
        boxes_ltwh=np.zeros((count, 4)),
        scores=np.ones(count),
        points_m=values[:, 2:],
        class_ids=np.full(count, -1),
    )


def select(rows: MotRows, which: object) -> MotRows:
    """Some of the rows, or all in another order."""
    return MotRows(
        rows.frames[which],
        rows.ids[which],
        rows.boxes_ltwh[which],
        rows.scores[which],
        rows.points_m[which],
        rows.class_ids[which],
    )


def street() -> tuple[MotRows, MotRows]:
    """A street of 40 frames: 9 objects of several classes that cross, tracks that jitter, drop out and swap.

    Made by arithmetic alone, so that it is the same on each machine.
    """
    truth, classes, scores, tracks = [], [], [], []
    kinds = (1, 1, 1, 1, 1, 2, 7, 3, 12)
    for frame in range(1, 41):
        for number, kind in enumerate(kinds):
            if not number <= frame <= 45 - 2 * number:
                continue
            left = 20.0 * number + (4 - number) * 1.5 * frame
            top, width, height = 50.0 + 6 * number, 40.0, 80.0
            truth.append((frame, 3 * number + 4, left, top, width, height))
            classes.append(kind)
            scores.append(0.0 if (frame + 5 * number) % 17 == 0 else 1.0)
            if (7 * frame + 5 * number) % 11 == 0:
                continue
            identity = 100 + (number if frame < 20 or number > 3 else number ^ 1) + (50 if frame > 30 else 0)
            jitter = round(9.0 * math.sin(1.7 * frame + number), 3)
            tracks.append((frame, identity, left + jitter, top - jitter / 2, width + jitter / 3, height - jitter))
        if frame % 6 == 0:
            tracks.append((frame, 900 + frame, 500.0, 10.0, 30.0, 60.0))
    return boxes(truth, scores, classes), boxes(tracks)
