"""One frame's detections as the tracker in `base` takes them: points, boxes, and what the camera could see."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from deploy.errors import BadInput
from geometry.types import Array, BoolArray
from perception.visibility import Sight

from .engine import Look

Visibility = Callable[[Array], npt.NDArray[np.uint8]]
"""Points of shape (N, 3) in `base` to shape (N,), values of `Sight`."""


@dataclass(slots=True, eq=False)
class BaseLook(Look):
    """One frame's detections; the level of those without a point is `IGNORED`.

    Attributes:
        now_ns: Newest stamp of all cameras [ns].
        camera: Number of the camera.
        previous_ns: Capture time of this camera's look before this one; the frame's own if there is none [ns].
        boxes: Shape (M, 4) [px]; without area where there are none.
        points_m: Shape (M, 3) [m]; looked at where `located`.
        noise_m2: Shape (M, 3, 3) [m^2]; looked at where `located`.
        common_m2: Shape (M, 3, 3), the part of `noise_m2` that is the same error in every look [m^2]; None: nothing.
        located: Shape (M,): rows with a point and a covariance.
        pointless: Shape (M,): rows without, whose score is high enough to count.
        visibility: What the camera could see; None: everything.
    """

    now_ns: int
    camera: int
    previous_ns: int
    boxes: Array
    points_m: Array
    noise_m2: Array
    common_m2: Array | None
    located: BoolArray
    pointless: BoolArray
    visibility: Visibility | None

    def sight(self, places: Array) -> npt.NDArray[np.uint8]:
        """What the camera could see of places (N, 3) in `base` [m]: shape (N,), values of `Sight`.

        Raises:
            BadInput: If the view has not one such value for each place.
        """
        count = len(places)
        if self.visibility is None:
            return np.full(count, Sight.VISIBLE, dtype=np.uint8)
        sight = np.asarray(self.visibility(places.copy()), dtype=np.uint8)
        if sight.shape != (count,):
            raise BadInput(f"visibility of {count} points has shape {sight.shape}: expected ({count},)")
        if sight.max(initial=0) >= len(Sight):
            raise BadInput(f"visibility {sight.max()}: expected values of Sight, 0..{len(Sight) - 1}")
        return sight
