"""Ground-truth boxes from a rendering: what is visible of each object, and how much of it that is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from deploy.errors import require
from geometry.types import Array
from robot.sim.layout import FOCAL_PX, IMAGE_HEIGHT, IMAGE_WIDTH
from robot.sim.render import GeomIds

_NEAREST_M = 0.02


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """Objects in one image, row by row.

    Attributes:
        boxes: Shape (N, 4), x1 y1 x2 y2 edges [px] around the visible pixels.
        class_ids: Shape (N,), 0 = red_cube, 1 = distractor.
        visible_px: Shape (N,), pixels that show the object.
        visible_fraction: Shape (N,), those pixels over the area of the whole silhouette, also outside the image.
    """

    boxes: npt.NDArray[np.float32]
    class_ids: npt.NDArray[np.int32]
    visible_px: npt.NDArray[np.int64]
    visible_fraction: Array

    def __len__(self) -> int:
        return len(self.class_ids)

    def clear(self, min_px: int = 60, min_fraction: float = 0.25) -> npt.NDArray[np.bool_]:
        """Rows that a detector must find: enough pixels, and enough of the object."""
        return np.asarray((self.visible_px >= min_px) & (self.visible_fraction >= min_fraction))

    def select(self, rows: npt.NDArray[np.bool_]) -> Labels:
        """Keep some rows."""
        return Labels(self.boxes[rows], self.class_ids[rows], self.visible_px[rows], self.visible_fraction[rows])


def label(model: Any, data: Any, camera: str, geom_ids: GeomIds) -> Labels:
    """Measure the objects in a rendering.

    Args:
        model: The `mujoco.MjModel`.
        data: The `mujoco.MjData` with the poses that were rendered.
        camera: Name of the camera.
        geom_ids: Shape (H, W), geom of each pixel.
    """
    boxes, classes, pixels, fractions = [], [], [], []
    for geom in range(model.ngeom):
        name = model.geom(geom).name
        if name != "cube" and not name.startswith("distractor_"):
            continue
        mask = geom_ids == geom
        count = int(mask.sum())
        if count == 0:
            continue
        columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
        boxes.append((columns[0], rows[0], columns[-1] + 1, rows[-1] + 1))
        classes.append(0 if name == "cube" else 1)
        pixels.append(count)
        fractions.append(min(1.0, count / max(silhouette_px(model, data, camera, geom), 1.0)))
    return Labels(
        np.array(boxes, dtype=np.float32).reshape(-1, 4),
        np.array(classes, dtype=np.int32),
        np.array(pixels, dtype=np.int64),
        np.array(fractions, dtype=np.float64),
    )


def silhouette_px(model: Any, data: Any, camera: str, geom: int) -> float:
    """Area of a convex geom's outline in the image plane [px^2], whether or not the image holds it."""
    points = _surface(model, geom) @ np.array(data.geom_xmat[geom]).reshape(3, 3).T + data.geom_xpos[geom]
    camera_id = int(model.camera(camera).id)
    turn = np.array(data.cam_xmat[camera_id]).reshape(3, 3) * np.array([1.0, -1.0, -1.0])
    seen = (points - data.cam_xpos[camera_id]) @ turn
    depth = np.maximum(seen[:, 2], _NEAREST_M)
    u = FOCAL_PX * seen[:, 0] / depth + (IMAGE_WIDTH - 1) / 2
    v = FOCAL_PX * seen[:, 1] / depth + (IMAGE_HEIGHT - 1) / 2
    hull = cv2.convexHull(np.stack([u, v], axis=1).astype(np.float32))
    return float(cv2.contourArea(hull))


def _surface(model: Any, geom: int) -> Array:
    """Points whose hull is the geom, shape (N, 3) in its own frame [m]."""
    size = np.array(model.geom_size[geom], dtype=np.float64)
    kind = int(model.geom_type[geom])
    types = require("mujoco", "sim").mjtGeom
    angle = np.linspace(-math.pi, math.pi, 33)[:-1]
    points: Array
    if kind == types.mjGEOM_BOX:
        points = np.array([(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) * size
    elif kind == types.mjGEOM_CYLINDER:
        points = _rings(angle, np.array([size[0], size[0]]), np.array([-size[1], size[1]]))
    elif kind == types.mjGEOM_SPHERE:
        lift = np.linspace(-1.0, 1.0, 17)
        points = _rings(angle, np.sqrt(1.0 - lift**2), lift) * size[0]
    else:
        raise ValueError(f"geom {geom} is of type {kind}: only boxes, cylinders and spheres are labelled")
    return points


def _rings(angle: Array, radius: Array, height: Array) -> Array:
    """Circles about z, shape (len(radius) * len(angle), 3)."""
    around = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    rings = [np.column_stack([around * r, np.full(len(angle), z)]) for r, z in zip(radius, height, strict=True)]
    return np.concatenate(rings)
