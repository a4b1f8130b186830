"""What a detection model says about itself, in our own keys or in those of ultralytics."""

from __future__ import annotations

import ast
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deploy.errors import BadInput
from perception.letterbox import CENTER, STRETCH

CLASSES = "eyehand.classes"
BAKED = "baked"
_ALLOWED = {
    "letterbox": (CENTER, STRETCH),
    "color_order": ("RGB", "BGR"),
    "scale": ("1/255", "1", BAKED),
}


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """What becomes of an image before the network sees it.

    Attributes:
        letterbox: `center-114` keeps the aspect and pads with grey, `stretch` does not; None if it is not said.
        color_order: Of the network's channels.
        scale: What a pixel is multiplied by; `baked` where the graph takes uint8 images and does all of it.
        mean: Subtracted after scaling, one number for each channel.
        std: Divided by then.
    """

    letterbox: str | None = None
    color_order: str = "RGB"
    scale: str = "1/255"
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)

    @property
    def gain(self) -> tuple[float, float, float]:
        """What each channel of a pixel is multiplied by."""
        unit = 1.0 / 255.0 if self.scale == "1/255" else 1.0
        return unit / self.std[0], unit / self.std[1], unit / self.std[2]

    @property
    def bias(self) -> tuple[float, float, float]:
        """What is added to each channel then."""
        return -self.mean[0] / self.std[0], -self.mean[1] / self.std[1], -self.mean[2] / self.std[2]


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


def preprocessing(metadata: Mapping[str, str]) -> Preprocessing:
    """What a model declares of its preprocessing.

    Args:
        metadata: Of the model: `eyehand.letterbox`, `eyehand.color_order`, `eyehand.scale`, and `eyehand.mean` and
            `eyehand.std` as JSON lists.

    Raises:
        BadInput: If a key has a value that is not supported, naming it and those that are.
    """
    defaults = Preprocessing()
    said = {name: metadata[f"eyehand.{name}"] for name in _ALLOWED if f"eyehand.{name}" in metadata}
    for name, allowed in _ALLOWED.items():
        if name in said and said[name] not in allowed:
            raise BadInput(
                f"the model declares eyehand.{name} = {said[name]!r}: supported is {' or '.join(map(repr, allowed))}"
            )
    mean, std = _channels(metadata, "mean", defaults.mean), _channels(metadata, "std", defaults.std)
    if said.get("scale") == BAKED and (mean, std) != (defaults.mean, defaults.std):
        raise BadInput(
            "the model declares eyehand.scale = 'baked' and eyehand.mean or eyehand.std: expected one of them"
        )
    return Preprocessing(**said, mean=mean, std=std)


def check_input_size(metadata: Mapping[str, str], shape: tuple[int, ...], height_width: tuple[int, int]) -> None:
    """Refuse a model that declares another input size than it has.

    Args:
        metadata: Of the model: `eyehand.input` such as 1x3x256x320, `imgsz` of ultralytics.
        shape: Of the model's input tensor.
        height_width: Height and width in it.

    Raises:
        BadInput: If a key says otherwise, naming both.
    """
    size = "x".join(map(str, shape))
    if metadata.get("eyehand.input", size) != size:
        raise BadInput(f"the model declares eyehand.input = {metadata['eyehand.input']!r} and has the input {size}")
    if "imgsz" in metadata:
        imgsz = _parse("imgsz", metadata["imgsz"])
        height, width = height_width
        if imgsz not in (height, [height, width]) or (isinstance(imgsz, int) and height != width):
            raise BadInput(f"the model declares imgsz = {imgsz} (height, width) and has the input {size}")


def _channels(
    metadata: Mapping[str, str], name: str, default: tuple[float, float, float]
) -> tuple[float, float, float]:
    if f"eyehand.{name}" not in metadata:
        return default
    values = _parse(f"eyehand.{name}", metadata[f"eyehand.{name}"])
    values = values if isinstance(values, (list, tuple)) else [values]
    try:
        first, second, third = (float(value) for value in values)
    except (TypeError, ValueError) as error:
        raise BadInput(f"metadata eyehand.{name} = {values!r}: expected three numbers, one for each channel") from error
    if not all(map(math.isfinite, (first, second, third))) or (name == "std" and min(first, second, third) <= 0.0):
        raise BadInput(f"metadata eyehand.{name} = {values!r}: expected finite numbers, of std greater than 0")
    return first, second, third


def _parse(key: str, text: str) -> Any:
    """Value of a text in JSON or, as older exports wrote it, in Python's notation."""
    for parser in (json.loads, ast.literal_eval):
        try:
            return parser(text)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            continue
    raise BadInput(f"metadata {key} = {text[:80]!r} of the model cannot be read: expected JSON; export it again")
