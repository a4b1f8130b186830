"""Depth around boxes as seen along the upward direction: heights, without the pixels that fly between two surfaces."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from geometry.types import Array, BoolArray
from perception.patches import Patches

# A jump in depth against a neighbour, as a part of the depth; and as a multiple of the distance between the pixels:
# what is seen at a more grazing angle than this is worth as little as a pixel between two surfaces.
JUMP, GRAZING = 0.015, 6.0
NOT_ACROSS = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Relief:
    """What is known of the pixels around N boxes.

    Attributes:
        up: Shape (N, h, w), the way of each pixel's ray in the upward direction for each metre of depth.
        along_up: Shape (N, h, w), its way in the first horizontal direction for each metre of height.
        across_up: Shape (N, h, w), its way in the second one.
        height_m: Shape (N, h, w), along the upward direction from the camera [m].
        measured: Shape (N, h, w), pixels with depth.
        seeds: Shape (N, h, w), measured pixels in the middle of the box.
        inside: Shape (N, h, w), measured pixels that may show the object.
        outside: Shape (N, h, w), measured pixels that show something else.
        distance_m: Shape (N,), mean depth of the pixels in the middle of the box [m]; NaN where there are too few.
        noise_m: Shape (N,), standard deviation of one pixel's depth there [m].
        pitch_m: Shape (N,), distance between neighbouring pixels of the image there [m].
        spacing_m: Shape (N,), distance between neighbouring pixels of the patch there [m].
    """

    up: Array
    along_up: Array
    across_up: Array
    height_m: Array
    measured: BoolArray
    seeds: BoolArray
    inside: BoolArray
    outside: BoolArray
    distance_m: Array
    noise_m: Array
    pitch_m: Array
    spacing_m: Array

    def take(self, rows: npt.NDArray[np.int64]) -> Relief:
        """Some of the boxes."""
        return Relief(*(getattr(self, field.name)[rows] for field in fields(self)))


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """The relief of one box, arrays (h, w) without the frame that others need; `cropped`: left, top, right, bottom."""

    along_up: Array
    across_up: Array
    height_m: Array
    measured: BoolArray
    seeds: BoolArray
    inside: BoolArray
    outside: BoolArray
    noise_m: float
    pitch_m: float
    spacing_m: float
    stride: int
    cropped: tuple[bool, ...]


def view_of(relief: Relief, patches: Patches, row: int) -> View:
    """One box of a relief.

    Args:
        relief: Depth around N boxes.
        patches: What it was made of.
        row: Number of the box.
    """
    left, top, right, bottom = patches.limits[row].tolist()
    stride = int(patches.stride[row])
    here = np.s_[row, : -(-(bottom - top) // stride), : -(-(right - left) // stride)]
    return View(
        relief.along_up[here], relief.across_up[here], relief.height_m[here], relief.measured[here],
        relief.seeds[here], relief.inside[here], relief.outside[here],
        float(relief.noise_m[row]), float(relief.pitch_m[row]), float(relief.spacing_m[row]), stride,
        tuple(patches.cropped[row].tolist()),
    )  # fmt: skip


def relief_of(patches: Patches, axes: Array, focal_px: float, noise: tuple[float, float], min_pixels: int) -> Relief:
    """Look at patches of depth along the upward direction.

    Args:
        patches: Depth around N boxes.
        axes: Shape (N, 3, 3), rows along, across, up in the camera's frame.
        focal_px: Focal length of the image [px].
        noise: Standard deviation of one pixel's depth close to the camera [m], and its growth with the squared depth.
        min_pixels: With fewer pixels than these a box says nothing.
    """
    depth_m = patches.depth_m
    known = depth_m > 0.0
    chosen = patches.seeds & known
    count = np.count_nonzero(chosen, axis=(1, 2))
    few = count < min_pixels
    if few.any():
        chosen[few] = known[few]
        count[few] = np.count_nonzero(chosen[few], axis=(1, 2))
    total = np.einsum("nij,nij->n", depth_m, chosen)
    distance_m = np.where(count >= min_pixels, total / np.maximum(count, 1), np.nan)
    pitch_m = distance_m / focal_px
    spacing_m = patches.stride * pitch_m
    measured = known & ~_flying(depth_m, known, np.fmax(GRAZING * spacing_m, JUMP * distance_m))
    along, across, up = (
        x * patches.ray_x + (y * patches.ray_y + z) for x, y, z in axes.transpose(1, 2, 0)[..., None, None]
    )
    up[np.abs(up) < NOT_ACROSS] = NOT_ACROSS
    return Relief(
        up,
        along / up,
        across / up,
        up * depth_m,
        measured,
        measured & patches.seeds,
        measured & patches.inside,
        measured & patches.outside,
        distance_m,
        noise[0] + noise[1] * distance_m**2,
        pitch_m,
        spacing_m,
    )


def _flying(depth_m: Array, known: BoolArray, limit_m: Array) -> BoolArray:
    """Pixels (N, h, w) whose depth lies between that of a near surface and of a far one behind its edge.

    Such a pixel jumps against its neighbours on two opposite sides, up on one and down on the other, by more than a
    limit (N,) [m]; the last good pixel of an edge jumps on one side only.
    """
    depth = np.where(known, depth_m, np.nan)
    limit = limit_m[:, None, None]
    flying = np.zeros(depth.shape, np.bool_)
    for lines, out in ((depth, flying), (depth.swapaxes(1, 2), flying.swapaxes(1, 2))):
        step = lines[:, 1:] - lines[:, :-1]
        first, second = step[:, :-1], step[:, 1:]
        out[:, 1:-1] |= (np.minimum(first, second) > limit) | (np.maximum(first, second) < -limit)
    return flying
