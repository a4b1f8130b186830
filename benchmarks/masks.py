"""What masks cost: made of prototypes around each box, and a patch of one asked for, beside enlarging them all.

    python benchmarks/masks.py [--rounds 200] [--json]

Boxes of 30 to 120 px anywhere in a 640x480 picture, 32 prototypes with cells of 4 pixels of the network's input. A
patch is a box with a tenth around it, thinned out to 1200 pixels like the localizer asks for it. Enlarging everything
is one matrix product and OpenCV's resize for each mask. The ways take turns.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

from launch.machine import machine_facts
from perception.letterbox import Letterbox
from perception.masks import Masks

IMAGE = (640, 480)
INPUTS = ((320, 256), (640, 480))
COUNTS = (1, 5, 20, 100)
PIXELS = 1200


def boxes_of(count: int, rng: np.random.Generator) -> np.ndarray:
    size = rng.uniform(30.0, 120.0, (count, 2))
    corner = rng.uniform(0.0, 1.0, (count, 2)) * (np.array(IMAGE) - size)
    return np.concatenate((corner, corner + size), axis=1).astype(np.float32)


def patch_of(box: np.ndarray) -> tuple[int, int, int, int, int]:
    grow = 0.1 * (box[2:] - box[:2]) + 2.0
    left, top = np.maximum(box[:2] - grow, 0.0).astype(int).tolist()
    right, bottom = np.minimum(box[2:] + grow, IMAGE).astype(int).tolist()
    stride = 1
    while (right - left) * (bottom - top) > PIXELS * stride * stride:
        stride += 1
    return top, bottom, left, right, stride


def enlarge_all(coefficients: np.ndarray, prototypes: np.ndarray, letterbox: Letterbox) -> list[np.ndarray]:
    planes = (coefficients @ prototypes.reshape(len(prototypes), -1)).reshape(-1, *prototypes.shape[1:])
    x1, y1, x2, y2 = (letterbox.boxes_to_target([0, 0, *IMAGE])[0] / 4.0).astype(int)
    return [cv2.resize(plane[y1:y2, x1:x2], IMAGE, interpolation=cv2.INTER_LINEAR) > 0.0 for plane in planes]


def timed(ways: dict[str, Callable[[], Any]], rounds: int) -> dict[str, dict[str, float]]:
    taken: dict[str, list[int]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            start = time.perf_counter_ns()
            way()
            taken[name].append(time.perf_counter_ns() - start)
    return {
        name: {"p50_us": float(np.median(values)) / 1e3, "p99_us": float(np.percentile(values, 99)) / 1e3}
        for name, values in taken.items()
    }


def measure(network: tuple[int, int], count: int, rounds: int) -> dict[str, Any]:
    rng = np.random.default_rng(count)
    letterbox = Letterbox(*IMAGE, *network)
    prototypes = rng.normal(size=(32, network[1] // 4, network[0] // 4)).astype(np.float32)
    coefficients, boxes = rng.normal(size=(count, 32)).astype(np.float32), boxes_of(count, rng)
    masks = Masks.from_prototypes(coefficients, prototypes, boxes, letterbox)
    patches = [patch_of(box) for box in boxes]
    ways: dict[str, Callable[[], Any]] = {
        "make": lambda: Masks.from_prototypes(coefficients, prototypes, boxes, letterbox),
        "patches": lambda: [masks.patch(row, *patch) for row, patch in enumerate(patches)],
        "enlarge_all": lambda: enlarge_all(coefficients, prototypes, letterbox),
    }
    kept, whole = sum(cells.nbytes for cells in masks.cells), count * IMAGE[0] * IMAGE[1]
    return {"input": "x".join(map(str, network)), "masks": count, "kept_bytes": kept, "whole_bytes": whole} | timed(
        ways, rounds
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = [measure(network, count, options.rounds) for network in INPUTS for count in COUNTS]
    if options.json:
        print(json.dumps({"machine": machine_facts(), "rounds": options.rounds, "rows": rows}))
        return 0
    print(f"{'input':>8} {'masks':>6} {'kept':>9} {'make p50':>9} {'p99':>7} {'patches':>9} {'p99':>7} {'all':>9} [us]")
    for row in rows:
        (make, make_99), (patches, patches_99), (everything, _) = (
            row[way].values() for way in ("make", "patches", "enlarge_all")
        )
        print(
            f"{row['input']:>8} {row['masks']:>6} {row['kept_bytes'] / 1e3:>6.1f} kB {make:>9.0f} {make_99:>7.0f} "
            f"{patches:>9.0f} {patches_99:>7.0f} {everything:>9.0f}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
