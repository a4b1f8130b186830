"""The depth around each box of a frame, as one stack of arrays: what is done to them is done to all boxes at once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from geometry.camera import Camera
from geometry.projection import deproject
from geometry.types import Array, BoolArray, DepthImage
from perception.masks import Masks

Integers = npt.NDArray[np.int64]

# A patch is larger than its box by so much: detectors are a pixel or two off, and what is beside an object tells of it.
MARGIN_FRACTION, MARGIN_PX = 0.1, 2.0
# Up to here a pixel beside the box may show the object.
SLACK_PX = 2.0
# The part of the box, in each direction, where the object surely is.
SEED_FRACTION = 0.7
KERNEL = np.ones((3, 3), np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class Patches:
    """Depth around N boxes, thinned out evenly so that each fits into h x w pixels.

    Attributes:
        depth_m: Shape (N, h, w), along the optical axis [m]; 0 = not measured, also beyond a patch that is smaller.
        ray_x: X / Z of each pixel's ray, lens distortion removed; shape (N, 1, w), or (N, h, w) if the lens has any.
        ray_y: Y / Z of each pixel's ray; shape (N, h, 1), or (N, h, w).
        seeds: Shape (N, h, w), in the middle of the box, where the object is.
        inside: Shape (N, h, w), in the box or `SLACK_PX` beside it, or in the object's mask.
        outside: Shape (N, h, w), beyond that: another object if any.
        limits: Shape (N, 4), left, top, right, bottom of each patch in the image [px], the last two exclusive.
        stride: Shape (N,), every how many pixels one was taken, in both directions.
        cropped: Shape (N, 4), which of those limits are the image's.
    """

    depth_m: Array
    ray_x: Array
    ray_y: Array
    seeds: BoolArray
    inside: BoolArray
    outside: BoolArray
    limits: Integers
    stride: Integers
    cropped: BoolArray


def cut_patches(
    depth: DepthImage,
    depth_scale_m: float,
    camera: Camera,
    boxes: Array,
    max_pixels: int,
    max_depth_m: float,
    masks: Masks | None = None,
) -> Patches:
    """Cut boxes out of a depth image, a little larger than they are.

    Args:
        depth: Shape (H, W), uint16.
        depth_scale_m: Metres per unit.
        camera: Intrinsics of the depth image.
        boxes: Shape (N, 4), x1, y1, x2, y2 edges [px].
        max_pixels: Larger patches are thinned out to at most this many pixels.
        max_depth_m: Depth beyond this is taken as not measured [m].
        masks: Which pixels belong to each box's object. Their rim is neither inside nor outside: depth there is mixed.

    Returns:
        The patches; nothing is measured in that of a box without area within the image, or of one that is not finite.
    """
    size = np.array((camera.width, camera.height), dtype=np.float64)
    low, high = np.maximum(boxes[:, :2], 0.0), np.minimum(boxes[:, 2:], size)
    extent = high - low
    empty: BoolArray = np.logical_not((extent > 0.0).all(axis=1))
    low[empty], high[empty], extent[empty] = 0.0, 1.0, 1.0
    grow = MARGIN_FRACTION * extent + MARGIN_PX
    start = np.maximum(low - grow, 0.0).astype(np.int64)
    end = np.minimum(high + grow, size).astype(np.int64)
    side = max(1, int(max_pixels**0.5))
    spans = end - start
    stride = np.maximum(-(-spans.max(axis=1) // side), 1)
    wide, tall = (-(-spans // stride[:, None])).max(axis=0).tolist()
    columns = start[:, :1] + stride[:, None] * np.arange(wide)
    rows = start[:, 1:] + stride[:, None] * np.arange(tall)
    within_x, within_y = columns < end[:, :1], (rows < end[:, 1:]) & ~empty[:, None]
    middle, half = 0.5 * (low + high) - 0.5, 0.5 * extent
    away_x, away_y = np.abs(columns - middle[:, :1]), np.abs(rows - middle[:, 1:])
    columns, rows = np.minimum(columns, camera.width - 1), np.minimum(rows, camera.height - 1)

    present = _cross(within_x, within_y)
    depth_m: Array = depth[rows[:, :, None], columns[:, None, :]] * np.float64(depth_scale_m)
    depth_m[(depth_m > max_depth_m) | ~present] = 0.0
    seeds = _cross(away_x <= SEED_FRACTION * half[:, :1], away_y <= SEED_FRACTION * half[:, 1:])
    inside = _cross(away_x < half[:, :1] + SLACK_PX, away_y < half[:, 1:] + SLACK_PX)
    outside = ~inside
    limits = np.concatenate((start, end), axis=1)
    if masks is not None:
        _use_masks(inside, outside, masks, limits, stride)
    ray_x, ray_y = ray_grid(camera)
    if camera.distortion:
        ray_x, ray_y = (grid[rows[:, :, None], columns[:, None, :]] for grid in (ray_x, ray_y))
    else:
        ray_x, ray_y = ray_x[0, columns][:, None, :], ray_y[rows, 0][:, :, None]
    cropped = limits == (0, 0, camera.width, camera.height)
    return Patches(depth_m, ray_x, ray_y, seeds, inside, outside, limits, stride, cropped)


def _cross(columns: BoolArray, rows: BoolArray) -> BoolArray:
    """Pixels (N, h, w) whose column (N, w) and row (N, h) are both chosen."""
    return np.asarray(rows[:, :, None] & columns[:, None, :])


def _use_masks(inside: BoolArray, outside: BoolArray, masks: Masks, limits: Integers, stride: Integers) -> None:
    """Let masks say what is inside and what outside, where there is anything in them."""
    for row, (left, top, right, bottom) in enumerate(limits.tolist()):
        mask = masks.patch(row, top, bottom, left, right, int(stride[row])).view(np.uint8)
        if not mask.any():
            continue
        tall, wide = mask.shape
        inside[row], outside[row] = False, False
        inside[row, :tall, :wide] = mask
        outside[row, :tall, :wide] = cv2.dilate(mask, KERNEL, borderType=cv2.BORDER_REPLICATE) == 0


@lru_cache(maxsize=8)
def ray_grid(camera: Camera) -> tuple[Array, Array]:
    """X / Z of each column's rays, shape (1, W), and Y / Z of each row's, (H, 1); both (H, W) if the lens distorts.

    Read-only, and kept for each camera: with a distorting lens the first call takes a tenth of a second.
    """
    if not camera.distortion:
        x = (np.arange(camera.width, dtype=np.float64)[None] - camera.cx) / camera.fx
        y = (np.arange(camera.height, dtype=np.float64)[:, None] - camera.cy) / camera.fy
        x.flags.writeable = y.flags.writeable = False
        return x, y
    v, u = np.indices((camera.height, camera.width), dtype=np.float64)
    rays = deproject(np.stack((u.ravel(), v.ravel()), axis=1), np.ones(u.size), camera)
    grid: Array = np.nan_to_num(rays[:, :2].T.reshape(2, camera.height, camera.width))
    grid.flags.writeable = False
    return grid[0], grid[1]
