"""Points to pixels and back: the pinhole model with Brown-Conrady distortion."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from .camera import Camera
from .types import Array

Float = TypeVar("Float", np.float32, np.float64)

NEWTON_STEPS = 30
# Convergence of the undistorted direction; at a focal length of 1000 px this is 1e-9 px.
NEWTON_TOLERANCE = 1e-12


def project(points: npt.ArrayLike, camera: Camera) -> Array:
    """Project points to pixels.

    u = fx x' + cx and v = fy y' + cy, where (x', y') is (X / Z, Y / Z) after lens distortion.

    Args:
        points: Shape (N, 3), in the camera's optical frame (x right, y down, z forward) [m].
        camera: Intrinsics of the image.

    Returns:
        Shape (N, 2), columns u and v [px]; also outside the image. NaN rows where Z is not positive, and where the
        direction is so far off axis that the distortion polynomial has turned back: it would put such a point,
        which the lens never sees, inside the image.

    Raises:
        ValueError: If the shape is wrong.

    Example:
        >>> project([[0.1, 0.0, 1.0]], Camera(640, 480, 600.0, 600.0, 320.0, 240.0)).tolist()
        [[380.0, 240.0]]
    """
    p = _rows(points, 3, "points")
    z = np.where(p[:, 2] > 0.0, p[:, 2], np.nan)
    x, y = p[:, 0] / z, p[:, 1] / z
    if camera.distortion:
        x, y = distort(x, y, camera.distortion)
    return np.stack((camera.fx * x + camera.cx, camera.fy * y + camera.cy), axis=1)


def deproject(pixels: npt.ArrayLike, depth_m: npt.ArrayLike, camera: Camera) -> Array:
    """Lift pixels with known depth to points in the camera's optical frame.

    Inverts ``project``: X = (u - cx) d / fx, Y = (v - cy) d / fy, Z = d, after lens distortion is removed.

    Args:
        pixels: Shape (N, 2), columns u (right) and v (down) [px].
        depth_m: Shape (N,), distance along the optical axis [m], not along the ray.
        camera: Intrinsics of the image that the pixels were measured in.

    Returns:
        Shape (N, 3), float64 [m]; x right, y down, z forward. NaN rows where the depth is not finite and positive, and
        where no direction within the lens model leads to the pixel.

    Raises:
        ValueError: If the shapes disagree, naming both.

    Example:
        >>> deproject([[380.0, 240.0]], [2.0], Camera(640, 480, 600.0, 600.0, 320.0, 240.0)).tolist()
        [[0.2, 0.0, 2.0]]
    """
    uv = _rows(pixels, 2, "pixels")
    depth = np.asarray(depth_m, dtype=np.float64)
    if depth.shape != (len(uv),):
        raise ValueError(f"{len(uv)} pixels with depth of shape {depth.shape}: expected one depth for each, shape (N,)")
    z = np.where(np.isfinite(depth) & (depth > 0.0), depth, np.nan)
    x, y = (uv[:, 0] - camera.cx) / camera.fx, (uv[:, 1] - camera.cy) / camera.fy
    if camera.distortion:
        x, y = undistort(x, y, camera.distortion)
    points = np.stack((x * z, y * z, z), axis=1)
    points[np.isnan(points).any(axis=1)] = np.nan
    return points


def distort(
    x: npt.NDArray[Float], y: npt.NDArray[Float], distortion: tuple[float, ...]
) -> tuple[npt.NDArray[Float], npt.NDArray[Float]]:
    """Bend ideal directions (x, y) = (X / Z, Y / Z), shape (N,), as the lens does; NaN beyond the model's range."""
    k1, k2, p1, p2, k3 = _five(distortion)
    r2 = x * x + y * y
    radial = 1.0 + r2 * (k1 + r2 * (k2 + r2 * k3))
    limit = fold_radius_squared(distortion)
    if limit < math.inf:
        radial[~(r2 <= limit)] = np.nan
    xy2 = 2.0 * x * y
    return x * radial + p1 * xy2 + p2 * (r2 + 2.0 * x * x), y * radial + p1 * (r2 + 2.0 * y * y) + p2 * xy2


def undistort(x: Array, y: Array, distortion: tuple[float, ...]) -> tuple[Array, Array]:
    """Invert ``distort`` for directions of shape (N,); NaN where no direction within the model's range leads there.

    Newton's method. It starts at the bent direction and approaches from one side, so it converges up to the edge of
    the model, where the fixed-point iteration that is commonly used diverges.
    """
    k1, k2, p1, p2, k3 = _five(distortion)
    limit = fold_radius_squared(distortion)
    ideal_x, ideal_y = x.copy(), y.copy()
    step = np.full(x.shape, np.inf)
    with np.errstate(all="ignore"):
        for _ in range(NEWTON_STEPS):
            r2 = ideal_x * ideal_x + ideal_y * ideal_y
            radial = 1.0 + r2 * (k1 + r2 * (k2 + r2 * k3))
            slope = 2.0 * (k1 + r2 * (2.0 * k2 + r2 * 3.0 * k3))
            xy = ideal_x * ideal_y
            error_x = ideal_x * radial + 2.0 * p1 * xy + p2 * (r2 + 2.0 * ideal_x * ideal_x) - x
            error_y = ideal_y * radial + p1 * (r2 + 2.0 * ideal_y * ideal_y) + 2.0 * p2 * xy - y
            # The Jacobian of the Brown-Conrady model is symmetric.
            a = radial + slope * ideal_x * ideal_x + 2.0 * p1 * ideal_y + 6.0 * p2 * ideal_x
            b = slope * xy + 2.0 * p1 * ideal_x + 2.0 * p2 * ideal_y
            c = radial + slope * ideal_y * ideal_y + 6.0 * p1 * ideal_y + 2.0 * p2 * ideal_x
            determinant = a * c - b * b
            step_x = (c * error_x - b * error_y) / determinant
            step_y = (a * error_y - b * error_x) / determinant
            ideal_x = ideal_x - step_x
            ideal_y = ideal_y - step_y
            step = np.hypot(step_x, step_y)
            if not (step > NEWTON_TOLERANCE).any():
                break
        found = (step <= 1e-9) & (ideal_x * ideal_x + ideal_y * ideal_y <= limit)
    return np.where(found, ideal_x, np.nan), np.where(found, ideal_y, np.nan)


@lru_cache(maxsize=64)
def fold_radius_squared(distortion: tuple[float, ...]) -> float:
    """Squared radius (X^2 + Y^2) / Z^2 at which the radial polynomial stops growing; inf if it never does."""
    k1, k2, _, _, k3 = _five(distortion)
    roots = np.roots([7.0 * k3, 5.0 * k2, 3.0 * k1, 1.0])
    turning = [float(root.real) for root in roots if abs(root.imag) < 1e-12 and root.real > 0.0]
    return min(turning, default=math.inf)


def _five(distortion: tuple[float, ...]) -> tuple[float, float, float, float, float]:
    k1, k2, p1, p2 = distortion[:4]
    return k1, k2, p1, p2, distortion[4] if len(distortion) > 4 else 0.0


def _rows(values: npt.ArrayLike, columns: int, what: str) -> Array:
    """Float64 view of shape (N, columns); an empty input of any shape is N = 0."""
    rows = np.asarray(values, dtype=np.float64)
    if rows.size == 0:
        return np.empty((0, columns))
    if rows.ndim != 2 or rows.shape[1] != columns:
        raise ValueError(f"{what} of shape {rows.shape}: expected (N, {columns})")
    return rows
