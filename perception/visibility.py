"""Whether a camera could see a place: what a tracker asks before it ages a track that was not detected."""

from __future__ import annotations

from enum import IntEnum

import numpy as np
import numpy.typing as npt

from geometry.pose import Pose
from geometry.projection import project
from perception.frame import Frame


class Sight(IntEnum):
    """What one frame says about a place."""

    OUTSIDE = 0
    VISIBLE = 1
    HIDDEN = 2


class Visibility:
    """The view of one frame, asked about points in the base frame.

    Args:
        frame: The frame; without depth nothing is hidden.
        base_T_camera: Pose of the camera at the time of exposure.
        margin_m: A surface hides a point if it is nearer than the point by more than this [m]. Points are centres of
            objects, so it must exceed the distance from a centre to the object's own surface.
        border_px: Width of a border that counts as outside [px]: an object on the edge is seen only in part.
        reach_px: Depth is read at the point and this far above, below, left and right of it [px].
    """

    __slots__ = ("_base_T_camera", "_border_px", "_frame", "_margin_m", "_reach_px")

    def __init__(
        self, frame: Frame, base_T_camera: Pose, margin_m: float = 0.05, border_px: float = 10.0, reach_px: int = 3
    ) -> None:
        self._frame = frame
        self._base_T_camera = base_T_camera
        self._margin_m = margin_m
        self._border_px = border_px
        self._reach_px = reach_px

    def __call__(self, points_m: npt.ArrayLike) -> npt.NDArray[np.uint8]:
        """Look at places.

        A place is hidden if at most of the pixels around it where depth was measured the surface is nearer by more than
        the margin. Where nothing was measured it counts as visible: there is no evidence of anything in between.

        Args:
            points_m: Shape (N, 3), in the base frame [m].

        Returns:
            Shape (N,), `Sight`; NaN points are outside.
        """
        points = np.asarray(points_m, dtype=np.float64).reshape(-1, 3)
        camera, border = self._frame.camera, self._border_px
        in_camera = self._base_T_camera.inverse().apply(points)
        u, v = project(in_camera, camera).T
        inside = (u >= border - 0.5) & (u <= camera.width - 0.5 - border)
        inside &= (v >= border - 0.5) & (v <= camera.height - 0.5 - border)
        sight = np.where(inside, Sight.VISIBLE, Sight.OUTSIDE).astype(np.uint8)
        rows = np.flatnonzero(inside)
        if self._frame.depth is None or not rows.size:
            return sight
        cross = np.array([[0, 1, -1, 0, 0], [0, 0, 0, 1, -1]]) * self._reach_px
        columns = np.clip(np.rint(u[rows]).astype(np.int64)[:, None] + cross[0], 0, camera.width - 1)
        lines = np.clip(np.rint(v[rows]).astype(np.int64)[:, None] + cross[1], 0, camera.height - 1)
        depth_m = self._frame.depth[lines, columns] * self._frame.depth_scale_m
        measured = depth_m > 0.0
        nearer = measured & (depth_m < in_camera[rows, 2:] - self._margin_m)
        sight[rows[2 * nearer.sum(axis=1) > measured.sum(axis=1)]] = Sight.HIDDEN
        return sight
