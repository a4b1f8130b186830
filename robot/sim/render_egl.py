"""Rendering by OpenGL without a window, through EGL: a GPU's driver, or Mesa's software one."""

from __future__ import annotations

import copy
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from deploy.errors import require
from robot.sim.layout import CAMERA_NAME, IMAGE_HEIGHT
from robot.sim.picture_size import FULL_SIZE, Size
from robot.sim.render import DepthMetres, GeomIds, Rendering
from robot.sim.snapshot import Snapshot


class _Canvas:
    """An OpenGL context of its own, and the model in it; to be used in one thread."""

    def __init__(self, shadows: int) -> None:
        """Make the context; its shadow map has the model's resolution divided by `shadows`."""
        self._mujoco = require("mujoco", "sim")
        self._gl: Any = require("mujoco.egl", "sim").GLContext(*FULL_SIZE)
        self._shadows = shadows
        self._model: Any = None
        self._context: Any = None

    def show(self, model: Any) -> Any:
        """Make it current, with this model loaded: its `mujoco.MjrContext`."""
        mj = self._mujoco
        self._gl.make_current()
        if model is not self._model:
            if self._context is not None:
                self._context.free()
            self._model = model
            if self._shadows > 1:
                model = copy.copy(model)  # nobody writes to the world's own
                model.vis.quality.shadowsize //= self._shadows
            self._context = mj.MjrContext(model, mj.mjtFontScale.mjFONTSCALE_50)
            mj.mjr_setBuffer(mj.mjtFramebuffer.mjFB_OFFSCREEN, self._context)
            self._context.readDepthMap = mj.mjtDepthMap.mjDEPTH_ZEROFAR
        return self._context

    def free(self) -> None:
        """Free the context."""
        if self._context is not None:
            self._gl.make_current()
            self._context.free()
        self._gl.free()


class EglRenderer:
    """Colour and depth in one pass of MuJoCo's OpenGL renderer; geom ids in a second one when they are asked for.

    An OpenGL context belongs to one thread at a time, so the renderer has a thread of its own: any thread may call it.
    A smaller picture is a corner of the same buffer, and a small one has a coarser shadow map: half of what a full one
    takes on software OpenGL is shadows.
    """

    name = "egl"

    def __init__(self, reason: str = "asked for") -> None:
        self.reason = reason
        self._mujoco = require("mujoco", "sim")
        self._thread: ThreadPoolExecutor | None = ThreadPoolExecutor(1, thread_name_prefix="egl")
        self._canvases: dict[int, _Canvas] = {1: self._thread.submit(_Canvas, 1).result()}
        self._model: Any = None
        self._scene: Any = None
        self._data: Any = None
        self._camera = self._mujoco.MjvCamera()
        self._option = self._mujoco.MjvOption()

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
            RuntimeError: If the renderer was closed.
            ValueError: If the picture is larger than the simulated camera's.
        """
        if any(side > limit for side, limit in zip(size_px, FULL_SIZE, strict=True)):
            raise ValueError(f"picture of {size_px} px: expected at most {FULL_SIZE}")
        if self._thread is None:
            raise RuntimeError("the renderer was closed: make a new one")
        return self._thread.submit(self._render, snapshot, camera, segmentation, size_px).result()

    def _render(self, snapshot: Snapshot, camera: str, segmentation: bool, size_px: Size) -> Rendering:
        mj, model = self._mujoco, snapshot.model
        if model is not self._model:
            self._model, self._data, self._scene = model, mj.MjData(model), mj.MjvScene(model, maxgeom=200)
        self._data.qpos[:] = snapshot.qpos
        mj.mj_kinematics(self._model, self._data)
        mj.mj_camlight(self._model, self._data)
        self._camera.type = mj.mjtCamera.mjCAMERA_FIXED
        self._camera.fixedcamid = self._model.camera(camera).id
        mj.mjv_updateScene(
            self._model, self._data, self._option, None, self._camera, mj.mjtCatBit.mjCAT_ALL, self._scene
        )
        width, height = size_px
        rect, context = mj.MjrRect(0, 0, width, height), self._canvas(height).show(model)
        color = np.empty((height, width, 3), dtype=np.uint8)
        buffer = np.empty((height, width), dtype=np.float32)
        mj.mjr_render(rect, self._scene, context)
        mj.mjr_readPixels(color, buffer, rect, context)
        depth_m = np.ascontiguousarray(self._metres(buffer)[::-1])
        geom_ids = self._segment(rect, context) if segmentation else None
        return Rendering(np.ascontiguousarray(color[::-1, :, ::-1]), depth_m, geom_ids)

    def close(self) -> None:
        """Free the OpenGL context and end its thread."""
        if self._thread is not None:
            self._thread.submit(self._free).result()
            self._thread.shutdown()
            self._thread = None

    def _free(self) -> None:
        for canvas in self._canvases.values():
            canvas.free()

    def _canvas(self, height: int) -> _Canvas:
        """What pictures of this height are drawn on. Two models in one OpenGL context would change each other."""
        shadows = 2 if height <= IMAGE_HEIGHT // 2 else 1
        if shadows not in self._canvases:
            self._canvases[shadows] = _Canvas(shadows)
        return self._canvases[shadows]

    def _metres(self, buffer: DepthMetres) -> DepthMetres:
        """Undo the projection: the reversed z buffer is 1 at the near plane and 0 at the far one, linear in 1/z."""
        extent = float(self._model.stat.extent)
        near, far = float(self._model.vis.map.znear) * extent, float(self._model.vis.map.zfar) * extent
        inverse = buffer.astype(np.float64) * (1.0 / near - 1.0 / far) + 1.0 / far
        depth_m = (1.0 / inverse).astype(np.float32)
        depth_m[buffer <= 0.0] = np.inf
        return depth_m

    def _segment(self, rect: Any, context: Any) -> GeomIds:
        mj, scene = self._mujoco, self._scene
        flags = (mj.mjtRndFlag.mjRND_SEGMENT, mj.mjtRndFlag.mjRND_IDCOLOR)
        for flag in flags:
            scene.flags[flag] = 1
        try:
            mj.mjr_render(rect, scene, context)
            codes = np.empty((rect.height, rect.width, 3), dtype=np.uint8)
            mj.mjr_readPixels(codes, None, rect, context)
        finally:
            for flag in flags:
                scene.flags[flag] = 0
        segment = codes[:, :, 0].astype(np.int32) + codes[:, :, 1].astype(np.int32) * 256
        table = np.full(scene.ngeom + 1, -1, dtype=np.int32)
        for geom in scene.geoms[: scene.ngeom]:
            if geom.segid >= 0 and geom.objtype == mj.mjtObj.mjOBJ_GEOM:
                table[geom.segid + 1] = geom.objid
        return np.ascontiguousarray(table[segment][::-1])
