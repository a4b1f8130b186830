"""Labelled sets written as files that other tools read: YOLO, COCO, VOC, with pictures as PNG, which loses nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final
from xml.sax.saxutils import escape

import cv2
import numpy as np

from deploy.new_folder import check_new
from geometry.types import Array
from perception.evaluation.labelled import LabelledImage, LabelledSet

# Of zlib, 0..9: noise of a camera does not get smaller with more work.
PNG_LEVEL: Final = 2


def write_yolo(labelled: LabelledSet, out: Path, split: str = "val") -> Path:
    """Write `images/<split>`, `labels/<split>` and `data.yaml`, whose other splits are this one.

    YOLO has no objects that do not count: ignored ones are left out, and a detector that finds one is wrong by it.

    Returns:
        Path of `data.yaml`.

    Raises:
        BadInput: If the folder holds something.
    """
    _make(out, f"images/{split}", f"labels/{split}")
    for name, picture in _written(labelled, out / "images" / split):
        height, width = picture.image.shape[:2]
        rows = ~picture.ignore
        text = yolo_lines(picture.boxes[rows].astype(np.float64), picture.class_ids[rows], width, height)
        (out / "labels" / split / name).with_suffix(".txt").write_text(text, encoding="utf-8")
    names = "".join(f"  {number}: {json.dumps(name)}\n" for number, name in enumerate(labelled.class_names))
    target = out / "data.yaml"
    target.write_text(f"path: .\ntrain: images/{split}\nval: images/{split}\nnames:\n{names}", encoding="utf-8")
    return target


def write_coco(labelled: LabelledSet, out: Path, split: str = "val") -> Path:
    """Write `images/` and `annotations/instances_<split>.json`; ignored objects have `iscrowd` and `ignore` of 1.

    Returns:
        Path of the JSON file.

    Raises:
        BadInput: If the folder holds something.
    """
    _make(out, "images", "annotations")
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, (name, picture) in enumerate(_written(labelled, out / "images"), start=1):
        height, width = picture.image.shape[:2]
        images.append({"id": number, "file_name": name, "width": width, "height": height})
        rows = zip(
            picture.boxes.tolist(), picture.class_ids.tolist(), picture.ignore.tolist(), picture.areas.tolist(),
            strict=True,
        )  # fmt: skip
        for (x1, y1, x2, y2), class_id, ignored, area in rows:
            annotation = {
                "id": len(annotations) + 1, "image_id": number, "category_id": class_id + 1,
                "bbox": [x1, y1, x2 - x1, y2 - y1], "area": area, "iscrowd": int(ignored), "ignore": int(ignored),
            }  # fmt: skip
            annotations.append(annotation)
    categories = [{"id": number, "name": name} for number, name in enumerate(labelled.class_names, start=1)]
    target = out / "annotations" / f"instances_{split}.json"
    content = {"images": images, "categories": categories, "annotations": annotations}
    target.write_text(json.dumps(content), encoding="utf-8")
    return target


def write_voc(labelled: LabelledSet, out: Path, split: str = "val") -> Path:
    """Write `JPEGImages/`, `Annotations/` and `ImageSets/Main/<split>.txt`; ignored objects are difficult.

    Pixels are counted from 1, and boxes hold their last pixel, as VOC has it.

    Returns:
        The folder.

    Raises:
        BadInput: If the folder holds something.
    """
    _make(out, "JPEGImages", "Annotations", "ImageSets/Main")
    stems = []
    for name, picture in _written(labelled, out / "JPEGImages"):
        stems.append(Path(name).stem)
        text = _voc_text(name, picture, labelled.class_names)
        (out / "Annotations" / name).with_suffix(".xml").write_text(text, encoding="utf-8")
    (out / "ImageSets" / "Main" / f"{split}.txt").write_text("".join(f"{stem}\n" for stem in stems), encoding="utf-8")
    return out


WRITERS: Final[dict[str, Callable[[LabelledSet, Path, str], Path]]] = {
    "yolo": write_yolo,
    "coco": write_coco,
    "voc": write_voc,
}


def yolo_lines(boxes: Array, class_ids: Iterable[int], width: int, height: int) -> str:
    """Labels of one picture as YOLO text: class, then centre and size as parts of the picture's width and height.

    Args:
        boxes: Shape (N, 4): x1, y1, x2, y2 [px].
        class_ids: N numbers.
        width: Of the picture [px].
        height: Of the picture [px].
    """
    lines = []
    for (x1, y1, x2, y2), class_id in zip(boxes.tolist(), class_ids, strict=True):
        cx, cy = (x1 + x2) / 2 / width, (y1 + y2) / 2 / height
        lines.append(f"{class_id} {cx:.6f} {cy:.6f} {(x2 - x1) / width:.6f} {(y2 - y1) / height:.6f}\n")
    return "".join(lines)


def _make(out: Path, *folders: str) -> None:
    check_new(out)
    for folder in folders:
        (out / folder).mkdir(parents=True)


def _written(labelled: LabelledSet, folder: Path) -> Iterator[tuple[str, LabelledImage]]:
    """Each picture with the name of its file, once that is written."""
    for number, picture in enumerate(labelled):
        name = f"{number:06d}.png"
        if not cv2.imwrite(str(folder / name), picture.image, [cv2.IMWRITE_PNG_COMPRESSION, PNG_LEVEL]):
            raise OSError(f"{folder / name}: cannot be written")
        yield name, picture


def _voc_text(name: str, picture: LabelledImage, class_names: tuple[str, ...]) -> str:
    height, width = picture.image.shape[:2]
    objects = []
    rows = zip(picture.boxes.tolist(), picture.class_ids.tolist(), picture.ignore.tolist(), strict=True)
    for (x1, y1, x2, y2), class_id, ignored in rows:
        corners = f"<xmin>{x1 + 1:g}</xmin><ymin>{y1 + 1:g}</ymin><xmax>{x2:g}</xmax><ymax>{y2:g}</ymax>"
        objects.append(
            f"  <object>\n    <name>{escape(class_names[class_id])}</name>\n    <difficult>{int(ignored)}</difficult>\n"
            f"    <bndbox>{corners}</bndbox>\n  </object>\n"
        )
    size = f"<width>{width}</width><height>{height}</height><depth>3</depth>"
    return f"<annotation>\n  <filename>{name}</filename>\n  <size>{size}</size>\n{''.join(objects)}</annotation>\n"
