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
    """Out of the view: nothing."""
    VISIBLE = 1
    """In plain view: an object there could have been detected."""
    HIDDEN = 2
    """Behind a nearer surface."""
    FREE = 3
    """In plain view, and seen through to a surface behind it: there is no object there."""


# Rows and columns of the places around a point where depth is read, in steps.
_V, _U = np.indices((3, 3)).reshape(2, 9) - 1
# For free space one of the nine may say otherwise, such as a pixel that flies between two surfaces, and four may be
# holes.
_STRAY, _ENOUGH = 1, 5


class Visibility:
    """The view of one frame, asked about points in the base frame.

    Points are centres of objects: an object's own surface is nearer than its centre, and what it stands on is farther.
    The depth image is read at the point and at eight places around it, `reach_m` away across the view:

    - `HIDDEN` if at most of those that were measured a surface is nearer than the point by more than `margin_m`;
    - `FREE` if at all of them but one the surface is farther than the point by more than `free_m`;
    - `VISIBLE` otherwise, also where too little was measured: there is no evidence of anything in between.

    Free space is asked of all nine since the place of a lost track may be wrong: an object that is within half its size
    and `reach_m` of the place, left, right, above or below, still covers several of them and is not taken for gone.

    A plane that an object stood on, h below its centre, is at least sqrt(h^2 - 2 reach_m^2) behind the place at each of
    the nine, from wherever it is seen. So the defaults find that an object of 40 mm was taken away (14 to 20 mm) when
    the depth of a pixel has an error of 3 mm (one standard deviation). From 35 down to 20 mm they find it in fewer and
    fewer views, below that in none: the place stays `VISIBLE`. Depth looks through glass, and the middle of a bowl or a
    ring is free space; whether such a thing is gone only a detector can say.

    Args:
        frame: The frame; without depth nothing is hidden and nothing is known to be free.
        base_T_camera: Pose of the camera at the time of exposure.
        margin_m: A surface hides a point if it is nearer by more than this [m]; it must exceed the distance from a
            centre to the object's own surface.
        border_px: Width of a border that counts as outside [px]: an object on the edge is seen only in part.
        reach_m: How far around the point depth is read [m]; it must be less than half of an object's size.
        free_m: A place is seen through if the surface is farther by more than this [m]: some standard deviations of
            depth, and less than half of an object's size.
    """

    __slots__ = ("_base_T_camera", "_border_px", "_frame", "_free_m", "_margin_m", "_reach_m")

    def __init__(
        self,
        frame: Frame,
        base_T_camera: Pose,
        margin_m: float = 0.05,
        border_px: float = 10.0,
        reach_m: float = 0.01,
        free_m: float = 0.01,
    ) -> None:
        self._frame = frame
        self._base_T_camera = base_T_camera
        self._margin_m = margin_m
        self._border_px = border_px
        self._reach_m = reach_m
        self._free_m = free_m

    def __call__(self, points_m: npt.ArrayLike) -> npt.NDArray[np.uint8]:
        """Look at places.

        Args:
            points_m: Shape (N, 3), in the base frame [m].

        Returns:
            Shape (N,), `Sight`; NaN points are outside.
        """
        points = np.asarray(points_m, dtype=np.float64).reshape(-1, 3)
        camera, border = self._frame.camera, self._border_px
        in_camera = (points - self._base_T_camera.translation) @ self._base_T_camera.rotation
        u, v = project(in_camera, camera).T
        inside = (u >= border - 0.5) & (u <= camera.width - 0.5 - border)
        inside &= (v >= border - 0.5) & (v <= camera.height - 0.5 - border)
        sight: npt.NDArray[np.uint8] = inside.astype(np.uint8)  # VISIBLE or OUTSIDE
        rows = np.flatnonzero(inside)
        if self._frame.depth is None or not rows.size:
            return sight
        distance_m = in_camera[rows, 2:]
        reach = self._reach_m / distance_m
        columns = np.rint(u[rows, None] + np.maximum(camera.fx * reach, 1.0) * _U).astype(np.int64)
        lines = np.rint(v[rows, None] + np.maximum(camera.fy * reach, 1.0) * _V).astype(np.int64)
        columns = np.minimum(np.maximum(columns, 0), camera.width - 1)
        lines = np.minimum(np.maximum(lines, 0), camera.height - 1)
        depth_m = self._frame.depth[lines, columns] * self._frame.depth_scale_m
        behind_m = depth_m - distance_m
        measured = depth_m > 0.0
        readings = measured.sum(axis=1)
        hidden = 2 * (measured & (behind_m < -self._margin_m)).sum(axis=1) > readings
        free = (behind_m > self._free_m).sum(axis=1) >= np.maximum(readings - _STRAY, _ENOUGH)
        sight[rows[hidden]] = Sight.HIDDEN
        sight[rows[free]] = Sight.FREE
        return sight
