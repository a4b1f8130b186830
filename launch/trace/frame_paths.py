"""The way of each frame through a ledger: from its photons to the first command that was sent because of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from launch.ledger import Rows, Rung, Stage

Int64 = npt.NDArray[np.int64]
STEPS = 8  # capture, detect, localize, track, a prediction, plan, ik, send


@dataclass(frozen=True, slots=True)
class FramePaths:
    """The activations of each frame's way; together with `capture` one row for each, a frame's in their order.

    Attributes:
        capture: Shape (M,), index of the CAPTURE row that the way begins with; it is the name of the way.
        row: Shape (M,), index of the row that the way passes, the CAPTURE row itself among them.
    """

    capture: Int64
    row: Int64


def frame_paths(rows: Rows) -> FramePaths:
    """Find the way of every frame that a ledger knows.

    A frame whose photons led to a command ends with the first SEND that follows a chunk made of them; any other ends
    where it was used last. The way passes a prediction of the tracker if the plan was made of that; a frame that was
    left out for a prediction ends there. Where rows were lost, the way ends before them.

    Args:
        rows: A whole ledger, by number.
    """
    parent = _parents(rows)
    of = {stage: np.flatnonzero(rows["stage"] == stage) for stage in Stage}
    root = np.full(len(rows), -1, dtype=np.int64)
    root[of[Stage.CAPTURE]] = of[Stage.CAPTURE]
    for stage in (Stage.DETECT, Stage.LOCALIZE, Stage.TRACK, Stage.PLAN, Stage.IK, Stage.SEND):
        for members in _looked_and_predicted(rows, of[stage]) if stage is Stage.TRACK else (of[stage],):
            known = members[parent[members] >= 0]
            root[known] = root[parent[known]]
    end = _ends(rows, of, parent, root)
    capture, row = [], []
    start, at = root[end], end
    for _ in range(STEPS):
        capture.append(start)
        row.append(at)
        before = parent[at]
        start, at = start[before >= 0], before[before >= 0]
    left_out, predicted = _left_out(rows, of)
    capture.append(left_out)
    row.append(predicted)
    captures, passed = np.concatenate(capture), np.concatenate(row)
    order = np.lexsort((passed, captures))  # a consumer's row has a higher number than its producer's
    return FramePaths(captures[order], passed[order])


def _parents(rows: Rows) -> Int64:
    """The row that published what a row consumed, -1 where there is none."""
    stage, sequence, source = rows["stage"], rows["sequence"], rows["input"]
    parent = np.full(len(rows), -1, dtype=np.int64)

    def link(children: Int64, consumed: Int64, producers: Int64, published: Int64) -> None:
        parent[children] = _producers(children, consumed, producers, published)

    def link_stage(children: Int64, producer: Stage) -> None:
        producers = np.flatnonzero((stage == producer) & (sequence >= 0))
        wanted = children[source[children] >= 0]
        link(wanted, source[wanted], producers, sequence[producers])

    captures, detects = np.flatnonzero(stage == Stage.CAPTURE), np.flatnonzero(stage == Stage.DETECT)
    numbers = frame_numbers(rows, sequence)
    link(detects, frame_numbers(rows, source)[detects], captures, numbers[captures])
    link_stage(np.flatnonzero(stage == Stage.LOCALIZE), Stage.DETECT)
    looked, predicted = _looked_and_predicted(rows, np.flatnonzero(stage == Stage.TRACK))
    link_stage(looked, Stage.LOCALIZE)
    # a prediction consumes no value; what it follows is the look whose photons it carries
    link(predicted, rows["photon_ns"][predicted], looked, rows["photon_ns"][looked])
    link_stage(np.flatnonzero(stage == Stage.PLAN), Stage.TRACK)
    link_stage(np.flatnonzero(stage == Stage.IK), Stage.PLAN)
    link_stage(np.flatnonzero(stage == Stage.SEND), Stage.IK)
    return parent


def first_of(keys: Int64, wanted: Int64) -> Int64:
    """Index of the first key that equals each wanted one, -1 where none does.

    Args:
        keys: Shape (N,).
        wanted: Shape (M,).

    Returns:
        Shape (M,).

    Example:
        >>> first_of(np.array([7, 3, 7]), np.array([3, 7, 4])).tolist()
        [1, 0, -1]
    """
    unique, first = np.unique(keys, return_index=True)
    if not len(unique):
        return np.full(len(wanted), -1, dtype=np.int64)
    at = np.minimum(np.searchsorted(unique, wanted), len(unique) - 1)
    return np.where(unique[at] == wanted, first[at], -1)


def frame_numbers(rows: Rows, sequence: Int64) -> Int64:
    """Numbers that name a frame over the cameras and episodes of a ledger.

    Args:
        rows: A whole ledger, N rows.
        sequence: Shape (N,), the number of a frame among those of the row's camera; it may begin anew with an episode.
    """
    episode = np.cumsum(rows["stage"] == Stage.EPISODE)
    cameras = int(rows["camera"].max(initial=0)) + 1
    episodes = int(episode.max(initial=0)) + 1
    numbers: Int64 = (sequence * episodes + episode) * cameras + rows["camera"]
    return numbers


def _looked_and_predicted(rows: Rows, tracks: Int64) -> tuple[Int64, Int64]:
    predicted = (rows["rung"][tracks] == Rung.PREDICT) & (rows["input"][tracks] < 0)
    return tracks[~predicted], tracks[predicted]


def _ends(rows: Rows, of: dict[Stage, Int64], parent: Int64, root: Int64) -> Int64:
    """The last row of each way: the farthest stage, of several rows of it the earliest."""
    looked, _ = _looked_and_predicted(rows, of[Stage.TRACK])
    following = of[Stage.SEND][rows["rung"][parent[of[Stage.SEND]]] < Rung.HOLD]
    ends = np.concatenate((of[Stage.CAPTURE], of[Stage.DETECT], of[Stage.LOCALIZE], looked, of[Stage.PLAN], following))
    ends = ends[root[ends] >= 0]
    ends = ends[np.lexsort((ends, -rows["stage"][ends], root[ends]))]
    return ends[np.unique(root[ends], return_index=True)[1]]


def _left_out(rows: Rows, of: dict[Stage, Int64]) -> tuple[Int64, Int64]:
    """CAPTURE rows of frames that were left out, and the predictions that were made at their instants."""
    _, predicted = _looked_and_predicted(rows, of[Stage.TRACK])
    captures = of[Stage.CAPTURE]
    frames = frame_numbers(rows, rows["other"])[predicted]
    exposed = _producers(predicted, frames, captures, frame_numbers(rows, rows["sequence"])[captures])
    return exposed[exposed >= 0], predicted[exposed >= 0]


def _producers(children: Int64, consumed: Int64, producers: Int64, published: Int64) -> Int64:
    """Rows that published what others consumed, -1 where there is none; one that comes later is of another episode."""
    found = first_of(published, consumed)
    by = np.append(producers, -1)[found]
    return np.where(by < children, by, -1)
