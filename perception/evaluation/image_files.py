"""A labelled set whose pictures are files: labels are read and checked at once, each picture when its turn comes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from deploy.errors import BadInput
from geometry.types import Array, BoolArray
from perception.evaluation.labelled import LabelledImage
from perception.sources.image_files import read_color

# How far out of its image a box may reach for want of digits or by the habits of tools, as a part of the image's size.
OVERHANG = 0.01


@dataclass(frozen=True, slots=True, eq=False)
class FileLabels:
    """Labels of one picture file.

    Attributes:
        file: The picture.
        where: The file of the labels, for errors.
        boxes: Shape (N, 4), float64: x1, y1, x2, y2 [px], or parts of the image's width and height.
        class_ids: Shape (N,), int32.
        size: Width and height that the labels were made for [px]; None if the boxes are parts of them.
        ignore: As in `LabelledImage`.
        areas: As in `LabelledImage`.
    """

    file: Path
    where: Path
    boxes: Array
    class_ids: npt.NDArray[np.int32]
    size: tuple[int, int] | None
    ignore: BoolArray = field(default_factory=lambda: np.zeros(0, bool))
    areas: Array = field(default_factory=lambda: np.zeros(0))

    def read(self) -> LabelledImage:
        """Read the picture.

        Raises:
            BadInput: If it is not an image, or not of the size that its labels were made for.
        """
        image = read_color(self.file)
        height, width = image.shape[:2]
        scale = np.array([width, height, width, height], np.float64)
        if self.size is None:
            boxes = self.boxes * scale
        elif self.size == (width, height):
            boxes = np.clip(self.boxes, 0.0, scale)
        else:
            raise BadInput(
                f"{self.file}: {width}x{height} px, and its labels in {self.where} are of a picture of "
                f"{self.size[0]}x{self.size[1]}; label it again, or bring the picture that was labelled"
            )
        return LabelledImage(
            self.file.name, image, boxes.astype(np.float32), self.class_ids, ignore=self.ignore, areas=self.areas
        )


class LabelledFiles:
    """A labelled set of picture files.

    Args:
        class_names: Names of the classes.
        entries: One for each picture, in order.
        where: The set, for errors.

    Raises:
        BadInput: If there are no pictures, or one is not there.
    """

    def __init__(self, class_names: tuple[str, ...], entries: Sequence[FileLabels], where: str) -> None:
        if not entries:
            raise BadInput(f"{where}: no pictures in this set; name one that holds some")
        for entry in entries:
            if not entry.file.is_file():
                raise BadInput(f"{entry.where}: its picture {entry.file} does not exist; bring it, or drop its labels")
        self._class_names = class_names
        self._entries = tuple(entries)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes."""
        return self._class_names

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[LabelledImage]:
        for entry in self._entries:
            yield entry.read()


def check_inside(boxes: Array, width: float, height: float, where: str) -> Array:
    """Refuse boxes that have no size or lie out of their image; those that reach over its edge a little are cut.

    Args:
        boxes: Shape (N, 4): x1, y1, x2, y2, in the unit of width and height.
        width: Of the image.
        height: Of the image.
        where: Begin of the error.

    Returns:
        Shape (N, 4), within the image.

    Raises:
        BadInput: Naming the first such box.
    """
    boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
    limit = np.array([width, height, width, height], np.float64)
    slack = max(OVERHANG, 1.0 / max(width, height)) * limit if width > 1 else OVERHANG * limit
    finite: BoolArray = np.asarray(np.isfinite(boxes).all(axis=1))
    flat = (boxes[:, 2] <= boxes[:, 0]) | (boxes[:, 3] <= boxes[:, 1])
    cut = np.clip(boxes, 0.0, limit)
    outside = (np.abs(cut - boxes) > slack).any(axis=1) | (cut[:, 2] <= cut[:, 0]) | (cut[:, 3] <= cut[:, 1])
    wrong = np.flatnonzero(~finite | flat | outside)
    if len(wrong):
        row = int(wrong[0])
        text = ", ".join(f"{value:g}" for value in boxes[row])
        if not finite[row] or flat[row]:
            raise BadInput(f"{where}: box {text} (x1, y1, x2, y2) has no size; expected x1 < x2 and y1 < y2")
        raise BadInput(
            f"{where}: box {text} (x1, y1, x2, y2) reaches out of its image of {width:g}x{height:g}; cut it at the edge"
        )
    return cut
