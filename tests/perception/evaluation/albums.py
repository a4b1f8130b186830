"""Labelled pictures for tests: painted boxes, and a detector that answers what it is told."""

from __future__ import annotations

import numpy as np

from perception.detections import Detections
from perception.evaluation import LabelledImage
from perception.frame import Frame

NAMES = ("red_cube", "distractor", "cup")
BOXES = [[10, 10, 50, 50], [100, 100, 160, 140]]


class Album(list[LabelledImage]):
    """A labelled set in memory."""

    def __init__(self, names: tuple[str, ...], *pictures: LabelledImage) -> None:
        super().__init__(pictures)
        self.class_names = names


def picture(
    boxes: list[list[float]], classes: list[int], value: int = 0, ignore: tuple[bool, ...] = (), size: int = 200
) -> LabelledImage:
    return LabelledImage(
        "p", np.full((size, size, 3), value, np.uint8), np.array(boxes, np.float32).reshape(-1, 4),
        np.array(classes, np.int32), ignore=np.array(ignore, bool),
    )  # fmt: skip


def album() -> Album:
    """Three pictures: two objects of different classes, none, and three of which one is ignored."""
    more = [*BOXES, [0, 150, 30, 200]]
    return Album(
        NAMES, picture(BOXES, [0, 2], 3), picture([], [], 200), picture(more, [2, 1, 0], 90, (False, True, False))
    )


class Eye:
    """Answers with what it is given, by the number of the frame."""

    def __init__(
        self,
        names: tuple[str, ...],
        answers: list[tuple[list[list[float]], list[int]]],
        scores: list[list[float]] | None = None,
    ) -> None:
        self.class_names = names
        self._answers, self._scores = answers, scores

    def detect(self, frame: Frame) -> Detections:
        index = frame.sequence % len(self._answers)
        boxes, classes = self._answers[index]
        scores = self._scores[index] if self._scores else [0.9] * len(boxes)
        return Detections(
            "c", frame.sequence, 0, np.array(boxes, np.float32).reshape(-1, 4), np.array(scores, np.float32),
            np.array(classes, np.int32), self.class_names,
        )  # fmt: skip
