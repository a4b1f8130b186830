"""Depth registration: the depth image as the colour camera would have seen it."""

from __future__ import annotations

import math
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from .camera import Camera
from .pose import Pose
from .projection import deproject, distort
from .types import Array, DepthImage

Float32 = npt.NDArray[np.float32]

# A footprint that exceeds a whole number of pixels by this much is float32 rounding, not a gap.
FOOTPRINT_SLACK = 1e-3
# A block grows no further than this: a point so near to the colour camera is noise, and would hide what is behind it.
MAX_FOOTPRINT = 8
# Depths are merged less one: so "nothing here" is the largest value while the nearest wins, and wraps to 0 at the end.
NOTHING = 65535


def register_depth(
    depth: DepthImage, depth_scale_m: float, depth_camera: Camera, color_camera: Camera, color_T_depth: Pose
) -> DepthImage:
    """Move a depth image into the colour camera.

    Each depth pixel is lifted, transformed and splatted over the block of colour pixels that its footprint covers;
    where several land, the nearest stays. The footprint is the ratio of the focal lengths times the enlargement by a
    nearer or turned view, rounded up to whole pixels, so that a surface has no pinholes where the colour image is the
    finer one. To splat blocks of one size and keep the minimum is to mark points and erode, and that is how it is
    done: once for each size, of which two cameras side by side have one.

    Args:
        depth: Shape (depth_camera.height, depth_camera.width), uint16, distance along the optical axis in units of
            ``depth_scale_m``; 0 = no measurement.
        depth_scale_m: Metres of one unit [m], such as 0.001.
        depth_camera: Intrinsics of the depth image.
        color_camera: Intrinsics of the colour image.
        color_T_depth: Pose of the depth camera in the colour camera.

    Returns:
        Shape (color_camera.height, color_camera.width), uint16, distance along the colour camera's optical axis in the
        same units; 0 = no measurement, also where the colour camera looks past what the depth camera saw.

    Raises:
        ValueError: If the image does not fit its camera, is not uint16, or the scale is not finite and positive.
    """
    if depth.dtype != np.uint16:
        raise ValueError(
            f"depth image of type {depth.dtype}: expected uint16 in units of depth_scale_m; convert it first"
        )
    if depth.shape != (depth_camera.height, depth_camera.width):
        raise ValueError(
            f"depth image of shape {depth.shape}: expected {(depth_camera.height, depth_camera.width)}, the size of "
            "its camera; use Camera.scaled or cropped for the intrinsics of the image that you have"
        )
    if not (math.isfinite(depth_scale_m) and depth_scale_m > 0.0):
        raise ValueError(f"depth scale {depth_scale_m}: expected > 0; read it from the camera's depth units")
    u, v, z, enlargement = _to_color(depth, depth_scale_m, depth_camera, color_camera, color_T_depth)
    width, height = color_camera.width, color_camera.height
    if not len(z):
        return np.zeros((height, width), dtype=np.uint16)
    ratio = max(color_camera.fx / depth_camera.fx, color_camera.fy / depth_camera.fy)
    smallest = _footprint(ratio * float(enlargement.min()))
    largest = _footprint(ratio * float(enlargement.max()))
    if smallest == largest:
        return _from_stored(_splat(u, v, z, width, height, largest))
    sizes = np.ceil(enlargement * np.float32(ratio) - np.float32(FOOTPRINT_SLACK)).clip(smallest, largest)
    nearest = np.full((height, width), NOTHING, dtype=np.uint16)
    for size in range(smallest, largest + 1):
        chosen = sizes == size
        np.minimum(nearest, _splat(u[chosen], v[chosen], z[chosen], width, height, size), out=nearest)
    return _from_stored(nearest)


def _to_color(
    depth: DepthImage, depth_scale_m: float, depth_camera: Camera, color_camera: Camera, color_T_depth: Pose
) -> tuple[Float32, Float32, Float32, Float32]:
    """Colour pixels u, v [px], depth [units] and enlargement of all measurements, each of shape (N,)."""
    measured = np.flatnonzero(depth)
    z_depth = depth.ravel()[measured].astype(np.float32)
    rays = _rays(depth_camera)[:, measured]
    rotation = color_T_depth.rotation.astype(np.float32)
    offset = (color_T_depth.translation / depth_scale_m).astype(np.float32)
    x, y, toward = rotation @ rays
    x *= z_depth
    y *= z_depth
    z = toward * z_depth
    x += offset[0]
    y += offset[1]
    z += offset[2]
    # NaN (a ray outside the lens model) fails this test too.
    in_range = (z >= 0.5) & (z < 65535.5)
    if not in_range.all():
        x, y, z = x[in_range], y[in_range], z[in_range]
        toward, z_depth = toward[in_range], z_depth[in_range]
    # Turning the view by itself enlarges by 1 / toward across the ray's tilt and by its square along it.
    enlargement = z_depth / z
    enlargement /= np.minimum(toward, np.float32(1.0))
    x /= z
    y /= z
    if color_camera.distortion:
        x, y = distort(x, y, color_camera.distortion)
    x *= np.float32(color_camera.fx)
    x += np.float32(color_camera.cx)
    y *= np.float32(color_camera.fy)
    y += np.float32(color_camera.cy)
    return x, y, z, enlargement


def _splat(u: Float32, v: Float32, z: Float32, width: int, height: int, size: int) -> DepthImage:
    """Depth less one, shape (height, width), of points that each cover ``size`` x ``size`` pixels; the nearest wins."""
    # First pixel of the block, in an image that is padded on the left and the top for blocks that start outside.
    column = np.floor(u + np.float32(0.5 * size))
    row = np.floor(v + np.float32(0.5 * size))
    padded_width, padded_height = width + size - 1, height + size - 1
    inside = (column >= 0) & (column < padded_width) & (row >= 0) & (row < padded_height)
    index = row[inside].astype(np.intp) * padded_width + column[inside].astype(np.intp)
    nearest = np.full((padded_height, padded_width), NOTHING, dtype=np.uint16)
    np.minimum.at(nearest.reshape(-1), index, (z[inside] - np.float32(0.5)).astype(np.uint16))
    spread: DepthImage = cv2.erode(nearest, np.ones((size, size), dtype=np.uint8), anchor=(0, 0))
    return spread[:height, :width]


def _from_stored(nearest: DepthImage) -> DepthImage:
    depth: DepthImage = np.add(nearest, 1, dtype=np.uint16)
    return depth


def _footprint(ratio: float) -> int:
    return math.ceil(min(MAX_FOOTPRINT, max(1.0, ratio - FOOTPRINT_SLACK)))


@lru_cache(maxsize=8)
def _rays(camera: Camera) -> Float32:
    """Directions (X / Z, Y / Z, 1) of all pixels in row-major order, shape (3, height * width)."""
    v, u = np.mgrid[0 : camera.height, 0 : camera.width]
    pixels: Array = np.stack((u.ravel(), v.ravel()), axis=1).astype(np.float64)
    rays = np.ascontiguousarray(deproject(pixels, np.ones(len(pixels)), camera).T.astype(np.float32))
    rays.flags.writeable = False
    return rays
