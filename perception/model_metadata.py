"""What a detection model says about itself, in our own keys or in those of ultralytics."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from typing import Any

from deploy.errors import BadInput

CLASSES, LAYOUT = "eyehand.classes", "eyehand.layout"
_ONLY = {"eyehand.letterbox": "center-114", "eyehand.color_order": "RGB", "eyehand.scale": "1/255"}


def class_names(metadata: Mapping[str, str]) -> tuple[str, ...]:
    """Names of the classes, by class number.

    Args:
        metadata: Of the model: `eyehand.classes`, a JSON list; else `names` of ultralytics, a dict by number.

    Raises:
        BadInput: If neither is there, or one cannot be read, naming it.

    Example:
        >>> class_names({"names": "{0: 'red_cube', 1: 'distractor'}"})
        ('red_cube', 'distractor')
    """
    if CLASSES in metadata:
        names = _parse(CLASSES, metadata[CLASSES])
    elif "names" in metadata:
        names = _parse("names", metadata["names"])
        if isinstance(names, dict):
            numbered = {str(number): name for number, name in names.items()}  # newer exports write numbers as text
            if numbered.keys() != {str(number) for number in range(len(names))}:
                raise BadInput(f"metadata names has the class numbers {list(names)}: expected 0..{len(names) - 1}")
            names = [numbered[str(number)] for number in range(len(names))]
    else:
        raise BadInput(
            f"the model's metadata has neither {CLASSES} nor names, it has {', '.join(sorted(metadata)) or 'nothing'}: "
            f'add {CLASSES}, for example ["red_cube", "distractor"], to its metadata_props'
        )
    if not isinstance(names, (list, tuple)) or not names or not all(isinstance(name, str) for name in names):
        raise BadInput(f"class names {names!r} in the model's metadata: expected a list of at least one name")
    return tuple(names)


def check_preprocessing(metadata: Mapping[str, str], shape: tuple[int, ...]) -> None:
    """Refuse a model that declares another preprocessing, or another input size than it has.

    Args:
        metadata: Of the model: `eyehand.input` such as 1x3x256x320, `imgsz` of ultralytics, and the fixed keys.
        shape: Of the model's input tensor, (1, 3, height, width).

    Raises:
        BadInput: If a key says otherwise, naming both.
    """
    for key, only in _ONLY.items():
        if metadata.get(key, only) != only:
            raise BadInput(f"the model declares {key} = {metadata[key]!r}: supported is {only!r}")
    size = "x".join(map(str, shape))
    if metadata.get("eyehand.input", size) != size:
        raise BadInput(f"the model declares eyehand.input = {metadata['eyehand.input']!r} and has the input {size}")
    if "imgsz" in metadata:
        imgsz = _parse("imgsz", metadata["imgsz"])
        if imgsz not in (shape[2], list(shape[2:])) or (isinstance(imgsz, int) and shape[2] != shape[3]):
            raise BadInput(f"the model declares imgsz = {imgsz} (height, width) and has the input {size}")


def _parse(key: str, text: str) -> Any:
    """Value of a text in JSON or, as older exports wrote it, in Python's notation."""
    for parser in (json.loads, ast.literal_eval):
        try:
            return parser(text)
        except (ValueError, SyntaxError):
            continue
    raise BadInput(f"metadata {key} = {text[:80]!r} of the model cannot be read: expected JSON; export it again")
