"""Pinhole camera with Brown-Conrady distortion, and the cameras of its resized and cropped images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from .types import Array


@dataclass(frozen=True, slots=True)
class Camera:
    """Intrinsics of one image.

    Pixel coordinates are OpenCV's: u to the right, v down, and (0, 0) is the centre of the top-left pixel, so the
    image spans [-0.5, width - 0.5]. Resizing by s therefore takes u to (u + 0.5) s - 0.5, the principal point too.

    Attributes:
        width: Image width [px].
        height: Image height [px].
        fx: Focal length in u [px].
        fy: Focal length in v [px].
        cx: Principal point, u [px]; outside the image for some crops.
        cy: Principal point, v [px].
        distortion: k1, k2, p1, p2 and optionally k3 of the Brown-Conrady model in OpenCV's order, which bends ideal
            into measured directions. Empty for none; all zeros are stored as empty.

    Raises:
        ValueError: If a value is out of its range, naming the value, the limit and the remedy.

    Example:
        >>> Camera(640, 480, 600.0, 600.0, 319.5, 239.5).scaled(0.5)
        Camera(width=320, height=240, fx=300.0, fy=300.0, cx=159.5, cy=119.5, distortion=())
    """

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    distortion: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        """Check the ranges and normalise the types."""
        for name in ("width", "height"):
            value = getattr(self, name)
            if value != int(value) or value < 1:
                raise ValueError(f"camera {name} {value}: expected a whole number >= 1; read it from the image")
            object.__setattr__(self, name, int(value))
        for name in ("fx", "fy"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0.0):
                raise ValueError(f"camera {name} {value}: expected a finite focal length > 0 in pixels, not in mm")
            object.__setattr__(self, name, float(value))
        for name in ("cx", "cy"):
            value = getattr(self, name)
            if not math.isfinite(value):
                raise ValueError(f"camera {name} {value}: expected a finite number of pixels; calibrate again")
            object.__setattr__(self, name, float(value))
        distortion = tuple(float(k) for k in self.distortion)
        if len(distortion) not in (0, 4, 5):
            raise ValueError(
                f"{len(distortion)} distortion coefficients: expected none, 4 (k1, k2, p1, p2) or 5 (and k3); "
                "undistort images of other models (fisheye, rational) before they are used"
            )
        if not all(math.isfinite(k) for k in distortion):
            raise ValueError(f"distortion {distortion}: expected finite coefficients; calibrate again")
        object.__setattr__(self, "distortion", distortion if any(distortion) else ())

    @staticmethod
    def from_matrix(matrix: npt.ArrayLike, width: int, height: int, distortion: Sequence[float] = ()) -> Camera:
        """Camera of an intrinsic matrix.

        Args:
            matrix: Shape (3, 3), rows (fx, 0, cx), (0, fy, cy), (0, 0, 1) [px].
            width: Image width [px].
            height: Image height [px].
            distortion: As the attribute.

        Raises:
            ValueError: If the matrix has another form (skew, wrong last row) or a value is out of its range.
        """
        k = np.asarray(matrix, dtype=np.float64)
        if k.shape != (3, 3):
            raise ValueError(f"camera matrix of shape {k.shape}: expected (3, 3)")
        if k[0, 1] != 0.0 or k[1, 0] != 0.0 or not np.array_equal(k[2], (0.0, 0.0, 1.0)):
            raise ValueError(
                f"camera matrix {k.tolist()}: expected rows (fx, 0, cx), (0, fy, cy), (0, 0, 1) without skew"
            )
        return Camera(width, height, float(k[0, 0]), float(k[1, 1]), float(k[0, 2]), float(k[1, 2]), tuple(distortion))

    @property
    def matrix(self) -> Array:
        """Intrinsic matrix, shape (3, 3) [px]."""
        return np.array([[self.fx, 0.0, self.cx], [0.0, self.fy, self.cy], [0.0, 0.0, 1.0]])

    def scaled(self, sx: float, sy: float | None = None) -> Camera:
        """Camera of the image resized by a factor.

        An image has whole pixels: the new size is rounded, and the factors that this really gives are used.

        Args:
            sx: Factor of the width, > 0.
            sy: Factor of the height; the same as ``sx`` if None.

        Raises:
            ValueError: If a factor is not finite and positive.
        """
        sy = sx if sy is None else sy
        if not (math.isfinite(sx) and math.isfinite(sy) and sx > 0.0 and sy > 0.0):
            raise ValueError(f"scale ({sx}, {sy}): expected finite factors > 0; divide the new size by the old one")
        return self._resized(max(1, round(self.width * sx)), max(1, round(self.height * sy)))

    def cropped(self, x: int, y: int, width: int, height: int) -> Camera:
        """Camera of a window of the image.

        Args:
            x: Column of the window's first pixel.
            y: Row of the window's first pixel.
            width: Width of the window [px].
            height: Height of the window [px].

        Raises:
            ValueError: If the window is not within the image.
        """
        if x < 0 or y < 0 or width < 1 or height < 1 or x + width > self.width or y + height > self.height:
            raise ValueError(
                f"window x={x} y={y} {width}x{height}: expected it within the image of {self.width}x{self.height}; "
                "clip it first"
            )
        return replace(self, width=width, height=height, cx=self.cx - x, cy=self.cy - y)

    def letterboxed(self, width: int, height: int) -> Camera:
        """Camera of the image resized to fit ``width`` x ``height`` with its aspect kept, and padded to that size.

        Raises:
            ValueError: If the target size is not positive.
        """
        fit_width, fit_height, left, top = letterbox_fit(self.width, self.height, width, height)
        fitted = self._resized(fit_width, fit_height)
        return replace(fitted, width=width, height=height, cx=fitted.cx + left, cy=fitted.cy + top)

    def _resized(self, width: int, height: int) -> Camera:
        sx, sy = width / self.width, height / self.height
        return replace(
            self,
            width=width,
            height=height,
            fx=self.fx * sx,
            fy=self.fy * sy,
            cx=(self.cx + 0.5) * sx - 0.5,
            cy=(self.cy + 0.5) * sy - 0.5,
        )


def letterbox_fit(width: int, height: int, target_width: int, target_height: int) -> tuple[int, int, int, int]:
    """Size and place of an image inside a letterbox.

    The one rule that images, boxes and intrinsics share: scale by min(W / w, H / h), round the size to whole pixels,
    split the padding, the odd pixel to the right and the bottom. The factors to use are the rounded size over the old
    one, per axis, because that is what resizing the image does.

    Returns:
        New width and height [px], and the left and top padding [px].

    Raises:
        ValueError: If a size is not positive.

    Example:
        >>> letterbox_fit(640, 480, 320, 320)
        (320, 240, 0, 40)
    """
    if min(width, height, target_width, target_height) < 1:
        raise ValueError(f"letterbox of {width}x{height} in {target_width}x{target_height}: expected sizes >= 1")
    scale = min(target_width / width, target_height / height)
    fit_width = min(target_width, max(1, round(width * scale)))
    fit_height = min(target_height, max(1, round(height * scale)))
    return fit_width, fit_height, (target_width - fit_width) // 2, (target_height - fit_height) // 2
