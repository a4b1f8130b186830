"""What a colour camera does to a clean picture: exposure, white balance, blur, noise."""

from __future__ import annotations

import cv2
import numpy as np

from geometry.types import Image


def degrade(image: Image, rng: np.random.Generator, strength: float = 1.0) -> Image:
    """Make a rendered picture look like one that a camera took.

    Red stays red: the hue moves by 4 degrees at most.

    Args:
        image: Shape (H, W, 3), BGR.
        rng: Source of every random choice.
        strength: 0 changes nothing, 1 is what a detector is trained on.

    Returns:
        Shape (H, W, 3), BGR.
    """
    out = image.astype(np.float32)
    if rng.random() < 0.4:
        out = _shift_hue(out, float(rng.uniform(-4.0, 4.0)) * strength, 1.0 + strength * float(rng.uniform(-0.2, 0.15)))
    gain = 1.0 + strength * rng.uniform(-0.06, 0.06, 3)
    exposure = float(np.exp(strength * rng.uniform(-0.45, 0.35)))
    out *= (gain * exposure).astype(np.float32)
    gamma = float(np.exp(strength * rng.uniform(-0.22, 0.22)))
    out = 255.0 * np.power(np.clip(out / 255.0, 0.0, 1.0), gamma)
    if rng.random() < 0.3:
        out *= _vignette(image.shape[:2], strength * float(rng.uniform(0.1, 0.4)))
    kind = rng.random()
    if kind < 0.4:
        out = cv2.GaussianBlur(out, (0, 0), max(0.2, strength * float(rng.uniform(0.3, 1.3))))
    elif kind < 0.6:
        out = _motion_blur(out, 1 + round(strength * float(rng.integers(2, 9))), float(rng.uniform(0.0, np.pi)))
    noise = strength * float(rng.uniform(0.5, 7.0))
    out = out + rng.standard_normal(out.shape, dtype=np.float32) * noise
    rounded: Image = np.clip(out + 0.5, 0.0, 255.0).astype(np.uint8)
    return rounded


def _shift_hue(image: np.ndarray, degrees: float, saturation: float) -> np.ndarray:
    hsv = cv2.cvtColor(np.clip(image / 255.0, 0.0, 1.0), cv2.COLOR_BGR2HSV)
    hsv[:, :, 0] = (hsv[:, :, 0] + degrees) % 360.0
    hsv[:, :, 1] = np.clip(hsv[:, :, 1] * saturation, 0.0, 1.0)
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR) * 255.0)


def _vignette(shape: tuple[int, ...], depth: float) -> np.ndarray:
    height, width = shape
    v, u = np.mgrid[-1.0 : 1.0 : height * 1j, -1.0 : 1.0 : width * 1j].astype(np.float32)
    return np.asarray(1.0 - depth * 0.5 * (u * u + v * v))[:, :, None]


def _motion_blur(image: np.ndarray, length: int, angle: float) -> np.ndarray:
    kernel = np.zeros((length, length), dtype=np.float32)
    middle = (length - 1) / 2
    for step in np.linspace(-middle, middle, 2 * length):
        kernel[round(middle + step * np.sin(angle)), round(middle + step * np.cos(angle))] = 1.0
    return np.asarray(cv2.filter2D(image, -1, kernel / kernel.sum()))
