"""`eyehand train detector`: rendered images in, a folder for the model store out, and one of a smaller sibling."""

from __future__ import annotations

import argparse
import contextlib
import math
import shlex
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.errors import BadInput, Missing, require
from deploy.new_folder import check_new
from launch.cli.say import progress

if TYPE_CHECKING:
    from deploy.training import DetectorTraining

SCORED_FRAMES = 60
VALIDATION_SCENES = 4  # of a small set; a large one gives its usual part


def execute(options: argparse.Namespace) -> int:
    """Run the command."""
    if options.model == "policy":
        from launch.cli import train_policy

        return train_policy.execute(options)
    out, small_out = Path(options.out), Path(options.small_out) if options.small_out else None
    check_new(out)
    if small_out is not None:
        check_new(small_out, "--small-out")
        if small_out.resolve() == out.resolve():
            raise BadInput(f"--small-out {small_out}: the same folder as --out; name one beside it")
    weights = _check_trainer(out / "training", _start(options))

    from deploy.training import DetectorTraining, train_detector
    from deploy.training.architecture import WIDTH, learning_rate
    from deploy.training.start import train_from
    from robot.sim.dataset import IMAGES_PER_SCENE, DatasetOptions, render_dataset

    progress(f"rendering {options.images} images to {out / 'dataset'}")
    scenes = math.ceil(options.images / IMAGES_PER_SCENE)
    usual = DatasetOptions(out / "dataset").validation_share
    share = max(usual, min(0.5, VALIDATION_SCENES / scenes))
    data = render_dataset(DatasetOptions(out / "dataset", options.images, options.seed, validation_share=share))
    for split in ("train", "val"):
        if not any((data.parent / "images" / split).iterdir()):
            raise BadInput(
                f"--images {options.images}: none fell to the {split} split; render more, or use another seed"
            )

    progress(f"training for {options.epochs} epochs in {out / 'training'}")
    training = DetectorTraining(
        data=data,
        out=out / "training",
        epochs=options.epochs,
        seed=options.seed,
        architecture=options.architecture,
        width=WIDTH if options.width is None else options.width,
        learning_rate=learning_rate(options.architecture),
    )
    exported, training = train_from(weights, training)
    _package(exported, out, options, training, start=options.start)
    progress(f"model: {out} (use it with --set detector.model={out / 'model.onnx'})")
    if small_out is not None:
        small = training.small()
        progress(
            f"training its sibling for {small.epochs} epochs on an input of {small.input_hw[1]}x{small.input_hw[0]}"
        )
        _package(train_detector(small), small_out, options, small, start=out.resolve().name)
        progress(f"model: {small_out} (use it with --set detector.fallback.model={small_out / 'model.onnx'})")
    return 0


def _start(options: argparse.Namespace) -> Path | None:
    """The model file whose backbone and neck a decoder starts from."""
    from deploy.model_store import ModelStore
    from deploy.training.architecture import WIDTH, check_network

    check_network(options.architecture, WIDTH if options.width is None else options.width)
    if options.start is None:
        return None
    if options.architecture != "rtdetr":
        raise BadInput(f"--start {options.start}: a {options.architecture} starts from scratch; leave --start out")
    if options.width is not None:
        raise BadInput(f"--width {options.width}: --start {options.start} has its own width; leave one of them out")
    return ModelStore().find(options.start).onnx_path


def _check_trainer(folder: Path, start: Path | None) -> Path | None:
    """Import the trainer and read the start before minutes of rendering, and say on one line what is missing.

    Returns:
        The checkpoint to start from; None from scratch.
    """
    from deploy.training.detector import load_ultralytics

    try:
        load_ultralytics(folder)
        for module in ("onnx", "onnxslim", "pycocotools"):
            require(module, "train")
        if start is None:
            return None
        from deploy.training.from_onnx import checkpoint_from_onnx

        return checkpoint_from_onnx(start, folder / "start.pt")
    except (Missing, BadInput):
        shutil.rmtree(folder)
        with contextlib.suppress(OSError):  # it was there before, or was made for that folder alone
            folder.parent.rmdir()
        raise


def _package(
    exported: Path, out: Path, options: argparse.Namespace, training: DetectorTraining, start: str | None = None
) -> None:
    """Score the model through the run time, and write passport, card and licence beside it."""
    from deploy.onnxruntime_backend import OnnxRuntimeBackend
    from deploy.training.packaging import Origin, package_detector
    from perception.detector import NetworkDetector
    from robot.sim.evaluate_detector import evaluate
    from robot.sim.render import make_renderer

    progress(f"scoring on {SCORED_FRAMES} frames that the training has not seen")
    detector = NetworkDetector(OnnxRuntimeBackend(exported), confidence=0.001, iou=0.6)
    renderer = make_renderer()
    try:
        score = asdict(evaluate(detector, renderer, frames=SCORED_FRAMES))
    finally:
        renderer.close()
    progress(", ".join(f"{name} {value:.4g}" for name, value in score.items()))
    useful = all(math.isfinite(value) for value in score.values())
    command = f"eyehand train detector --images {options.images} --epochs {options.epochs} --seed {options.seed}"
    for option in ("architecture", "width", "start", "out", "small_out"):
        value = getattr(options, option)
        if value is not None and (option, value) != ("architecture", "yolov8"):
            command += f" --{option.replace('_', '-')} {shlex.quote(str(value))}"
    origin = Origin(
        data=f"{options.images} pictures of 640x480 rendered from the simulated cell, seed {options.seed}.",
        commands=(command,),
        seed=options.seed,
        training={
            "images": options.images,
            "epochs": training.epochs,
            "imgsz": training.imgsz,
            "width": training.width,
            **({"architecture": options.architecture} if options.architecture != "yolov8" else {}),
        },
        status="final" if useful else "It finds nothing yet: train longer, on more images",
        start=start,
    )
    package_detector(exported, out, {f"varied scenes, {renderer.name}": score} if useful else {}, origin)
