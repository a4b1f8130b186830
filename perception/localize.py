"""From boxes and depth to points in space, with honest covariances."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from deploy.errors import BadInput
from geometry.types import Array, BoolArray
from perception.detections import Detections

FrameId = Literal["base", "camera"]


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
