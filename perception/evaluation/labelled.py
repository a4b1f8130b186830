"""Pictures with known boxes, whoever wrote them down, and the choice of who reads a file or folder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from deploy.errors import BadInput
from geometry.camera import Camera
from geometry.types import Array, BoolArray, Image
from perception.frame import Frame

EXPECTED = (
    "expected a YOLO data.yaml (or folder with images/ and labels/), a COCO .json, a VOC folder with Annotations/, "
    "or a bag with a vision_msgs/msg/Detection2DArray topic"
)
_BAG_SUFFIXES = (".mcap", ".db3", ".bag")


@dataclass(frozen=True, slots=True, eq=False)
class LabelledImage:
    """One picture and what is in it.

    Attributes:
        name: Of the picture in its set: a file name, or the stamp of a frame.
        image: Shape (H, W, 3), uint8, blue-green-red.
        boxes: Shape (N, 4), float32: x1, y1, x2, y2 between the edges of the image [px], as in `Detections`.
        class_ids: Shape (N,), int32: index into the set's class names.
        ignore: Shape (N,), bool: neither demanded nor held against a detector that finds it (COCO's crowds, VOC's
            difficult objects). All False if left out.
        areas: Shape (N,), float64 [px^2], which decides whether an object is small, medium or large; COCO takes that
            of the outline. The boxes' own if left out.

    Raises:
        BadInput: If the shapes disagree.
    """

    name: str
    image: Image
    boxes: npt.NDArray[np.float32]
    class_ids: npt.NDArray[np.int32]
    ignore: BoolArray = field(default_factory=lambda: np.zeros(0, bool))
    areas: Array = field(default_factory=lambda: np.zeros(0))

    def __post_init__(self) -> None:
        boxes = np.asarray(self.boxes, np.float32).reshape(-1, 4)
        count = len(boxes)
        class_ids = np.asarray(self.class_ids, np.int32)
        ignore = np.asarray(self.ignore, bool) if len(self.ignore) else np.zeros(count, bool)
        areas = np.asarray(self.areas, np.float64) if len(self.areas) else box_areas(boxes)
        if not len(class_ids) == len(ignore) == len(areas) == count:
            raise BadInput(
                f"{self.name}: {count} boxes, {len(class_ids)} class ids, {len(ignore)} ignore flags and {len(areas)} "
                "areas: expected as many of each"
            )
        for name, value in (("boxes", boxes), ("class_ids", class_ids), ("ignore", ignore), ("areas", areas)):
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return len(self.boxes)


class LabelledSet(Protocol):
    """Labelled pictures, in the same order each time."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes, by class id; plain numbers "0", "1" ... where whoever labelled gave none."""
        ...

    def __len__(self) -> int:
        """Number of pictures."""
        ...

    def __iter__(self) -> Iterator[LabelledImage]:
        """The pictures; each is read when its turn comes."""
        ...


def open_labelled(path: str | Path, split: str = "val") -> LabelledSet:
    """Open labelled pictures, by what lies at a path.

    Args:
        path: YOLO `data.yaml`, or folder with `images/` and `labels/`; COCO `.json`, or folder that holds it; VOC
            folder with `Annotations/`; or a bag with labels beside a camera's images.
        split: Part of the set, such as `train` or `val`; a bag and a single `.json` have one part only.

    Raises:
        BadInput: If nothing of the kind is there, or the labels cannot be used; in one sentence, with the file.
    """
    from perception.evaluation import annotations_bag, annotations_coco, annotations_voc, annotations_yolo

    path = Path(path).expanduser()
    suffix = path.suffix.lower()
    if not path.exists():
        raise BadInput(f"{path}: no such file or folder; {EXPECTED}")
    if path.is_dir():
        if any(file.suffix in _BAG_SUFFIXES for file in path.iterdir()):
            return annotations_bag.open_bag(path)
        if annotations_yolo.data_file(path) is not None:
            return annotations_yolo.open_yolo(path, split)
        if annotations_voc.is_voc(path):
            return annotations_voc.open_voc(path, split)
        if annotations_coco.find_json(path, split) is not None:
            return annotations_coco.open_coco(path, split)
        if (path / "images").is_dir() and (path / "labels").is_dir():
            return annotations_yolo.open_yolo(path, split)
        if others := annotations_coco.of_splits(path):
            raise BadInput(f"{path}: no COCO file of split {split!r}; it has {', '.join(others[:6])}")
    elif suffix in _BAG_SUFFIXES:
        return annotations_bag.open_bag(path)
    elif suffix in (".yaml", ".yml"):
        return annotations_yolo.open_yolo(path, split)
    elif suffix == ".json":
        return annotations_coco.open_coco(path, split)
    raise BadInput(f"{path}: no labelled pictures there; {EXPECTED}")


def still(image: Image, sequence: int = 0) -> Frame:
    """A frame of a picture without depth, taken by nobody's camera: all that a detector looks at is its pixels."""
    height, width = image.shape[:2]
    camera = Camera(width, height, float(width), float(width), (width - 1) / 2, (height - 1) / 2)
    return Frame("picture", sequence, sequence, sequence, image, None, 1.0, camera)


def box_areas(boxes: npt.NDArray[np.float32]) -> Array:
    """Area of each box, shape (N,) [px^2]."""
    size = boxes[:, 2:].astype(np.float64) - boxes[:, :2]
    return np.asarray(size[:, 0] * size[:, 1])
