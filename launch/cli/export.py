"""`eyehand export detector`: a framework's checkpoint in, a folder for the model store out, proved beforehand."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from launch.cli.say import progress, result

if TYPE_CHECKING:
    from deploy.export.detector import Exported
    from deploy.export.proof import OutputError


def execute(options: argparse.Namespace) -> int:
    """Run the command."""
    if options.model == "policy":
        from launch.cli import export_policy

        return export_policy.execute(options)
    from deploy.export.detector import ExportOptions, export_detector
    from deploy.export.folder import write_folder
    from deploy.export.framework import check_weights, is_checkpoint
    from deploy.new_folder import check_new, workshop

    out = Path(options.out)
    check_new(out)
    check_weights(options.weights)
    if is_checkpoint(options.weights):
        progress(
            f"{options.weights} is a pickle, and a pickle can run code when it is loaded: use files that you trust"
        )
    wanted = ExportOptions(
        weights=options.weights,
        imgsz=options.imgsz,
        classes=options.classes or (),
        opset=options.opset,
        bake=options.bake_preprocessing,
        end2end=options.end2end,
        seed=options.seed,
        letterbox=options.letterbox,
    )
    with workshop(out) as place:
        exported = export_detector(wanted, place)
        parity = _prove(exported)
        told = f"{parity}, on {parity.frames} pictures"
        if not parity.close:
            progress(
                f"{options.weights}: the file does not compute what the framework does ({told}): nothing is written"
            )
            return 1
        passport = write_folder(exported, parity, out)
    if options.json:
        result({"model": str(out / "model.onnx"), **passport.model_dump(mode="json", exclude={"seal", "latency"})})
    else:
        progress(f"same as the framework: {told}")
        progress(
            f"{out / 'model.onnx'}: {passport.input} {passport.input_dtype}, {passport.layout}, {passport.letterbox}, "
            f"{len(passport.classes)} classes (use it with --set detector.model={out / 'model.onnx'})"
        )
    return 0


def _prove(exported: Exported) -> OutputError:
    """Compare the raw outputs of the file, through the run time, with the framework's."""
    from deploy.export.bake import as_float
    from deploy.export.pictures import SIZES, picture
    from deploy.export.proof import compare
    from deploy.onnxruntime_backend import OnnxRuntimeBackend
    from perception.detector import NetworkDetector

    backend = OnnxRuntimeBackend(exported.path)
    detector = NetworkDetector(backend)
    (image,) = backend.io_spec.inputs
    expected, found = [], []
    for seed, size in enumerate(SIZES):
        tensor = detector.preprocess(picture(size, seed))
        outputs = backend.infer({image.name: tensor})
        found.append(tuple(outputs[spec.name].copy() for spec in backend.io_spec.outputs))
        expected.append(exported.detector.forward(as_float(tensor) if image.dtype == "uint8" else tensor))
    backend.close()
    return compare(expected, found, exported.detector.layout, exported.input_hw)
