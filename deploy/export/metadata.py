"""What an exported detector says about itself, inside its ONNX file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from deploy.errors import require

# A date would make two exports of one checkpoint differ, and paths of the training machine mean nothing elsewhere.
_DROPPED = ("date", "description", "args")


def describe(
    path: Path,
    names: Sequence[str],
    input_hw: tuple[int, int],
    extra: Mapping[str, str] | None = None,
    *,
    layout: str = "yolo-raw-cxcywh",
    letterbox: str = "center-114",
) -> None:
    """Write into an ONNX file what its tensors mean; what its exporter wrote about the network stays.

    Args:
        path: The file, changed in place.
        names: Class names by id.
        input_hw: Height and width of the input [px].
        extra: More entries.
        layout: Of the output, by the names that the run time knows.
        letterbox: Rule by which an image becomes the input: `center-114` or `stretch`.

    Raises:
        Missing: If onnx is not installed.
    """
    onnx = require("onnx", "train")
    model = onnx.load(str(path))
    height, width = input_hw
    kept = {entry.key: entry.value for entry in model.metadata_props if entry.key not in _DROPPED}
    kept |= {
        "names": json.dumps(dict(enumerate(names))),
        "imgsz": json.dumps([height, width]),
        "eyehand.classes": json.dumps(list(names)),
        "eyehand.input": f"1x3x{height}x{width}",
        "eyehand.letterbox": letterbox,
        "eyehand.color_order": "RGB",
        "eyehand.scale": "1/255",
        "eyehand.layout": layout,
        **(extra or {}),
    }
    del model.metadata_props[:]
    for key in sorted(kept):
        model.metadata_props.add(key=key, value=kept[key])
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
