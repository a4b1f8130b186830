"""The pictures that artifacts are judged on, and where their labels come from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from deploy.errors import BadInput
from deploy.gate import Accuracy
from perception.calibration import FrameRef, image_digest, images
from perception.detector import Detector
from perception.evaluation import LabelledImage, LabelledSet, evaluate, open_labelled, still
from perception.evaluation.annotations_bag import has_labels, open_bag

CERTAIN = 0.25  # least confidence of the float model's own detections where they stand in for labels


@dataclass(frozen=True, slots=True)
class Judges:
    """Labelled pictures that nothing was calibrated on.

    Attributes:
        labelled: The pictures.
        labels: Who labelled them, for people.
        own: Whether the float model did: then figures say how far an artifact agrees with it, not how good it is.
    """

    labelled: LabelledSet
    labels: str
    own: bool = False

    def accuracy(self, detector: Detector) -> Accuracy:
        """How good a detector is on them."""
        metrics = evaluate(detector, self.labelled)
        return Accuracy(metrics.map50_95, metrics.per_class, metrics.frames, metrics.frames_sha256)

    def pictures(self) -> Iterator[np.ndarray]:
        """The pictures alone."""
        return (picture.image for picture in self.labelled)


class Held:
    """Some pictures of a labelled set, held in memory: they are looked at once for each candidate.

    Args:
        class_names: Of the set.
        pictures: The pictures.
    """

    def __init__(self, class_names: tuple[str, ...], pictures: Sequence[LabelledImage]) -> None:
        self._class_names = class_names
        self._pictures = tuple(pictures)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes, by class id."""
        return self._class_names

    def __len__(self) -> int:
        return len(self._pictures)

    def __iter__(self) -> Iterator[LabelledImage]:
        return iter(self._pictures)


def from_data(path: str, split: str, count: int) -> Judges:
    """Pictures of a labelled set, evenly spread over it."""
    labelled = open_labelled(path, split)
    every = max(1.0, len(labelled) / count)
    wanted = {int(place * every) for place in range(min(count, len(labelled)))}
    held = Held(labelled.class_names, [picture for place, picture in enumerate(labelled) if place in wanted])
    return Judges(held, f"{Path(path).resolve().name} ({split})")


def labelled_bags(bags: Sequence[Path]) -> tuple[LabelledSet, ...]:
    """Those of the bags that have labels, as labelled sets.

    Raises:
        BadInput: If the labels of one cannot be used.
    """
    return tuple(open_bag(bag) for bag in bags if has_labels(bag))


def from_bags(bags: Sequence[Path], held_out: Sequence[FrameRef], reference: Detector) -> Judges:
    """Frames that were held out: with the bags' own labels, or with what the float model finds in them.

    Where some bags have labels and others have none, the labelled ones judge.

    Args:
        bags: The recordings.
        held_out: The frames.
        reference: The float model, with a confidence near 0.

    Raises:
        BadInput: If labels cannot be used, or none of the frames can judge.
    """
    labelled = labelled_bags(bags)
    if labelled:
        wanted = {image_digest(image) for _, image in images(held_out)}
        names = tuple(sorted({name for part in labelled for name in part.class_names}))
        kept = [_numbered_by(names, part.class_names, one) for part in labelled for one in part if _is(one, wanted)]
        if not kept:
            raise BadInput(
                f"{', '.join(map(str, bags))}: none of the {len(held_out)} frames that were held out to judge on has "
                "labels: label more of the recordings' frames, or give labelled pictures with --data"
            )
        some = f"{len(labelled)} of the {len(bags)}" if len(labelled) < len(bags) else "the"
        return Judges(Held(names, kept), f"labels of {some} recordings")
    pictures = []
    for number, (ref, image) in enumerate(images(held_out)):
        found = reference.detect(still(image, number))
        sure = found.scores >= CERTAIN
        name = f"{ref.bag.name}/{ref.camera}/{ref.index}"
        pictures.append(LabelledImage(name, image, found.boxes[sure], found.class_ids[sure]))
    if not any(len(picture) for picture in pictures):
        raise BadInput(
            f"the float model finds nothing in {len(pictures)} frames of {', '.join(map(str, bags))}, so they cannot "
            "judge: give labelled pictures with --data, or recordings that show what it knows"
        )
    return Judges(Held(reference.class_names, pictures), "the float model's own detections", own=True)


def _is(picture: LabelledImage, wanted: set[str]) -> bool:
    return image_digest(picture.image) in wanted


def _numbered_by(names: tuple[str, ...], before: tuple[str, ...], picture: LabelledImage) -> LabelledImage:
    """A picture whose class ids count in `names`: each recording has a list of its own, of the classes it shows."""
    number = np.array([names.index(name) for name in before], np.int32)
    return replace(picture, class_ids=number[picture.class_ids])
