"""Procedural surface textures, made from a seed instead of files."""

from __future__ import annotations

import cv2
import numpy as np

from geometry.types import Image
from robot.sim.scene import Rgb

SIZE_PX = 256


def texture(pattern: str, colors: tuple[Rgb, Rgb], seed: int) -> Image:
    """Draw a texture.

    Args:
        pattern: One of plain, checker, grain, speckle, stripes.
        colors: The two colours that the pattern mixes, RGB in [0, 1].
        seed: Seed of its noise.

    Returns:
        Shape (256, 256, 3), RGB.

    Raises:
        ValueError: If the pattern is not known.
    """
    rng = np.random.default_rng([seed, 0x7E87])
    v, u = np.mgrid[0:SIZE_PX, 0:SIZE_PX].astype(np.float32) / SIZE_PX
    if pattern == "plain":
        mix = np.zeros_like(u)
    elif pattern == "checker":
        cells = int(rng.integers(2, 9))
        mix = (np.floor(u * cells) + np.floor(v * cells)) % 2
    elif pattern == "grain":
        base = _noise(rng, 6)
        mix = 0.5 + 0.5 * np.sin(2 * np.pi * (v * float(rng.integers(6, 20)) + 1.5 * base))
    elif pattern == "speckle":
        mix = (_noise(rng, 48) > rng.uniform(0.55, 0.8)).astype(np.float32)
    elif pattern == "stripes":
        width = float(rng.integers(3, 14))
        mix = (np.floor((u + (v if rng.random() < 0.5 else 0.0)) * width) % 2).astype(np.float32)
    else:
        raise ValueError(f"texture pattern {pattern!r}: expected plain, checker, grain, speckle or stripes")
    mix = np.clip(mix + 0.25 * (_noise(rng, 24) - 0.5), 0.0, 1.0)[:, :, None]
    first, second = (np.array(color, dtype=np.float32) for color in colors)
    image = first * (1.0 - mix) + second * mix
    rounded: Image = np.clip(image * 255.0 + 0.5, 0, 255).astype(np.uint8)
    return rounded


def png(image: Image) -> bytes:
    """Encode an RGB image for MuJoCo's asset table."""
    done, data = cv2.imencode(".png", np.ascontiguousarray(image[:, :, ::-1]))
    if not done:
        raise ValueError(f"an image of shape {image.shape} could not be encoded as PNG")
    return bytes(data.tobytes())


def _noise(rng: np.random.Generator, cells: int) -> np.ndarray:
    coarse = rng.random((cells, cells)).astype(np.float32)
    return np.asarray(cv2.resize(coarse, (SIZE_PX, SIZE_PX), interpolation=cv2.INTER_CUBIC))
