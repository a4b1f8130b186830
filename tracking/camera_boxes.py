"""The latest box of each track in each camera: what a box in the next picture of that camera is compared with."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from geometry.types import Array, BoolArray, IntArray

from .assignment import box_iou, unambiguous
from .base_look import BaseLook
from .store import NEVER_NS, Column, TrackStore

COLUMNS: Mapping[str, Column] = MappingProxyType({
    "boxes": Column(after=(1, 4)),
    "box_ns": Column(after=(1,), kind=np.int64, fill=NEVER_NS),
})  # fmt: skip
"""Of the store; their axis behind that of the tracks is that of the cameras."""


def know_cameras(store: TrackStore, count: int) -> None:
    """Make room for the boxes of so many cameras."""
    for name in COLUMNS:
        store.widen(name, count)


def keep(look: BaseLook, store: TrackStore, rows: IntArray, tracks: IntArray) -> None:
    """Note the boxes of detections `rows`, which continue or start `tracks`."""
    store.column("boxes")[tracks, look.camera] = look.boxes[rows]
    store.column("box_ns")[tracks, look.camera] = look.stamp_ns


class LatestBoxes:
    """The boxes of all tracks in the camera of one look, moved with the picture since.

    Args:
        look: The look.
        store: The tracks.
        lasting_s: An older box says nothing [s].
        pairs: Detections (K,) and tracks (K,) that are near in space.
        same_class: Shape (K,): pairs of one class.

    Attributes:
        fresh: Shape (N,): tracks whose box is young enough.
    """

    def __init__(
        self, look: BaseLook, store: TrackStore, lasting_s: float, pairs: tuple[IntArray, IntArray],
        same_class: BoolArray,
    ) -> None:  # fmt: skip
        self._boxes: Array = store.column("boxes")[:, look.camera]
        self.fresh: BoolArray = look.stamp_ns - store.column("box_ns")[:, look.camera] <= lasting_s * 1e9
        self._shift = self._moved(look.boxes, *pairs, same_class)

    def _moved(self, boxes: Array, i: IntArray, j: IntArray, same_class: BoolArray) -> Array:
        """How far the picture moved since the tracks' latest boxes, from the pairs that are certain without boxes.

        A camera on the gripper moves every box at once. Unshifted, a row of equal objects that moved by its own spacing
        would overlap perfectly, each with its neighbour.

        Returns:
            Shape (4,), for x1, y1, x2, y2: median over those pairs of the displacement of the centres [px]; 0 if there
            are none.
        """
        sure = unambiguous(i, j) & same_class & self.fresh[j]
        if not sure.any():
            return np.zeros(4)
        moved = boxes[i[sure]] - self._boxes[j[sure]]
        shift = np.sort(0.5 * (moved[:, :2] + moved[:, 2:]), axis=0)[len(moved) // 2]
        return np.concatenate((shift, shift))

    def overlap(self, boxes: Array, tracks: IntArray) -> Array:
        """IoU of boxes (..., 4) with those of tracks (...), broadcast; 0 where the track has none or an old one."""
        return np.where(self.fresh[tracks], box_iou(boxes, self._boxes[tracks] + self._shift), 0.0)
