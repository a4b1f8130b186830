"""HOTA and identity figures are those of TrackEval."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.tracking.evaluation.sequences import street
from tracking.evaluation.alignment import Sequence, align, sequence_of
from tracking.evaluation.clear_identity import clear_identity
from tracking.evaluation.conventions import counted
from tracking.evaluation.hota import hota
from tracking.evaluation.similarity import overlap

# Of TrackEval 1.3.0 on the same rows in files, as MOT17 (with classes) and as 2D MOT 2015 (without).
PUBLISHED = {
    True: {
        "hota": 0.31362295226543074, "deta": 0.4457352739056226, "assa": 0.22116811381400248,
        "loca": 0.7451139550586737, "idf1": 0.42857142857142855, "idp": 0.39622641509433965, "idr": 0.4666666666666667,
    },
    False: {
        "hota": 0.3979375087608313, "deta": 0.5259544499836096, "assa": 0.30135131095846246,
        "loca": 0.7507068696738002, "idf1": 0.5601436265709157, "idp": 0.5631768953068592, "idr": 0.5571428571428572,
    },
}  # fmt: skip


def sequence(classes: bool) -> Sequence:
    truth, tracks = street()
    if not classes:
        truth = replace(truth, class_ids=np.full(len(truth), -1))
    rows = align(truth, tracks, lambda n, m: overlap(truth.boxes_ltwh[n], tracks.boxes_ltwh[m]))
    count = counted(truth, tracks, rows)
    return sequence_of(rows, truth.ids, tracks.ids, count.truth, count.tracks)


@pytest.mark.parametrize("classes", [True, False])
def test_figures_that_the_authors_program_gives(classes: bool) -> None:
    pytest.importorskip("motmetrics")
    score, clear = hota(sequence(classes)), clear_identity(sequence(classes), 0.5)
    found = {name: getattr(score, name) if hasattr(score, name) else clear[name] for name in PUBLISHED[classes]}
    assert found == pytest.approx(PUBLISHED[classes], rel=1e-12)


@pytest.mark.parametrize("classes", [True, False])
def test_against_the_authors_program(classes: bool) -> None:
    trackeval = pytest.importorskip("trackeval", reason="pip install --no-deps trackeval: it requires opencv-python")
    rows = sequence(classes)
    data = {
        "gt_ids": list(rows.truth_ids),
        "tracker_ids": list(rows.track_ids),
        "similarity_scores": list(rows.similarity),
        "num_gt_ids": len(rows.truth_counts),
        "num_tracker_ids": len(rows.track_counts),
        "num_gt_dets": int(rows.truth_counts.sum()),
        "num_tracker_dets": int(rows.track_counts.sum()),
        "num_timesteps": len(rows.similarity),
    }
    theirs = trackeval.metrics.HOTA().eval_sequence(data)
    score = hota(rows)
    expected = [float(np.mean(theirs[name])) for name in ("HOTA", "DetA", "AssA", "LocA")]
    assert [score.hota, score.deta, score.assa, score.loca] == pytest.approx(expected, rel=1e-12)


def test_a_track_that_stays_wins_over_one_that_is_nearer_once() -> None:
    # Track 0 is with the object in three frames; in the third, track 1 overlaps it a little more.
    similarity = (np.array([[0.8]]), np.array([[0.8]]), np.array([[0.8, 0.85]]))
    ids = (np.array([0]), np.array([0]), np.array([0, 1]))
    rows = Sequence((np.array([0]),) * 3, ids, similarity, np.array([3]), np.array([3, 1]))
    score = hota(rows)
    assert score.assa == pytest.approx(16 / 19)  # at the 16 thresholds up to .80 always track 0
    assert score.deta == pytest.approx(16 * (3 / 4) / 19)
