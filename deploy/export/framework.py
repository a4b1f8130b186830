"""Detectors of ultralytics as an export needs them: built or loaded, checked, with what their tensors mean.

A checkpoint is a pickle, and a pickle can run code. ultralytics can load one against a list of known classes only
(`ULTRALYTICS_SAFE_LOAD`), and it is asked to; versions that cannot load it as it is: trust the file.
"""

from __future__ import annotations

import hashlib
import logging
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import yaml

from deploy.errors import BadInput, require
from deploy.export.random_weights import liven
from deploy.passport import file_sha256

Float32 = npt.NDArray[np.float32]

RAW, END2END, RTDETR = "yolo-raw-cxcywh", "yolo-end2end-xyxy", "rtdetr-cxcywh"
MASKS = "-masks"  # what a layout's name ends with that has prototypes besides
_TRANSFORMER = "RTDETRDecoder"
_HEADS = {"detect": ("Detect", "v10Detect", _TRANSFORMER), "segment": ("Segment", "Segment26")}
_DEFAULT_SIZE = 640
_CHECKPOINT, _DESCRIPTION = (".pt",), (".yaml", ".yml")


@dataclass(frozen=True, slots=True, eq=False)
class Loaded:
    """A detector in the framework.

    Attributes:
        model: The `ultralytics.YOLO` or `ultralytics.RTDETR`.
        family: Name of its head.
        classes: Names of the classes, by class number.
        layout: Of its output.
        letterbox: How the framework's own predictor makes an input of an image.
        stride: Sides of an input are multiples of it [px].
        trained_hw: Height and width that it was trained on [px].
        source: What it was made from: `name`, `sha256`, and for random weights `seed`.
    """

    model: Any
    family: str
    classes: tuple[str, ...]
    layout: str
    letterbox: str
    stride: int
    trained_hw: tuple[int, int]
    source: dict[str, Any]

    def forward(self, tensor: Float32) -> tuple[Float32, ...]:
        """The framework's own outputs for an input (1, 3, H, W): the boxes, and prototypes of a segmentation model."""
        torch = require("torch", "train")
        network = self.model.model
        network.eval()
        if hasattr(network, "end2end"):
            network.end2end = self.layout.startswith(END2END)
        with torch.inference_mode():
            output = network(torch.from_numpy(tensor))
        if isinstance(output, (tuple, list)):
            output = output[0]
        return tuple(part.numpy() for part in (output if isinstance(output, (tuple, list)) else (output,)))


def load(weights: str, folder: Path, classes: Sequence[str] = (), seed: int = 0, end2end: bool = False) -> Loaded:
    """Load a checkpoint, or build a network with random weights.

    Args:
        weights: A `.pt` checkpoint, or a `.yaml` that describes a network: a file, or a name that ultralytics knows.
        folder: For the framework's settings and a changed description.
        classes: Class names to use instead of the model's own; a described network gets as many classes.
        seed: Of random weights.
        end2end: Take the head without suppression, where there is one.

    Raises:
        BadInput: If there is no such file, it is no detector, or the classes are not as many as it has.
        Missing: If torch or ultralytics is not installed.
    """
    from deploy.training.detector import load_ultralytics

    check_weights(weights)
    os.environ.setdefault("YOLO_VERBOSE", "false")
    ultralytics = load_ultralytics(folder)
    with quiet():
        if is_checkpoint(weights):
            model, source = _load_checkpoint(ultralytics, weights)
        else:
            model, source = _build(ultralytics, weights, folder, classes, seed)
    network = model.model
    family = _check_head(weights, network)
    layout = RAW
    if family == _TRANSFORMER:
        layout = RTDETR
    elif end2end:
        layout = END2END
    if end2end and (layout != END2END or getattr(network.model[-1], "one2one_cv2", None) is None):
        raise BadInput(f"{weights} has no head to export without suppression ({family}): leave --end2end out")
    if family in _HEADS["segment"]:
        layout += MASKS
    return Loaded(
        model=model,
        family=family,
        classes=_class_names(weights, network, classes),
        layout=layout,
        letterbox="stretch" if family == _TRANSFORMER else "center-114",
        stride=max(32, int(network.stride.max())),
        trained_hw=_trained_size(model),
        source=source,
    )


def is_checkpoint(weights: str) -> bool:
    """Whether it is a checkpoint by its name, and so a pickle."""
    return Path(weights).suffix.lower() in _CHECKPOINT


def check_weights(weights: str) -> None:
    """Refuse what cannot be loaded, before anything large is imported.

    Raises:
        BadInput: If it is no checkpoint and no description by its name, or the file is not there. A description may be
            one that ultralytics brings along.
    """
    path = Path(weights)
    if path.suffix.lower() not in _CHECKPOINT + _DESCRIPTION:
        raise BadInput(f"{weights}: expected a .pt checkpoint of ultralytics, or a .yaml such as yolo11n.yaml")
    if is_checkpoint(weights) and not path.is_file():
        raise BadInput(f"checkpoint {weights} does not exist: check the path; nothing is downloaded")
    if path.parent != Path() and not path.is_file():
        raise BadInput(f"model description {weights} does not exist: check the path")


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the framework's log and torch's warnings out of a command's output."""
    logger = logging.getLogger("ultralytics")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


@contextmanager
def _known_classes_only() -> Iterator[None]:
    """Let a checkpoint hold the framework's and torch's classes only, whatever was imported before and how.

    The framework reads the environment once, at its import. Versions without that switch are left as they are.
    """
    tasks: Any = require("ultralytics.nn.tasks", "train")
    before = getattr(tasks, "SAFE_LOAD", None)
    if before is None:
        yield
        return
    tasks.SAFE_LOAD = os.environ.get("ULTRALYTICS_SAFE_LOAD", "true").lower() in ("1", "true", "yes", "on")
    try:
        yield
    finally:
        tasks.SAFE_LOAD = before


def _load_checkpoint(ultralytics: Any, weights: str) -> tuple[Any, dict[str, Any]]:
    try:
        with _known_classes_only():
            model = ultralytics.YOLO(weights)
        model.model.eval()
    except Exception as error:  # damaged, foreign and refused files have no common exception
        raise BadInput(
            f"{weights} is no checkpoint that ultralytics {ultralytics.__version__} loads ({_first_line(error)}); "
            "set ULTRALYTICS_SAFE_LOAD=false if it was made with classes of your own and you trust it"
        ) from error
    return model, {"name": Path(weights).name, "sha256": file_sha256(Path(weights))}


def _build(
    ultralytics: Any, weights: str, folder: Path, classes: Sequence[str], seed: int
) -> tuple[Any, dict[str, Any]]:
    from ultralytics.nn.tasks import yaml_model_load

    path = Path(weights)
    try:
        content = yaml_model_load(weights)
    except FileNotFoundError as error:
        raise BadInput(f"model description {weights}: no such file, and no such model in ultralytics") from error
    except Exception as error:  # whatever its parser raises
        raise BadInput(f"model description {weights} cannot be read ({_first_line(error)})") from error
    if not isinstance(content, dict) or not {"backbone", "head"} <= content.keys():
        raise BadInput(f"{weights} is no model description of ultralytics: expected backbone and head")
    content = {key: value for key, value in content.items() if key != "yaml_file"}
    if classes:
        content["nc"] = len(classes)
    text = yaml.safe_dump(content, sort_keys=True)
    described = folder / path.name  # the framework reads the scale from the file's name
    described.write_text(text, encoding="utf-8")
    kind = ultralytics.RTDETR if _TRANSFORMER in text else ultralytics.YOLO
    require("torch", "train").manual_seed(seed)
    try:
        model = kind(str(described))
        model.model.eval()
    except Exception as error:  # a layer that does not exist, channels that do not fit, ...
        raise BadInput(
            f"ultralytics {ultralytics.__version__} cannot build {weights} ({_first_line(error)})"
        ) from error
    _check_head(weights, model.model)
    liven(model.model, seed)
    return model, {"name": path.name, "sha256": hashlib.sha256(text.encode()).hexdigest(), "seed": seed}


def _check_head(weights: str, network: Any) -> str:
    task = getattr(network, "task", None)
    layers = getattr(network, "model", None)
    family = type(layers[-1]).__name__ if layers is not None else "none"
    known = {head: name for name, heads in _HEADS.items() for head in heads}
    if family not in known or task not in (None, known[family]):
        raise BadInput(
            f"{weights} is a model for the task {task!r} with the head {family}: expected one of {', '.join(known)}"
        )
    return family


def _class_names(weights: str, network: Any, classes: Sequence[str]) -> tuple[str, ...]:
    count = int(network.model[-1].nc)
    if classes:
        if len(classes) != count:
            raise BadInput(f"--classes names {len(classes)} and {weights} has {count} classes: name all of them")
        if len(set(classes)) != count:
            raise BadInput(f"--classes {','.join(classes)}: a name appears twice")
        return tuple(classes)
    names = network.names
    return tuple(str(names[key]) for key in sorted(names))


def _trained_size(model: Any) -> tuple[int, int]:
    size = model.overrides.get("imgsz", _DEFAULT_SIZE) if isinstance(model.overrides, dict) else _DEFAULT_SIZE
    height, width = (size, size) if isinstance(size, int) else (size[0], size[-1])
    return int(height), int(width)


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:160]
