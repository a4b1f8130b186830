"""What the tracker knows at one instant, as arrays with one row per track."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from geometry.types import Array, IntArray


class TrackState(IntEnum):
    """Where a track is in its life."""

    TENTATIVE = 0
    """Seen too few times, or for too short a time, to act on."""
    CONFIRMED = 1
    """An object that is being seen."""
    LOST = 2
    """An object that was confirmed and has not been seen for a while: its position is a memory."""


@dataclass(frozen=True, slots=True, eq=False)
class Tracks:
    """All tracks after one update, in the order of their ids. All arrays are read-only.

    Attributes:
        stamp_ns: Capture time of the newest photons used; the states are predicted to it [ns, run clock].
        ids: Shape (N,), int64, unique, never used again before a reset.
        positions_m: Shape (N, 3), centres in the frame of the measurements, `base` [m].
        velocities_m_s: Shape (N, 3) [m/s].
        covariances: Shape (N, 6, 6), of position and velocity in this order [m^2, m^2/s, m^2/s^2].
        class_ids: Shape (N,), int32: index into `class_names`, by the vote of the detections so far.
        class_names: Names of the classes of all cameras, in the order in which they came.
        scores: Shape (N,), float32: fading mean of the scores of the track's detections.
        states: Shape (N,), uint8: values of ``TrackState``.
        last_seen_ns: Shape (N,), int64: capture time of the latest detection [ns].
        age_s: Shape (N,): time since the first detection [s].
        detection_ids: Shape (M,), int64, one row per detection of this update: the id of its confirmed track; -1 if
            its track is tentative or it has none.
    """

    stamp_ns: int
    ids: IntArray
    positions_m: Array
    velocities_m_s: Array
    covariances: Array
    class_ids: npt.NDArray[np.int32]
    class_names: tuple[str, ...]
    scores: npt.NDArray[np.float32]
    states: npt.NDArray[np.uint8]
    last_seen_ns: IntArray
    age_s: Array
    detection_ids: IntArray

    def __post_init__(self) -> None:
        for field in _ARRAYS:
            getattr(self, field).flags.writeable = False

    def __len__(self) -> int:
        return len(self.ids)

    def confirmed(self) -> Tracks:
        """Keep the tracks whose state is `CONFIRMED`; `detection_ids` stay as they are."""
        keep = self.states == TrackState.CONFIRMED
        return replace(self, **{name: getattr(self, name)[keep] for name in _ARRAYS if name != "detection_ids"})


_ARRAYS = tuple(f.name for f in fields(Tracks) if f.name not in ("stamp_ns", "class_names"))
