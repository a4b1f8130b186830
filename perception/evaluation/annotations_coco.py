"""Labels as COCO writes them: one JSON file with images, categories and annotations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from deploy.errors import BadInput
from perception.evaluation.image_files import FileLabels, LabelledFiles, check_inside

_SPLITS = ("train", "val", "valid", "test")


def find_json(folder: Path, split: str) -> Path | None:
    """The file of a split in a folder: `annotations/instances_<split>.json` and its relatives, or the only one."""
    splits = (split, "valid") if split == "val" else (split,)
    for name in splits:
        for pattern in (
            f"annotations/instances_{name}*.json", f"annotations/{name}.json", f"instances_{name}*.json",
            f"{name}.json", f"{name}/_annotations.coco.json",
        ):  # fmt: skip
            if found := sorted(folder.glob(pattern)):
                return found[0]
    files = _json_files(folder)
    return files[0] if len(files) == 1 and not _of_a_split(files[0]) else None


def of_splits(folder: Path) -> list[str]:
    """Names of the files in a folder that are those of some split."""
    return [file.name for file in _json_files(folder) if _of_a_split(file)]


def _json_files(folder: Path) -> list[Path]:
    return sorted([*folder.glob("*.json"), *folder.glob("annotations/*.json")])


def _of_a_split(file: Path) -> bool:
    return file.stem in _SPLITS or file.stem.startswith("instances_")


def open_coco(path: Path, split: str) -> LabelledFiles:
    """Open a set by its `.json`, or by the folder that holds it.

    Category ids may have gaps. Annotations with `iscrowd` or `ignore` neither count nor cost. The pictures are looked
    for beside the file and in `images/`, there or one folder higher, with or without a folder for the split.

    Raises:
        BadInput: If the file is not COCO's, or an annotation cannot be used.
    """
    file = path if path.is_file() else find_json(path, split)
    if file is None:
        raise BadInput(f"{path}: no COCO file of split {split!r}; expected annotations/instances_{split}.json")
    content = _read(file)
    names, number_of = _categories(file, content["categories"])
    images: dict[Any, dict[str, Any]] = {}
    for image in content["images"]:
        if not isinstance(image, dict) or not {"id", "file_name", "width", "height"} <= image.keys():
            raise BadInput(f"{file}: image {_short(image)}: expected id, file_name, width and height")
        if images.setdefault(image["id"], image) is not image:
            raise BadInput(f"{file}: two images have id {image['id']}; expected one")
    rows: dict[Any, list[dict[str, Any]]] = {key: [] for key in images}
    for annotation in content["annotations"]:
        _check(file, annotation, images, number_of)
        rows[annotation["image_id"]].append(annotation)
    if not images:
        raise BadInput(f"{file}: no images in it; name a set that holds some")
    root = _root(file, split, str(next(iter(images.values()))["file_name"]))
    # pycocotools goes by the ids, and so ranks equal scores in that order.
    order = sorted(images, key=lambda key: (not isinstance(key, int), key if isinstance(key, int) else str(key)))
    entries = [_entry(file, root, images[key], rows[key], number_of) for key in order]
    return LabelledFiles(names, entries, str(file))


def _read(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, UnicodeDecodeError) as error:
        raise BadInput(f"{file}: not JSON: {error}") from error
    for key in ("images", "categories", "annotations"):
        if not isinstance(content, dict) or not isinstance(content.get(key), list):
            raise BadInput(f"{file}: no list {key!r} in it; expected COCO's images, categories and annotations")
    return dict(content)


def _categories(file: Path, categories: list[Any]) -> tuple[tuple[str, ...], dict[Any, int]]:
    """Class names in the order of the category ids, and the class of each id."""
    for category in categories:
        if not isinstance(category, dict) or not isinstance(category.get("id"), int) or "name" not in category:
            raise BadInput(f"{file}: category {_short(category)}: expected a whole-number id and a name")
    ordered = sorted(categories, key=lambda category: category["id"])
    names = tuple(str(category["name"]) for category in ordered)
    number_of = {category["id"]: number for number, category in enumerate(ordered)}
    if len(number_of) != len(ordered) or len(set(names)) != len(names):
        raise BadInput(f"{file}: two categories have the same id or name; expected each once")
    return names, number_of


def _check(file: Path, annotation: Any, images: dict[Any, Any], number_of: dict[Any, int]) -> None:
    if not isinstance(annotation, dict) or not {"image_id", "category_id", "bbox"} <= annotation.keys():
        raise BadInput(f"{file}: annotation {_short(annotation)}: expected image_id, category_id and bbox")
    where = f"{file}: annotation {annotation.get('id', '?')}"
    if annotation["image_id"] not in images:
        raise BadInput(f"{where}: image_id {annotation['image_id']} is not the id of one of its {len(images)} images")
    if annotation["category_id"] not in number_of:
        raise BadInput(f"{where}: category_id {annotation['category_id']}; expected one of {_short(list(number_of))}")
    box = annotation["bbox"]
    if not isinstance(box, list) or len(box) != 4 or not all(isinstance(value, (int, float)) for value in box):
        raise BadInput(f"{where}: bbox {_short(box)}; expected four numbers: x, y, width, height [px]")


def _entry(
    file: Path, root: Path, image: dict[str, Any], rows: list[dict[str, Any]], number_of: dict[Any, int]
) -> FileLabels:
    sizes = np.array([row["bbox"] for row in rows], np.float64).reshape(-1, 4)
    boxes = np.hstack([sizes[:, :2], sizes[:, :2] + sizes[:, 2:]])
    width, height = int(image["width"]), int(image["height"])
    for row, box in zip(rows, boxes, strict=True):
        check_inside(box, width, height, f"{file}: annotation {row.get('id', '?')}")
    return FileLabels(
        root / str(image["file_name"]),
        file,
        boxes,
        np.array([number_of[row["category_id"]] for row in rows], np.int32),
        (width, height),
        ignore=np.array([bool(row.get("iscrowd") or row.get("ignore")) for row in rows], bool),
        areas=np.array([float(row.get("area", w * h)) for row, (w, h) in zip(rows, sizes[:, 2:], strict=True)]),
    )


def _root(file: Path, split: str, first: str) -> Path:
    """The folder that the file names of images are relative to."""
    name = file.stem.removeprefix("instances_")
    roots = [
        base / part
        for base in (file.parent, file.parent.parent)
        for part in ("", "images", name, split, f"images/{name}", f"images/{split}")
    ]
    found = next((root for root in roots if (root / first).is_file()), None)
    if found is None:
        raise BadInput(
            f"{file}: its picture {first} does not exist; looked in {file.parent}, {file.parent.parent} and below, in "
            f"images, {name} and images/{name}; put the pictures there"
        )
    return found


def _short(value: Any) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= 80 else text[:77] + "..."
