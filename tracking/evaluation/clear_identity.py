"""CLEAR MOT and identity figures, by motmetrics.

Bernardin and Stiefelhagen, Evaluating Multiple Object Tracking Performance: The CLEAR MOT Metrics, 2008; Ristani et
al., Performance Measures and a Data Set for Multi-Target, Multi-Camera Tracking, 2016. motmetrics gives the figures of
the MOTChallenge's own kit. TrackEval gives the same identity figures, and CLEAR figures that differ at times: there an
object prefers its track of the frame before alone, here the one that it was last matched with; a gap in the truth is a
fragmentation there, and mostly tracked is more than 80 %, here 80 % or more. Where two objects were last matched with
the same track, motmetrics gives it to the one of the lower number.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from deploy.errors import require

from .alignment import Sequence
from .similarity import ROUNDING

# Names of motmetrics, by ours.
_RATIOS = {name: name for name in ("mota", "motp", "idf1", "idp", "idr", "precision", "recall")}
_COUNTS = {
    "fp": "num_false_positives",
    "fn": "num_misses",
    "ids": "num_switches",
    "fragmentations": "num_fragmentations",
    "mostly_tracked": "mostly_tracked",
    "mostly_lost": "mostly_lost",
}


def clear_identity(sequence: Sequence, least: float) -> dict[str, Any]:
    """Score a sequence.

    Args:
        sequence: With a row of truth or more.
        least: Similarity from which on a pair may match, in (0, 1].

    Returns:
        Figures by their names in `Scores`: ratios as float, None without anything to divide by; counts as int.

    Raises:
        Missing: If motmetrics is not installed.
    """
    motmetrics = require("motmetrics", "eval")
    with motmetrics.lap.set_default_solver("scipy"):  # else whichever solver happens to be installed
        accumulator = motmetrics.MOTAccumulator()
        frames = zip(sequence.truth_ids, sequence.track_ids, sequence.similarity, strict=True)
        for number, (truth, tracks, similarity) in enumerate(frames):
            distances = np.where(similarity >= least - ROUNDING, 1.0 - similarity, np.nan)
            accumulator.update(truth, tracks, distances, frameid=number)
        found = motmetrics.metrics.create().compute(
            accumulator, metrics=[*_RATIOS.values(), *_COUNTS.values()], return_dataframe=False
        )
    figures: dict[str, Any] = {ours: _number(found[theirs]) for ours, theirs in _RATIOS.items()}
    if figures["motp"] is not None:
        figures["motp"] = 1.0 - figures["motp"]  # theirs is a distance
    return figures | {ours: int(found[theirs]) for ours, theirs in _COUNTS.items()}


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
