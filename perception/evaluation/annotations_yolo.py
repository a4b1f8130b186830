"""Labels as YOLO trainers read them: a text file a picture, a row an object, in parts of the picture's size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import yaml

from deploy.errors import BadInput
from perception.evaluation.image_files import FileLabels, LabelledFiles, check_inside
from perception.sources.image_files import SUFFIXES, find_files

_NAME_FILES = ("classes.txt", "obj.names")
_SAME = {"val": ("val", "valid", "validation"), "train": ("train", "training")}


def data_file(folder: Path) -> Path | None:
    """The file that describes a YOLO set in a folder: `data.yaml`, or the only YAML file there."""
    named = [folder / name for name in ("data.yaml", "data.yml", "dataset.yaml") if (folder / name).is_file()]
    found = named or [file for suffix in ("*.yaml", "*.yml") for file in sorted(folder.glob(suffix))]
    return found[0] if named or len(found) == 1 else None


def open_yolo(path: Path, split: str) -> LabelledFiles:
    """Open a set by its `data.yaml`, or a folder with `images/` and `labels/`, with or without a folder for each split.

    The labels of `.../images/a.jpg` are in `.../labels/a.txt`; a picture without that file shows no object. A row is
    class, centre x, centre y, width and height, or class and the corners of an outline, of which the box is taken.

    Raises:
        BadInput: If a file or a row cannot be used.
    """
    described = path if path.is_file() else data_file(path)
    if described is None:
        images = _split_folder(path / "images", split)
        files, names, where = find_files(str(images), "pictures"), _names_beside(path), f"{path}"
    else:
        about = _read_yaml(described)
        files, names = _pictures(described, about, split), _names(described, about)
        where = f"{described}: {split}"
    rows = [_labels_of(file) for file in files]
    if not any(label.is_file() for label in rows):
        raise BadInput(f"{where}: none of {len(files)} pictures has labels; expected files such as {rows[0]}")
    entries = [_read_labels(file, label, names) for file, label in zip(files, rows, strict=True)]
    if not names:
        highest = max((int(entry.class_ids.max()) for entry in entries if len(entry.class_ids)), default=-1)
        names = tuple(str(number) for number in range(highest + 1))
    return LabelledFiles(names, entries, where)


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        about = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(about, dict):
        raise BadInput(f"{path}: holds a {type(about).__name__}; expected names, and paths of train and val")
    return about


def _names(path: Path, about: dict[str, Any]) -> tuple[str, ...]:
    names = about.get("names")
    if isinstance(names, dict):
        if sorted(names) != list(range(len(names))):
            raise BadInput(f"{path}: names are numbered {', '.join(map(str, names))}; expected 0..{len(names) - 1}")
        names = [names[number] for number in range(len(names))]
    if not isinstance(names, list) or not names:
        raise BadInput(f"{path}: names are {names!r}; expected a list of class names")
    count = about.get("nc", len(names))
    if count != len(names):
        raise BadInput(f"{path}: nc is {count}, with {len(names)} names; expected one name a class")
    names = [str(name) for name in names]
    if len(set(names)) < len(names):
        raise BadInput(f"{path}: names are {_few(tuple(names))}, one of them twice; expected each class once")
    return tuple(names)


def _names_beside(folder: Path) -> tuple[str, ...]:
    for name in _NAME_FILES:
        for file in (folder / name, folder / "labels" / name):
            if file.is_file():
                names = [line.strip() for line in file.read_text(encoding="utf-8").rstrip().splitlines()]
                if "" in names or len(set(names)) < len(names):
                    raise BadInput(f"{file}: line {_wrong(names)} is empty or a class twice; expected a class each")
                return tuple(names)
    return ()


def _wrong(names: list[str]) -> int:
    """Number of the first line that is empty or was there before."""
    return next(number for number, name in enumerate(names, start=1) if not name or name in names[: number - 1])


def _split_folder(images: Path, split: str) -> Path:
    """`images/<split>`, or `images` itself where it is not split."""
    for name in _SAME.get(split, (split,)):
        if (images / name).is_dir():
            return images / name
    parts = sorted(folder.name for folder in images.iterdir() if folder.is_dir())
    if parts and not any(file.suffix.lower() in SUFFIXES for file in images.iterdir()):
        raise BadInput(f"{images}: no split {split!r}; it has {', '.join(parts)}")
    return images


def _pictures(path: Path, about: dict[str, Any], split: str) -> list[Path]:
    """Picture files of a split: a folder, a text file that lists them, or a list of these."""
    wanted = next((about[name] for name in _SAME.get(split, (split,)) if about.get(name)), None)
    if wanted is None:
        known = [name for name in ("train", "val", "valid", "test") if about.get(name)]
        raise BadInput(f"{path}: no split {split!r}; it has {', '.join(known) or 'none'}")
    wanted = wanted if isinstance(wanted, list) else [wanted]
    base = Path(str(about.get("path") or "."))
    roots = [path.parent / base, Path.cwd() / base, path.parent]  # the last: a set that was moved with its data.yaml
    files: list[Path] = []
    for item in map(str, wanted):
        place = next((root / item for root in roots if (root / item).exists()), None)
        if place is None:
            raise BadInput(f"{path}: {split} is {item}, which is not in {roots[0]}; correct path: or {split}: in it")
        files += _listed(place, roots) if place.suffix == ".txt" else find_files(str(place), f"{path}: {split}")
    return files


def _listed(path: Path, roots: list[Path]) -> list[Path]:
    files = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not (name := line.strip()):
            continue
        places = [path.parent / name] if name.startswith("./") else [root / name for root in (*roots, path.parent)]
        file = next((place for place in places if place.is_file()), None)
        if file is None:
            raise BadInput(
                f"{path}: its picture {name} does not exist in {places[0].parent}; bring it, or drop the line"
            )
        files.append(file)
    return files


def _labels_of(image: Path) -> Path:
    """`.../labels/a.txt` of `.../images/a.jpg`; beside the picture where its path has no folder `images`."""
    parts = list(image.with_suffix(".txt").parts)
    for index in range(len(parts) - 2, -1, -1):
        if parts[index] == "images":
            parts[index] = "labels"
            break
    return Path(*parts)


def _read_labels(image: Path, path: Path, names: tuple[str, ...]) -> FileLabels:
    boxes: list[tuple[float, float, float, float]] = []
    class_ids: list[int] = []
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        class_id, box = _row(line, f"{path}:{number}", names)
        check_inside(np.array([box]), 1.0, 1.0, f"{path}:{number}")
        class_ids.append(class_id)
        boxes.append(box)
    array = np.clip(np.array(boxes, np.float64).reshape(-1, 4), 0.0, 1.0)
    return FileLabels(image, path, array, np.array(class_ids, np.int32), None)


def _row(line: str, where: str, names: tuple[str, ...]) -> tuple[int, tuple[float, float, float, float]]:
    columns = line.split()
    if len(columns) != 5 and (len(columns) < 7 or len(columns) % 2 == 0):
        raise BadInput(
            f"{where}: {len(columns)} columns; expected 5 (class, centre x, centre y, width, height) or an outline"
        )
    try:
        values = [float(column) for column in columns]
    except ValueError as error:
        raise BadInput(f"{where}: {line.strip()[:60]!r} are not numbers; expected class and box") from error
    if not values[0].is_integer() or values[0] < 0 or (names and values[0] >= len(names)):
        raise BadInput(
            f"{where}: class id {columns[0]}; expected "
            + (f"0..{len(names) - 1} ({_few(names)})" if names else "a whole number >= 0")
        )
    if len(values) == 5:
        _, cx, cy, w, h = values
        return int(values[0]), (cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2)
    x, y = values[1::2], values[2::2]
    return int(values[0]), (min(x), min(y), max(x), max(y))


def _few(names: tuple[str, ...]) -> str:
    return ", ".join(names[:6]) + (", ..." if len(names) > 6 else "")
