"""Depth images of boxes and balls on a table, by intersecting every pixel's ray: an exact world without a simulator."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from geometry import Camera, Pose, deproject, project
from geometry.types import Array, DepthImage
from perception.detections import Detections
from perception.frame import Frame

CAMERA = Camera(640, 480, 608.0, 608.0, 319.5, 239.5)
SCALE_M = 0.001


@dataclass(frozen=True)
class Solid:
    """A box (three half sizes) or, with one figure, a ball; base frame, metres."""

    center: tuple[float, float, float]
    half: tuple[float, ...] = (0.02, 0.02, 0.02)
    yaw: float = 0.0


def looking_at(eye: Array, target: Array, roll: float = 0.0) -> Pose:
    """base_T_camera of a camera at `eye` whose optical axis goes through `target`, turned about it."""
    forward = (target - eye) / np.linalg.norm(target - eye)
    right = np.cross(forward, (0.0, 0.0, 1.0) if abs(forward[2]) < 0.999 else (0.0, 1.0, 0.0))
    right /= np.linalg.norm(right)
    base_T_unrolled = np.eye(4)
    base_T_unrolled[:3] = np.stack((right, np.cross(forward, right), forward, eye), axis=1)
    return Pose.from_matrix(base_T_unrolled) @ Pose.from_rotvec((0.0, 0.0, roll), np.zeros(3))


@lru_cache(maxsize=4)
def _rays(camera: Camera) -> Array:
    v, u = np.indices((camera.height, camera.width), dtype=np.float64)
    rays = deproject(np.stack((u.ravel(), v.ravel()), axis=1), np.ones(u.size), camera)
    return rays.reshape(camera.height, camera.width, 3)


def render(base_T_camera: Pose, solids: list[Solid], camera: Camera = CAMERA) -> tuple[Array, np.ndarray]:
    """Depth (H, W) [m] along the optical axis, and which solid (1, 2, ...) a pixel shows; 0 is the table at z = 0."""
    rays, eye = _rays(camera), base_T_camera.translation
    down = rays @ base_T_camera.rotation[2]
    with np.errstate(divide="ignore", invalid="ignore"):
        depth = np.where(down < 0.0, -eye[2] / down, np.inf)
        shown = np.zeros(depth.shape, dtype=np.int64)
        for number, solid in enumerate(solids, start=1):
            window = _window(base_T_camera, solid, camera)
            directions = rays[window] @ base_T_camera.rotation.T
            hit = _ball(eye, directions, solid) if len(solid.half) == 1 else _box(eye, directions, solid)
            nearer = hit < depth[window]
            depth[window] = np.where(nearer, hit, depth[window])
            shown[window] = np.where(nearer, number, shown[window])
    return depth, shown


def _window(base_T_camera: Pose, solid: Solid, camera: Camera) -> tuple[slice, slice]:
    """The part of the image that a solid can be in."""
    center = base_T_camera.inverse().apply(np.array([solid.center]))
    radius = float(np.linalg.norm(solid.half))
    reach = 20.0 + 1.5 * camera.fx * radius / max(0.01, float(center[0, 2]) - radius)
    (u, v), size = project(center, camera)[0], (camera.height, camera.width)
    return tuple(slice(max(0, int(at - reach)), min(n, int(at + reach))) for at, n in zip((v, u), size, strict=True))


def _box(eye: Array, directions: Array, solid: Solid) -> Array:
    solid_T_base = Pose.from_rotvec((0.0, 0.0, solid.yaw), solid.center).inverse()
    origin, along = solid_T_base.apply(eye), directions @ solid_T_base.rotation.T
    first, second = (-np.array(solid.half) - origin) / along, (np.array(solid.half) - origin) / along
    near, far = np.minimum(first, second).max(axis=-1), np.maximum(first, second).min(axis=-1)
    return np.where((near < far) & (near > 0.0), near, np.inf)


def _ball(eye: Array, directions: Array, solid: Solid) -> Array:
    offset = eye - np.array(solid.center)
    a, b = (directions**2).sum(axis=-1), directions @ offset
    root = b * b - a * (offset @ offset - solid.half[0] ** 2)
    return np.where(root > 0.0, (-b - np.sqrt(np.abs(root))) / a, np.inf)


def measure(depth_m: Array, rng: np.random.Generator, noise_m: float = 0.0, holes: float = 0.0) -> DepthImage:
    """A sensor's image of a depth: noise, whole millimetres, pixels without a measurement."""
    noisy = np.where(np.isfinite(depth_m), depth_m, 0.0) + rng.normal(0.0, noise_m, depth_m.shape)
    image = np.clip(np.round(noisy / SCALE_M), 0, 65535).astype(np.uint16)
    image[rng.random(image.shape) < holes] = 0
    return image


def box_around(shown: np.ndarray, number: int) -> Array:
    """x1, y1, x2, y2 edges [px] of what is shown of a solid."""
    v, u = np.nonzero(shown == number)
    return np.array([u.min(), v.min(), u.max() + 1, v.max() + 1], dtype=np.float64)


def frame_of(depth: DepthImage | None, camera: Camera = CAMERA, scale_m: float = SCALE_M) -> Frame:
    color = np.zeros((camera.height, camera.width, 3), np.uint8)
    return Frame("wrist", 3, 1_000, 2_000, color, depth, scale_m, camera)


def detections_of(boxes: object, names: tuple[str, ...] = ("red_cube",), ids: list[int] | None = None) -> Detections:
    rows = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    return Detections("wrist", 3, 1_000, rows, np.full(len(rows), 0.9), ids or [0] * len(rows), names)
