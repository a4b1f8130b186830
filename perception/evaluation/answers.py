"""A detector's answers to labelled pictures, side by side with the labels: what every figure is made of."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from deploy.errors import BadInput
from geometry.types import Array, BoolArray, IntArray
from perception.detector import Detector
from perception.evaluation.labelled import LabelledImage, LabelledSet, still

WARM_UP = 3


@dataclass(frozen=True, slots=True, eq=False)
class GroundTruth:
    """Labels of a set, a row an object.

    Attributes:
        class_names: Names of the classes.
        images: Number of pictures.
        image_ids: Shape (N,), int64: number of the picture, 0..images - 1.
        boxes: Shape (N, 4), float64: x1, y1, x2, y2 [px].
        class_ids: Shape (N,), int64: index into `class_names`.
        ignore: Shape (N,), bool: neither counts nor costs.
        areas: Shape (N,), float64 [px^2].
    """

    class_names: tuple[str, ...]
    images: int
    image_ids: IntArray
    boxes: Array
    class_ids: IntArray
    ignore: BoolArray
    areas: Array


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """Detections in a set, a row a box.

    Attributes:
        image_ids: Shape (N,), int64.
        boxes: Shape (N, 4), float64: x1, y1, x2, y2 [px].
        class_ids: Shape (N,), int64: index into the labels' class names.
        scores: Shape (N,), float64.
    """

    image_ids: IntArray
    boxes: Array
    class_ids: IntArray
    scores: Array


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What a detector answered.

    Attributes:
        truth: The labels, of the shared classes.
        found: The detections, of the shared classes.
        detect_ns: Shape (frames,): wall time of each `detect` [ns].
        frames_sha256: Hash of pixels and labels of all pictures, whoever answered; hexadecimal.
        only_in_labels: Classes that the detector does not know: its misses of them are not counted.
        only_in_model: Classes that the labels do not have: its detections of them are not counted.
    """

    truth: GroundTruth
    found: Found
    detect_ns: IntArray
    frames_sha256: str
    only_in_labels: tuple[str, ...]
    only_in_model: tuple[str, ...]


def collect(detector: Detector, labelled: LabelledSet, progress: Callable[[int], None] | None = None) -> Answers:
    """Let a detector answer to each picture of a set.

    Classes are matched by name. Where the labels have names that the detector does not know, or the other way round,
    only the shared ones are looked at; labels without names are taken by the detector's numbers.

    Args:
        detector: With a confidence near 0, so that the whole precision-recall curve is known.
        labelled: The pictures.
        progress: Called with the number of pictures done, after each.

    Raises:
        BadInput: If detector and labels share no class, naming both lists.
    """
    names, of_model = _shared(detector.class_names, labelled.class_names)
    of_labels = {labelled.class_names.index(name): number for number, name in enumerate(names)}
    if _numbered(labelled.class_names) and not _numbered(detector.class_names):
        names = tuple(detector.class_names[int(name)] for name in names)
    to_label = _table(of_labels, len(labelled.class_names))
    to_model = _table(of_model, len(detector.class_names))
    digest = hashlib.sha256()
    truth: list[tuple[npt.NDArray[np.generic], ...]] = []
    found: list[tuple[npt.NDArray[np.generic], ...]] = []
    times: list[int] = []
    for number, picture in enumerate(labelled):
        _update(digest, picture, labelled.class_names)
        frame = still(picture.image, number)
        for _ in range(WARM_UP if number == 0 else 0):
            detector.detect(frame)
        start = time.perf_counter_ns()
        answer = detector.detect(frame)
        times.append(time.perf_counter_ns() - start)
        class_ids = to_label[picture.class_ids]
        rows = class_ids >= 0
        where = np.full(int(rows.sum()), number)
        truth.append((where, picture.boxes[rows], class_ids[rows], picture.ignore[rows], picture.areas[rows]))
        class_ids = to_model[answer.class_ids]
        rows = class_ids >= 0
        found.append((np.full(int(rows.sum()), number), answer.boxes[rows], class_ids[rows], answer.scores[rows]))
        if progress is not None:
            progress(number + 1)
    if not times:
        raise BadInput("no pictures in this set; name one that holds some")
    # Empty columns give the types where no picture holds anything.
    t = [np.concatenate([part[column] for part in truth]) for column in range(5)]
    f = [np.concatenate([part[column] for part in found]) for column in range(4)]
    known, taught = set(detector.class_names), set(names)
    unknown = () if _numbered(labelled.class_names) else tuple(n for n in labelled.class_names if n not in known)
    return Answers(
        GroundTruth(
            names, len(times), t[0].astype(np.int64), t[1].astype(np.float64), t[2].astype(np.int64),
            t[3].astype(bool), t[4].astype(np.float64),
        ),
        Found(f[0].astype(np.int64), f[1].astype(np.float64), f[2].astype(np.int64), f[3].astype(np.float64)),
        np.array(times, np.int64),
        digest.hexdigest(),
        unknown,
        tuple(name for name in detector.class_names if name not in taught),
    )  # fmt: skip


def _shared(model: tuple[str, ...], labels: tuple[str, ...]) -> tuple[tuple[str, ...], dict[int, int]]:
    """Names that both know, in the labels' order, and the shared number of each class of the model."""
    if _numbered(labels) and not _numbered(model):
        if len(labels) > len(model):
            raise BadInput(
                f"labels have classes 0..{len(labels) - 1} without names, and the model knows {len(model)}: "
                f"{_list(model)}; evaluate it on labels of its classes"
            )
        return labels, {int(name): number for number, name in enumerate(labels)}
    names = tuple(name for name in labels if name in model)
    if not names:
        raise BadInput(
            f"the model knows {_list(model)}, the labels {_list(labels)}: no class in common; rename the labels' "
            "classes, or evaluate a model of theirs"
        )
    return names, {model.index(name): number for number, name in enumerate(names)}


def _numbered(names: tuple[str, ...]) -> bool:
    return bool(names) and names == tuple(str(number) for number in range(len(names)))


def _table(number_of: dict[int, int], count: int) -> IntArray:
    """Shared number by class id; -1 for a class that is not shared."""
    table = np.full(max(count, 1), -1, np.int64)
    for class_id, number in number_of.items():
        table[class_id] = number
    return table


def _update(digest: hashlib._Hash, picture: LabelledImage, names: tuple[str, ...]) -> None:
    """Add a picture: pixels, boxes and the names of their classes, whose numbers differ from file to file."""
    digest.update(np.array(picture.image.shape, "<i8").tobytes())
    digest.update(np.ascontiguousarray(picture.image).data)
    digest.update(picture.boxes.astype("<f4").tobytes() + picture.ignore.tobytes())
    digest.update("\n".join(names[class_id] for class_id in picture.class_ids.tolist()).encode())


def _list(names: tuple[str, ...]) -> str:
    return ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "") if names else "no class"
