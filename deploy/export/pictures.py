"""Made-up pictures: soft colours with sharp patches, so that a network has edges and areas to answer to."""

from __future__ import annotations

import cv2
import numpy as np

from geometry.types import Image

# Width and height [px]: of cameras, odd ones, and a strip that a letterbox leaves mostly grey.
SIZES = ((640, 480), (641, 479), (333, 500), (97, 400), (320, 256))


def picture(size: tuple[int, int], seed: int, patches: int = 12) -> Image:
    """One picture, always the same for a seed.

    Args:
        size: Width and height [px].
        seed: Seed.
        patches: Number of patches.

    Returns:
        Shape (height, width, 3), uint8.
    """
    rng = np.random.default_rng(seed)
    ground = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    image: Image = cv2.resize(ground, size, interpolation=cv2.INTER_CUBIC)
    corners = rng.uniform(0.0, 1.0, (patches, 2)) * size
    sizes = rng.uniform(0.03, 0.3, (patches, 2)) * size
    colors = rng.integers(0, 256, (patches, 3))
    for (x, y), (w, h), color in zip(corners.astype(int), np.ceil(sizes).astype(int), colors, strict=True):
        image[max(0, y - h) : y + 1, max(0, x - w) : x + 1] = color
    noisy: Image = np.clip(image + rng.integers(-8, 9, image.shape, dtype=np.int16), 0, 255).astype(np.uint8)
    return noisy
