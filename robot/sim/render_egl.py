"""Rendering by OpenGL without a window, through EGL: a GPU's driver, or Mesa's software one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from deploy.errors import require
from robot.sim.layout import CAMERA_NAME, IMAGE_HEIGHT, IMAGE_WIDTH
from robot.sim.render import DepthMetres, GeomIds, Rendering
from robot.sim.snapshot import Snapshot


class EglRenderer:
    """Colour and depth in one pass of MuJoCo's OpenGL renderer; geom ids in a second one when they are asked for.

    An OpenGL context belongs to one thread at a time, so the renderer has a thread of its own: any thread may call it.
    """

    name = "egl"

    def __init__(self, reason: str = "asked for", width: int = IMAGE_WIDTH, height: int = IMAGE_HEIGHT) -> None:
        self.reason = reason
        self._mujoco = require("mujoco", "sim")
        self._width, self._height = width, height
        self._thread: ThreadPoolExecutor | None = ThreadPoolExecutor(1, thread_name_prefix="egl")
        self._gl: Any = self._thread.submit(require("mujoco.egl", "sim").GLContext, width, height).result()
        self._model: Any = None
        self._scene: Any = None
        self._context: Any = None
        self._data: Any = None
        self._camera = self._mujoco.MjvCamera()
        self._option = self._mujoco.MjvOption()
        self._rect = self._mujoco.MjrRect(0, 0, width, height)

    def render(self, snapshot: Snapshot, camera: str = CAMERA_NAME, *, segmentation: bool = False) -> Rendering:
        """Render one view; see `Renderer`.

        Raises:
            RuntimeError: If the renderer was closed.
        """
        if self._thread is None:
            raise RuntimeError("the renderer was closed: make a new one")
        return self._thread.submit(self._render, snapshot, camera, segmentation).result()

    def _render(self, snapshot: Snapshot, camera: str, segmentation: bool) -> Rendering:
        mj = self._mujoco
        self._gl.make_current()
        if snapshot.model is not self._model:
            self._load(snapshot.model)
        self._data.qpos[:] = snapshot.qpos
        mj.mj_kinematics(self._model, self._data)
        mj.mj_camlight(self._model, self._data)
        self._camera.type = mj.mjtCamera.mjCAMERA_FIXED
        self._camera.fixedcamid = self._model.camera(camera).id
        mj.mjv_updateScene(
            self._model, self._data, self._option, None, self._camera, mj.mjtCatBit.mjCAT_ALL, self._scene
        )
        color = np.empty((self._height, self._width, 3), dtype=np.uint8)
        buffer = np.empty((self._height, self._width), dtype=np.float32)
        mj.mjr_render(self._rect, self._scene, self._context)
        mj.mjr_readPixels(color, buffer, self._rect, self._context)
        depth_m = np.ascontiguousarray(self._metres(buffer)[::-1])
        geom_ids = self._segment() if segmentation else None
        return Rendering(np.ascontiguousarray(color[::-1, :, ::-1]), depth_m, geom_ids)

    def close(self) -> None:
        """Free the OpenGL context and end its thread."""
        if self._thread is not None:
            self._thread.submit(self._free).result()
            self._thread.shutdown()
            self._thread = None

    def _free(self) -> None:
        if self._context is not None:
            self._gl.make_current()
            self._context.free()
        self._gl.free()

    def _load(self, model: Any) -> None:
        mj = self._mujoco
        if self._context is not None:
            self._context.free()
        self._model, self._data = model, mj.MjData(model)
        self._scene = mj.MjvScene(model, maxgeom=200)
        self._context = mj.MjrContext(model, mj.mjtFontScale.mjFONTSCALE_50)
        mj.mjr_setBuffer(mj.mjtFramebuffer.mjFB_OFFSCREEN, self._context)
        self._context.readDepthMap = mj.mjtDepthMap.mjDEPTH_ZEROFAR

    def _metres(self, buffer: DepthMetres) -> DepthMetres:
        """Undo the projection: the reversed z buffer is 1 at the near plane and 0 at the far one, linear in 1/z."""
        extent = float(self._model.stat.extent)
        near, far = float(self._model.vis.map.znear) * extent, float(self._model.vis.map.zfar) * extent
        inverse = buffer.astype(np.float64) * (1.0 / near - 1.0 / far) + 1.0 / far
        depth_m = (1.0 / inverse).astype(np.float32)
        depth_m[buffer <= 0.0] = np.inf
        return depth_m

    def _segment(self) -> GeomIds:
        mj, scene = self._mujoco, self._scene
        flags = (mj.mjtRndFlag.mjRND_SEGMENT, mj.mjtRndFlag.mjRND_IDCOLOR)
        for flag in flags:
            scene.flags[flag] = 1
        try:
            mj.mjr_render(self._rect, scene, self._context)
            codes = np.empty((self._height, self._width, 3), dtype=np.uint8)
            mj.mjr_readPixels(codes, None, self._rect, self._context)
        finally:
            for flag in flags:
                scene.flags[flag] = 0
        segment = codes[:, :, 0].astype(np.int32) + codes[:, :, 1].astype(np.int32) * 256
        table = np.full(scene.ngeom + 1, -1, dtype=np.int32)
        for geom in scene.geoms[: scene.ngeom]:
            if geom.segid >= 0 and geom.objtype == mj.mjtObj.mjOBJ_GEOM:
                table[geom.segid + 1] = geom.objid
        return np.ascontiguousarray(table[segment][::-1])
