"""What a depth camera makes of true distances: noise that grows with distance, holes, a step, a range.

All random numbers are 16 bits wide: normal deviates are the quantiles of 65536 equal shares of the distribution, out of
a table. That takes a third of the time of drawing them one by one, and leaves out what lies beyond 4.3 standard
deviations, one value in 65000.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from deploy.errors import BadInput
from geometry.types import BoolArray, DepthImage, Image
from robot.sim.layout import FOCAL_PX, IMAGE_WIDTH

_LEVELS: Final = 65536


@dataclass(frozen=True, slots=True)
class SensorParameters:
    """Figures of the camera; the defaults are those of a short-range active stereo camera.

    Attributes:
        noise_per_m: Standard deviation of the depth over the depth squared [1/m]: 0.003 is 0.75 mm at half a metre.
        min_range_m, max_range_m: Outside this range nothing is measured [m].
        edge_hole_share: Part of the pixels beside a jump in depth that give nothing.
        jump_share: What counts as a jump between neighbours, as a part of the depth.
        grazing_slope: Surfaces steeper than this against the line of sight (depth over width) may give nothing.
        hole_share: Part of all pixels that give nothing for no reason.
        depth_scale_m: Metres per unit.
        color_noise: Standard deviation of the colour's noise [grey levels].
    """

    noise_per_m: float = 0.003
    min_range_m: float = 0.1
    max_range_m: float = 4.0
    edge_hole_share: float = 0.6
    jump_share: float = 0.02
    grazing_slope: float = 5.0
    hole_share: float = 0.002
    depth_scale_m: float = 0.001
    color_noise: float = 2.0

    def __post_init__(self) -> None:
        if not self.depth_scale_m > 0.0:
            raise BadInput(f"depth scale {self.depth_scale_m} m: expected > 0, for example 0.001")
        if not 0.0 <= self.min_range_m < self.max_range_m:
            raise BadInput(f"depth range {self.min_range_m}..{self.max_range_m} m: expected 0 <= min < max")

    @staticmethod
    def ideal() -> SensorParameters:
        """A camera without noise or holes; the millimetre steps stay."""
        return SensorParameters(0.0, 0.01, 60.0, 0.0, 0.02, 5.0, 0.0, 0.001, 0.0)


class Sensor:
    """Measures clean renderings. What it draws depends on its seed and the frame's number only."""

    def __init__(self, parameters: SensorParameters | None = None, seed: int = 0) -> None:
        self.parameters = parameters or SensorParameters()
        self._seed = seed

    def depth(self, depth_m: npt.NDArray[np.float32], sequence: int) -> DepthImage:
        """Measure depth.

        Args:
            depth_m: Shape (H, W), true distance along the optical axis [m]; infinite where there is nothing.
            sequence: Number of the frame.

        Returns:
            Shape (H, W), uint16 in units of `depth_scale_m`; 0 = not measured.
        """
        p = self.parameters
        rng = np.random.default_rng([self._seed, sequence, 0])
        clean = np.array(depth_m, dtype=np.float32)
        # written so that what is not a number is a hole too
        holes = ~((clean >= p.min_range_m) & (clean <= p.max_range_m))
        clean[holes] = p.max_range_m
        if p.edge_hole_share > 0.0 or p.hole_share > 0.0:
            share = np.where(self._unsure(clean), max(p.edge_hole_share, p.hole_share), p.hole_share)
            holes |= _words(rng, clean.shape) < share * _LEVELS
        if p.noise_per_m > 0.0:
            clean += _normal()[_words(rng, clean.shape)] * (p.noise_per_m * clean * clean)
        units: DepthImage = np.clip(np.rint(clean / p.depth_scale_m), 0, 65535).astype(np.uint16)
        units[holes] = 0
        return units

    def color(self, color: Image, sequence: int) -> Image:
        """Add the colour sensor's noise to a BGR image (H, W, 3)."""
        level = self.parameters.color_noise
        if level <= 0.0:
            return color
        rng = np.random.default_rng([self._seed, sequence, 1])
        noise = _grey_levels(float(level))[_words(rng, color.shape)]
        noisy: Image = cv2.add(color, noise, dtype=cv2.CV_8U)
        return noisy

    def _unsure(self, depth_m: npt.NDArray[np.float32]) -> BoolArray:
        """Pixels beside a jump, or on a surface seen at a grazing angle."""
        p = self.parameters
        kernel = np.ones((3, 3), dtype=np.uint8)
        span = cv2.dilate(depth_m, kernel) - cv2.erode(depth_m, kernel)
        # Two pixels of width at distance z are 2 z / f wide.
        grazing = p.grazing_slope * 2.0 * IMAGE_WIDTH / (FOCAL_PX * depth_m.shape[1])
        return np.asarray(span > min(p.jump_share, grazing) * depth_m)


def _words(rng: np.random.Generator, shape: tuple[int, ...]) -> npt.NDArray[np.uint16]:
    """Whole numbers from 0 to 65535, all equally likely."""
    count = math.prod(shape)
    words: npt.NDArray[np.uint16] = rng.bit_generator.random_raw(-(-count // 4)).astype("<u8").view("<u2")
    return words[:count].reshape(shape)


@functools.cache
def _normal() -> npt.NDArray[np.float32]:
    """Shape (65536,): the middle quantile of each equal share of the standard normal distribution."""
    return np.asarray(ndtri((np.arange(_LEVELS) + 0.5) / _LEVELS), dtype=np.float32)


@functools.cache
def _grey_levels(deviation: float) -> npt.NDArray[np.int16]:
    """Shape (65536,): normal noise of this deviation as whole grey levels, as rounding after adding leaves it."""
    levels: npt.NDArray[np.int16] = np.clip(np.rint(_normal() * deviation), -255, 255).astype(np.int16)
    return levels
