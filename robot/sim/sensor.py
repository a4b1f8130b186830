"""What a depth camera makes of true distances: noise that grows with distance, holes, a step, a range."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from deploy.errors import BadInput
from geometry.types import BoolArray, DepthImage, Image
from robot.sim.layout import FOCAL_PX


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
        holes = ~np.isfinite(depth_m) | (depth_m < p.min_range_m) | (depth_m > p.max_range_m)
        clean = np.where(holes, p.max_range_m, depth_m).astype(np.float32)
        if p.edge_hole_share > 0.0:
            holes |= self._unsure(clean) & (rng.random(clean.shape, dtype=np.float32) < p.edge_hole_share)
        if p.hole_share > 0.0:
            holes |= rng.random(clean.shape, dtype=np.float32) < p.hole_share
        if p.noise_per_m > 0.0:
            clean += rng.standard_normal(clean.shape, dtype=np.float32) * (p.noise_per_m * clean * clean)
        units: DepthImage = np.clip(np.rint(clean / p.depth_scale_m), 0, 65535).astype(np.uint16)
        units[holes] = 0
        return units

    def color(self, color: Image, sequence: int) -> Image:
        """Add the colour sensor's noise to a BGR image (H, W, 3)."""
        level = self.parameters.color_noise
        if level <= 0.0:
            return color
        rng = np.random.default_rng([self._seed, sequence, 1])
        noisy = color + rng.standard_normal(color.shape, dtype=np.float32) * level
        rounded: Image = np.clip(noisy + 0.5, 0.0, 255.0).astype(np.uint8)
        return rounded

    def _unsure(self, depth_m: npt.NDArray[np.float32]) -> BoolArray:
        """Pixels beside a jump, or on a surface seen at a grazing angle."""
        p = self.parameters
        kernel = np.ones((3, 3), dtype=np.uint8)
        span = cv2.dilate(depth_m, kernel) - cv2.erode(depth_m, kernel)
        # Two pixels of width at distance z are 2 z / f wide.
        grazing = p.grazing_slope * 2.0 / FOCAL_PX
        return np.asarray(span > min(p.jump_share, grazing) * depth_m)
