"""Export of a trained checkpoint to an ONNX file that says by itself how it wants to be used."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from deploy.errors import BadInput, require

OPSET = 17


def export_checkpoint(checkpoint: Path, target: Path, input_hw: tuple[int, int]) -> Path:
    """Export to ONNX with a static input and the raw output (1, 4 + classes, N), and write the metadata into it.

    Args:
        checkpoint: A `.pt` file of Ultralytics that this process's user trained; it is a pickle, so trust it.
        target: The `.onnx` file to write.
        input_hw: Height and width of the input [px].

    Returns:
        `target`.

    Raises:
        BadInput: If the checkpoint does not exist.
        Missing: If torch, ultralytics or onnx is not installed.
    """
    from deploy.training.detector import load_ultralytics

    if not checkpoint.is_file():
        raise BadInput(f"checkpoint {checkpoint} does not exist: expected a .pt file of a finished epoch")
    target.parent.mkdir(parents=True, exist_ok=True)
    ultralytics = load_ultralytics(target.parent)
    model = ultralytics.YOLO(str(checkpoint))
    names = [str(model.names[key]) for key in sorted(model.names)]
    exported = model.export(format="onnx", imgsz=list(input_hw), opset=OPSET, simplify=True, dynamic=False)
    shutil.move(str(exported), target)
    describe(target, names, input_hw)
    return target


def describe(path: Path, names: list[str], input_hw: tuple[int, int], extra: Mapping[str, str] | None = None) -> None:
    """Write into an ONNX file what its tensors mean.

    Args:
        path: The file, changed in place.
        names: Class names by id.
        input_hw: Height and width of the input [px].
        extra: More entries.
    """
    onnx = require("onnx", "train")
    model = onnx.load(str(path))
    height, width = input_hw
    entries = {
        "names": json.dumps(dict(enumerate(names))),
        "imgsz": json.dumps([height, width]),
        "eyehand.classes": json.dumps(names),
        "eyehand.input": f"1x3x{height}x{width}",
        "eyehand.letterbox": "center-114",
        "eyehand.color_order": "RGB",
        "eyehand.scale": "1/255",
        "eyehand.layout": "yolo-raw-cxcywh",
        **(extra or {}),
    }
    kept = {entry.key: entry.value for entry in model.metadata_props}
    kept.update(entries)
    # A date would make two exports of one checkpoint differ, and paths of the training machine mean nothing elsewhere.
    for name in ("date", "description", "args"):
        kept.pop(name, None)
    del model.metadata_props[:]
    for key in sorted(kept):
        model.metadata_props.add(key=key, value=kept[key])
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
