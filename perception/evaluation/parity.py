"""How far two detectors' answers to the same pictures are apart: an artifact and the model that it was made of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from deploy.errors import BadInput
from geometry.types import Array, Image
from perception.detector import Detector
from perception.evaluation.labelled import still
from perception.evaluation.matching import overlaps, pairs


@dataclass(frozen=True, slots=True)
class Spread:
    """Percentiles of a difference; 0 each if nothing was compared."""

    p50: float
    p99: float
    max: float

    @staticmethod
    def of(values: Array) -> Spread:
        """Percentiles of values, shape (N,)."""
        if not len(values):
            return Spread(0.0, 0.0, 0.0)
        return Spread(float(np.percentile(values, 50)), float(np.percentile(values, 99)), float(values.max()))


@dataclass(frozen=True, slots=True)
class ClassParity:
    """Boxes of one class: of the reference, of the candidate, and those that both have."""

    reference: int
    candidate: int
    matched: int


@dataclass(frozen=True, slots=True)
class Parity:
    """Two detectors compared.

    Attributes:
        frames: Number of pictures.
        reference: Boxes of the reference.
        candidate: Boxes of the candidate.
        matched: Boxes that both have: of one class, with an overlap of `overlap` or more.
        share: `matched` of all boxes that either has, in [0, 1]; 1 if neither has any.
        box_px: Greatest difference of a matched box's four coordinates [px].
        score: Difference of a matched box's scores.
        per_class: The counts by class.
        overlap: Least intersection over union of a match.
    """

    frames: int
    reference: int
    candidate: int
    matched: int
    share: float
    box_px: Spread
    score: Spread
    per_class: dict[str, ClassParity]
    overlap: float

    def to_dict(self) -> dict[str, Any]:
        """For JSON, and for a passport."""
        return asdict(self)

    @staticmethod
    def header() -> str:
        """Names of the columns of `line`."""
        names = ("frames", " matched", "box px p50", "    p99", "    max", "score p50", "    p99", "    max")
        return " ".join(names)

    def line(self) -> str:
        """One line of a table."""
        box, score = self.box_px, self.score
        return (
            f"{self.frames:>6} {self.share:>8.2%} {box.p50:>10.3f} {box.p99:>7.3f} {box.max:>7.3f} "
            f"{score.p50:>9.5f} {score.p99:>7.5f} {score.max:>7.5f}"
        )


def compare(reference: Detector, candidate: Detector, images: Iterable[Image], overlap: float = 0.5) -> Parity:
    """Compare two detectors on pictures.

    Boxes are matched within a picture and a class, the greatest overlap first. Give both the same confidence: boxes
    near it may be over it on one side only, and then count as not matched.

    Args:
        reference: What is right by definition, such as the fp32 model.
        candidate: What is compared to it.
        images: Pictures (H, W, 3), uint8, blue-green-red, of any sizes.
        overlap: Least intersection over union of a match.

    Raises:
        BadInput: If their classes differ, or there is no picture.
    """
    names = reference.class_names
    if candidate.class_names != names:
        raise BadInput(
            f"the candidate knows {', '.join(candidate.class_names)}, the reference {', '.join(names)}: expected the "
            "same classes in the same order; compare artifacts of one model"
        )
    counts = np.zeros((3, len(names)), np.int64)
    box_px: list[Array] = []
    score: list[Array] = []
    frames = 0
    for frames, image in enumerate(images, start=1):
        a, b = reference.detect(still(image, frames)), candidate.detect(still(image, frames))
        value = overlaps(a.boxes, b.boxes)
        value[a.class_ids[:, None] != b.class_ids[None, :]] = -1.0
        rows, columns = pairs(value, overlap)
        for index, class_ids in enumerate((a.class_ids, b.class_ids, a.class_ids[rows])):
            counts[index] += np.bincount(class_ids, minlength=len(names))
        box_px.append(np.abs(a.boxes[rows].astype(np.float64) - b.boxes[columns]).max(axis=1, initial=0.0))
        score.append(np.abs(a.scores[rows].astype(np.float64) - b.scores[columns]))
    if not frames:
        raise BadInput("no pictures to compare on; expected at least one")
    of_reference, of_candidate, matched = (int(row.sum()) for row in counts)
    either = of_reference + of_candidate - matched
    return Parity(
        frames=frames,
        reference=of_reference,
        candidate=of_candidate,
        matched=matched,
        share=matched / either if either else 1.0,
        box_px=Spread.of(np.concatenate(box_px)),
        score=Spread.of(np.concatenate(score)),
        per_class={name: ClassParity(*map(int, counts[:, number])) for number, name in enumerate(names)},
        overlap=overlap,
    )
