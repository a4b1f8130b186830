"""The tracker in the robot's base: localized detections of any number of cameras in, tracks out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from deploy.errors import BadInput
from geometry.types import Array, BoolArray, IntArray
from perception.localize import Localized

from . import camera_boxes
from .base_look import BaseLook, Visibility
from .base_space import BaseSpace
from .checks import check_scores, check_stamp, without_damage
from .classes import ClassTable, NameTable
from .engine import TrackerCore
from .parameters import TrackerParameters
from .rounds import IGNORED, level
from .symmetric import positive_definite
from .tracks import Tracks

# A point farther away, or a standard deviation above it, is damage [m].
FARTHEST_M = 1e6


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """Places of things in `base`, from whatever found them: no boxes, no images.

    Attributes:
        points_m: Shape (M, 3) [m].
        covariances_m2: Shape (M, 3, 3) [m^2].
        scores: Shape (M,) in [0, 1]; None: all certain.
        class_ids: Shape (M,), index into `class_names`; None: all of the first class.
        class_names: Names of the classes.
        source: What found them; of one source each instant is looked at once.

    Raises:
        BadInput: If the shapes disagree or a class has no name.
    """

    points_m: npt.ArrayLike
    covariances_m2: npt.ArrayLike
    scores: npt.ArrayLike | None = None
    class_ids: npt.ArrayLike | None = None
    class_names: tuple[str, ...] = ("object",)
    source: str = "points"

    def __post_init__(self) -> None:
        try:
            points = np.array(self.points_m, dtype=np.float64)
            covariances = np.array(self.covariances_m2, dtype=np.float64)
            count = len(points)
            scores = np.ones(count) if self.scores is None else np.array(self.scores, dtype=np.float64)
            classes = np.zeros(count, np.int64) if self.class_ids is None else np.array(self.class_ids, dtype=np.int64)
        except (TypeError, ValueError) as error:
            raise BadInput(f"points: {error}; expected numbers points_m (M, 3), covariances_m2 (M, 3, 3)") from error
        if not count:
            points, covariances = points.reshape(0, 3), covariances.reshape(-1, 3, 3)
        if (points.shape, covariances.shape, scores.shape, classes.shape) != (
            (count, 3), (count, 3, 3), (count,), (count,)
        ):  # fmt: skip
            raise BadInput(
                f"points_m {points.shape}, covariances_m2 {covariances.shape}, scores {scores.shape}, class_ids "
                f"{classes.shape}: expected (M, 3), (M, 3, 3), (M,), (M,)"
            )
        if count and not 0 <= classes.min() <= classes.max() < len(self.class_names):
            raise BadInput(
                f"class ids {classes.min()}..{classes.max()}: expected 0..{len(self.class_names) - 1}, "
                f"the index of one of {', '.join(self.class_names) or 'no class names'}"
            )
        for name, array in (
            ("points_m", points), ("covariances_m2", covariances), ("scores", scores), ("class_ids", classes)
        ):  # fmt: skip
            array.flags.writeable = False
            object.__setattr__(self, name, array)


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """One frame's detections, whatever form they came in."""

    stamp_ns: int
    what: str
    camera: str
    place: str
    points_m: Array
    covariances_m2: Array
    boxes: Array
    scores: Array
    class_ids: IntArray
    class_names: tuple[str, ...]


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
        self, detections: Localized | Points, *, stamp_ns: int | None = None, visibility: Visibility | None = None
    ) -> Tracks:
        """Take in one frame's detections; a frame without any is normal.

        Detections without a point (NaN) keep alive the track of the same camera whose latest box they alone overlap,
        and are otherwise ignored.

        Args:
            detections: With places; all updates between two resets in one frame of reference.
            stamp_ns: Capture time [ns]; None: that of the detections. `Points` have none.
            visibility: What that camera could see at that time. None if it cannot say (no depth): then every place
                counts as in plain view.

        Returns:
            One row per detection; `all` has every live track. The states are predicted to the newest stamp.

        Raises:
            BadInput: If there is no stamp or no whole one, a score is above 1, the frame is too old or its points are
                in another frame of reference; then the tracker stays as it was. If the visibility has not one value of
                `Sight` per point; then nothing of the frame is used but its stamp.
        """
        seen = _read(detections, stamp_ns)
        self._check(seen)
        core = self._core
        numbers = core.classes.numbers(seen.class_names)
        (camera,) = self._cameras.numbers((seen.camera,))
        self._place = seen.place
        core.advance(seen.stamp_ns)
        camera_boxes.know_cameras(core.store, len(self._cameras))
        previous_ns = self._looks.get(camera, seen.stamp_ns)
        tracks = core.update(self._look(seen, camera, previous_ns, numbers[seen.class_ids], visibility))
        self._looks[camera] = max(seen.stamp_ns, previous_ns)
        return tracks

    def predicted(self, stamp_ns: int) -> Tracks:
        """All live tracks, also tentative and lost ones, at another instant; nothing is changed.

        Args:
            stamp_ns: The instant [ns]; one that has passed leaves the tracks where they are.
        """
        return self._core.predicted(stamp_ns)

    def _check(self, seen: _Seen) -> None:
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
        self, seen: _Seen, camera: int, previous_ns: int, class_ids: IntArray, visibility: Visibility | None
    ) -> BaseLook:
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
            located=located,
            pointless=(levels > IGNORED) & ~located,
            visibility=visibility,
        )


def _read(detections: Localized | Points, stamp_ns: int | None) -> _Seen:
    """Bring both forms of input into one."""
    if isinstance(detections, Points):
        if stamp_ns is None:
            raise BadInput("points have no stamp: give stamp_ns, the time at which they were measured [ns]")
        points = np.asarray(detections.points_m)
        return _Seen(
            stamp_ns=check_stamp(stamp_ns),
            what=f"a look of {detections.source}",
            camera=detections.source,
            place="base",
            points_m=points,
            covariances_m2=np.asarray(detections.covariances_m2),
            boxes=np.zeros((len(points), 4)),
            scores=np.asarray(detections.scores),
            class_ids=np.asarray(detections.class_ids),
            class_names=detections.class_names,
        )
    if not isinstance(detections, Localized):
        raise BadInput(
            f"detections of type {type(detections).__name__} have no places: expected perception.Localized or "
            "tracking.Points; boxes alone are for an ImageTracker"
        )
    found = detections.detections
    return _Seen(
        stamp_ns=check_stamp(found.stamp_ns if stamp_ns is None else stamp_ns),
        what=f"frame {found.sequence} of camera {found.camera_name}",
        camera=found.camera_name,
        # Points in a camera's own frame have no common place with those of another camera.
        place="base" if detections.frame_id == "base" else f"camera {found.camera_name}",
        points_m=detections.points_m,
        covariances_m2=detections.covariances_m2,
        boxes=found.boxes.astype(np.float64),
        scores=found.scores.astype(np.float64),
        class_ids=found.class_ids.astype(np.int64),
        class_names=found.class_names,
    )
