"""The shipped detector on every engine, image in to boxes out, beside ultralytics' own `predict` with the same weights.

    python benchmarks/detector.py [--model NAME] [--frames 300] [--seed 900000] [--threads 1,2] [--json]

Renders frames that no training has seen, measures mAP50-95 of each artifact on each engine over them, and times all in
turns on the same pictures: preprocessing, inference, decoding, suppression. ultralytics runs the weights out of the
model's ONNX file (`pip install 'eyehand[train]'`; where it is absent the table says so). The detect stage of the
default configuration is timed on its own at the end, n = 2000.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from deploy.artifacts import SUITED
from deploy.errors import EyehandError, Missing
from deploy.model_store import MODEL_FILE, ModelStore
from deploy.timing import Timing
from launch.cli.render import FEW
from launch.cli.values import counts
from launch.config import load_config
from launch.engines import load_detector
from launch.machine import machine_facts
from launch.wiring import build_detector, resolve
from perception.detections import Detections
from perception.detector import Detector
from perception.evaluation import evaluate, still
from perception.evaluation.coco import MOST, NEAR_ZERO, OVERLAP
from perception.frame import Frame
from robot.sim.labelled_set import RenderedSet
from robot.sim.render import make_renderer

CONFIDENCE = 0.25  # of what is timed
WARMUP, BLOCK = 10, 10
DETECT_N = 2000
BUDGET = {"p50_ms": 9.0, "p99_ms": 15.0, "map50_95": 0.75}


@dataclass
class Row:
    """One artifact on one engine."""

    name: str
    detector: Detector
    scorer: Detector
    map50_95: float = 0.0
    map50: float = 0.0
    timing: Timing | None = None


class UltralyticsDetector:
    """`YOLO.predict` as a user calls it, behind our protocol so that it is scored and timed by the same code."""

    def __init__(self, model: Any, names: tuple[str, ...], imgsz: list[int], confidence: float) -> None:
        self._model, self._names = model, names
        self._options = {
            "imgsz": imgsz, "conf": confidence, "iou": OVERLAP if confidence < CONFIDENCE else 0.5, "max_det": MOST,
            "verbose": False, "rect": False,
        }  # fmt: skip

    @property
    def class_names(self) -> tuple[str, ...]:
        return self._names

    def detect(self, frame: Frame) -> Detections:
        boxes = self._model.predict(frame.color, **self._options)[0].boxes
        return Detections(
            frame.camera_name, frame.sequence, frame.stamp_ns, boxes.xyxy.numpy(), boxes.conf.numpy(),
            boxes.cls.numpy().astype(np.int32), self._names,
        )  # fmt: skip


def our_rows(name: str, threads: tuple[int, ...], skipped: dict[str, str]) -> list[Row]:
    return [row for count in threads for row in _rows(name, count, skipped)]


def _rows(name: str, threads: int, skipped: dict[str, str]) -> list[Row]:
    model = ModelStore().find(name)
    rows = []
    for backend, by_precision in SUITED.items():
        for files in by_precision.values():
            for file in files:
                if file != MODEL_FILE and file not in model.artifacts:
                    skipped[f"{backend} {file}"] = "not made"
                    continue
                try:
                    pair = [
                        load_detector(
                            name, backend=backend, file=file, threads=threads,
                            confidence=confidence, iou=iou, max_detections=MOST,
                        )[0]
                        for confidence, iou in ((CONFIDENCE, 0.5), (NEAR_ZERO, OVERLAP))
                    ]  # fmt: skip
                except EyehandError as error:
                    skipped[f"{backend} {file}"] = str(error).split("\n", 1)[0][:120]
                    continue
                precision = file.removeprefix("model.").removesuffix("onnx").rstrip(".") or "fp32"
                rows.append(Row(f"{backend} {precision}, {threads} thread{'s'[: threads > 1]}", *pair))
    return rows


def framework_row(name: str, scratch: Path) -> Row:
    """ultralytics with the weights of our ONNX file, and as many threads as torch takes by itself.

    Raises:
        Missing: If it is not installed.
    """
    from deploy.training.detector import load_ultralytics
    from deploy.training.from_onnx import checkpoint_from_onnx

    ultralytics = load_ultralytics(scratch)
    import torch

    model = ModelStore().find(name)
    path = checkpoint_from_onnx(model.onnx_path, scratch / "same.pt")
    assert model.passport is not None
    *_, height, width = map(int, model.passport.input.split("x"))
    pair = [
        UltralyticsDetector(ultralytics.YOLO(str(path)), model.passport.classes, [height, width], confidence)
        for confidence in (CONFIDENCE, NEAR_ZERO)
    ]
    return Row(f"ultralytics {ultralytics.__version__} predict, torch {torch.__version__}", *pair)


def time_in_turns(detectors: list[Detector], frames: list[Frame], n: int) -> list[Timing]:
    """Each detector ten frames at a time, so that whatever else the machine does is shared by all."""
    durations = np.zeros((len(detectors), n), np.int64)
    for detector in detectors:
        for frame in frames[:WARMUP]:
            detector.detect(frame)
    gc.collect()
    gc.disable()
    try:
        for start in range(0, n, BLOCK):
            for row, detector in zip(durations, detectors, strict=True):
                detector.detect(frames[start % len(frames)])
                for place in range(start, min(start + BLOCK, n)):
                    before = time.perf_counter_ns()
                    detector.detect(frames[place % len(frames)])
                    row[place] = time.perf_counter_ns() - before
    finally:
        gc.enable()
    return [Timing.of(row) for row in durations]


def detect_stage(frames: list[Frame], n: int) -> dict[str, Any]:
    """The detect stage of the default configuration, one frame after the other."""
    config = resolve(load_config("sim_pick_place", ()))
    detector, fingerprint = build_detector(config, config.detector)
    durations = np.zeros(n, np.int64)
    for frame in frames[:WARMUP]:
        detector.detect(frame)
    gc.collect()
    gc.freeze()
    for place in range(n):
        before = time.perf_counter_ns()
        detector.detect(frames[place % len(frames)])
        durations[place] = time.perf_counter_ns() - before
    gc.unfreeze()
    chosen = config.detector
    return {
        "model": chosen.model, "backend": chosen.backend, "file": chosen.file, "threads": chosen.threads,
        "fingerprint": fingerprint, **Timing.of(durations).to_dict(),
    }  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0] if __doc__ else None)
    parser.add_argument("--model", default="tabletop-yolov8n")
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--seed", type=int, default=900_000)
    parser.add_argument("--domain", choices=("task", "varied"), default="task")
    parser.add_argument("--threads", type=counts, default=tuple(sorted({1, min(2, os.cpu_count() or 1)})), help="(1,2)")
    parser.add_argument("--iterations", type=int, default=300, help="timed images of each row")
    parser.add_argument("--detect-iterations", type=int, default=DETECT_N, help="of the default's detect stage")
    parser.add_argument("--no-framework", action="store_true", help="leave ultralytics out")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)

    say: Callable[[str], Any] = lambda text: print(text, file=sys.stderr, flush=True)  # noqa: E731
    renderer = make_renderer("auto")
    which = "egl" if renderer.name == "egl" else "raycast"
    renderer.close()
    say(f"rendering {options.frames} frames of seed {options.seed} by {which}")
    labelled = RenderedSet(which, options.frames, options.seed, options.domain, 2 if options.frames > FEW else 1)
    pictures = Held(labelled)
    frames = [still(picture.image, number) for number, picture in enumerate(pictures)]
    skipped: dict[str, str] = {}
    rows = our_rows(options.model, options.threads, skipped)
    with tempfile.TemporaryDirectory() as scratch:
        framework = None
        if not options.no_framework:
            try:
                framework = framework_row(options.model, Path(scratch))
                rows.append(framework)
            except Missing as error:
                skipped["ultralytics"] = str(error)
        for row in rows:
            metrics = evaluate(row.scorer, pictures)
            row.map50_95, row.map50 = metrics.map50_95, metrics.map50
            say(f"{row.name}: mAP50-95 {row.map50_95:.4f}")
        timings = time_in_turns([row.detector for row in rows], frames, options.iterations)
        for row, timing in zip(rows, timings, strict=True):
            row.timing = timing
        stage = detect_stage(frames, options.detect_iterations)
    table = [
        {
            "name": row.name, "map50_95": row.map50_95, "map50": row.map50, **timing.to_dict(),
            "times_faster_than_framework": (
                framework.timing.p50_ms / timing.p50_ms if framework is not None and framework.timing else None
            ),
        }
        for row, timing in zip(rows, timings, strict=True)
    ]  # fmt: skip
    report = {
        "benchmark": "detector", "model": options.model, "frames": options.frames, "seed": options.seed,
        "domain": options.domain, "renderer": which, "threads": options.threads, "rows": table, "skipped": skipped,
        "detect_stage": stage, "budget": BUDGET, "python": platform.python_version(), "machine": machine_facts(),
    }  # fmt: skip
    if options.json:
        print(json.dumps(report))
    else:
        show(report)
    return 0


class Held:
    """The rendered set, rendered once."""

    def __init__(self, labelled: RenderedSet) -> None:
        self.class_names = labelled.class_names
        self._pictures = list(labelled)

    def __len__(self) -> int:
        return len(self._pictures)

    def __iter__(self) -> Any:
        return iter(self._pictures)


def show(report: dict[str, Any]) -> None:
    print(f"{report['model']}, {report['frames']} unseen frames ({report['domain']})")
    print(f"{'':52} {'mAP50-95':>9} {'mAP50':>7} {'p50 ms':>8} {'p99 ms':>8} {'faster':>7}")
    for row in report["rows"]:
        ratio = row["times_faster_than_framework"]
        faster = f"{ratio:.2f}x" if ratio is not None else ""
        print(
            f"{row['name'][:52]:52} {100 * row['map50_95']:9.2f} {100 * row['map50']:7.2f} {row['p50_ms']:8.2f} "
            f"{row['p99_ms']:8.2f} {faster:>7}"
        )
    for name, reason in report["skipped"].items():
        print(f"  left out: {name}: {reason}")
    stage = report["detect_stage"]
    print(
        f"detect stage of the default ({stage['model']}, {stage['backend']}, {stage['file']}, {stage['threads']} "
        f"threads), n = {stage['n']}: p50 {stage['p50_ms']:.2f} ms, p99 {stage['p99_ms']:.2f} ms "
        f"(limits {BUDGET['p50_ms']:.0f} and {BUDGET['p99_ms']:.0f})"
    )


if __name__ == "__main__":
    sys.exit(main())
