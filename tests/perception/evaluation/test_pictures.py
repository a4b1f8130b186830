from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from perception.evaluation import coco_metrics, collect, confusion
from perception.evaluation.pictures import write_pictures
from tests.perception.evaluation.albums import BOXES, NAMES, Album, Eye, album, picture

pytest.importorskip("pycocotools")
pytest.importorskip("matplotlib")


def test_confusion_by_hand() -> None:
    wide = [0, 0, 200, 100]  # ignored, holds the first box
    labels = Album(
        NAMES,
        picture(BOXES, [0, 1]),  # the cube is taken for a cup, the distractor is missed
        picture([BOXES[1], wide], [0, 1], ignore=(False, True)),  # found; one detection within what is ignored
        picture([], []),  # a cup that is not there, and one that is not sure enough
    )
    eye = Eye(
        NAMES,
        [([BOXES[0]], [2]), ([BOXES[1], BOXES[0]], [0, 1]), ([BOXES[1], BOXES[0]], [2, 0])],
        [[0.9], [0.9, 0.9], [0.5, 0.2]],
    )
    answers = collect(eye, labels)
    matrix = confusion(answers.truth, answers.found)
    assert matrix.names == ("red_cube", "distractor", "cup", "background")
    assert matrix.counts.tolist() == [[1, 0, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0], [0, 0, 1, 0]]
    assert confusion(answers.truth, answers.found, confidence=0.1).counts[-1].tolist() == [1, 0, 1, 0]


@pytest.mark.parametrize("classes", [3, 30])
def test_files(tmp_path: Path, classes: int) -> None:
    names = NAMES if classes == 3 else tuple(f"thing {number}" for number in range(classes))
    labels = album() if classes == 3 else Album(names, *(picture(BOXES, [n, n + 1]) for n in range(classes - 1)))
    eye = Eye(names, [(one.boxes.tolist(), one.class_ids.tolist()) for one in labels])
    answers = collect(eye, labels)
    metrics, curves = coco_metrics(answers.truth, answers.found)
    matrix = confusion(answers.truth, answers.found)
    files = write_pictures(tmp_path / "new" / "folder", metrics, curves, matrix, "a model on a set")
    for file in files[:2]:
        pixels = cv2.imread(str(file))
        assert min(pixels.shape[:2]) > 400
        assert np.ptp(pixels) == 255
    numbers = json.loads(files[2].read_text())
    assert numbers["metrics"]["map50"] == pytest.approx(1.0)
    assert numbers["confusion"]["counts"] == matrix.counts.tolist()
    assert set(numbers["curves"]["classes"]) == {name for name in names if name != "distractor"}
