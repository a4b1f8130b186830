"""What people do to find an object in its box: one depth, deprojected at the box's middle, and half the size on top.

The surface is nearer than the centre, so each point is moved on along its ray. By how much was looked for on other
scenes, in tenths of the object's size: half of it serves best, and 0.4 behind the median, which has some of the sides
and of the ground in it; downwards instead of along the ray is worse from a tilted camera. Where the size is not known
it is that of the box's shorter side at the depth that was found.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from geometry import Camera, deproject
from geometry.types import Array
from perception.detections import Detections
from perception.frame import Frame

AROUND_PX = 2  # half width of the window at the box's middle: one pixel alone may be a hole


def center_depth(depth_m: Array, middle: tuple[int, int]) -> float:
    """Median of the 5 x 5 pixels around the measured one that is nearest to the middle."""
    row, column = middle
    rows, columns = (slice(max(at - AROUND_PX, 0), at + AROUND_PX + 1) for at in (row, column))
    return _quantile(depth_m[rows, columns], 0.5)


def median_depth(depth_m: Array, _: tuple[int, int]) -> float:
    """Median of all pixels in the box."""
    return _quantile(depth_m, 0.5)


def near_depth(depth_m: Array, _: tuple[int, int]) -> float:
    """What a quarter of the pixels in the box are nearer than."""
    return _quantile(depth_m, 0.25)


# How the depth is found, and the shift along the ray, in sizes.
BASELINES: Mapping[str, tuple[Callable[[Array, tuple[int, int]], float], float]] = {
    "depth at the middle": (center_depth, 0.5),
    "median depth": (median_depth, 0.4),
    "closest quarter": (near_depth, 0.5),
}


def locate(name: str, detections: Detections, frame: Frame, size_m: Array) -> Array:
    """Centres of the objects by one of the baselines.

    Args:
        name: Of the baseline.
        detections: Boxes; with masks, only a mask's pixels are looked at, and its middle is the middle.
        frame: With depth.
        size_m: Shape (N,), sizes of the objects; NaN where they are not known.

    Returns:
        Shape (N, 3) in the camera's frame [m], NaN where there is no depth.
    """
    assert frame.depth is not None
    depth_of, shift = BASELINES[name]
    depths, pixels = np.full(len(detections), np.nan), detections.centers_px
    for row, box in enumerate(detections.boxes):
        left, top = np.floor(box[:2]).astype(int).clip(0)
        right, bottom = np.ceil(box[2:]).astype(int).clip(0, (frame.camera.width, frame.camera.height))
        patch = frame.depth[top:bottom, left:right] * frame.depth_scale_m
        patch[patch == 0.0] = np.nan
        if detections.masks is not None:
            mask = detections.masks.patch(row, top, bottom, left, right)
            patch[~mask] = np.nan
            if mask.any():
                pixels[row] = np.argwhere(mask).mean(axis=0)[::-1] + np.array((left, top))
        measured = np.argwhere(np.isfinite(patch))
        if len(measured):
            middle = pixels[row][::-1] - (top, left)
            line, column = measured[((measured - middle) ** 2).sum(axis=1).argmin()].tolist()
            depths[row] = depth_of(patch, (line, column))
    points = deproject(pixels, depths, frame.camera)
    size_m = np.where(np.isfinite(size_m), size_m, _seen_size(detections, depths, frame.camera))
    return points + shift * size_m[:, None] * points / np.linalg.norm(points, axis=1, keepdims=True)


def _seen_size(detections: Detections, depth_m: Array, camera: Camera) -> Array:
    width, height = (detections.boxes[:, 2:] - detections.boxes[:, :2]).astype(np.float64).T
    return np.asarray(np.minimum(width / camera.fx, height / camera.fy) * depth_m)


def _quantile(depth_m: Array, part: float) -> float:
    values = depth_m[np.isfinite(depth_m)]
    return float(np.quantile(values, part)) if len(values) else float("nan")
