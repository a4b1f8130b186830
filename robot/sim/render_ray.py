"""Rendering by ray casting, for machines without system OpenGL.

Rays are traced on every second pixel both ways. Depth in between follows from interpolating 1/z, which is exact on flat
faces; pixels near the border between two surfaces, or on curved ones, get a ray of their own. Shading is Lambert's law
from the geoms' colours and the scene's lights, without shadows.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from deploy.errors import require
from geometry.types import Array, BoolArray
from robot.sim.layout import CAMERA_NAME
from robot.sim.picture_size import FULL_SIZE, Size
from robot.sim.render import DepthMetres, Rendering
from robot.sim.shading import Shader
from robot.sim.snapshot import Snapshot

_FAR_M = 20.0
_STEP = 2
# 1/z is linear in the pixels of a plane; an edge of a box, or a curved surface, bends it by more than this part.
_BEND = 2e-4


class RayRenderer:
    """Colour, depth and geom ids from `mj_multiRay`; needs no OpenGL."""

    name = "raycast"

    def __init__(self, threads: int = 1, reason: str = "asked for") -> None:
        self.reason = reason
        self._mujoco = require("mujoco", "sim")
        self._threads = max(1, threads)
        self._pool = ThreadPoolExecutor(self._threads) if self._threads > 1 else None
        self._model: Any = None
        self._data: Any = None
        self._shader: Shader | None = None
        self._rays: dict[tuple[float, Size], tuple[Array, Array]] = {}

    def render(
        self,
        snapshot: Snapshot,
        camera: str = CAMERA_NAME,
        *,
        segmentation: bool = False,
        size_px: Size = FULL_SIZE,
    ) -> Rendering:
        """Render one view; see `Renderer`.

        Raises:
            ValueError: If a side of the picture is odd.
        """
        width, height = size_px
        if width % _STEP or height % _STEP:
            raise ValueError(f"image {width}x{height}: expected even sides")
        mj = self._mujoco
        if snapshot.model is not self._model:
            self._model, self._data = snapshot.model, mj.MjData(snapshot.model)
            self._shader = Shader(snapshot.model, snapshot.scene)
        model, data = self._model, self._data
        data.qpos[:] = snapshot.qpos
        mj.mj_kinematics(model, data)
        mj.mj_comPos(model, data)
        mj.mj_camlight(model, data)
        camera_id = int(model.camera(camera).id)
        eye = np.array(data.cam_xpos[camera_id])
        # MuJoCo's camera frame has y up and looks along -z; the optical one has y down and looks along z.
        turn = np.array(data.cam_xmat[camera_id]).reshape(3, 3) * np.array([1.0, -1.0, -1.0])
        coarse, fine = self._directions(float(model.cam_fovy[camera_id]), size_px)

        assert self._shader is not None
        shape = (height // _STEP, width // _STEP)
        ids, depth = self._trace(eye, coarse, turn)
        color = self._shader.shade(data, eye, coarse @ turn.T, depth, ids).reshape(*shape, 3)
        grid_ids, grid_inverse = ids.reshape(shape), (1.0 / depth).astype(np.float32).reshape(shape)

        geom_ids = np.repeat(np.repeat(grid_ids, _STEP, axis=0), _STEP, axis=1)
        full_color = cv2.resize(color, size_px, interpolation=cv2.INTER_LINEAR)
        depth_m = 1.0 / cv2.resize(grid_inverse, size_px, interpolation=cv2.INTER_LINEAR)

        retrace = self._uncertain(grid_ids, grid_inverse)
        rays = fine[retrace.ravel()]
        ids, depth = self._trace(eye, rays, turn)
        geom_ids[retrace] = ids
        depth_m[retrace] = depth
        full_color[retrace] = self._shader.shade(data, eye, rays @ turn.T, depth, ids)
        depth_m[geom_ids < 0] = np.inf
        image = np.clip(full_color * 255.0 + 0.5, 0.0, 255.0).astype(np.uint8)
        return Rendering(image, depth_m, geom_ids if segmentation else None)

    def close(self) -> None:
        """End the threads."""
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None

    def _directions(self, fovy: float, size_px: Size) -> tuple[Array, Array]:
        """Directions of the coarse and the fine rays in the optical frame, with z = 1, shapes (h * w, 3)."""
        if (fovy, size_px) not in self._rays:
            width, height = size_px
            focal = height / 2 / np.tan(np.radians(fovy) / 2)
            v, u = np.mgrid[0:height, 0:width].astype(np.float64)
            fine = np.stack([(u - (width - 1) / 2) / focal, (v - (height - 1) / 2) / focal, np.ones_like(u)], axis=-1)
            # The middle of each 2x2 block, where cv2.resize takes the coarse samples to be.
            coarse = 0.25 * (fine[0::2, 0::2] + fine[1::2, 0::2] + fine[0::2, 1::2] + fine[1::2, 1::2])
            self._rays[fovy, size_px] = (coarse.reshape(-1, 3), fine.reshape(-1, 3))
        return self._rays[fovy, size_px]

    def _trace(self, eye: Array, directions: Array, turn: Array) -> tuple[npt.NDArray[np.int32], Array]:
        """Cast rays given in the optical frame with z = 1; return geom ids (-1 = none) and depth along the axis [m]."""
        count = len(directions)
        ids, distance = np.full(count, -1, dtype=np.int32), np.full(count, -1.0)
        if count == 0:
            return ids, distance
        length = np.linalg.norm(directions, axis=1)
        world = np.ascontiguousarray((directions / length[:, None]) @ turn.T)
        chunks = np.array_split(np.arange(count), self._threads)
        jobs = [(world[c[0] : c[-1] + 1], ids[c[0] : c[-1] + 1], distance[c[0] : c[-1] + 1]) for c in chunks if len(c)]
        if self._pool is None:
            for job in jobs:
                self._cast(eye, *job)
        else:
            for future in [self._pool.submit(self._cast, eye, *job) for job in jobs]:
                future.result()
        depth = np.where(ids >= 0, distance / length, _FAR_M)
        return ids, depth

    def _cast(self, eye: Array, vectors: Array, ids: npt.NDArray[np.int32], distance: Array) -> None:
        mj = self._mujoco
        groups = np.array([1, 1, 1, 0, 0, 0], dtype=np.uint8)
        arguments = (self._model, self._data, eye, vectors.reshape(-1), groups, True, -1, ids, distance)
        if _has_normals(mj):
            mj.mj_multiRay(*arguments, None, len(ids), mj.mjMAXVAL)
        else:
            mj.mj_multiRay(*arguments, len(ids), mj.mjMAXVAL)

    def _uncertain(self, ids: npt.NDArray[np.int32], inverse: npt.NDArray[np.float32]) -> BoolArray:
        """Fine pixels whose value the coarse rays do not settle: near a change of geom, or where 1/z is not linear."""
        kernel = np.ones((3, 3), dtype=np.uint8)
        code = (ids + 1).astype(np.uint8)
        border = cv2.dilate(code, kernel) != cv2.erode(code, kernel)
        bend = np.abs(cv2.Laplacian(inverse, cv2.CV_32F, ksize=1)) > _BEND * inverse
        coarse = border | cv2.dilate(bend.astype(np.uint8), kernel).astype(bool)
        return np.repeat(np.repeat(coarse, _STEP, axis=0), _STEP, axis=1)


def _has_normals(mujoco: Any) -> bool:
    """MuJoCo 3.5 put an output for normals into the signature."""
    return "normal" in (mujoco.mj_multiRay.__doc__ or "")


__all__ = ["DepthMetres", "RayRenderer"]
