"""A trained model as a folder of the model store: the file, its passport, its card, its licence."""

from __future__ import annotations

import importlib.metadata
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.errors import BadInput, require
from deploy.model_store import CARD_FILE, MODEL_FILE
from deploy.passport import Passport, file_sha256, passport_path

_OUTPUTS = {
    "yolo-raw-cxcywh": "one row of centre, size and class scores for each anchor, before suppression",
    "rtdetr-cxcywh": "centre and size as fractions of the input, score and class of each query; no suppression needed",
}
_DESCRIBED = ("classes", "input", "letterbox", "color_order", "scale", "layout")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a model comes from.

    Attributes:
        data: What it was trained on, in a sentence.
        commands: What to type to make it again, in order.
        seed: Seed of the training.
        training: Sizes and settings, for the passport.
        status: `final`, or what is missing.
        start: Name of the model whose weights the training went on from; None from scratch.
    """

    data: str
    commands: tuple[str, ...]
    seed: int
    training: Mapping[str, Any]
    status: str = "final"
    start: str | None = None


def package_detector(
    onnx_path: Path, folder: Path, metrics: Mapping[str, Mapping[str, float]], origin: Origin
) -> Passport:
    """Write a detector's folder.

    Args:
        onnx_path: The exported model, with its metadata inside.
        folder: Folder to write; its name becomes the model's.
        metrics: Figures by the name of what they were measured on.
        origin: Where the model comes from.

    Returns:
        The passport.

    Raises:
        BadInput: If the model's metadata lacks an entry.
    """
    onnx = require("onnx", "train")
    entries = {entry.key: entry.value for entry in onnx.load(str(onnx_path)).metadata_props}
    for name in _DESCRIBED:
        if f"eyehand.{name}" not in entries:
            raise BadInput(f"{onnx_path} has no metadata eyehand.{name}: export it with deploy.export")
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / MODEL_FILE
    if onnx_path.resolve() != target.resolve():
        shutil.copyfile(onnx_path, target)
    described = {name: entries[f"eyehand.{name}"] for name in _DESCRIBED}
    start = {} if origin.start is None else {"start": origin.start}
    passport = Passport(
        name=folder.name,
        status=origin.status,
        sha256=file_sha256(target),
        size_bytes=target.stat().st_size,
        source=_source(entries),
        made_by=_versions(entries),
        **{**described, "classes": tuple(json.loads(described["classes"]))},
        metrics={name: dict(values) for name, values in metrics.items()},
        training={
            "commands": list(origin.commands),
            "seed": origin.seed,
            "data": origin.data,
            **start,
            **origin.training,
        },
        license="AGPL-3.0-only",
    ).write(passport_path(target))
    (folder / CARD_FILE).write_text(_card(passport), encoding="utf-8")
    (folder / "LICENSE").write_text(_license(), encoding="utf-8")
    return passport


def _source(metadata: Mapping[str, str]) -> dict[str, Any]:
    """The checkpoint that the file was exported from, as far as it says so."""
    return {"sha256": metadata["eyehand.source"]} if "eyehand.source" in metadata else {}


def _versions(metadata: Mapping[str, str]) -> dict[str, str]:
    """What wrote the file, as far as it says so."""
    made_by: dict[str, str] = json.loads(metadata.get("eyehand.made_by", "{}"))
    return made_by or ({"ultralytics": metadata["version"]} if "version" in metadata else {})


def _card(passport: Passport) -> str:
    classes = ", ".join(f"`{name}`" for name in passport.classes)
    training = passport.training
    note = "" if passport.status == "final" else f"\n**{passport.status}.**\n"
    rows = "\n".join(
        f"| {name} | {int(m['frames'])} | {m['map50']:.3f} | {m['map50_95']:.3f} | {m['recall']:.3f} |"
        f" {m['false_per_frame']:.3f} | {m['center_p50_px']:.2f} | {m['center_p90_px']:.2f} |"
        for name, m in passport.metrics.items()
    )
    commands = "\n".join(training["commands"])
    settings = "\n".join(
        f"- {key.replace('_', ' ')}: {value}"
        for key, value in training.items()
        if key not in ("commands", "data", "start")
    )
    start = "From scratch, no pretrained weights."
    if "start" in training:
        part = "from the weights"
        if passport.layout == "rtdetr-cxcywh":
            part = "the decoder from scratch, on the backbone and neck"
        start = f"On the same pictures, {part} of `{training['start']}`, which were trained from scratch."
    output = f", {_OUTPUTS[passport.layout]}" if passport.layout in _OUTPUTS else ""
    return f"""# {passport.name}

Finds a red cube and other objects on a table, in the picture of a camera on a gripper.
{note}
- classes: {classes}
- input: `{passport.input}`, {passport.color_order}, x {passport.scale}, letterbox `{passport.letterbox}`
- output: `{passport.layout}`{output}
- file: {passport.size_bytes / 1e6:.1f} MB, sha256 `{passport.sha256}`

## Figures

Measured through the run time of this project (ONNX Runtime, own decoding and suppression) on frames of seeds that the
training has not seen. Centres are those of matched boxes, in pixels of the 640x480 picture; recall and false alarms are
at a confidence of 0.25.

| frames from | frames | mAP50 | mAP50-95 | recall | false per frame | centre p50 px | centre p90 px |
| --- | --- | --- | --- | --- | --- | --- | --- |
{rows}

An object counts if it shows at least 60 pixels and a quarter of its outline.

## Data

{training["data"]}

## Training

{start}

{settings}

```
{commands}
```

## Limits

Trained on rendered pictures only: a real camera, other objects, or a cube that is not clearly red need their own data.
The class `distractor` stands for boxes, cylinders and balls of any colour but red, of 3 to 7 cm.

## Licence

AGPL-3.0-only (see LICENSE): architecture, loss and trainer are Ultralytics'. The rest of the project does not link to
it; delete this folder and put another `model.onnx` in its place to be free of it.
"""


def _license() -> str:
    """The licence's text, from the distribution that the model descends from."""
    for file in importlib.metadata.files("ultralytics") or ():
        if file.name == "LICENSE":
            return file.read_text(encoding="utf-8")
    raise BadInput("no installed ultralytics carries a LICENSE file: pip install 'eyehand[train]'")
