"""Detections of a MOT file, frame by frame, with scores that a tracker can use and stamps."""

from __future__ import annotations

import configparser
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from deploy.errors import BadInput
from geometry.types import Array, IntArray
from perception.detections import Detections
from tracking.mot_files import MotRows, read_rows

Say = Callable[[str], None]

DEFAULT_FPS = 30.0
LEAST_FPS, MOST_FPS = 0.01, 1000.0
# A probability of 1 may have been written as a little more.
ROUNDING = 1e-4


@dataclass(frozen=True, slots=True, eq=False)
class MotSequence:
    """Detections in the order of their frames.

    Attributes:
        rows: The detections that are used, sorted by frame.
        confidences: Shape (N,), 0..1: what the tracker takes for their scores.
        first: First frame of the file.
        last: Last frame of the file; before `first` if it has no rows.
        dropped: Rows of the file that are not used.
    """

    rows: MotRows
    confidences: Array
    first: int
    last: int
    dropped: int

    def in_frame(self, frame: int) -> slice:
        """The rows of a frame."""
        begin, end = np.searchsorted(self.rows.frames, (frame, frame + 1)).tolist()
        return slice(begin, end)

    def next_frame(self, frame: int) -> int:
        """The first frame with detections behind a frame; behind the last one if there is none."""
        row = int(np.searchsorted(self.rows.frames, frame, side="right"))
        return int(self.rows.frames[row]) if row < len(self.rows) else self.last + 1

    def boxes(self, rows: slice) -> Array:
        """Shape (M, 4): x1, y1, x2, y2 of some rows [px]."""
        ltwh = self.rows.boxes_ltwh[rows]
        return np.hstack((ltwh[:, :2], ltwh[:, :2] + ltwh[:, 2:]))

    def detections(self, frame: int, stamp_ns: int) -> Detections:
        """What was detected in a frame; all of one class where the file names none."""
        rows = self.in_frame(frame)
        classes, numbers = np.unique(self.rows.class_ids[rows], return_inverse=True)
        names = tuple("object" if number < 0 else str(number) for number in classes.tolist())
        return Detections(
            camera_name="mot",
            sequence=frame,
            stamp_ns=stamp_ns,
            boxes=self.boxes(rows).astype(np.float32),
            scores=self.confidences[rows].astype(np.float32),
            class_ids=numbers.reshape(-1).astype(np.int32),
            class_names=names,
        )

    def with_ids(self, ids: IntArray) -> MotRows:
        """The rows that have an identity, with it: the boxes as they were detected."""
        named = np.flatnonzero(ids > 0)
        return replace(_take(self.rows, named), ids=ids[named])

    def by_frame(self) -> tuple[IntArray, list[Array]]:
        """Frames with detections, rising, and the boxes of each, shapes (M, 4) [px]."""
        frames = np.unique(self.rows.frames)
        return frames, [self.boxes(self.in_frame(frame)) for frame in frames.tolist()]


def read_sequence(path: Path, least_score: float | None, confident: float, say: Say) -> MotSequence:
    """Read a file of detections.

    Public detections come with probabilities, with raw outputs of a classifier (-1..3, or beyond 100), or with the same
    figure everywhere. Only the first can be told apart as sure and unsure; in the other cases each detection counts as
    sure. So it does where no score reaches `confident`, since then no track would ever start.

    Args:
        path: The file.
        least_score: Rows with a lower score are not used [unit of the file]; None uses all.
        confident: Score from which on a detection starts a track.
        say: Takes what was decided, for people.

    Raises:
        BadInput: If the file cannot be read, or a row is damaged or has no size, naming file and line.
    """
    rows = read_rows(path, empty_boxes=False)
    scores = rows.scores
    if not len(rows):
        say(f"{path}: no detections")
        return MotSequence(rows, scores, first=0, last=-1, dropped=0)
    first, last = int(rows.frames.min()), int(rows.frames.max())
    low, high = float(scores.min()), float(scores.max())
    within = low >= 0.0 and high <= 1.0 + ROUNDING
    probabilities = within and low < high and high >= confident
    if not probabilities and not low == high == 1.0:
        if low == high:
            what = f"all scores are {low:g}"
        elif within:
            what = f"no score is above {high:g}, and a track starts at {confident:g}"
        else:
            what = f"scores {low:g}..{high:g} are no probabilities"
        remedy = "" if low == high else "; --min-score drops those below a score"
        say(f"{path}: {what}: every detection that is used counts as confident{remedy}")
    used = np.argsort(rows.frames, kind="stable")
    if least_score is not None:
        used = used[scores[used] >= least_score]
        say(f"--min-score {least_score:g}: {len(rows) - len(used)} of {len(rows)} detections dropped")
    return MotSequence(
        rows=_take(rows, used),
        confidences=np.minimum(scores[used], 1.0) if probabilities else np.ones(len(used)),
        first=first,
        last=last,
        dropped=len(rows) - len(used),
    )


def stamp_ns(frame: int, fps: float) -> int:
    """Stamp of a frame: frame / fps [ns]."""
    return round(frame * 1e9 / fps)


def frame_rate(folders: Iterable[Path]) -> tuple[float, str] | None:
    """Frames a second, and where that stands: the first `seqinfo.ini` that has it.

    Args:
        folders: Where to look.

    Raises:
        BadInput: If such a file cannot be read, or its rate is none.
    """
    for folder in folders:
        path = folder / "seqinfo.ini"
        if not path.is_file():
            continue
        info = configparser.ConfigParser(strict=False, interpolation=None)
        try:
            info.read_string(path.read_text(encoding="utf-8-sig"))
        except (configparser.Error, UnicodeDecodeError, OSError) as error:
            raise BadInput(f"{path}: cannot be read ({' '.join(str(error).split())}); give --fps") from error
        text = info.get("Sequence", "frameRate", fallback=None)
        if text is None:
            continue
        try:
            fps = float(text)
        except ValueError:
            fps = float("nan")
        if not LEAST_FPS <= fps <= MOST_FPS:
            raise BadInput(f"{path}: frameRate {text}: expected {LEAST_FPS:g}..{MOST_FPS:g}; give --fps")
        return fps, str(path)
    return None


def _take(rows: MotRows, chosen: IntArray) -> MotRows:
    return replace(
        rows,
        **{
            name: getattr(rows, name)[chosen]
            for name in ("frames", "ids", "boxes_ltwh", "scores", "points_m", "class_ids")
        },
    )
