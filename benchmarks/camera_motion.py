"""What it costs to measure the camera's motion in pictures, and how well it is measured.

    python benchmarks/camera_motion.py [--sizes 640x480,1920x1080] [--frames 300] [--seed 0] [--json]

A camera shakes, turns and zooms a little before a wall with detail at every scale; textured things that move on their
own cover about a fifth of each picture, and their boxes are given. The error is the largest of the four corners',
between the measured motion and the true one. CPU time is that of the process, all threads: on a machine that does other
things too it says more than the time on the wall.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator

import cv2
import numpy as np

from launch.cli.values import image_size
from launch.machine import machine_facts
from perception.camera_motion import CameraMotionEstimator

TARGET_MS = {(640, 480): 5.0}
THINGS, WARM_UP = 8, 10


def wall(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    picture = np.zeros((height, width), np.float32)
    for side in (2, 4, 8, 16, 32, 64):
        coarse = rng.normal(size=(height // side + 2, width // side + 2)).astype(np.float32)
        picture += cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC) * side**0.5
    return cv2.normalize(picture, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)


def sequence(size: tuple[int, int], frames: int, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Pictures, boxes (N, 4) and the camera (3, 3): from the wall's pixels to the picture's."""
    rng = np.random.default_rng(seed)
    width, height = size
    margin = width // 2
    behind = wall(height + 2 * margin, width + 2 * margin, rng)
    sides = np.array([width * 0.12, height * 0.3]).astype(int)
    things = [wall(sides[1], sides[0], rng) for _ in range(THINGS)]
    places = rng.uniform((0, 0), (width - sides[0], height - sides[1]), (THINGS, 2))
    speeds = rng.normal(0.0, 0.01 * width, (THINGS, 2))
    for _ in range(frames):
        turn = cv2.getRotationMatrix2D(
            (width / 2 + margin, height / 2 + margin), rng.normal(0, 1), 1 + rng.normal(0, 0.01)
        )
        turn[:, 2] += np.clip(rng.normal(0, 0.015 * width, 2), -0.1 * width, 0.1 * width) - margin
        image = cv2.warpAffine(behind, turn, size)
        speeds = np.where((places < 0) | (places > np.array(size) - sides), -speeds, speeds)
        places = np.clip(places + speeds, 0, np.array(size) - sides)
        corners = np.rint(places).astype(int)
        for (x, y), thing in zip(corners, things, strict=True):
            image[y : y + sides[1], x : x + sides[0]] = thing
        noise = rng.integers(-4, 5, image.shape, dtype=np.int16)
        grey = np.clip(image + noise, 0, 255).astype(np.uint8)
        yield (
            cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR),
            np.hstack((corners, corners + sides)),
            np.vstack((turn, (0, 0, 1))),
        )


def measure(size: tuple[int, int], frames: int, seed: int) -> dict[str, float | int | str | bool]:
    estimator = CameraMotionEstimator()
    wall_ms, cpu_ms, errors, missed = [], [], [], 0
    before = np.eye(3)
    edge = np.array([[x, y, 1.0] for x in (0, size[0] - 1) for y in (0, size[1] - 1)])
    for number, (image, boxes, camera) in enumerate(sequence(size, frames + WARM_UP, seed)):
        begin, begin_cpu = time.perf_counter_ns(), time.process_time_ns()
        motion = estimator.estimate(image, boxes)
        took, took_cpu = time.perf_counter_ns() - begin, time.process_time_ns() - begin_cpu
        truth, before = (camera @ np.linalg.inv(before))[:2], camera
        if number < WARM_UP:
            continue
        wall_ms.append(took * 1e-6)
        cpu_ms.append(took_cpu * 1e-6)
        if estimator.quality.ok:
            errors.append(float(np.linalg.norm(edge @ (motion - truth).T, axis=1).max()))
        else:
            missed += 1
    result: dict[str, float | int | str | bool] = {"size": f"{size[0]}x{size[1]}", "n": frames, "not_measured": missed}
    for name, values in (("wall_ms", wall_ms), ("cpu_ms", cpu_ms), ("error_px", errors)):
        result |= {f"{name}_p50": float(np.median(values)), f"{name}_p99": float(np.percentile(values, 99))}
    if size in TARGET_MS:
        result |= {"target_ms": TARGET_MS[size], "kept": float(np.median(wall_ms)) < TARGET_MS[size]}
    return result


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sizes", default="640x480,1920x1080", metavar="LIST", help="pictures [px] (%(default)s)")
    parser.add_argument("--frames", type=int, default=300, metavar="N", help="of each size (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the scenes (%(default)s)")
    parser.add_argument("--json", action="store_true", help="print the object only")
    options = parser.parse_args()
    if options.frames < 1:
        parser.error(f"--frames {options.frames}: expected at least 1")
    rows = [measure(image_size(size), options.frames, options.seed) for size in options.sizes.split(",")]
    if not options.json:
        print("   picture  wall ms p50     p99  CPU ms p50     p99  error px p50    p99")
        for row in rows:
            print(
                f"{row['size']:>10s} {row['wall_ms_p50']:12.2f} {row['wall_ms_p99']:7.2f} {row['cpu_ms_p50']:11.2f} "
                f"{row['cpu_ms_p99']:7.2f} {row['error_px_p50']:13.3f} {row['error_px_p99']:6.3f}   "
                f"n {row['n']}, not measured {row['not_measured']}"
            )
    print(json.dumps({"rows": rows, "threads": cv2.getNumThreads(), "seed": options.seed, "machine": machine_facts()}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
