"""A checkpoint of a YOLOv8 again out of its exported ONNX file, to train on from it, prune it or compare with it.

An export folds each batch normalization into the convolution before it. The way back puts the folded weights into the
framework's network and makes every normalization the identity, so the outputs are the file's to float rounding. The
identity has no statistics: whoever trains on keeps the normalizations as they are (`BatchNorm2d.eval()`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import yaml

from deploy.errors import BadInput, require
from deploy.training.detector import load_ultralytics

Weights = Mapping[str, npt.NDArray[np.float32]]

_STEM, _WIDEST, _SECOND_STAGE = "model.0.conv.weight", "model.7.conv.weight", "model.4.m."
_LAYOUT = "yolo-raw-cxcywh"


def checkpoint_from_onnx(onnx_path: Path, target: Path) -> Path:
    """Write a `.pt` checkpoint that ultralytics loads, with the weights of an exported YOLOv8.

    Args:
        onnx_path: An export of a YOLOv8 detector (any width and depth) with its metadata inside.
        target: The `.pt` file to write.

    Returns:
        `target`.

    Raises:
        BadInput: If the file is not such an export.
        Missing: If torch, ultralytics or onnx is not installed.

    Example:
        >>> from deploy.training.from_onnx import checkpoint_from_onnx  # doctest: +SKIP
        >>> checkpoint_from_onnx(Path("deploy/models/tabletop-yolov8n/model.onnx"), Path("best.pt"))  # doctest: +SKIP
    """
    onnx = require("onnx", "train")
    if not onnx_path.is_file():
        raise BadInput(f"model file {onnx_path} does not exist: check the path")
    exported = onnx.load(str(onnx_path))
    metadata = {entry.key: entry.value for entry in exported.metadata_props}
    weights = {entry.name: onnx.numpy_helper.to_array(entry) for entry in exported.graph.initializer}
    if metadata.get("eyehand.layout") != _LAYOUT or not {_STEM, _WIDEST} <= weights.keys():
        raise BadInput(f"{onnx_path} is no export of a YOLOv8 by this project: expected layout {_LAYOUT} and {_STEM}")

    target.parent.mkdir(parents=True, exist_ok=True)
    ultralytics = load_ultralytics(target.parent)
    torch = require("torch", "train")
    names = [str(name) for name in json.loads(metadata["eyehand.classes"])]
    network = _network(ultralytics, weights, len(names))
    _fill(torch, network, weights, onnx_path)
    network.names = dict(enumerate(names))
    network.args = {"imgsz": max(json.loads(metadata["imgsz"])), "task": "detect", "single_cls": False}
    network.task = "detect"
    for parameter in network.parameters():
        parameter.requires_grad = True
    torch.save(
        {
            "epoch": -1,
            "best_fitness": None,
            "model": network.float(),
            "ema": None,
            "updates": None,
            "optimizer": None,
            "train_args": dict(network.args),
            "version": ultralytics.__version__,
        },
        target,
    )
    return target


def _network(ultralytics: Any, weights: Weights, classes: int) -> Any:
    """The framework's YOLOv8 of the width and depth that the weights have."""
    source = Path(ultralytics.__file__).parent / "cfg" / "models" / "v8" / "yolov8.yaml"
    content = yaml.safe_load(source.read_text())
    width = weights[_STEM].shape[0] / 64
    blocks = len({name.split(".")[3] for name in weights if name.startswith(_SECOND_STAGE)})
    content["nc"] = classes
    content["scales"] = {"n": [blocks / 6, width, round(weights[_WIDEST].shape[0] / width)]}
    content["scale"] = "n"
    from ultralytics.nn.tasks import DetectionModel

    return DetectionModel(content, ch=3, nc=classes, verbose=False)


def _fill(torch: Any, network: Any, weights: Weights, onnx_path: Path) -> None:
    """Copy the folded weights; a convolution's bias becomes the shift of the normalization that follows it."""
    missing = []
    with torch.no_grad():
        for name, module in network.named_modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.running_mean.zero_()
                module.running_var.fill_(1.0)
                module.weight.fill_(float(np.sqrt(1.0 + module.eps)))
                missing += _copy(torch, module.bias, weights, name.removesuffix("bn") + "conv.bias")
            elif isinstance(module, torch.nn.Conv2d):
                if not module.weight.requires_grad:  # the numbers 0 to 15, which the graph may hold otherwise
                    continue
                missing += _copy(torch, module.weight, weights, f"{name}.weight")
                if module.bias is not None:
                    missing += _copy(torch, module.bias, weights, f"{name}.bias")
    if missing:
        raise BadInput(f"{onnx_path} has no weights {missing[0]}: expected an export of a YOLOv8, not quantized")


def _copy(torch: Any, parameter: Any, weights: Weights, name: str) -> list[str]:
    value = weights.get(name)
    if value is None or value.shape != tuple(parameter.shape):
        return [f"{name} {list(parameter.shape)}"]
    parameter.copy_(torch.from_numpy(np.array(value, np.float32)))
    return []
