"""One export: a framework's detector to an ONNX file of static shapes, with its metadata inside."""

from __future__ import annotations

import importlib.metadata
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from deploy.errors import BadInput, require
from deploy.export.bake import bake_preprocessing
from deploy.export.framework import RTDETR, Loaded, check_weights, load, quiet
from deploy.export.metadata import describe
from deploy.quantize.expectation import rewrite_expectations
from deploy.quantize.graph import save

OPSET = 17
LARGEST_SIDE = 4096
_OPSETS = {RTDETR: (16, 20)}  # its sampling is an operator since 16; torch's exporter ends at 20
_OTHER_OPSETS = (13, 20)
_LETTERBOXES = ("center-114", "stretch")


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """What to export, and how.

    Attributes:
        weights: A `.pt` checkpoint, or a `.yaml` that describes a network.
        imgsz: Width and height of the input [px]; None takes the size of the training.
        classes: Class names instead of the model's own.
        opset: ONNX opset.
        bake: Whether the graph takes uint8 pixels and preprocesses them itself.
        end2end: Whether to keep a head without suppression, where there is one.
        seed: Of a described network's random weights.
        letterbox: Rule that the model was trained with; None takes that of the framework's own predictor.
    """

    weights: str
    imgsz: tuple[int, int] | None = None
    classes: tuple[str, ...] = ()
    opset: int = OPSET
    bake: bool = False
    end2end: bool = False
    seed: int = 0
    letterbox: str | None = None

    def __post_init__(self) -> None:
        if self.letterbox not in (None, *_LETTERBOXES):
            raise BadInput(f"letterbox {self.letterbox!r}: expected one of {', '.join(_LETTERBOXES)}")


@dataclass(frozen=True, slots=True, eq=False)
class Exported:
    """A finished export.

    Attributes:
        path: The file.
        detector: The same detector in the framework, to compare with.
        input_hw: Height and width of the input [px].
        made_by: Versions of what made it.
    """

    path: Path
    detector: Loaded
    input_hw: tuple[int, int]
    made_by: dict[str, str]


def export_detector(options: ExportOptions, folder: Path) -> Exported:
    """Export to `folder/model.onnx`: batch 1, static shapes, raw outputs for our own suppression where there is any.

    Args:
        options: What to export.
        folder: An existing folder; the framework leaves its settings there.

    Raises:
        BadInput: If the model is no detector of a known kind, or an option does not suit it.
        Missing: If torch, ultralytics, onnx or onnxslim is not installed.
    """
    check_weights(options.weights)
    onnx = require("onnx", "train")
    require("onnxslim", "train")
    detector = load(options.weights, folder, options.classes, options.seed, options.end2end)
    height, width = _input_size(options, detector)
    least, most = _OPSETS.get(detector.layout, _OTHER_OPSETS)
    if not least <= options.opset <= most:
        raise BadInput(f"--opset {options.opset}: expected {least}..{most} for {detector.family}")

    target = folder / "model.onnx"
    network = detector.model.model
    before = getattr(network, "pt_path", None)
    network.pt_path = str(folder / "model.pt")  # the framework writes beside it
    try:
        with quiet():
            written = detector.model.export(
                format="onnx",
                imgsz=[height, width],
                opset=options.opset,
                simplify=True,
                dynamic=False,
                batch=1,
                device="cpu",
                # It says "no suppression in the graph" with None and "a head that needs none" with False.
                nms=False if options.end2end else None,
                verbose=False,
            )
    finally:
        network.pt_path = before
    if Path(written) != target:
        shutil.move(written, target)
    made_by = _versions()
    describe(
        target,
        detector.classes,
        (height, width),
        {"eyehand.source": detector.source["sha256"], "eyehand.made_by": json.dumps(made_by)},
        layout=detector.layout,
        letterbox=options.letterbox or detector.letterbox,
    )
    save(rewrite_expectations(onnx.load(str(target))), target)
    if options.bake:
        onnx.save(bake_preprocessing(onnx.load(str(target))), str(target))
    return Exported(target, detector, (height, width), made_by)


def export_checkpoint(checkpoint: Path, target: Path, input_hw: tuple[int, int], letterbox: str | None = None) -> Path:
    """Export what a training left to a file, without proof, passport or card.

    Args:
        checkpoint: A `.pt` file of ultralytics that this process's user trained; it is a pickle, so trust it.
        target: The `.onnx` file to write.
        input_hw: Height and width of the input [px].
        letterbox: Rule that it was trained with; None takes that of the framework's own predictor.

    Returns:
        `target`.

    Raises:
        BadInput: If the checkpoint does not exist.
        Missing: If torch, ultralytics or onnx is not installed.
    """
    if not checkpoint.is_file():
        raise BadInput(f"checkpoint {checkpoint} does not exist: expected a .pt file of a finished epoch")
    folder = target.parent / "export"
    folder.mkdir(parents=True, exist_ok=True)
    options = ExportOptions(str(checkpoint), imgsz=(input_hw[1], input_hw[0]), letterbox=letterbox)
    shutil.move(export_detector(options, folder).path, target)
    shutil.rmtree(folder)
    return target


def _input_size(options: ExportOptions, detector: Loaded) -> tuple[int, int]:
    """Height and width of the input [px]."""
    height, width = detector.trained_hw if options.imgsz is None else options.imgsz[::-1]
    stride = detector.stride
    if height % stride or width % stride or min(height, width) < stride or max(height, width) > LARGEST_SIDE:
        nearest = "x".join(
            str(max(stride, min(round(side / stride) * stride, LARGEST_SIDE))) for side in (width, height)
        )
        raise BadInput(
            f"--imgsz {width}x{height}: expected multiples of {stride}, the network's stride, up to {LARGEST_SIDE}; "
            f"the nearest is {nearest}"
        )
    return height, width


def _versions() -> dict[str, str]:
    return {name: importlib.metadata.version(name) for name in ("eyehand", "ultralytics", "torch", "onnx", "onnxslim")}
