"""COCO's mean average precision, by pycocotools.

pycocotools is the evaluator that published figures were made with; it is maintained (a release with wheels for x86-64
and aarch64, CPython 3.9 to 3.14, in 2025) and needs numpy alone. faster-coco-eval gives the same figures from C++ and
is released more often; it pays for sets of many thousand pictures, and ours have hundreds.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from deploy.errors import BadInput, require
from geometry.types import Array
from perception.detector import Detector
from perception.evaluation.answers import Found, GroundTruth, collect
from perception.evaluation.labelled import LabelledSet

# What COCO looks at: the best 100 detections of a picture, of each class.
DETECTIONS = 100
# How a detector is set to be scored: a confidence near 0, so that the whole precision-recall curve is known, the
# overlap at which ultralytics validates, and the most boxes of a picture.
NEAR_ZERO, OVERLAP, MOST = 0.001, 0.6, 300
_ALL, _SMALL, _MEDIUM, _LARGE = range(4)


@dataclass(frozen=True, slots=True)
class Metrics:
    """COCO's figures, each in [0, 1].

    Attributes:
        frames: Number of pictures.
        objects: Number of labelled objects that count.
        map50_95: Mean average precision over the classes and overlaps of 0.50, 0.55 ... 0.95.
        map50: At an overlap of 0.50.
        map75: At an overlap of 0.75.
        aps: `map50_95` of objects smaller than 32 x 32 px; None if there are none.
        apm: Of objects between that and 96 x 96 px.
        apl: Of larger objects.
        ar100: Mean recall over the same overlaps, with 100 detections a picture.
        per_class: `map50_95` of each class that has objects, by name.
        frames_sha256: Hash of pictures and labels; empty if they were not at hand.
    """

    frames: int
    objects: int
    map50_95: float
    map50: float
    map75: float
    aps: float | None
    apm: float | None
    apl: float | None
    ar100: float
    per_class: dict[str, float]
    frames_sha256: str

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True, eq=False)
class Curves:
    """Precision over recall, of the classes that have objects.

    Attributes:
        class_names: K names.
        recall: Shape (101,): 0, 0.01 ... 1.
        precision50: Shape (K, 101), at an overlap of 0.5; made monotonic, as COCO does.
        precision75: Shape (K, 101), at an overlap of 0.75.
        scores50: Shape (K, 101): the confidence at which a recall is reached at an overlap of 0.5; 0 where it is not.
    """

    class_names: tuple[str, ...]
    recall: Array
    precision50: Array
    precision75: Array
    scores50: Array

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "recall": np.round(self.recall, 2).tolist(),
            "classes": {
                name: {
                    "precision50": np.round(self.precision50[row], 5).tolist(),
                    "precision75": np.round(self.precision75[row], 5).tolist(),
                    "score50": np.round(self.scores50[row], 5).tolist(),
                }
                for row, name in enumerate(self.class_names)
            },
        }


def evaluate(detector: Detector, labelled: LabelledSet, progress: Callable[[int], None] | None = None) -> Metrics:
    """COCO's figures of a detector on labelled pictures.

    Args:
        detector: With a confidence near 0 and room for 100 detections or more.
        labelled: The pictures.
        progress: Called with the number of pictures done.

    Raises:
        BadInput: If detector and labels share no class, or there is no object.
        Missing: If pycocotools is not installed.
    """
    require("pycocotools.cocoeval", "eval")
    answers = collect(detector, labelled, progress)
    return coco_metrics(answers.truth, answers.found, answers.frames_sha256)[0]


def coco_metrics(truth: GroundTruth, found: Found, frames_sha256: str = "") -> tuple[Metrics, Curves]:
    """COCO's figures, and the curves that they are areas under.

    Args:
        truth: The labels.
        found: The detections.
        frames_sha256: Of the pictures; it is handed on.

    Raises:
        BadInput: If there is no object that counts.
        Missing: If pycocotools is not installed.
    """
    objects = int((~truth.ignore).sum())
    if objects == 0:
        raise BadInput(f"{truth.images} frames hold no labelled object: score at least one that does")
    evaluated = _run(truth, found)
    # Axes of precision: overlap, recall, class, size, number of detections; -1 where a class has no object.
    precision, recall = evaluated.eval["precision"][..., -1], evaluated.eval["recall"][..., -1]
    present = np.flatnonzero(precision[0, 0, :, _ALL] > -1)
    names = tuple(truth.class_names[number] for number in present)
    metrics = Metrics(
        frames=truth.images,
        objects=objects,
        map50_95=float(precision[:, :, present, _ALL].mean()),
        map50=float(precision[0][:, present, _ALL].mean()),
        map75=float(precision[5][:, present, _ALL].mean()),
        aps=_mean(precision[..., _SMALL]),
        apm=_mean(precision[..., _MEDIUM]),
        apl=_mean(precision[..., _LARGE]),
        ar100=float(recall[:, present, _ALL].mean()),
        per_class={
            name: float(precision[:, :, number, _ALL].mean()) for name, number in zip(names, present, strict=True)
        },
        frames_sha256=frames_sha256,
    )
    curves = Curves(
        names,
        np.array(evaluated.params.recThrs, np.float64),
        np.ascontiguousarray(precision[0][:, present, _ALL].T),
        np.ascontiguousarray(precision[5][:, present, _ALL].T),
        np.ascontiguousarray(evaluated.eval["scores"][0][:, present, _ALL, -1].T).clip(0.0),
    )
    return metrics, curves


def _run(truth: GroundTruth, found: Found) -> Any:
    """Hand labels and detections to pycocotools, whose prints nobody needs."""
    coco, cocoeval = require("pycocotools.coco", "eval"), require("pycocotools.cocoeval", "eval")
    images = [{"id": number} for number in range(truth.images)]
    categories = [{"id": number, "name": name} for number, name in enumerate(truth.class_names)]
    labels = _rows(truth.image_ids, truth.boxes, truth.class_ids)
    for row, (area, ignored) in enumerate(zip(truth.areas.tolist(), truth.ignore.tolist(), strict=True)):
        labels[row].update(area=area, iscrowd=int(ignored))
    boxes = _rows(found.image_ids, found.boxes, found.class_ids)
    for row, score in enumerate(found.scores.tolist()):
        _, _, width, height = boxes[row]["bbox"]
        boxes[row].update(area=width * height, iscrowd=0, score=score)
    with contextlib.redirect_stdout(io.StringIO()):
        sides = []
        for annotations in (labels, boxes):
            side = coco.COCO()
            side.dataset = {"images": images, "categories": categories, "annotations": annotations}
            side.createIndex()
            sides.append(side)
        evaluated = cocoeval.COCOeval(*sides, "bbox")
        evaluated.params.maxDets = [1, 10, DETECTIONS]
        evaluated.evaluate()
        evaluated.accumulate()
    return evaluated


def _rows(image_ids: Any, boxes: Array, class_ids: Any) -> list[dict[str, Any]]:
    """Annotations, numbered from 1: pycocotools takes a match with number 0 for none.

    Sizes are rounded to what they were before x2 = x1 + width: overlaps of exactly 0.75 and the like are common among
    boxes of few digits, and the last bit decides about them.
    """
    sizes = np.hstack([boxes[:, :2], np.round(boxes[:, 2:] - boxes[:, :2], 9)]).tolist()
    rows = zip(image_ids.tolist(), class_ids.tolist(), sizes, strict=True)
    return [
        {"id": number, "image_id": image_id, "category_id": class_id, "bbox": box}
        for number, (image_id, class_id, box) in enumerate(rows, start=1)
    ]


def _mean(precision: Array) -> float | None:
    known = precision[precision > -1]
    return float(known.mean()) if known.size else None
