"""Scenes with known truth for the tracking benchmarks: boxes that cross a picture, and what a detector makes of them.

The picture grows with the number of objects, so that 10 and 500 stand equally dense: as 50 do in 1920x1080, boxes
covering about a sixth of it. Objects keep their velocity until their centre leaves the picture; then another one, with
a new id, comes in over the border. Boxes may stick out of the picture; nothing hides anything.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

RATE_HZ = 30.0
PERIOD_NS = round(1e9 / RATE_HZ)
AREA_PX2_PER_OBJECT = 1920.0 * 1080.0 / 50.0
ASPECT = 16.0 / 9.0
WIDTH_PX, HEIGHT_PX = (40.0, 100.0), (60.0, 140.0)
SPEED_PX_S = (30.0, 180.0)

MISSED = 0.10
FALSE_PER_OBJECT = 0.10
LOW_SHARE, FALSE_LOW_SHARE = 0.15, 0.50
# No score lies between the two, so that any threshold from .45 to .6 is as good as another: no default gains by it.
LOW, HIGH = (0.15, 0.45), (0.60, 0.95)
CENTRE_NOISE_PX, SIZE_NOISE = 1.5, 0.03


@dataclass(frozen=True, slots=True, eq=False)
class SceneFrame:
    """One instant: the truth, and the detections in no order.

    Attributes:
        stamp_ns: Time [ns].
        truth_ids: Shape (N,), int64, from 1, never used again.
        truth_boxes: Shape (N, 4): x1, y1, x2, y2 [px].
        boxes: Shape (M, 4), detected: x1, y1, x2, y2 [px].
        scores: Shape (M,), 0..1.
    """

    stamp_ns: int
    truth_ids: npt.NDArray[np.int64]
    truth_boxes: FloatArray
    boxes: FloatArray
    scores: FloatArray


def picture_size(objects: int) -> tuple[float, float]:
    """Width and height of the picture [px]."""
    height = np.sqrt(objects * AREA_PX2_PER_OBJECT / ASPECT)
    return float(ASPECT * height), float(height)


def make_scene(objects: int, frames: int, seed: int) -> list[SceneFrame]:
    """Draw a scene; equal arguments give equal bytes."""
    random = np.random.default_rng([seed, objects])
    extent = np.array(picture_size(objects))
    centres = random.uniform(0.0, 1.0, (objects, 2)) * extent
    velocities, sizes = _velocities(random, objects), _sizes(random, objects)
    ids = np.arange(1, objects + 1)
    next_id, scene = objects + 1, []
    for number in range(frames):
        left = np.flatnonzero(((centres < 0.0) | (centres > extent)).any(axis=1))
        if left.size:
            centres[left], velocities[left] = _entrances(random, left.size, extent)
            sizes[left] = _sizes(random, left.size)
            ids[left] = np.arange(next_id, next_id + left.size)
            next_id += left.size
        boxes, scores = _detect(random, centres, sizes, extent)
        scene.append(SceneFrame(number * PERIOD_NS, ids.copy(), _corners(centres, sizes), boxes, scores))
        centres = centres + velocities / RATE_HZ
    return scene


def _corners(centres: FloatArray, sizes: FloatArray) -> FloatArray:
    return np.hstack((centres - 0.5 * sizes, centres + 0.5 * sizes))


def _sizes(random: np.random.Generator, count: int) -> FloatArray:
    return np.column_stack((random.uniform(*WIDTH_PX, count), random.uniform(*HEIGHT_PX, count)))


def _velocities(random: np.random.Generator, count: int) -> FloatArray:
    speed, heading = random.uniform(*SPEED_PX_S, count), random.uniform(0.0, 2.0 * np.pi, count)
    return np.column_stack((speed * np.cos(heading), speed * np.sin(heading)))


def _entrances(random: np.random.Generator, count: int, extent: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Points on the border, uniform along it, and velocities that lead inwards."""
    width, height = extent
    upright = random.random(count) < height / (width + height)
    far = random.random(count) < 0.5
    centres = random.uniform(0.0, 1.0, (count, 2)) * extent
    axis = np.where(upright, 0, 1)
    rows = np.arange(count)
    centres[rows, axis] = np.where(far, extent[axis], 0.0)
    velocities = _velocities(random, count)
    velocities[rows, axis] = np.where(far, -1.0, 1.0) * np.abs(velocities[rows, axis])
    return centres, velocities


def _detect(
    random: np.random.Generator, centres: FloatArray, sizes: FloatArray, extent: FloatArray
) -> tuple[FloatArray, FloatArray]:
    seen = np.flatnonzero(random.random(len(centres)) >= MISSED)
    noisy_centres = centres[seen] + random.normal(0.0, CENTRE_NOISE_PX, (seen.size, 2))
    noisy_sizes = sizes[seen] * (1.0 + random.normal(0.0, SIZE_NOISE, (seen.size, 2)))
    false = int(random.poisson(FALSE_PER_OBJECT * len(centres)))
    boxes = np.vstack(
        (
            _corners(noisy_centres, noisy_sizes),
            _corners(random.uniform(0.0, 1.0, (false, 2)) * extent, _sizes(random, false)),
        )
    )
    scores = np.concatenate((_scores(random, seen.size, LOW_SHARE), _scores(random, false, FALSE_LOW_SHARE)))
    order = random.permutation(len(boxes))
    return boxes[order], scores[order]


def _scores(random: np.random.Generator, count: int, low_share: float) -> FloatArray:
    low = random.random(count) < low_share
    return np.where(low, random.uniform(*LOW, count), random.uniform(*HIGH, count))
