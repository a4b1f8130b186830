"""An export as a folder of the model store: the file, its passport, its card, its licence. All of it, or nothing."""

from __future__ import annotations

import importlib.metadata
import json
import shutil
from pathlib import Path

from deploy.errors import BadInput, require
from deploy.export.detector import Exported
from deploy.export.framework import MASKS
from deploy.export.proof import OutputError
from deploy.model_store import CARD_FILE, MODEL_FILE
from deploy.passport import Passport, file_sha256, passport_path

_RANDOM = "Random weights: it finds nothing"


def write_folder(exported: Exported, parity: OutputError, folder: Path) -> Passport:
    """Write a model's folder.

    Args:
        exported: The export, in a workshop beside `folder`.
        parity: Its errors against the framework.
        folder: A new or an empty folder; its name becomes the model's.

    Returns:
        The passport.
    """
    onnx = require("onnx", "train")
    metadata = {entry.key: entry.value for entry in onnx.load(str(exported.path)).metadata_props}
    place = exported.path.parent / "model"
    place.mkdir()
    target = place / MODEL_FILE
    shutil.move(exported.path, target)
    baked = metadata["eyehand.scale"] == "baked"
    passport = Passport(
        name=folder.resolve().name,
        status=_RANDOM if "seed" in exported.detector.source else "final",
        sha256=file_sha256(target),
        size_bytes=target.stat().st_size,
        source=exported.detector.source,
        made_by=exported.made_by,
        classes=tuple(json.loads(metadata["eyehand.classes"])),
        input=metadata["eyehand.input"],
        input_dtype="uint8" if baked else "float32",
        letterbox=metadata["eyehand.letterbox"],
        color_order=metadata["eyehand.color_order"],
        scale=metadata["eyehand.scale"],
        layout=metadata["eyehand.layout"],
        parity={"against": f"ultralytics {exported.made_by['ultralytics']}, float32 on a CPU", **parity.as_dict()},
        license="AGPL-3.0-only",
    ).write(passport_path(target))
    (place / CARD_FILE).write_text(_card(passport, parity), encoding="utf-8")
    (place / "LICENSE").write_text(license_text(), encoding="utf-8")
    place.replace(folder)  # onto nothing or an empty folder
    return passport


def license_text() -> str:
    """The licence of what descends from ultralytics, out of its distribution.

    Raises:
        BadInput: If the distribution that is installed carries none.
    """
    for file in importlib.metadata.files("ultralytics") or ():
        if file.name == "LICENSE":
            return file.read_text(encoding="utf-8")
    raise BadInput("no installed ultralytics carries a LICENSE file: pip install 'eyehand[train]'")


def _card(passport: Passport, parity: OutputError) -> str:
    note = "" if passport.status == "final" else f"\n**{passport.status}.**\n"
    versions = ", ".join(f"{name} {version}" for name, version in passport.made_by.items())
    task = "A segmentation model" if passport.layout.endswith(MASKS) else "A detector"
    classes = ", ".join(f"`{name}`" for name in passport.classes)
    return f"""# {passport.name}

{task}, exported from `{passport.source["name"]}` (sha256 `{passport.source["sha256"]}`).
{note}
- classes: {classes}
- input: `{passport.input}`, {passport.input_dtype}, {passport.color_order}, x {passport.scale}
- an image becomes the input by: `{passport.letterbox}`
- output: `{passport.layout}`
- file: {passport.size_bytes / 1e6:.1f} MB, sha256 `{passport.sha256}`
- made by: {versions}

Against the framework's own output on {parity.frames} pictures: {parity}.

## Licence

AGPL-3.0-only (see LICENSE), for what descends from ultralytics; weights may have terms of their own.
"""
