"""Localized detections made by hand, and a camera that looks straight down on a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from geometry.types import Array
from perception.detections import Detections
from perception.localize import FrameId, Localized
from tracking import BaseFrameTracker, Tracks
from tracking.base_look import Visibility

NAMES = ("red_cube", "distractor")
SIGMA_M = 0.003
PX_PER_M = 600.0
BOX_PX = 24.0


def look(
    time_s: float,
    points_m: npt.ArrayLike = (),
    *,
    camera: str = "wrist",
    scores: float | Sequence[float] = 0.9,
    class_ids: int | Sequence[int] = 0,
    boxes: npt.ArrayLike | None = None,
    names: tuple[str, ...] = NAMES,
    sigma_m: float = SIGMA_M,
    covariances_m2: Array | None = None,
    frame_id: FrameId = "base",
) -> Localized:
    """One frame: a 40 mm cube around each point, seen from one metre above."""
    points = np.asarray(points_m, dtype=np.float64).reshape(-1, 3)
    count = len(points)
    if boxes is None:
        middle = 320.0 + PX_PER_M * np.nan_to_num(points[:, :2])
        boxes = np.hstack((middle - BOX_PX / 2, middle + BOX_PX / 2))
    if covariances_m2 is None:
        covariances_m2 = np.repeat(sigma_m**2 * np.eye(3)[None], count, axis=0)
        covariances_m2[np.isnan(points).any(axis=1)] = np.nan
    detections = Detections(
        camera,
        round(time_s * 10),
        round(time_s * 1e9),
        np.asarray(boxes, dtype=np.float32).reshape(-1, 4),
        np.broadcast_to(np.asarray(scores, dtype=np.float32), (count,)),
        np.broadcast_to(np.asarray(class_ids, dtype=np.int32), (count,)),
        names,
    )
    return Localized(detections, frame_id, points, covariances_m2)


def says(sight: int) -> Callable[[Array], npt.NDArray[np.uint8]]:
    """A view in which every place is outside (0), visible (1) or hidden (2)."""
    return lambda points: np.full(len(points), sight, dtype=np.uint8)


def track(tracker: BaseFrameTracker, localized: Localized, visibility: Visibility | None = None) -> Tracks:
    """All live tracks after an update."""
    return tracker.update(localized, visibility=visibility).all


NAN = [np.nan, np.nan, np.nan]
