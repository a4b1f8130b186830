"""The tracker in the robot's base: localized detections of any number of cameras in, tracks out."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from deploy.errors import BadInput
from geometry.types import Array, BoolArray, IntArray
from perception.localize import Localized

from . import camera_boxes
from .base_input import Points, Seen, check_common, read
from .base_look import BaseLook, Visibility
from .base_space import BaseSpace
from .checks import check_scores, without_damage
from .classes import ClassTable, NameTable
from .engine import TrackerCore
from .parameters import TrackerParameters
from .rounds import IGNORED, level
from .symmetric import positive_definite
from .tracks import Tracks

# A point farther away, or a standard deviation above it, is damage [m].
FARTHEST_M = 1e6


class BaseFrameTracker:
    """Tracks objects in `base` from the detections of one camera or several.

    Since a track lives in `base`, not in an image, the motion of a camera on the gripper is no motion of the track, and
    two cameras that see one object feed one track.

    Updates come in the order of their stamps; equal stamps of two cameras are normal, and intervals may be irregular. A
    frame that is older than the newest one by up to `late_s` is used as it is: the state stays at the newest stamp and
    the points are moved forward with their track's velocity. An older one is refused.

    The tracker reads no clock and draws no random number: equal inputs give equal bytes.

    Args:
        parameters: Figures to tune.
    """

    def __init__(self, parameters: TrackerParameters | None = None) -> None:
        self._parameters = parameters or TrackerParameters()
        self._floor_m2 = self._parameters.minimum_sigma_m**2 * np.eye(3)
        self.reset()

    def reset(self) -> None:
        """Forget everything, also which ids were used: the next track is number 1."""
        classes = ClassTable(self._parameters.class_compatibility, self._parameters.other_class)
        self._core: TrackerCore[BaseLook] = TrackerCore(BaseSpace(self._parameters, classes), self._parameters, classes)
        self._cameras = NameTable("camera")
        self._looks: dict[int, int] = {}
        self._place = ""

    def update(
        self,
        detections: Localized | Points,
        *,
        stamp_ns: int | None = None,
        visibility: Visibility | None = None,
        common_m2: npt.ArrayLike | None = None,
    ) -> Tracks:
        """Take in one frame's detections; a frame without any is normal.

        Detections without a point (NaN) keep alive the track of the same camera whose latest box they alone overlap,
        and are otherwise ignored.

        Args:
            detections: With places; all updates between two resets in one frame of reference.
            stamp_ns: Capture time [ns]; None: that of the detections. `Points` have none.
            common_m2: Shape (M, 3, 3): the part of the points' covariances that is one error in all looks, as that of a
                calibration is [m^2]. No number of looks takes it out of the covariance of a track. None: nothing.
            visibility: What that camera could see at that time. None if it cannot say (no depth): then every place
                counts as in plain view.

        Returns:
            One row per detection; `all` has every live track. The states are predicted to the newest stamp.

        Raises:
            BadInput: If there is no stamp or no whole one, a score is above 1, the frame is too old, its points are in
                another frame of reference or `common_m2` is no part of their covariances; then the tracker stays as it
                was. If the visibility has not one value of `Sight` per point; then nothing of the frame is used but its
                stamp.
        """
        seen = read(detections, stamp_ns)
        self._check(seen)
        common = None if common_m2 is None else check_common(common_m2, seen)
        core = self._core
        numbers = core.classes.numbers(seen.class_names)
        (camera,) = self._cameras.numbers((seen.camera,))
        self._place = seen.place
        core.advance(seen.stamp_ns)
        camera_boxes.know_cameras(core.store, len(self._cameras))
        previous_ns = self._looks.get(camera, seen.stamp_ns)
        tracks = core.update(self._look(seen, camera, previous_ns, numbers[seen.class_ids], visibility, common))
        self._looks[camera] = max(seen.stamp_ns, previous_ns)
        return tracks

    def predicted(self, stamp_ns: int) -> Tracks:
        """All live tracks, also tentative and lost ones, at another instant; nothing is changed.

        Args:
            stamp_ns: The instant [ns]; one that has passed leaves the tracks where they are.
        """
        return self._core.predicted(stamp_ns)

    def _check(self, seen: Seen) -> None:
        check_scores(seen.scores)
        allowed_s, now_ns = self._parameters.late_s, self._core.now_ns
        late_ns = 0 if now_ns is None else now_ns - seen.stamp_ns
        if late_ns > allowed_s * 1e9:
            raise BadInput(
                f"{seen.what} at {seen.stamp_ns} ns is {late_ns * 1e-9:.3f} s "
                f"older than the newest one: expected at most late_s = {allowed_s} s; drop late frames, or reset the "
                "tracker where time starts anew"
            )
        if self._place not in ("", seen.place):
            raise BadInput(
                f"points of camera {seen.camera} are in the frame of {seen.place}: expected {self._place}, like those "
                "before; give each camera a pose in base, or reset the tracker"
            )

    def _look(
        self, seen: Seen, camera: int, previous_ns: int, class_ids: IntArray, visibility: Visibility | None,
        common_m2: Array | None,
    ) -> BaseLook:  # fmt: skip
        points = seen.points_m
        largest = np.abs(seen.covariances_m2).max(axis=(1, 2), initial=0.0)
        located: BoolArray = (np.abs(points) < FARTHEST_M).all(axis=1) & (largest < FARTHEST_M**2)
        covariances = np.where(located[:, None, None], seen.covariances_m2, np.nan)
        noise = 0.5 * (covariances + covariances.transpose(0, 2, 1)) + self._floor_m2
        located &= positive_definite(noise)
        levels = level(seen.scores, self._parameters)
        assert self._core.now_ns is not None
        return BaseLook(
            stamp_ns=seen.stamp_ns,
            scores=seen.scores,
            class_ids=class_ids,
            level=levels * located,
            now_ns=self._core.now_ns,
            camera=camera,
            previous_ns=previous_ns,
            boxes=without_damage(seen.boxes),
            points_m=np.where(located[:, None], points, np.nan),
            noise_m2=noise,
            common_m2=common_m2,
            located=located,
            pointless=(levels > IGNORED) & ~located,
            visibility=visibility,
        )
