"""What counts in files of the MOTChallenge."""

from __future__ import annotations

import numpy as np
import pytest

from deploy.errors import BadInput
from tests.tracking.evaluation.sequences import boxes
from tracking.evaluation import Scores, evaluate

pytest.importorskip("motmetrics")
pytestmark = pytest.mark.filterwarnings("error")

LEFT, RIGHT = (0, 0, 30, 60), (200, 0, 30, 60)
SIXTH = "tracks: 1 row on a non-motorized vehicle, false positives as in MOT16 and MOT17; MOT20 leaves them out"
TRACKS = boxes([(1, 1, *LEFT), (1, 2, *RIGHT)])


def scored(scores: list[float], classes: list[int]) -> Scores:
    """An object at the left and one at the right of one frame, both tracked."""
    return evaluate(boxes([(1, 1, *LEFT), (1, 2, *RIGHT)], scores, classes), TRACKS)


@pytest.mark.parametrize(
    ("scores", "classes", "counts", "notes"),
    [
        # Rows of truth, of tracks, false positives.
        ([1, 1], [-1, -1], (2, 2, 0), []),
        ([0.3, -1], [-1, -1], (2, 2, 0), []),
        ([1, 0], [-1, -1], (1, 2, 1), ["truth: 1 row of confidence 0 left out"]),
        ([1, 1], [1, 1], (2, 2, 0), []),
        ([1, 0], [1, 1], (1, 2, 1), ["truth: 1 row of confidence 0 left out"]),
        (
            [1, 1],
            [1, 7],
            (1, 1, 0),
            [
                "truth: 1 row of other classes than pedestrian left out (static person)",
                "tracks: 1 row on distractors left out, as in MOT16 and MOT17",
            ],
        ),
        (
            [1, 0],
            [1, 12],
            (1, 1, 0),
            [
                "truth: 1 row of confidence 0 left out",
                "tracks: 1 row on distractors left out, as in MOT16 and MOT17",
            ],
        ),
        ([1, 1], [1, 3], (1, 2, 1), ["truth: 1 row of other classes than pedestrian left out (car)"]),
        (
            [1, 1],
            [1, 6],
            (1, 2, 1),
            [
                "truth: 1 row of other classes than pedestrian left out (non-motorized vehicle)",
                SIXTH,
            ],
        ),
    ],
)
def test_rows_that_count(
    scores: list[float], classes: list[int], counts: tuple[int, int, int], notes: list[str]
) -> None:
    found = scored(scores, classes)
    assert (found.truth_rows, found.track_rows, found.fp) == counts
    assert (found.fn, list(found.notes)) == (0, notes)


def test_a_pedestrian_before_a_distractor_keeps_its_track() -> None:
    truth = boxes([(1, 1, 0, 0, 30, 60), (1, 2, 4, 0, 30, 60)], None, [1, 8])
    found = evaluate(truth, boxes([(1, 5, 1, 0, 30, 60)]))
    assert (found.track_rows, found.fp, found.fn) == (1, 0, 0)
    found = evaluate(truth, boxes([(1, 5, 3, 0, 30, 60)]))
    assert (found.track_rows, found.fp, found.fn) == (0, 0, 1)


def test_a_track_far_from_a_distractor_is_a_false_positive_at_any_threshold() -> None:
    truth = boxes([(1, 1, *LEFT), (1, 2, *RIGHT)], None, [1, 8])
    tracks = boxes([(1, 1, *LEFT), (1, 2, 215, 0, 30, 60)])  # overlaps the distractor by a third
    assert (evaluate(truth, tracks).fp, evaluate(truth, tracks, iou=0.2).fp) == (1, 1)


def test_classes_of_tracks_are_not_looked_at_without_classes_of_truth() -> None:
    truth = boxes([(1, 1, *LEFT), (1, 2, *RIGHT)])
    assert evaluate(truth, boxes([(1, 1, *LEFT), (1, 2, *RIGHT)], None, [4, 5])).mota == 1.0


@pytest.mark.parametrize(
    ("scores", "classes", "track_classes", "message"),
    [
        ([0, 0], [-1, -1], None, "truth: no row of 2 counts (truth: 2 rows of confidence 0 left out): give"),
        ([1, 1], [7, 3], None, "truth: no row of 2 counts (truth: 2 rows of other classes than pedestrian left out"),
        ([1, 1], [1, 14], None, "truth: class 14 in frame 1: expected the classes 1..13 of the MOTChallenge"),
        ([1, 1], [1, 0], None, "truth: class 0 in frame 1"),
        ([1, 1], [1, -1], None, "truth: class -1 in frame 1"),
        ([1, 1], [1, 1], [1, 3], "tracks: class 3 in frame 1: a truth with classes judges pedestrians, class 1"),
    ],
)
def test_refused(scores: list[float], classes: list[int], track_classes: list[int] | None, message: str) -> None:
    truth = boxes([(1, 1, *LEFT), (1, 2, *RIGHT)], scores, classes)
    tracks = boxes([(1, 1, *LEFT), (1, 2, *RIGHT)], None, track_classes)
    with pytest.raises(BadInput) as error:
        evaluate(truth, tracks)
    assert message in str(error.value)


def test_tracks_of_class_one_are_pedestrians() -> None:
    truth = boxes([(1, 1, *LEFT)], None, [1])
    for number in (-1, 1):
        assert evaluate(truth, boxes([(1, 1, *LEFT)], None, np.array([number]))).mota == 1.0
