"""The tracker in the image: boxes of one camera in, identities out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from deploy.errors import BadInput
from geometry.types import Array, IntArray
from perception.detections import Detections

from .camera_motion import check_motion
from .checks import check_pixels, check_scores, check_stamp, without_damage
from .classes import MAX_NAMES, ClassTable
from .engine import TrackerCore
from .image_space import ImageLook, ImageSpace, centre_form
from .parameters import ImageTrackerParameters
from .rounds import IGNORED, level
from .tracks import Tracks

# A thinner box has no area [px].
LEAST_PX = 1e-3


class ImageTracker:
    """Tracks boxes in the picture of one camera.

    The state of a track is the centre and size of its box with their velocities, in pixels. With a moving camera, give
    each update the motion of the picture since the one before: all tracks are carried along with it.

    Updates come in the order of their stamps; intervals may be irregular, and a look without detections is normal. The
    tracker reads no clock and draws no random number: equal inputs give equal bytes.

    Args:
        parameters: Figures to tune.

    Example:
        >>> tracker = ImageTracker()
        >>> boxes = Detections("cam", 0, 0, [[10, 10, 50, 50]], [0.9], [0], ("cube",))
        >>> tracker.update(boxes, stamp_ns=0).ids.tolist()
        [1]
    """

    def __init__(self, parameters: ImageTrackerParameters | None = None) -> None:
        self._parameters = parameters or ImageTrackerParameters()
        self.reset()

    def reset(self) -> None:
        """Forget everything, also which ids were used: the next track is number 1."""
        classes = ClassTable(self._parameters.class_compatibility, self._parameters.other_class)
        self._space = ImageSpace(self._parameters, classes)
        self._core: TrackerCore[ImageLook] = TrackerCore(self._space, self._parameters, classes)
        self._first = True

    def update(
        self, detections: Any, *, stamp_ns: int | None = None, camera_motion: npt.ArrayLike | None = None
    ) -> Tracks:
        """Take in one picture's detections.

        Args:
            detections: `Detections`, or any object with arrays `xyxy` (M, 4) [px] and, if it has them, `confidence`
                (M,) and `class_id` (M,), such as those of supervision. Names of classes in `data["class_name"]` (M,)
                count instead of `class_id`. A box that is not finite or has no area is never tracked.
            stamp_ns: Capture time [ns], later than that of the update before. None: that of the detections.
            camera_motion: Shape (2, 3) or (3, 3): maps pixels of the previous update's picture to this one's. None: the
                camera did not move.

        Returns:
            One row per detection.

        Raises:
            BadInput: If the stamp is missing, not whole or not later than the newest one, the shapes disagree, a score
                is above 1, the first boxes are in parts of the picture or the motion is not one; then the tracker stays
                as it was.
        """
        boxes, scores, classes, names = _read(detections)
        check_scores(scores)
        if self._first:
            check_pixels(boxes)
        now_ns = self._stamp(detections, stamp_ns)
        motion = None if camera_motion is None else check_motion(camera_motion)
        core = self._core
        look = self._look(now_ns, boxes, scores, core.classes.numbers(names)[classes])
        core.advance(now_ns)
        if motion is not None:
            self._space.move(core.store, motion)
        self._first = self._first and not len(boxes)
        return core.update(look)

    def predicted(self, stamp_ns: int) -> Tracks:
        """All live tracks, also tentative and lost ones, at another instant; nothing is changed.

        Args:
            stamp_ns: The instant [ns]; one that has passed leaves the tracks where they are.
        """
        return self._core.predicted(stamp_ns)

    def _stamp(self, detections: Any, stamp_ns: int | None) -> int:
        if stamp_ns is None:
            stamp_ns = getattr(detections, "stamp_ns", None)
            if stamp_ns is None:
                raise BadInput(
                    f"detections of type {type(detections).__name__} have no stamp: give stamp_ns, the capture time"
                )
        now_ns, before_ns = check_stamp(stamp_ns), self._core.now_ns
        if before_ns is not None and now_ns <= before_ns:
            raise BadInput(
                f"stamp_ns = {now_ns}: expected later than the newest one, {before_ns}; drop late pictures, or reset "
                "the tracker where time starts anew"
            )
        return now_ns

    def _look(self, stamp_ns: int, boxes: Array, scores: Array, class_ids: IntArray) -> ImageLook:
        measured = centre_form(without_damage(boxes))
        sides = measured[2:]
        levels = level(scores, self._parameters)
        if np.count_nonzero(sides > LEAST_PX) < 2 * len(scores):
            bad = (sides <= LEAST_PX).any(axis=0)
            levels[bad] = IGNORED
            measured[:, bad] = 1.0
        sizes = np.sqrt(sides[0] * sides[1])
        before_ns = self._core.now_ns
        elapsed_ns = 0 if before_ns is None else stamp_ns - before_ns
        return ImageLook(stamp_ns, scores, class_ids, levels, measured, sizes, elapsed_ns, self._first)


_NUMERALS = tuple(str(number) for number in range(MAX_NAMES))
_UNNAMED: dict[int, tuple[str, ...]] = {}


def _read(detections: Any) -> tuple[Array, Array, IntArray, tuple[str, ...]]:
    """Boxes (M, 4), scores (M,), class numbers (M,) and the classes' names of our own or others' detections."""
    if isinstance(detections, Detections):
        return (
            detections.boxes.astype(np.float64),
            detections.scores.astype(np.float64),
            detections.class_ids.astype(np.int64),
            detections.class_names,
        )
    xyxy = getattr(detections, "xyxy", None)
    if xyxy is None:
        raise BadInput(
            f"detections of type {type(detections).__name__}: expected perception.Detections, or an object with xyxy"
        )
    confidence, class_id = getattr(detections, "confidence", None), getattr(detections, "class_id", None)
    try:
        boxes = np.array(xyxy, dtype=np.float64)
        count = len(boxes)
        scores = np.ones(count) if confidence is None else np.array(confidence, dtype=np.float64)
        classes = np.zeros(count, dtype=np.int64) if class_id is None else np.array(class_id, dtype=np.int64)
    except (TypeError, ValueError) as error:
        raise BadInput(f"detections: {error}; expected numbers xyxy (M, 4), confidence (M,), class_id (M,)") from error
    if not count:
        boxes = boxes.reshape(0, 4)
    if boxes.shape != (count, 4) or scores.shape != (count,) or classes.shape != (count,):
        raise BadInput(
            f"xyxy {boxes.shape}, confidence {scores.shape}, class_id {classes.shape}: expected (M, 4), (M,), (M,)"
        )
    if not count:
        return boxes, scores, classes, ()
    data = getattr(detections, "data", None)
    if isinstance(data, Mapping) and data.get("class_name") is not None:
        return boxes, scores, *_named(data["class_name"], count)
    # As unsigned numbers, negative ones are the largest: one comparison finds both mistakes.
    highest = int(classes.view(np.uint64).max())
    if highest >= MAX_NAMES:
        raise BadInput(f"class_id {classes.min()}..{classes.max()}: expected 0..{MAX_NAMES - 1}")
    names = _UNNAMED.get(highest)
    if names is None:
        names = _UNNAMED[highest] = _NUMERALS[: highest + 1]
    return boxes, scores, classes, names


def _named(class_names: Any, count: int) -> tuple[IntArray, tuple[str, ...]]:
    """Class numbers (M,) and their names, of a name for each row."""
    words = [str(word) for word in np.asarray(class_names).ravel()]
    if len(words) != count:
        raise BadInput(f"data['class_name'] has {len(words)} names of {count} boxes: expected one for each")
    names = tuple(sorted(set(words)))
    numbers = {name: number for number, name in enumerate(names)}
    return np.array([numbers[word] for word in words], dtype=np.int64), names
