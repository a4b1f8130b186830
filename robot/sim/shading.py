"""Colours for ray-cast pixels: texture or plain colour, times Lambert's law over the scene's lights."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from deploy.errors import require
from geometry.types import Array, Image
from robot.sim.scene import SceneSpec


class Shader:
    """Shades hits of one model. Everything that does not change between frames is read once."""

    def __init__(self, model: Any, scene: SceneSpec) -> None:
        mj = require("mujoco", "sim")
        self._types = {
            "plane": int(mj.mjtGeom.mjGEOM_PLANE),
            "sphere": int(mj.mjtGeom.mjGEOM_SPHERE),
            "capsule": int(mj.mjtGeom.mjGEOM_CAPSULE),
            "cylinder": int(mj.mjtGeom.mjGEOM_CYLINDER),
        }
        self._scene = scene
        self._geom_type = np.array(model.geom_type)
        self._size = np.array(model.geom_size)
        self._rgb = np.array(model.geom_rgba[:, :3])
        self._texture: dict[int, tuple[Image, float]] = {}
        for geom in range(model.ngeom):
            material = int(model.geom_matid[geom])
            if material >= 0:
                self._texture[geom] = _texture_of(mj, model, material)

    def shade(
        self, data: Any, eye: Array, rays: Array, depth_m: Array, geom_ids: npt.NDArray[np.int32]
    ) -> npt.NDArray[np.float32]:
        """Colour what rays hit.

        Args:
            data: The `mujoco.MjData` with the poses of the geoms.
            eye: Shape (3,), camera in world [m].
            rays: Shape (N, 3), directions in world, one metre long along the camera's axis.
            depth_m: Shape (N,), distance of the hits along that axis [m].
            geom_ids: Shape (N,), geom of each hit, -1 for the sky.

        Returns:
            Shape (N, 3), BGR; 1 is white, and more is possible.
        """
        bgr = np.empty((len(rays), 3), dtype=np.float32)
        sky = geom_ids < 0
        bgr[sky] = self._sky(rays[sky])[:, ::-1]
        for geom in np.unique(geom_ids[~sky]):
            rows = np.flatnonzero(geom_ids == geom)
            toward_eye = -rays[rows] * depth_m[rows, None]
            hits = eye - toward_eye
            turn = np.array(data.geom_xmat[geom]).reshape(3, 3)
            local = (hits - data.geom_xpos[geom]) @ turn
            normal = self._normals(int(geom), local) @ turn.T
            normal *= np.where(np.einsum("ij,ij->i", normal, toward_eye) < 0.0, -1.0, 1.0)[:, None]
            bgr[rows] = (self._albedo(int(geom), local) * self._light(hits, normal, toward_eye))[:, ::-1]
        return bgr

    def _sky(self, rays: Array) -> Array:
        up = 0.5 + 0.5 * rays[:, 2:3] / np.linalg.norm(rays, axis=1, keepdims=True)
        top, bottom = (np.array(color) for color in self._scene.sky_rgb)
        return np.asarray(top * up + bottom * (1.0 - up))

    def _normals(self, geom: int, local: Array) -> Array:
        """Outward normals in the geom's frame, shape (N, 3)."""
        kind, size = int(self._geom_type[geom]), self._size[geom]
        normal = np.zeros_like(local)
        if kind == self._types["plane"]:
            normal[:, 2] = 1.0
        elif kind == self._types["sphere"]:
            normal = local / size[0]
        elif kind == self._types["capsule"]:
            axis = np.clip(local[:, 2], -size[1], size[1])
            normal = local - np.stack([np.zeros_like(axis), np.zeros_like(axis), axis], axis=1)
            normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
        elif kind == self._types["cylinder"]:
            cap = np.abs(local[:, 2]) / size[1] > np.hypot(local[:, 0], local[:, 1]) / size[0]
            normal[cap, 2] = np.sign(local[cap, 2])
            normal[~cap, :2] = local[~cap, :2] / size[0]
        else:
            face = np.argmax(np.abs(local) / size, axis=1)
            rows = np.arange(len(local))
            normal[rows, face] = np.sign(local[rows, face])
        return normal

    def _albedo(self, geom: int, local: Array) -> Array:
        if geom not in self._texture:
            return np.broadcast_to(self._rgb[geom], local.shape)
        image, repeat = self._texture[geom]
        height, width = image.shape[:2]
        span = 2.0 * np.maximum(self._size[geom][:2], 1e-6)
        cell = (local[:, :2] / span + 0.5) * repeat
        u = (np.floor(cell[:, 0] * width).astype(np.int64)) % width
        v = (np.floor(cell[:, 1] * height).astype(np.int64)) % height
        return np.asarray(image[v, u] / 255.0)

    def _light(self, hits: Array, normal: Array, toward_eye: Array) -> Array:
        """Light that a white surface would send back, shape (N, 3)."""
        scene = self._scene
        total = np.full_like(hits, scene.ambient)
        eye_direction = toward_eye / np.linalg.norm(toward_eye, axis=1, keepdims=True)
        total += 0.05 * np.maximum(np.einsum("ij,ij->i", normal, eye_direction), 0.0)[:, None]
        for light in scene.lights:
            to_light = np.array(light.position_m) - hits
            to_light /= np.linalg.norm(to_light, axis=1, keepdims=True)
            facing = np.maximum(np.einsum("ij,ij->i", normal, to_light), 0.0)
            spot = np.maximum(-(to_light @ np.array(light.direction)), 0.0)
            total += (facing * spot)[:, None] * np.array(light.diffuse)
        return total


def _texture_of(mj: Any, model: Any, material: int) -> tuple[Image, float]:
    texture = int(np.asarray(model.mat_texid[material])[int(mj.mjtTextureRole.mjTEXROLE_RGB)])
    height, width = int(model.tex_height[texture]), int(model.tex_width[texture])
    channels, start = int(model.tex_nchannel[texture]), int(model.tex_adr[texture])
    pixels = np.array(model.tex_data[start : start + height * width * channels], dtype=np.uint8)
    return pixels.reshape(height, width, channels)[:, :, :3], float(model.mat_texrepeat[material][0])
