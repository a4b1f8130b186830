"""What a detector saw in one frame, as arrays with one row per box."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from deploy.errors import BadInput
from geometry.types import Array
from perception.masks import Masks


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """Boxes of one frame, best first if a detector of ours made them.

    Attributes:
        camera_name: Camera of the frame.
        sequence: Number of the frame.
        stamp_ns: Middle of the frame's exposure on the run clock [ns].
        boxes: Shape (N, 4), float32, read-only: x1, y1, x2, y2 [px] of the original image, measured between its edges:
            x1 = 0 is the left edge of the first pixel, whose centre is at 0 in the cameras' convention.
        scores: Shape (N,), float32, read-only, in [0, 1].
        class_ids: Shape (N,), int32, read-only: index into `class_names`.
        class_names: Names of the detector's classes.
        masks: Which pixels belong to each detection, N of them; None from a detector that knows boxes only.

    Raises:
        BadInput: If the shapes disagree, a class has no name, or there is not a mask for each box.
    """

    camera_name: str
    sequence: int
    stamp_ns: int
    boxes: npt.NDArray[np.float32]
    scores: npt.NDArray[np.float32]
    class_ids: npt.NDArray[np.int32]
    class_names: tuple[str, ...]
    masks: Masks | None = None

    def __post_init__(self) -> None:
        boxes = np.array(self.boxes, dtype=np.float32)
        scores = np.array(self.scores, dtype=np.float32)
        class_ids = np.array(self.class_ids, dtype=np.int32)
        count = len(boxes)
        if boxes.shape != (count, 4) or scores.shape != (count,) or class_ids.shape != (count,):
            raise BadInput(
                f"boxes {boxes.shape}, scores {scores.shape}, class_ids {class_ids.shape}: expected (N, 4), (N,), (N,)"
            )
        if count and not 0 <= class_ids.min() <= class_ids.max() < len(self.class_names):
            raise BadInput(
                f"class ids {class_ids.min()}..{class_ids.max()}: expected 0..{len(self.class_names) - 1}, "
                f"the index of one of {', '.join(self.class_names) or 'no class names'}"
            )
        if self.masks is not None and len(self.masks) != count:
            raise BadInput(f"{len(self.masks)} masks of {count} boxes: expected one for each")
        for name, array in (("boxes", boxes), ("scores", scores), ("class_ids", class_ids)):
            array.flags.writeable = False
            object.__setattr__(self, name, array)

    def __len__(self) -> int:
        return len(self.boxes)

    @classmethod
    def empty(cls, camera_name: str, sequence: int, stamp_ns: int, class_names: tuple[str, ...]) -> Detections:
        """No boxes in this frame."""
        return cls(
            camera_name,
            sequence,
            stamp_ns,
            np.empty((0, 4), np.float32),
            np.empty(0, np.float32),
            np.empty(0, np.int32),
            class_names,
        )

    @property
    def centers_px(self) -> Array:
        """Shape (N, 2), float64: u, v of the box centres [px]; (0, 0) is the centre of the top-left pixel."""
        boxes = self.boxes.astype(np.float64)
        centers: Array = 0.5 * (boxes[:, :2] + boxes[:, 2:]) - 0.5
        return centers

    def select(self, rows: npt.NDArray[Any]) -> Detections:
        """Keep some rows.

        Args:
            rows: Shape (N,) of bool, or row numbers in the order that is wanted.
        """
        return Detections(
            self.camera_name,
            self.sequence,
            self.stamp_ns,
            self.boxes[rows],
            self.scores[rows],
            self.class_ids[rows],
            self.class_names,
            None if self.masks is None else self.masks.select(rows),
        )
