"""What the methods of `localization.py` are given: boxes and masks, and what is known about the sensor."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from cluttered_scenes import Scene

from geometry.types import IntArray
from perception.detections import Detections
from perception.evaluation.matching import overlaps, pairs
from perception.localize import LocalizeParameters
from perception.masks import Masks
from robot.sim.sensor import SensorParameters

NAMES = ("red_cube", "distractor")
LEAST_IOU = 0.5
LEAST_PX = 4.0
USUAL_M = 1 / 3  # the wrist camera's distance, half way down


def parameters_of(sensor: SensorParameters, size_m: Mapping[str, float]) -> LocalizeParameters:
    """What is told about the simulator's sensor.

    Each pixel's noise is drawn for itself, so that none is shared with its neighbours, and grows with the squared depth
    from nothing; rounding to whole units adds a uniform error, step / sqrt(12). What all pixels have in common is what
    noise s leaves of the rounding of a flat face, step / (pi sqrt(2)) exp(-2 pi^2 s^2 / step^2) (B. Widrow and
    I. Kollar, Quantization Noise, 2008; its first harmonic): here at the distance from where cubes are grasped.
    """
    step, noise = sensor.depth_scale_m, sensor.noise_per_m * USUAL_M**2
    rounding = step / math.sqrt(12.0)
    common = step / (math.pi * math.sqrt(2.0)) * math.exp(-2.0 * (math.pi * noise / step) ** 2)
    return LocalizeParameters(
        size_m, depth_noise_m=rounding, depth_noise_per_m=sensor.noise_per_m, depth_bias=common / (rounding + noise),
        correlated_px=1.0,
    )  # fmt: skip


def moved(scene: Scene, deviation_px: float, seed: int) -> Detections:
    """Boxes of the truth, each edge moved for itself, but still in the picture and at least 4 px wide."""
    rng = np.random.default_rng([seed, scene.frame.sequence, 0xB0E5])
    size = np.tile((scene.frame.camera.width, scene.frame.camera.height), 2)
    boxes = np.clip(scene.boxes + rng.normal(0.0, deviation_px, scene.boxes.shape), 0.0, size)
    narrow = boxes[:, 2:] - boxes[:, :2] < LEAST_PX
    boxes = np.where(np.tile(narrow, 2), scene.boxes, boxes)
    ids = [NAMES.index(name) for name in scene.names]
    return Detections(scene.frame.camera_name, scene.frame.sequence, 0, boxes, np.ones(len(ids)), ids, NAMES)


def matched(scene: Scene, found: Detections) -> tuple[Detections, IntArray]:
    """Those boxes of a detector that show an object of the truth, and its row for each of them."""
    same = np.array([[found.class_names[one] == name for one in found.class_ids] for name in scene.names])
    rows, columns = pairs(overlaps(scene.boxes, found.boxes) * same.reshape(len(scene.names), len(found)), LEAST_IOU)
    return found.select(columns), rows


def with_masks(boxes: Detections, scene: Scene) -> Detections:
    """The same boxes with masks of the truth."""
    return replace(boxes, masks=Masks.from_arrays(scene.rows == np.arange(len(boxes))[:, None, None]))
