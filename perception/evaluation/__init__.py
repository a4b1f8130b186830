"""How good a detector is: labelled sets of any kind, COCO's figures, confusion and curves, and parity of two models.

Owns: reading and writing labels (YOLO, COCO, VOC, bags), matching boxes to them, figures and pictures. It does not own
the detectors, nor what is done about a figure: gates take `Metrics`.
"""

from __future__ import annotations

from perception.evaluation.answers import Answers, Found, GroundTruth, collect
from perception.evaluation.coco import Curves, Metrics, coco_metrics, evaluate
from perception.evaluation.confusion import Confusion, confusion
from perception.evaluation.labelled import LabelledImage, LabelledSet, open_labelled, still
from perception.evaluation.parity import Parity, Spread, compare

__all__ = [
    "Answers",
    "Confusion",
    "Curves",
    "Found",
    "GroundTruth",
    "LabelledImage",
    "LabelledSet",
    "Metrics",
    "Parity",
    "Spread",
    "coco_metrics",
    "collect",
    "compare",
    "confusion",
    "evaluate",
    "open_labelled",
    "still",
]
