"""Scores a detector on frames of the simulated cell that no training has seen.

Run it as `python -m robot.sim.evaluate_detector --frames 300 --json`.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from deploy.errors import EyehandError
from deploy.model_store import ModelStore
from deploy.onnxruntime_backend import OnnxRuntimeBackend
from perception.detector import Detector, NetworkDetector
from perception.frame import Frame
from robot.sim.dataset import IMAGES_PER_SCENE, VARIED, scene_samples
from robot.sim.detection_score import DetectionScore, Scorer
from robot.sim.layout import CAMERA, CAMERA_NAME
from robot.sim.render import Renderer, RendererName, make_renderer
from robot.sim.scene import SceneParameters

DEFAULT_SEED = 900_000
_DOMAINS = {"varied": (VARIED, 1.0), "task": (SceneParameters(), 0.3)}


def evaluate(
    detector: Detector, renderer: Renderer, frames: int = 300, seed: int = DEFAULT_SEED, domain: str = "varied"
) -> DetectionScore:
    """Score a detector on rendered frames.

    Args:
        detector: With a confidence near 0, so that the whole precision-recall curve is known.
        renderer: Who renders.
        frames: Number of frames.
        seed: Seed of the set; training sets use small ones.
        domain: `varied` is what detectors are trained on, `task` what an episode shows.
    """
    parameters, strength = _DOMAINS[domain]
    scorer = Scorer(len(detector.class_names))
    for scene in range(-(-frames // IMAGES_PER_SCENE)):
        count = min(IMAGES_PER_SCENE, frames - scene * IMAGES_PER_SCENE)
        for index, sample in enumerate(scene_samples(seed, scene, count, renderer, parameters, strength)):
            number = scene * IMAGES_PER_SCENE + index
            frame = Frame(CAMERA_NAME, number, number, number, sample.image, None, 0.001, CAMERA)
            scorer.add(detector.detect(frame), sample.labels)
    return scorer.score()


def main(arguments: list[str] | None = None) -> int:
    """Run the command; the figures go to the standard output."""
    parser = argparse.ArgumentParser(prog="python -m robot.sim.evaluate_detector", description=__doc__)
    parser.add_argument("--model", default="tabletop-yolov8n", help="name in the model store, or an .onnx file")
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--seed", type=int, default=DEFAULT_SEED)
    parser.add_argument("--renderer", choices=("auto", "egl", "raycast", "both"), default="both")
    parser.add_argument("--domain", choices=tuple(_DOMAINS), default="task")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    try:
        figures = _figures(options)
    except EyehandError as error:
        sys.stderr.write(f"evaluate_detector: {error}\n")
        return error.exit_code
    if options.json:
        sys.stdout.write(json.dumps(figures, indent=2) + "\n")
    else:
        for name, score in figures.items():
            sys.stdout.write(f"{name}: " + ", ".join(f"{key} {value:.4g}" for key, value in score.items()) + "\n")
    return 0


def _figures(options: argparse.Namespace) -> dict[str, dict[str, float]]:
    path = Path(options.model)
    model = path if path.suffix == ".onnx" else ModelStore().find(options.model).onnx_path
    detector = NetworkDetector(OnnxRuntimeBackend(model, threads=2), confidence=0.001, iou=0.6, max_detections=100)
    names: tuple[RendererName, ...] = ("egl", "raycast") if options.renderer == "both" else (options.renderer,)
    figures: dict[str, dict[str, float]] = {}
    for name in names:
        renderer = make_renderer(name)
        try:
            score = evaluate(detector, renderer, options.frames, options.seed, options.domain)
        finally:
            renderer.close()
        figures[renderer.name] = asdict(score)
    return figures


if __name__ == "__main__":
    sys.exit(main())
