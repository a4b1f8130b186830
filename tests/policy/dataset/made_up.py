"""Episodes of made-up numbers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from policy.dataset import CameraFormat, DatasetFormat, DatasetWriter, Episode

FORM = DatasetFormat("joint_position", 100_000_000, "Pick up the red cube.", "red_cube", "ur10e")
CAMERA = CameraFormat("wrist", 48, 64)
PICTURED = replace(FORM, cameras=(CAMERA,))
ABOUT = {"seed": 7, "configuration": "name: made_up"}


def picture(numbers: np.random.Generator) -> bytes:
    """A PNG that is mostly orange: red 200, green 100, blue 20."""
    noise = numbers.integers(-5, 6, (CAMERA.height, CAMERA.width, 3))
    done, png = cv2.imencode(".png", (np.array((20, 100, 200)) + noise).astype(np.uint8))
    assert done
    return bytes(png)


def episode(seed: int, frames: int, *, pictures: bool = False) -> Episode:
    numbers = np.random.default_rng(seed)
    state, environment, action = (
        (seed + numbers.normal(size=(frames, width)).cumsum(axis=0) * 0.01).astype(np.float32) for width in (10, 7, 7)
    )
    images = {CAMERA.key: tuple(picture(numbers) for _ in range(frames))} if pictures else {}
    return Episode(state, environment, action, images)


def attempt(number: int) -> dict[str, Any]:
    return {"attempt": number, "seed": 100 + number}


def write(folder: Path, episodes: list[Any]) -> DatasetWriter:
    writer = DatasetWriter(folder, FORM, ABOUT)
    for number, made in enumerate(episodes):
        writer.add(attempt(number), made)
    return writer
