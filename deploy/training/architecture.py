"""The networks that can be trained, as the framework describes them: its own files, made slim, are not copied here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from deploy.errors import BadInput
from deploy.training.rtdetr import DecoderSize, with_decoder

# Where ultralytics keeps the description of each. RT-DETR's decoder goes on the backbone and neck of a YOLOv8: its own
# backbones are ten times too large for a CPU.
SOURCES = {
    "yolov8": "v8/yolov8.yaml",
    "yolo11": "11/yolo11.yaml",
    "yolo26": "26/yolo26.yaml",
    "rtdetr": "v8/yolov8.yaml",
}
ARCHITECTURES = tuple(SOURCES)
# Largest learning rates of AdamW; a new decoder on a trained backbone takes half of what a YOLO from scratch does.
YOLO_RATE, DECODER_RATE = 0.002, 0.001
WIDTH = 0.125


def learning_rate(architecture: str) -> float:
    """Largest learning rate of AdamW that a network takes."""
    return DECODER_RATE if architecture == "rtdetr" else YOLO_RATE


def check_network(architecture: str, width: float) -> None:
    """Refuse a network that cannot be described.

    Raises:
        BadInput: If the architecture is not one of `ARCHITECTURES`, or the width not in (0, 1].
    """
    if architecture not in ARCHITECTURES:
        raise BadInput(f"architecture = {architecture!r}: expected one of {', '.join(ARCHITECTURES)}")
    if not 0.0 < width <= 1.0:
        raise BadInput(f"width = {width}: expected in (0, 1]; nano is 0.25")


def describe_network(ultralytics: Any, architecture: str, width: float, classes: int) -> dict[str, Any]:
    """Describe a network as the framework reads it.

    Args:
        ultralytics: The framework.
        architecture: One of `ARCHITECTURES`.
        width: Factor of the channels; 0.25 is the framework's nano.
        classes: Number of classes.

    Returns:
        Its layers, with nano's depth.
    """
    source = Path(ultralytics.__file__).parent / "cfg" / "models" / SOURCES[architecture]
    content: dict[str, Any] = yaml.safe_load(source.read_text())
    depth, _, widest = content["scales"]["n"]
    content["nc"] = classes
    content["scales"] = {"n": [depth, width, widest]}
    return with_decoder(content, DecoderSize()) if architecture == "rtdetr" else content


def write_network(content: dict[str, Any], folder: Path, architecture: str) -> Path:
    """Write the description where the framework finds its scale by the name: the letter before the hyphen."""
    target = folder / f"{architecture}n-slim.yaml"
    target.write_text(yaml.safe_dump(content, sort_keys=False))
    return target


def head_index(content: dict[str, Any]) -> int:
    """Number of the last layer; those before it are backbone and neck."""
    return len(content["backbone"]) + len(content["head"]) - 1


def width_of(ultralytics: Any, checkpoint: Path) -> float:
    """Factor of the channels of a trained network."""
    content = ultralytics.YOLO(str(checkpoint)).model.yaml
    scales = content["scales"]
    return float(scales[content.get("scale") or next(iter(scales))][1])
