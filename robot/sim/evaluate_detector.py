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
from perception.evaluation import collect
from perception.evaluation.coco import MOST, NEAR_ZERO, OVERLAP
from robot.sim.detection_score import DetectionScore, score
from robot.sim.labelled_set import DEFAULT_SEED, DOMAINS, RenderedSet
from robot.sim.render import Renderer, RendererName, make_renderer


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
    return score(collect(detector, RenderedSet(renderer, frames, seed, domain)))


def main(arguments: list[str] | None = None) -> int:
    """Run the command; the figures go to the standard output."""
    parser = argparse.ArgumentParser(prog="python -m robot.sim.evaluate_detector", description=__doc__)
    parser.add_argument("--model", default="tabletop-yolov8n", help="name in the model store, or an .onnx file")
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--seed", type=int, default=DEFAULT_SEED)
    parser.add_argument("--renderer", choices=("auto", "egl", "raycast", "both"), default="both")
    parser.add_argument("--domain", choices=tuple(DOMAINS), default="task")
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
        for name, values in figures.items():
            sys.stdout.write(f"{name}: " + ", ".join(f"{key} {value:.4g}" for key, value in values.items()) + "\n")
    return 0


def _figures(options: argparse.Namespace) -> dict[str, dict[str, float]]:
    path = Path(options.model)
    model = path if path.suffix == ".onnx" else ModelStore().find(options.model).onnx_path
    detector = NetworkDetector(OnnxRuntimeBackend(model, threads=2), NEAR_ZERO, OVERLAP, MOST)
    names: tuple[RendererName, ...] = ("egl", "raycast") if options.renderer == "both" else (options.renderer,)
    figures: dict[str, dict[str, float]] = {}
    for name in names:
        renderer = make_renderer(name)
        try:
            found = evaluate(detector, renderer, options.frames, options.seed, options.domain)
        finally:
            renderer.close()
        figures[renderer.name] = asdict(found)
    return figures


if __name__ == "__main__":
    sys.exit(main())
