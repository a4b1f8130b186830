"""`eyehand train detector`: rendered images in, a folder for the model store out."""

from __future__ import annotations

import argparse
import contextlib
import math
import shlex
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

from deploy.errors import BadInput, Missing, require
from launch.cli.say import progress

SCORED_FRAMES = 60
VALIDATION_SCENES = 4  # of a small set; a large one gives its usual part


def execute(options: argparse.Namespace) -> int:
    """Run the command."""
    out = Path(options.out)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise BadInput(f"--out {out}: exists and is not an empty folder; name a new one")
    _check_trainer(out / "training")

    from deploy.training import DetectorTraining, train_detector
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
    training = DetectorTraining(data=data, out=out / "training", epochs=options.epochs, seed=options.seed)
    exported = train_detector(training)

    progress(f"scoring on {SCORED_FRAMES} frames that the training has not seen")
    _package(exported, out, options, {"imgsz": training.imgsz, "width": training.width})
    progress(f"model: {out} (use it with --set detector.model={out / 'model.onnx'})")
    return 0


def _check_trainer(folder: Path) -> None:
    """Import the trainer before minutes of rendering, and say on one line what is missing."""
    from deploy.training.detector import load_ultralytics

    try:
        load_ultralytics(folder)
        for module in ("onnx", "onnxslim"):
            require(module, "train")
    except Missing:
        shutil.rmtree(folder)
        with contextlib.suppress(OSError):  # it was there before, or was made for that folder alone
            folder.parent.rmdir()
        raise


def _package(exported: Path, out: Path, options: argparse.Namespace, settings: dict[str, Any]) -> None:
    """Score the model through the run time, and write passport, card and licence beside it."""
    from deploy.onnxruntime_backend import OnnxRuntimeBackend
    from deploy.training.packaging import Origin, package_detector
    from perception.detector import YoloDetector
    from robot.sim.evaluate_detector import evaluate
    from robot.sim.render import make_renderer

    detector = YoloDetector(OnnxRuntimeBackend(exported), confidence=0.001, iou=0.6)
    renderer = make_renderer()
    try:
        score = asdict(evaluate(detector, renderer, frames=SCORED_FRAMES))
    finally:
        renderer.close()
    progress(", ".join(f"{name} {value:.4g}" for name, value in score.items()))
    useful = all(math.isfinite(value) for value in score.values())
    command = f"eyehand train detector --images {options.images} --epochs {options.epochs} --seed {options.seed}"
    origin = Origin(
        data=f"{options.images} pictures of 640x480 rendered from the simulated cell, seed {options.seed}.",
        commands=(f"{command} --out {shlex.quote(options.out)}",),
        seed=options.seed,
        training={"images": options.images, "epochs": options.epochs, **settings},
        status="final" if useful else "It finds nothing yet: train longer, on more images",
    )
    package_detector(exported, out, {f"varied scenes, {renderer.name}": score} if useful else {}, origin)
