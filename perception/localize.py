"""From boxes and depth to the centres of objects in space, with honest covariances."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from deploy.errors import BadInput
from geometry.camera import Camera
from geometry.pose import Pose
from geometry.projection import deproject
from geometry.types import Array, BoolArray
from perception.detections import Detections
from perception.frame import Frame
from perception.surface import connected_to, cut_patch, footprint, top_height

FrameId = Literal["base", "camera"]

CELL_M = 0.002
BAND_M = 0.003
# Stereo matching smears depth over windows of about this many pixels: so many share one error.
CORRELATED_PX = 16.0
# What is left of a depth error however many pixels are averaged, as a part of one pixel's.
SYSTEMATIC = 0.4
# How far the sides that lie within the band move footprint and top of an object seen from the side, as parts of it.
SLANT_ACROSS, SLANT_UP = 0.25, 0.2
# Standard deviation of a height that is guessed from the width, and of the shift across where the upward direction is
# guessed from the view, as parts of the height.
UNKNOWN_HEIGHT, UNKNOWN_UP = 0.25, 0.15


@dataclass(frozen=True, slots=True)
class LocalizeParameters:
    """What is known about the objects and the depth sensor.

    Attributes:
        size_m: Edge length by class name [m]. The centre lies half of it below the top. A class that is not listed is
            taken to be as tall as its top is wide, and its covariance says how little that is worth.
        up_base: Direction away from the ground in the base frame; another than z for an arm on a wall or a ceiling.
        depth_noise_m: Standard deviation of one pixel's depth close to the camera [m].
        depth_noise_per_m: Its growth with the squared depth [m per m^2]; 0.0025 is a D435.
        min_pixels: With fewer pixels of depth on the object there is no point.
        max_pixels: Larger boxes are thinned out to about so many pixels.
        max_depth_m: Depth beyond this is taken as not measured [m].

    Raises:
        BadInput: If a value is out of its range, naming it.
    """

    size_m: Mapping[str, float] = field(default_factory=dict)
    up_base: tuple[float, float, float] = (0.0, 0.0, 1.0)
    depth_noise_m: float = 0.001
    depth_noise_per_m: float = 0.0025
    min_pixels: int = 12
    max_pixels: int = 1200
    max_depth_m: float = 3.0

    def __post_init__(self) -> None:
        positive = {f"size_m[{name}]": size for name, size in self.size_m.items()}
        positive |= {name: getattr(self, name) for name in ("depth_noise_m", "max_depth_m", "min_pixels", "max_pixels")}
        positive["length of up_base"] = math.hypot(*self.up_base)
        for name, value in positive.items():
            if not (math.isfinite(value) and value > 0.0):
                raise BadInput(f"{name} is {value}: expected > 0")
        if not (math.isfinite(self.depth_noise_per_m) and self.depth_noise_per_m >= 0.0):
            raise BadInput(f"depth_noise_per_m is {self.depth_noise_per_m}: expected >= 0")


@dataclass(frozen=True, slots=True, eq=False)
class Localized:
    """Detections with their places in space, row by row.

    Attributes:
        detections: The boxes.
        frame_id: `base` (the controller's base) or `camera` (optical).
        points_m: Shape (N, 3), read-only: centre of each object in `frame_id` [m]; NaN rows where depth says nothing.
        covariances_m2: Shape (N, 3, 3), read-only: covariance of each point in `frame_id` [m^2]; NaN where it is NaN.
    """

    detections: Detections
    frame_id: FrameId
    points_m: Array
    covariances_m2: Array

    def __post_init__(self) -> None:
        count = len(self.detections)
        points = np.array(self.points_m, dtype=np.float64)
        covariances = np.array(self.covariances_m2, dtype=np.float64)
        if points.shape != (count, 3) or covariances.shape != (count, 3, 3):
            raise BadInput(
                f"points {points.shape} and covariances {covariances.shape} of {count} detections: "
                f"expected ({count}, 3) and ({count}, 3, 3)"
            )
        points.flags.writeable = False
        covariances.flags.writeable = False
        object.__setattr__(self, "points_m", points)
        object.__setattr__(self, "covariances_m2", covariances)

    def __len__(self) -> int:
        return len(self.detections)

    @property
    def valid(self) -> BoolArray:
        """Shape (N,): rows with a point."""
        return np.asarray(np.isfinite(self.points_m).all(axis=1))


def localize(
    detections: Detections,
    frame: Frame,
    base_T_camera: Pose | None,
    parameters: LocalizeParameters | None = None,
) -> Localized:
    """Find the centre of each detected object.

    In the patch of depth around a box, the uppermost surface is found along the upward direction; the middle of its
    footprint, seen from above, is the middle of an upright object whatever its yaw and from wherever it is seen, and
    its centre lies half its size below. Sides that are in view fall onto the rim of the footprint and do no harm.

    The covariance has a part along the viewing ray (depth noise, which grows with the squared depth and averages out
    only to a floor), one across the footprint (pixels, their number, and how much of the object is missing against its
    known size), and one along the upward direction where the size is not known.

    Args:
        detections: Boxes in the pixels of `frame`.
        frame: The frame that they were found in; without depth every row is NaN.
        base_T_camera: Pose of the camera at the time of exposure. None if it is not known: then points are in the
            camera's frame, and the direction towards the camera stands for upwards, which costs some millimetres.
        parameters: What is known about objects and sensor.

    Returns:
        One row for each detection; NaN where the depth in the box says nothing.
    """
    settings = parameters or LocalizeParameters()
    count = len(detections)
    points, covariances = np.full((count, 3), np.nan), np.full((count, 3, 3), np.nan)
    frame_id: FrameId = "camera" if base_T_camera is None else "base"
    if frame.depth is None or not count:
        return Localized(detections, frame_id, points, covariances)

    rays = _rays(detections.centers_px, frame.camera)
    up = -rays if base_T_camera is None else np.array([settings.up_base]) @ base_T_camera.rotation
    axes = np.broadcast_to(_axes(up), (count, 3, 3))
    tops = [
        _top(frame, box, rows, settings) for box, rows in zip(detections.boxes.astype(np.float64), axes, strict=True)
    ]
    seen = [row for row, top in enumerate(tops) if top is not None]
    if seen:
        sizes = [settings.size_m.get(detections.class_names[class_id], math.nan) for class_id in detections.class_ids]
        measured = np.array([top for top in tops if top is not None])
        unsure = UNKNOWN_UP if base_T_camera is None else 0.0
        points[seen], covariances[seen] = _centers(measured, np.array(sizes)[seen], axes[seen], rays[seen], unsure)
    if base_T_camera is not None:
        points = base_T_camera.apply(points)
        covariances = base_T_camera.rotation @ covariances @ base_T_camera.rotation.T
    return Localized(detections, frame_id, points, covariances)


_Top = tuple[float, float, float, float, float, float, float, float, float]


def _top(frame: Frame, box: Array, axes: Array, settings: LocalizeParameters) -> _Top | None:
    """What is measured of one object's top: footprint (5 figures), height, depth noise, pixel pitch [m], pixels."""
    assert frame.depth is not None
    camera = frame.camera
    patch = cut_patch(frame.depth, frame.depth_scale_m, camera, box, settings.max_pixels, settings.max_depth_m)
    if patch is None:
        return None
    measured = patch.depth_m > 0.0
    seeds = patch.seeds & measured
    if np.count_nonzero(seeds) < settings.min_pixels:
        seeds = measured
        if np.count_nonzero(seeds) < settings.min_pixels:
            return None
    (ax, ay, az), (bx, by, bz), (ux, uy, uz) = axes.tolist()
    heights = (ux * patch.ray_x + uy * patch.ray_y + uz) * patch.depth_m
    depths = patch.depth_m[seeds]
    distance_m = float(depths.sum()) / len(depths)
    noise_m = settings.depth_noise_m + settings.depth_noise_per_m * distance_m * distance_m
    band_m = BAND_M + 2.0 * noise_m
    top_m = top_height(heights[seeds], band_m)
    on_top = connected_to(seeds, measured & (np.abs(heights - top_m) < band_m), ~measured)
    x, y, z = patch.ray_x[on_top], patch.ray_y[on_top], patch.depth_m[on_top]
    if len(z) < settings.min_pixels:
        return None
    pitch_m = distance_m / min(camera.fx, camera.fy)
    cell_m = max(CELL_M, 2.0 * patch.stride * pitch_m)
    area = footprint((ax * x + ay * y + az) * z, (bx * x + by * y + bz) * z, cell_m)
    return (*area, top_m, noise_m, pitch_m, len(z) * float(patch.stride**2))


def _centers(tops: Array, sizes_m: Array, axes: Array, rays: Array, unsure: float) -> tuple[Array, Array]:
    """Centres (N, 3) and covariances (N, 3, 3) in the camera's frame of objects whose tops were measured.

    Args:
        tops: Shape (N, 9), rows of `_top`.
        sizes_m: Shape (N,), NaN where the size is not known [m].
        axes: Shape (N, 3, 3), rows along, across, up.
        rays: Shape (N, 3), unit vectors from the camera.
        unsure: Shift across for each metre of height [m], as a standard deviation.
    """
    along, across, along_m2, across_m2, mixed_m2, top, noise, pitch, pixels = tops.T
    spread_m2 = along_m2 + across_m2
    known = np.isfinite(sizes_m)
    # the trace of a square's second moments is s^2 / 6
    height = np.where(known, sizes_m, np.sqrt(6.0 * spread_m2))
    local = np.stack((along, across, top - 0.5 * height), axis=1)
    centers = np.einsum("nij,ni->nj", axes, local)

    independent = np.maximum(1.0, pixels / CORRELATED_PX)
    moments = np.zeros((len(tops), 3, 3))
    slant_m2 = (BAND_M + 2.0 * noise) ** 2 * (1.0 - np.einsum("nj,nj->n", axes[:, 2], rays) ** 2)
    sideways_m2 = pitch**2 + SLANT_ACROSS**2 * slant_m2 + spread_m2 / (24.0 * independent) + (unsure * height) ** 2
    moments[:, 0, 0] = moments[:, 1, 1] = sideways_m2
    moments[:, 2, 2] = noise**2 / independent + SLANT_UP**2 * slant_m2
    moments[:, 2, 2] += np.where(known, 0.0, (UNKNOWN_HEIGHT * height) ** 2)
    # What lacks of the known size may be on either side: half of it is the standard deviation. The root of a 2 x 2
    # matrix of moments has a closed form.
    root = np.sqrt(np.maximum(along_m2 * across_m2 - mixed_m2**2, 0.0))
    scale = math.sqrt(12.0) / np.sqrt(spread_m2 + 2.0 * root)
    lack_along = 0.5 * (height - scale * (along_m2 + root))
    lack_across = 0.5 * (height - scale * (across_m2 + root))
    lack_mixed = -0.5 * scale * mixed_m2
    moments[:, 0, 0] += lack_along**2 + lack_mixed**2
    moments[:, 1, 1] += lack_across**2 + lack_mixed**2
    moments[:, 0, 1] = moments[:, 1, 0] = lack_mixed * (lack_along + lack_across)
    covariances = axes.transpose(0, 2, 1) @ moments @ axes
    covariances += (SYSTEMATIC * noise)[:, None, None] ** 2 * rays[:, :, None] * rays[:, None, :]
    return centers, covariances


def _rays(pixels: Array, camera: Camera) -> Array:
    """Unit vectors (N, 3) from the camera through pixels (N, 2); straight ahead where the lens sees nothing."""
    rays = deproject(pixels, np.ones(len(pixels)), camera)
    rays = np.where(np.isfinite(rays), rays, (0.0, 0.0, 1.0))
    unit: Array = rays / np.sqrt((rays * rays).sum(axis=1, keepdims=True))
    return unit


def _axes(up: Array) -> Array:
    """Rows (N, 3, 3): two unit vectors across each upward direction (N, 3), then that direction."""
    up = up / np.sqrt((up * up).sum(axis=1, keepdims=True))
    x, y, z = up.T
    none = np.zeros_like(x)
    # the cross product with that one of the camera's x and y axes which is further from the upward direction
    along = np.where((np.abs(x) < np.abs(y))[:, None], np.stack((none, -z, y), 1), np.stack((z, none, -x), 1))
    along /= np.sqrt((along * along).sum(axis=1, keepdims=True))
    a, b, c = along.T
    across = np.stack((y * c - z * b, z * a - x * c, x * b - y * a), axis=1)  # up x along; np.cross takes far longer
    return np.stack((along, across, up), axis=1)
