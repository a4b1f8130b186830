from __future__ import annotations

import numpy as np
import pytest

from deploy.errors import BadInput
from perception.detections import Detections
from robot.sim.detection_score import Scorer, average_precision
from robot.sim.labels import Labels

BOXES = [[10, 10, 50, 50], [100, 100, 160, 140]]


def labels(boxes: list[list[float]], classes: list[int], pixels: int = 500) -> Labels:
    count = len(boxes)
    return Labels(
        np.array(boxes, np.float32).reshape(-1, 4), np.array(classes, np.int32), np.full(count, pixels), np.ones(count)
    )


def detections(boxes: list[list[float]], scores: list[float], classes: list[int]) -> Detections:
    return Detections(
        "c", 0, 0, np.array(boxes, np.float32).reshape(-1, 4), np.array(scores, np.float32),
        np.array(classes, np.int32), ("red_cube", "distractor"),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("scores", "hits", "wanted", "expected"),
    [
        ([0.9, 0.8], [True, True], 2, 1.0),
        ([0.9], [True], 2, 51 / 101),
        ([0.9, 0.8], [False, True], 1, 0.5),
        ([0.9, 0.8, 0.7], [True, False, True], 2, (51 + 50 * 2 / 3) / 101),
        ([0.9], [False], 1, 0.0),
        ([], [], 3, 0.0),
    ],
)
def test_average_precision(scores: list[float], hits: list[bool], wanted: int, expected: float) -> None:
    assert average_precision(np.array(scores, np.float32), np.array(hits, bool), wanted) == pytest.approx(expected)


def test_perfect() -> None:
    scorer = Scorer(2)
    scorer.add(detections(BOXES, [0.9, 0.8], [0, 1]), labels(BOXES, [0, 1]))
    score = scorer.score()
    assert (score.map50, score.map50_95, score.recall, score.false_per_frame) == (1.0, 1.0, 1.0, 0.0)
    assert score.center_p90_px == 0.0


@pytest.mark.parametrize(
    ("found", "recall", "false_per_frame"),
    [
        (([BOXES[0]], [0.9], [1]), 0.0, 1.0),  # the wrong class
        (([BOXES[0], BOXES[0]], [0.9, 0.8], [0, 0]), 0.5, 1.0),  # found twice
        (([BOXES[0]], [0.1], [0]), 0.0, 0.0),  # not sure enough
        (([[300, 300, 340, 340]], [0.9], [0]), 0.0, 1.0),
    ],
)
def test_mistakes(found: tuple[list, list, list], recall: float, false_per_frame: float) -> None:
    scorer = Scorer(2)
    scorer.add(detections(*found), labels(BOXES, [0, 1]))
    score = scorer.score()
    assert (score.recall, score.false_per_frame) == (recall, false_per_frame)


def test_shifted_box_loses_the_strict_overlaps() -> None:
    scorer = Scorer(2)
    scorer.add(detections([[14, 13, 54, 53]], [0.9], [0]), labels(BOXES[:1], [0]))
    score = scorer.score()
    assert score.map50 == 1.0
    assert score.map50_95 == pytest.approx(0.5)  # overlap .714: five of ten thresholds
    assert score.center_p50_px == 5.0


def test_what_shows_too_little_neither_counts_nor_costs() -> None:
    scorer = Scorer(2)
    hidden = Labels(np.array(BOXES, np.float32), np.array([0, 0], np.int32), np.array([500, 30]), np.ones(2))
    scorer.add(detections(BOXES, [0.8, 0.9], [0, 0]), hidden)
    score = scorer.score()
    assert (score.objects, score.map50, score.false_per_frame) == (1, 1.0, 0.0)


def test_nothing_to_score() -> None:
    with pytest.raises(BadInput, match="0 frames hold no labelled object"):
        Scorer(2).score()
