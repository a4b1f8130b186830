"""What a tracker knows at one instant, as arrays with one row per detection or per track."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from deploy.errors import BadInput
from geometry.types import Array, BoolArray, IntArray

from .checks import check_stamp
from .store import BORN, CLASS, CONFIRMED, IDS, SEEN

_NOBODY = np.empty(0, dtype=np.int64)
_NOBODY.flags.writeable = False

_Number = TypeVar("_Number", bound=np.generic)
_Value = TypeVar("_Value")


class _once(Generic[_Value]):  # noqa: N801 - used as a decorator
    """`functools.cached_property`, without the lock that costs more than most of what is computed here."""

    def __init__(self, function: Callable[[Any], _Value]) -> None:
        self._function = function
        self._name = function.__name__
        self.__doc__ = function.__doc__

    def __get__(self, instance: Any, _owner: Any = None) -> _Value:
        if instance is None:
            return self  # type: ignore[return-value]
        value = instance.__dict__[self._name] = self._function(instance)
        return value


class TrackState(IntEnum):
    """Where a track is in its life."""

    TENTATIVE = 0
    """Seen too few times, or for too short a time, to act on."""
    CONFIRMED = 1
    """An object that is being seen."""
    LOST = 2
    """An object that was confirmed and has not been seen for a while: its position is a memory."""
    NONE = 3
    """No track: the row of a detection that neither continued one nor started one."""


class Motion(Protocol):
    """Where things are and how they move, one row per track."""

    def position(self) -> Array:
        """Shape (N, D)."""

    def velocity(self) -> Array:
        """Shape (N, D) [1/s]."""

    def covariance(self) -> Array:
        """Shape (N, 2 D, 2 D), of position and velocity in this order."""

    def later(self, from_ns: int, to_ns: int) -> Motion:
        """The same things at a later instant, as far as that can be foreseen."""


@dataclass(slots=True, eq=False)
class Snapshot:
    """A copy of all live tracks, which the tracker changes no more.

    Attributes:
        stamp_ns: To what instant the motion is predicted [ns].
        lost_ns: A confirmed track that was last seen before this is lost [ns].
        life: Shape (8, N): `TrackStore.life`.
        scores: Shape (N,).
        motion: Of N tracks.
        class_names: Names of the classes.
    """

    stamp_ns: int
    lost_ns: int
    life: IntArray
    scores: Array
    motion: Motion
    class_names: tuple[str, ...]


class Tracks:
    """Tracks after one update. All arrays are read-only, and made when they are asked for.

    What `update` gives has one row per detection, in the order of the detections. What `all` and `predicted` give has
    one row per live track, in the order of the ids.

    In the image a position is the centre u, v and the width and height of the box [px]; in `base` it is x, y, z [m].

    Attributes:
        stamp_ns: Capture time of the newest photons used, or the instant of a prediction; the states are predicted to
            it [ns, run clock].
        class_names: Names of the classes of all cameras, in the order in which they came.
    """

    def __init__(
        self, snapshot: Snapshot, rows: IntArray | None, detection_ids: IntArray | None = None, of_update: bool = False
    ) -> None:
        self._snapshot = snapshot
        self._rows = rows
        self._detection_ids = detection_ids
        self._of_update = of_update

    def __getstate__(self) -> dict[str, Any]:
        # What is made on demand is made again; the ids of a selection are those of its rows, and cannot be.
        return {name: value for name, value in self.__dict__.items() if name.startswith("_") or name == "ids"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        for value in state.values():  # numpy forgets that arrays cannot be written to
            if isinstance(value, np.ndarray):
                _read_only(value)

    def __len__(self) -> int:
        return self._snapshot.life.shape[1] if self._rows is None else len(self._rows)

    def __repr__(self) -> str:
        return f"Tracks(stamp_ns={self.stamp_ns}, ids={self.ids.tolist()})"

    @property
    def stamp_ns(self) -> int:
        """Instant of the states [ns]."""
        return self._snapshot.stamp_ns

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes."""
        return self._snapshot.class_names

    @_once
    def all(self) -> Tracks:
        """Every live track, also tentative and lost ones, in the order of the ids."""
        return Tracks(self._snapshot, None, self.detection_ids)

    @_once
    def ids(self) -> IntArray:
        """Shape (N,): unique, never used again before a reset; a detection without a confirmed track has -1."""
        ids, confirmed = self._snapshot.life[IDS], self._snapshot.life[CONFIRMED]
        return self._cut(np.where(confirmed, ids, -1) if self._of_update else ids, -1)

    @property
    def detection_ids(self) -> IntArray:
        """Shape (M,): `ids` of the detections of this update, also in `all`; empty for a prediction."""
        if self._of_update:
            return self.ids
        return _NOBODY if self._detection_ids is None else self._detection_ids

    @_once
    def state(self) -> npt.NDArray[np.uint8]:
        """Shape (N,), values of `TrackState`."""
        life = self._snapshot.life
        lost = (life[SEEN] < self._snapshot.lost_ns) + np.uint8(TrackState.CONFIRMED)
        return self._cut(np.where(life[CONFIRMED] > 0, lost, 0).astype(np.uint8), TrackState.NONE)

    @_once
    def position(self) -> Array:
        """Shape (N, D) [px or m]."""
        return self._cut(self._snapshot.motion.position(), np.nan)

    @_once
    def velocity(self) -> Array:
        """Shape (N, D) [px/s or m/s]."""
        return self._cut(self._snapshot.motion.velocity(), np.nan)

    @_once
    def covariance(self) -> Array:
        """Shape (N, 2 D, 2 D), of position and velocity in this order."""
        return self._cut(self._snapshot.motion.covariance(), np.nan)

    @_once
    def boxes(self) -> Array:
        """Shape (N, 4): x1, y1, x2, y2 of the filtered boxes [px].

        Raises:
            BadInput: If the tracks are not in an image.
        """
        position = self.position
        if position.shape[1] != 4:
            raise BadInput("tracks in space have no boxes: expected those of an ImageTracker; use position")
        boxes = np.empty_like(position)
        half = 0.5 * position[:, 2:]
        np.subtract(position[:, :2], half, out=boxes[:, :2])
        np.add(position[:, :2], half, out=boxes[:, 2:])
        return _read_only(boxes)

    @_once
    def class_ids(self) -> npt.NDArray[np.int32]:
        """Shape (N,): index into `class_names`, by the vote of the detections so far; -1 without a track."""
        return self._cut(self._snapshot.life[CLASS].astype(np.int32), -1)

    @_once
    def scores(self) -> npt.NDArray[np.float32]:
        """Shape (N,): fading mean of the scores of the track's detections; 0 without a track."""
        return self._cut(self._snapshot.scores.astype(np.float32), 0.0)

    @_once
    def last_seen_ns(self) -> IntArray:
        """Shape (N,): capture time of the latest detection; -1 without a track [ns]."""
        return self._cut(self._snapshot.life[SEEN], -1)

    @_once
    def age_s(self) -> Array:
        """Shape (N,): time since the first detection; NaN without a track [s]."""
        return self._cut((self.stamp_ns - self._snapshot.life[BORN]) * 1e-9, np.nan)

    def select(self, rows: BoolArray | IntArray) -> Tracks:
        """Keep some rows: a mask, or numbers of rows in the order that is wanted."""
        present = np.arange(len(self)) if self._rows is None else self._rows
        chosen = Tracks(self._snapshot, np.asarray(present[rows], dtype=np.int64), self.detection_ids)
        chosen.__dict__["ids"] = _read_only(self.ids[rows])
        return chosen

    def predicted(self, stamp_ns: int) -> Tracks:
        """Every live track at another instant, as far as can be foreseen from here; nothing is seen, missed or ages.

        Args:
            stamp_ns: The instant [ns]; one that has passed leaves the tracks where they are.
        """
        now, to_ns = self._snapshot, check_stamp(stamp_ns)
        if to_ns <= now.stamp_ns:
            return Tracks(now, None)
        return Tracks(replace(now, stamp_ns=to_ns, motion=now.motion.later(now.stamp_ns, to_ns)), None)

    def confirmed(self) -> Tracks:
        """Keep the tracks whose state is `CONFIRMED`; `detection_ids` stay as they are."""
        return self.select(self.state == TrackState.CONFIRMED)

    def _cut(self, values: npt.NDArray[_Number], missing: Any) -> npt.NDArray[_Number]:
        rows = self._rows
        if rows is None:
            return _read_only(values)
        if not len(values):
            return _read_only(np.full((len(rows), *values.shape[1:]), missing, dtype=values.dtype))
        cut = values[rows]
        cut[rows < 0] = missing
        return _read_only(cut)


def _read_only(array: npt.NDArray[_Number]) -> npt.NDArray[_Number]:
    array.flags.writeable = False
    return array
