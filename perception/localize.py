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
from perception.any_size import place_of_any
from perception.detections import Detections
from perception.frame import Frame
from perception.known_size import fills_box, places_of_size
from perception.patches import cut_patches
from perception.places import Places
from perception.relief import relief_of, view_of

FrameId = Literal["base", "camera"]

# Shift across for each metre of height where the upward direction is guessed from the view, as a standard deviation.
UNKNOWN_UP = 0.15
# Shift of a surface by pixels of other things at its height, as a part of one pixel's noise: it does not average out.
STRANGERS = 0.04


@dataclass(frozen=True, slots=True)
class LocalizeParameters:
    """What is known about the objects and the depth sensor.

    Attributes:
        size_m: Edge length by class name [m] of objects that are as high as they are wide. The height of a class that
            is not listed is measured against what lies beside it, or taken to be its width; its covariance says how
            little that is worth.
        up_base: Direction away from the ground in the base frame; another than z for an arm on a wall or a ceiling.
        depth_noise_m: Standard deviation of one pixel's depth close to the camera [m]; the defaults of this and of the
            next three are those of a D435.
        depth_noise_per_m: Its growth with the squared depth [m per m^2].
        depth_bias: Standard deviation of what all pixels on an object have in common, so that it stays however many
            they are, as a part of one pixel's.
        correlated_px: How many neighbouring pixels share one error: stereo matching smears depth over windows.
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
    depth_bias: float = 0.8
    correlated_px: float = 16.0

    def __post_init__(self) -> None:
        positive = {f"size_m[{name}]": size for name, size in self.size_m.items()}
        positive |= {
            name: getattr(self, name)
            for name in ("depth_noise_m", "max_depth_m", "min_pixels", "max_pixels", "correlated_px")
        }
        positive["length of up_base"] = math.hypot(*self.up_base)
        for name, value in positive.items():
            if not (math.isfinite(value) and value > 0.0):
                raise BadInput(f"{name} is {value}: expected > 0")
        for name in ("depth_noise_per_m", "depth_bias"):
            if not (math.isfinite(value := getattr(self, name)) and value >= 0.0):
                raise BadInput(f"{name} is {value}: expected >= 0")


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

    Of an object whose size is known, the top is looked for among the level surfaces in the box, and a square of that
    size is laid over what is seen of it: what is hidden behind something else or lies outside the image is completed,
    and the covariance says where nothing in sight holds it in place (`perception.known_size`). Of any other object the
    middle of the top's footprint, seen from above, is the middle of the object whatever its yaw and from wherever it is
    seen, and its height is that above what lies beside it (`perception.any_size`).

    The covariance has a part from the geometry (how well places beside this one, and other surfaces, fit what is seen;
    the pixels' distance), one from the sensor's noise, which averages out over the object, and one along the viewing
    ray, which does not.

    Args:
        detections: Boxes in the pixels of `frame`; if they come with masks, only what is in its mask is taken to be of
            the object.
        frame: The frame that they were found in; without depth every row is NaN.
        base_T_camera: Pose of the camera at the time of exposure. None if it is not known: then points are in the
            camera's frame, and the direction towards the camera stands for upwards, which costs some millimetres.
        parameters: What is known about objects and sensor.

    Returns:
        One row for each detection; NaN where the depth in the box says nothing.
    """
    settings = parameters or LocalizeParameters()
    count = len(detections)
    frame_id: FrameId = "camera" if base_T_camera is None else "base"
    if frame.depth is None or not count:
        return Localized(detections, frame_id, np.full((count, 3), np.nan), np.full((count, 3, 3), np.nan))

    camera = frame.camera
    patches = cut_patches(
        frame.depth, frame.depth_scale_m, camera, detections.boxes.astype(np.float64), settings.max_pixels,
        settings.max_depth_m, detections.masks,
    )  # fmt: skip
    rays, edges = _rays(detections, camera)
    up = -rays if base_T_camera is None else np.array([settings.up_base]) @ base_T_camera.rotation
    axes = np.broadcast_to(np.array([_axes(*direction) for direction in up.tolist()]), (count, 3, 3))
    noise = settings.depth_noise_m, settings.depth_noise_per_m
    relief = relief_of(patches, axes, min(camera.fx, camera.fy), noise, settings.min_pixels)
    sizes = np.array([settings.size_m.get(detections.class_names[number], math.nan) for number in detections.class_ids])
    places = Places.unknown(count)
    clear = np.isfinite(relief.distance_m)
    known = np.flatnonzero(clear & np.isfinite(sizes))
    if base_T_camera is not None and len(known):
        part = relief if len(known) == count else relief.take(known)
        places.put(known, places_of_size(part, edges[known], sizes[known], axes[0], settings.min_pixels))
    unsure_up = UNKNOWN_UP if base_T_camera is None else 0.0
    for row in np.flatnonzero(clear & places.doubtful).tolist():
        view = view_of(relief, patches, row)
        found = bool(np.isfinite(places.mean_m[row, 0]))
        place = place_of_any(view, float(sizes[row]), settings.min_pixels, unsure_up, whole=found)
        if place is not None and (not found or fills_box(place.mean_m @ axes[row], edges[row], float(sizes[row]))):
            places.put(row, place)

    points = np.einsum("nij,ni->nj", axes, places.mean_m)
    pixels = places.pixels * patches.stride**2
    moments = places.covariance_m2
    averaged = 1.0 / np.maximum(pixels / settings.correlated_px, 1.0)
    moments[:, 2, 2] += relief.noise_m**2 * (averaged + STRANGERS**2)
    common_m = settings.depth_bias * relief.noise_m[:, None] * rays
    covariances = axes.transpose(0, 2, 1) @ moments @ axes + common_m[:, :, None] * common_m[:, None, :]
    if base_T_camera is not None:
        points = base_T_camera.apply(points)
        covariances = base_T_camera.rotation @ covariances @ base_T_camera.rotation.T
    return Localized(detections, frame_id, points, covariances)


def _rays(detections: Detections, camera: Camera) -> tuple[Array, Array]:
    """Unit vectors (N, 3) through the boxes' middles, and the boxes' edges (N, 4) as X / Z and Y / Z.

    Straight ahead, and without an edge (infinite), where the lens sees nothing.
    """
    size = camera.width, camera.height
    left, top, right, bottom = np.clip(detections.boxes.astype(np.float64), 0.0, (*size, *size)).T - 0.5
    u, v = 0.5 * (left + right), 0.5 * (top + bottom)
    x, y = _directions(np.array((u, left, u, right, u)), np.array((v, v, top, v, bottom)), camera)
    rays = np.stack((x[0], y[0], np.ones(len(u))), axis=1)
    rays[~np.isfinite(rays).all(axis=1)] = 0.0, 0.0, 1.0
    edges = np.stack((x[1], y[2], x[3], y[4]), axis=1)
    edges = np.where(np.isfinite(edges), edges, (np.inf, np.inf, -np.inf, -np.inf))
    return rays / np.sqrt((rays * rays).sum(axis=1, keepdims=True)), edges


def _directions(u: Array, v: Array, camera: Camera) -> tuple[Array, Array]:
    """X / Z and Y / Z of pixels of any shape."""
    if not camera.distortion:
        return (u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy
    rays = deproject(np.stack((u.ravel(), v.ravel()), axis=1), np.ones(u.size), camera)
    return rays[:, 0].reshape(u.shape), rays[:, 1].reshape(u.shape)


def _axes(x: float, y: float, z: float) -> list[tuple[float, float, float]]:
    """Two unit vectors across an upward direction, then that direction: along, across, up."""
    length = math.sqrt(x * x + y * y + z * z)
    x, y, z = x / length, y / length, z / length
    # the cross product with that one of the camera's x and y axes which is further from the upward direction
    a, b, c = (0.0, -z, y) if abs(x) < abs(y) else (z, 0.0, -x)
    length = math.sqrt(a * a + b * b + c * c)
    a, b, c = a / length, b / length, c / length
    return [(a, b, c), (y * c - z * b, z * a - x * c, x * b - y * a), (x, y, z)]
