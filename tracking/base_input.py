"""What the tracker in `base` takes: places with boxes of a localizer, or bare points; both brought into one form."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from deploy.errors import BadInput
from geometry.types import Array, IntArray
from perception.localize import Localized

from .checks import check_stamp


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
class Seen:
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


def read(detections: Localized | Points, stamp_ns: int | None) -> Seen:
    """Bring both forms of input into one."""
    if isinstance(detections, Points):
        if stamp_ns is None:
            raise BadInput("points have no stamp: give stamp_ns, the time at which they were measured [ns]")
        points = np.asarray(detections.points_m)
        return Seen(
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
    return Seen(
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


def check_common(common_m2: npt.ArrayLike, seen: Seen) -> Array:
    """Check the part of the covariances that is one error in all looks.

    Returns:
        Shape (M, 3, 3), symmetric, 0 where there is no point [m^2].

    Raises:
        BadInput: If the shape is another, or it is no part of the covariances.
    """
    try:
        common: Array = np.array(common_m2, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise BadInput(f"common_m2: {error}; expected numbers of shape (M, 3, 3)") from error
    expected = (len(seen.scores), 3, 3)
    if common.shape != expected:
        raise BadInput(f"common_m2 {common.shape} of {seen.what}: expected {expected}, a row for each detection")
    known = np.asarray(np.isfinite(seen.points_m).all(axis=1) & np.isfinite(seen.covariances_m2).all(axis=(1, 2)))
    common[~known] = 0.0
    if not np.isfinite(common).all():
        raise BadInput(f"common_m2 of {seen.what}: expected finite numbers; 0 where nothing is in common")
    common = 0.5 * (common + common.transpose(0, 2, 1))
    whole = np.where(known[:, None, None], seen.covariances_m2, 0.0)
    rest = whole - common
    rounding = 1e-9 * np.abs(whole).max(axis=(1, 2), initial=0.0)
    if (np.linalg.eigvalsh(np.stack((common, rest))).min(axis=2, initial=0.0) < -rounding).any():
        raise BadInput(
            f"common_m2 of {seen.what}: expected a part of each point's covariance; the covariance has to have it too"
        )
    return common
