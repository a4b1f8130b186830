from __future__ import annotations

import math

import numpy as np
import pytest

from deploy.errors import BadInput
from perception.evaluation import Answers, Found, GroundTruth
from robot.sim.detection_score import DetectionScore, score

pytest.importorskip("pycocotools")

BOXES = [[10, 10, 50, 50], [100, 100, 160, 140]]
Rows = tuple[list[list[float]], list[float], list[int]]


def scored(
    found: Rows, boxes: list[list[float]], classes: list[int], ignore: list[bool] | None = None
) -> DetectionScore:
    """One frame's score."""
    labels = np.array(boxes, np.float64).reshape(-1, 4)
    truth = GroundTruth(
        ("red_cube", "distractor"), 1, np.zeros(len(labels), int), labels, np.array(classes, int),
        np.array(ignore or [False] * len(labels), bool), (labels[:, 2:] - labels[:, :2]).prod(axis=1),
    )  # fmt: skip
    detections = np.array(found[0], np.float64).reshape(-1, 4)
    answer = Found(np.zeros(len(detections), int), detections, np.array(found[2], int), np.array(found[1], np.float64))
    return score(Answers(truth, answer, np.zeros(1, int), "", (), ()))


def test_perfect() -> None:
    figures = scored((BOXES, [0.9, 0.8], [0, 1]), BOXES, [0, 1])
    assert (figures.map50, figures.map50_95) == pytest.approx((1.0, 1.0))
    assert (figures.recall, figures.false_per_frame, figures.center_p90_px) == (1.0, 0.0, 0.0)
    assert (figures.frames, figures.objects) == (1, 2)


@pytest.mark.parametrize(
    ("found", "recall", "false_per_frame"),
    [
        (([BOXES[0]], [0.9], [1]), 0.0, 1.0),  # the wrong class
        (([BOXES[0], BOXES[0]], [0.9, 0.8], [0, 0]), 0.5, 1.0),  # found twice
        (([BOXES[0]], [0.1], [0]), 0.0, 0.0),  # not sure enough
        (([[300, 300, 340, 340]], [0.9], [0]), 0.0, 1.0),
        (([], [], []), 0.0, 0.0),
    ],
)
def test_mistakes(found: Rows, recall: float, false_per_frame: float) -> None:
    figures = scored(found, BOXES, [0, 1])
    assert (figures.recall, figures.false_per_frame) == (recall, false_per_frame)
    assert math.isnan(figures.center_p50_px) is (recall == 0.0)


def test_centres_of_what_was_found() -> None:
    figures = scored(([[14, 13, 54, 53]], [0.9], [0]), BOXES[:1], [0])
    assert figures.map50_95 == pytest.approx(0.5)  # overlap .714: five of ten thresholds
    assert (figures.center_p50_px, figures.center_p90_px) == (5.0, 5.0)


def test_what_shows_too_little_neither_counts_nor_costs() -> None:
    figures = scored((BOXES, [0.8, 0.9], [0, 0]), BOXES, [0, 0], [False, True])
    assert (figures.objects, figures.recall, figures.false_per_frame) == (1, 1.0, 0.0)
    assert figures.map50 == pytest.approx(1.0)


def test_the_surest_detection_takes_the_object() -> None:
    near = [12, 10, 52, 50]
    figures = scored(([BOXES[0], near], [0.5, 0.9], [0, 0]), BOXES[:1], [0])
    assert (figures.recall, figures.false_per_frame, figures.center_p50_px) == (1.0, 1.0, 2.0)


def test_nothing_to_score() -> None:
    with pytest.raises(BadInput, match="1 frames hold no labelled object"):
        scored(([], [], []), [], [])
