"""Labels as PASCAL VOC writes them: an XML file a picture, and text files that list the splits."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.parsers import expat

import numpy as np

from deploy.errors import BadInput
from perception.evaluation.image_files import FileLabels, LabelledFiles, check_inside
from perception.sources.image_files import SUFFIXES

_CORNERS = ("xmin", "ymin", "xmax", "ymax")
_OBJECT = "annotation/object"
# Of the object itself: parts, such as hands, have names and boxes of their own.
_FIELDS = {f"{_OBJECT}/{name}" for name in ("name", "difficult", *(f"bndbox/{corner}" for corner in _CORNERS))}


def is_voc(folder: Path) -> bool:
    """Whether a folder holds `Annotations/` with XML files."""
    return next((folder / "Annotations").glob("*.xml"), None) is not None


def open_voc(path: Path, split: str) -> LabelledFiles:
    """Open a folder with `Annotations/`, `JPEGImages/` and, if it is split, `ImageSets/Main/<split>.txt`.

    VOC counts pixels from 1 and boxes to the last pixel that they hold: xmin = 1 and xmax = width span the image. Tools
    that count from 0 are known by a corner at 0, which VOC does not have; their corners are taken for edges. Difficult
    objects neither count nor cost. Class names are sorted: VOC has no list of them.

    Raises:
        BadInput: If a file cannot be used, or declares entities.
    """
    sets = path / "ImageSets" / "Main"
    listed = sets / f"{split}.txt"
    if listed.is_file():
        stems = [line.split()[0] for line in listed.read_text(encoding="utf-8").splitlines() if line.strip()]
    elif sets.is_dir() and any(sets.glob("*.txt")):
        known = ", ".join(sorted(file.stem for file in sets.glob("*.txt"))[:8])
        raise BadInput(f"{sets}: no split {split!r}; it has {known}")
    else:
        stems = sorted(file.stem for file in (path / "Annotations").glob("*.xml"))
    parsed = []
    for stem in stems:
        file = path / "Annotations" / f"{stem}.xml"
        if not file.is_file():
            raise BadInput(f"{listed}: {stem} has no labels, {file} does not exist; bring it, or drop the line")
        parsed.append((file, stem, _parse(file)))
    corners = [corner for _, _, labels in parsed for box in labels["boxes"] for corner in box[:2]]
    first = 0.0 if any(corner == 0.0 for corner in corners) else 1.0
    names = tuple(sorted({name for _, _, labels in parsed for name in labels["names"]}))
    entries = [_entry(path, file, stem, labels, names, first) for file, stem, labels in parsed]
    return LabelledFiles(names, entries, str(path))


def _entry(
    folder: Path, file: Path, stem: str, labels: dict[str, Any], names: tuple[str, ...], first: float
) -> FileLabels:
    boxes = np.array(labels["boxes"], np.float64).reshape(-1, 4) - np.array([first, first, 0.0, 0.0])
    width, height = labels["size"]
    check_inside(boxes, width, height, str(file))
    pictures = folder / "JPEGImages"
    named = labels["filename"]
    candidates = [named] if named else []
    candidates += [stem + suffix for suffix in SUFFIXES]
    picture = next((pictures / name for name in candidates if (pictures / name).is_file()), pictures / candidates[0])
    return FileLabels(
        picture,
        file,
        boxes,
        np.array([names.index(name) for name in labels["names"]], np.int32),
        (width, height),
        ignore=np.array(labels["difficult"], bool),
    )


def _parse(file: Path) -> dict[str, Any]:
    """What we need of an annotation: the XML parser's events, as entities and external files are never looked at."""
    values: list[dict[str, str]] = []
    about: dict[str, str] = {}
    path: list[str] = []
    text: list[str] = []

    def start(name: str, _attributes: dict[str, str]) -> None:
        path.append(name)
        text.clear()
        if "/".join(path) == _OBJECT:
            values.append({})

    def end(name: str) -> None:
        where = "/".join(path)
        if where in _FIELDS:
            values[-1][name] = "".join(text).strip()
        else:
            about[where] = "".join(text).strip()
        path.pop()
        text.clear()

    def refuse(*_: object) -> None:
        raise BadInput(f"{file}: declares a document type or entities, which labels have no use for; remove them")

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = text.append
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = refuse
    try:
        parser.Parse(file.read_bytes(), True)
    except expat.ExpatError as error:
        raise BadInput(f"{file}: not XML: {error}") from error
    return _values(file, values, about)


def _values(file: Path, values: list[dict[str, str]], about: dict[str, str]) -> dict[str, Any]:
    try:
        size = int(about["annotation/size/width"]), int(about["annotation/size/height"])
    except (KeyError, ValueError) as error:
        raise BadInput(f"{file}: no size of the picture in it; expected <size> with <width> and <height>") from error
    boxes = []
    for number, value in enumerate(values, start=1):
        try:
            boxes.append(tuple(float(value[corner]) for corner in _CORNERS))
        except (KeyError, ValueError) as error:
            raise BadInput(
                f"{file}: object {number} has no box; expected <bndbox> with {', '.join(_CORNERS)}"
            ) from error
        if not value.get("name"):
            raise BadInput(f"{file}: object {number} has no <name>; expected its class")
    return {
        "size": size,
        "filename": Path(about.get("annotation/filename", "")).name,
        "boxes": boxes,
        "names": [value["name"] for value in values],
        "difficult": [value.get("difficult", "0") not in ("0", "") for value in values],
    }
