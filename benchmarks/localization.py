"""How well objects are localized behind clutter, beside what people do with depth, and what the covariances are worth.

    python benchmarks/localization.py [--scenes 500] [--seed 4242] [--moved-px 2] [--cases DIR] [--json]

The scenes are those of `cluttered_scenes.py`: neighbours that touch, posts, bars and plates in front, borders, tilt.
Each kind of boxes is given to `perception.localize` and to the baselines of `localization_baselines.py`: boxes of the
truth whose edges are moved at random, with and without masks of the truth, and those of the shipped detector. The
cube's size is known or not; that of all other objects is not. The pose of the camera is the true one. Errors are
distances to the true centre.
"""

from __future__ import annotations

import argparse
import gc
import json
import math
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from cluttered_scenes import Scene, scenes
from localization_baselines import BASELINES, locate
from localization_figures import Answer, draw_worst, show, split, squared_error
from localization_inputs import NAMES, matched, moved, parameters_of, with_masks

from deploy.errors import Missing
from deploy.timing import Timing
from geometry.types import IntArray
from launch.cli.values import at_least
from launch.config import load_config
from launch.machine import machine_facts
from launch.wiring import build_detector, resolve
from perception.detections import Detections
from perception.detector import Detector
from perception.localize import LocalizeParameters, localize
from robot.sim.layout import CAMERA, CUBE_EDGE_M
from robot.sim.sensor import SensorParameters

OURS = "perception.localize"
SIZE_M = {"red_cube": CUBE_EDGE_M}
TIMED_SCENES, TIMED_ROUNDS, WARM_UP = 200, 5, 20
TOLD = ("depth_noise_m", "depth_noise_per_m", "depth_bias", "correlated_px")
NO_COLOR = np.zeros((CAMERA.height, CAMERA.width, 3), np.uint8)  # localize looks at depth alone


@dataclass(frozen=True, slots=True)
class Case:
    """Which objects are asked for, and what is known about them."""

    name: str
    boxes: str
    cube: bool
    known: bool = False


CASES = (
    Case("cube, moved boxes", "moved", cube=True, known=True),
    Case("cube, detector's boxes", "detector", cube=True, known=True),
    Case("cube, moved boxes, masks", "masks", cube=True, known=True),
    Case("cube of unknown size, moved boxes", "moved", cube=True),
    Case("cube of unknown size, moved boxes, masks", "masks", cube=True),
    Case("other objects, moved boxes", "moved", cube=False),
    Case("other objects, detector's boxes", "detector", cube=False),
    Case("other objects, moved boxes, masks", "masks", cube=False),
)


def score(
    case: Case, scene: Scene, boxes: Detections, rows: IntArray, sensor: SensorParameters
) -> Iterator[tuple[str, Answer]]:
    """What each method answers in one scene.

    Args:
        case: What is asked for.
        scene: With its truth.
        boxes: What the methods are given.
        rows: Shape (N,), the row of the truth that each box shows.
        sensor: That took the picture.
    """
    asked = np.flatnonzero((rows == 0) == case.cube)  # the cube is the first row
    sizes = SIZE_M if case.known else {}
    ours = localize(boxes, scene.frame, scene.base_T_camera, parameters_of(sensor, sizes))
    points = {OURS: ours.points_m[asked]}
    size_m = np.array([sizes.get(boxes.class_names[one], math.nan) for one in boxes.class_ids[asked]])
    for name in BASELINES:
        points[name] = scene.base_T_camera.apply(locate(name, boxes.select(asked), scene.frame, size_m))
    for name, answers in points.items():
        for place, row, point in zip(asked, rows[asked], answers, strict=True):
            error = point - scene.centers_m[row]
            nees = squared_error(error, ours.covariances_m2[place] if name == OURS else None)
            box, hidden = boxes.boxes[place].astype(np.float64), float(scene.hidden[row])
            yield name, Answer(scene.frame.sequence, int(row), hidden, box, point, error, nees)


def time_ours(work: list[tuple[Scene, Detections]], settings: LocalizeParameters) -> dict[str, dict[str, float | int]]:
    """Each picture with all its objects in one call, and that time divided by their number."""
    whole, each = [], []
    for scene, boxes in work[:WARM_UP]:
        localize(boxes, scene.frame, scene.base_T_camera, settings)
    gc.collect()
    gc.disable()
    try:
        for scene, boxes in work * TIMED_ROUNDS:
            before = time.perf_counter_ns()
            localize(boxes, scene.frame, scene.base_T_camera, settings)
            whole.append(time.perf_counter_ns() - before)
            each.append(whole[-1] // len(boxes))
    finally:
        gc.enable()
    return {"picture": Timing.of(whole).to_dict(), "object": Timing.of(each).to_dict()}


def default_detector() -> tuple[Detector | None, dict[str, str]]:
    """The detector of the default configuration, or why there is none."""
    try:
        config = resolve(load_config("sim_pick_place", ()))
        return build_detector(config, config.detector)[0], {}
    except Missing as error:
        return None, {"detector's boxes": str(error)}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--scenes", type=at_least(1), default=500, metavar="N", help="(default %(default)s)")
    parser.add_argument("--seed", type=at_least(0), default=4242, metavar="N", help="(default %(default)s)")
    parser.add_argument("--moved-px", type=float, default=2.0, metavar="PX", help="1 sigma of edges (%(default)s)")
    parser.add_argument("--renderer", choices=("auto", "egl", "raycast"), default="auto")
    parser.add_argument("--processes", type=at_least(1), default=2, metavar="N", help="that render (%(default)s)")
    parser.add_argument("--cases", type=Path, metavar="DIR", help="write pictures of the cubes that are furthest off")
    parser.add_argument("--json", action="store_true", help="print the object alone")
    options = parser.parse_args(arguments)
    if not 0.0 <= options.moved_px <= 20.0:
        parser.error(f"--moved-px {options.moved_px}: expected 0 to 20")
    say: Callable[[str], Any] = lambda text: print(text, file=sys.stderr, flush=True)  # noqa: E731

    sensor = SensorParameters()
    detector, skipped = default_detector()
    found: dict[tuple[str, str], list[Answer]] = defaultdict(list)
    work: list[tuple[Scene, Detections]] = []
    objects, strays = {name: [0, 0] for name in NAMES}, 0
    for scene in scenes(options.seed, options.scenes, options.renderer, options.processes):
        boxes = moved(scene, options.moved_px, options.seed)
        rows = np.arange(len(boxes))
        kinds = {"moved": (boxes, rows), "masks": (with_masks(boxes, scene), rows)}
        if detector is not None:
            seen = detector.detect(scene.frame)
            kinds["detector"] = matched(scene, seen)
            strays += len(seen) - len(kinds["detector"][0])
            for row, name in enumerate(scene.names):
                objects[name][0] += 1
                objects[name][1] += row in kinds["detector"][1]
        for case in CASES:
            if case.boxes in kinds:
                for method, answer in score(case, scene, *kinds[case.boxes], sensor):
                    found[case.name, method].append(answer)
        if len(work) < TIMED_SCENES:
            work.append((replace(scene, frame=replace(scene.frame, color=NO_COLOR)), boxes))
        if (scene.frame.sequence + 1) % 100 == 0:
            say(f"{scene.frame.sequence + 1} scenes")
    settings = parameters_of(sensor, SIZE_M)
    report = {
        "benchmark": "localization", "scenes": options.scenes, "seed": options.seed, "moved_px": options.moved_px,
        "parameters": {name: getattr(settings, name) for name in TOLD},
        "rows": [
            {"case": case, "method": method, "hidden": hidden, **row}
            for (case, method), answers in found.items()
            for hidden, row in split(answers).items()
        ],
        "detector": None if detector is None else {
            "in_view": {name: count for name, (count, _) in objects.items()},
            "found": {name: count for name, (_, count) in objects.items()},
            "boxes_of_nothing_scored": strays,
        },
        "skipped": skipped, "time": time_ours(work, settings), "machine": machine_facts(),
    }  # fmt: skip
    if not options.json:
        show(report)
    if options.cases is not None:
        draw_worst(options.cases, found[CASES[0].name, OURS], options.seed, options.renderer)
    print(json.dumps(report))
    return 0


if __name__ == "__main__":
    sys.exit(main())
