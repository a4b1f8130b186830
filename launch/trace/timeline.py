"""When each row of a ledger began and ended in the run's time, and how rows that overlap share a track."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from launch.ledger import Rows, Stage

Int64 = npt.NDArray[np.int64]
NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class Timeline:
    """A ledger of N rows in time; all instants are counted from `origin_ns`, so none is negative.

    Attributes:
        rows: The ledger, by number.
        begin_ns: Shape (N,), when the activation began [ns].
        end_ns: Shape (N,), when it ended, or when its episode did [ns]; the same as `begin_ns` for a row without an
            activation.
        took_ns: Shape (N,), how long the activation took [ns], also if its episode ended before.
        photon_ns: Shape (N,), capture stamp of the photons behind the row [ns]; of a CAPTURE row not after its end.
        has_photons: Shape (N,), whether there are any.
        origin_ns: Zero of these instants on the run clock [ns]: 0, or the first instant if that was before 0, as the
            photons of a frame may be that was on its way when the run began.
    """

    rows: Rows
    begin_ns: Int64
    end_ns: Int64
    took_ns: Int64
    photon_ns: Int64
    has_photons: npt.NDArray[np.bool_]
    origin_ns: int

    def of(self, stage: Stage) -> Int64:
        """Indices of the rows of a stage."""
        return np.flatnonzero(self.rows["stage"] == stage)


def timeline(rows: Rows, *, virtual: bool) -> Timeline:
    """Place a ledger in time.

    Args:
        rows: A whole ledger, by number.
        virtual: Whether the run's clock was virtual: then an activation took what the profile said.
    """
    stage, now = rows["stage"], rows["now_ns"].astype(np.int64)
    captured = stage == Stage.CAPTURE
    photon = np.where(captured, np.minimum(rows["photon_ns"], now), rows["photon_ns"])
    took = np.maximum(rows["modelled_ns" if virtual else "measured_ns"], 0)
    took = np.where(stage <= Stage.SEND, took if virtual else np.where(captured, now - photon, took), 0)
    begin = np.where(captured, now - took, now)
    begins_episode = stage == Stage.EPISODE
    episode = np.cumsum(begins_episode)
    next_begin = np.append(now[begins_episode], NEVER)[episode]
    end = np.minimum(begin + took, np.maximum(begin, next_begin))  # what the end of an episode broke off
    origin = min(0, int(begin.min(initial=0)), int(photon[captured].min(initial=0)))
    has_photons = captured | (photon >= 0)
    return Timeline(rows, begin - origin, end - origin, took, photon - origin, has_photons, origin)


def lanes(begin_ns: Int64, end_ns: Int64) -> Int64:
    """Share intervals out so that no two of a lane overlap or begin at one instant; as few lanes as that takes.

    Args:
        begin_ns: Shape (N,).
        end_ns: Shape (N,), not before the begin.

    Returns:
        Shape (N,), number of the lane, from 0.

    Example:
        >>> lanes(np.array([0, 30, 60]), np.array([45, 75, 105])).tolist()
        [0, 1, 0]
    """
    order = np.lexsort((end_ns, begin_ns))
    begin, end = begin_ns[order], end_ns[order]
    lane = np.zeros(len(order), dtype=np.int64)
    if np.any((begin[1:] < end[:-1]) | (begin[1:] == begin[:-1])):
        last: list[tuple[int, int]] = []
        for row, (starts, ends) in enumerate(zip(begin.tolist(), end.tolist(), strict=True)):
            free = (number for number, (begun, ended) in enumerate(last) if starts >= ended and starts > begun)
            number = next(free, len(last))
            last[number : number + 1] = [(starts, ends)]
            lane[row] = number
    result = np.empty_like(lane)
    result[order] = lane
    return result
