"""Files of boxes with identities in the text format of the MOTChallenge: detections, ground truth and tracks.

A row is `frame,id,left,top,width,height,conf,x,y,z`. Ground truth since MOT16 has `class,visibility` in place of
`x,y,z` (https://motchallenge.net/instructions).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from deploy.errors import BadInput
from geometry.types import Array, IntArray

from .text_rows import read_numbers, shortest

# Four days at 30 frames/s: what is above is a time stamp or damage, and nobody wants a step for each.
LAST_FRAME = 10_000_000
LARGEST = 1e9
COLUMNS = "frame,id,left,top,width,height,conf,x,y,z"


@dataclass(frozen=True, slots=True, eq=False)
class MotRows:
    """Rows of a MOT file, in any order. All arrays are read-only.

    Attributes:
        frames: Shape (N,), int64: number of the frame, from 1 on (some files: from 0 on).
        ids: Shape (N,), int64: identity; -1 for detections, which have none.
        boxes_ltwh: Shape (N, 4): left, top, width, height [px].
        scores: Shape (N,): confidence in the unit of the detector, which need not be 0..1; in ground truth 0 marks a
            row that is not to be considered.
        points_m: Shape (N, 3), the object's place [m]; NaN where the row has none.
        class_ids: Shape (N,), int64: class of the object; -1 where the row has none.

    Raises:
        BadInput: If the shapes disagree.
    """

    frames: IntArray
    ids: IntArray
    boxes_ltwh: Array
    scores: Array
    points_m: Array
    class_ids: IntArray

    def __post_init__(self) -> None:
        count = len(self.frames)
        wanted: dict[str, tuple[npt.DTypeLike, tuple[int, ...]]] = {
            "frames": (np.int64, (count,)),
            "ids": (np.int64, (count,)),
            "boxes_ltwh": (np.float64, (count, 4)),
            "scores": (np.float64, (count,)),
            "points_m": (np.float64, (count, 3)),
            "class_ids": (np.int64, (count,)),
        }
        for name, (dtype, shape) in wanted.items():
            array = np.array(getattr(self, name), dtype=dtype)
            if array.shape != shape:
                raise BadInput(f"{name} of {count} rows has shape {array.shape}: expected {shape}")
            array.flags.writeable = False
            object.__setattr__(self, name, array)

    def __len__(self) -> int:
        return len(self.frames)


def read_rows(path: str | Path, *, empty_boxes: bool = True) -> MotRows:
    """Read a file of detections, ground truth or tracks.

    Fields are separated by commas or by white space. Rows have 6 columns or more, the same number in the whole file:
    with 6 the score is 1, the eighth of 8 or 9 is the class, the eighth to tenth of 10 or more are the place (all -1 or
    nan: none). Blank lines and lines that start with # are skipped.

    Args:
        path: The file.
        empty_boxes: Accept boxes of no width or height.

    Returns:
        The rows, in the order of the file; none if it holds none.

    Raises:
        BadInput: If the file cannot be read, or a row is damaged, naming file and line: too short, of another length
            than the first, not a number, not finite, a frame that is not a whole number from 0 on, a negative size.
    """
    path = Path(path)
    values, lines = read_numbers(path, COLUMNS, least=6)
    return _to_rows(values, lines, path, empty_boxes)


def write_rows(path: str | Path, rows: MotRows) -> None:
    """Write rows `frame,id,left,top,width,height,conf,x,y,z`, sorted by frame, then id; whole or not at all.

    Numbers are written so that they are read back the same; a missing place is -1,-1,-1. Classes are not written.

    Args:
        path: The file; one that exists is replaced.
        rows: What to write.

    Raises:
        BadInput: If nothing can be written there.
    """
    path = Path(path)
    points = np.where(np.isnan(rows.points_m), -1.0, rows.points_m)
    values = np.column_stack((rows.boxes_ltwh, rows.scores, points)).tolist()
    frames, ids = rows.frames.tolist(), rows.ids.tolist()
    text = "".join(
        f"{frames[row]},{ids[row]},{','.join(map(shortest, values[row]))}\n"
        for row in np.lexsort((rows.ids, rows.frames)).tolist()
    )
    try:
        if path.exists() and not path.is_file():
            path.write_text(text, encoding="utf-8")  # a pipe or a device cannot be replaced, and a folder is an error
        else:
            _replace(path.resolve(), text)
    except OSError as error:
        raise BadInput(f"{path}: cannot be written ({error.strerror}); name a file in a folder that exists") from error


def _replace(path: Path, text: str) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _to_rows(values: Array, lines: list[int], path: Path, empty_boxes: bool) -> MotRows:
    count, columns = values.shape

    def refuse(bad: npt.ArrayLike, first: int, last: int, expected: str) -> None:
        for row in np.flatnonzero(bad)[:1]:
            found = ",".join(shortest(value) for value in values[row, first : last + 1].tolist())
            raise BadInput(f"{path}:{lines[row]}: {found}: expected {expected}")

    frames, ids, boxes = values[:, 0], values[:, 1], values[:, 2:6]
    scores = values[:, 6] if columns > 6 else np.ones(count)
    points = values[:, 7:10] if columns > 9 else np.full((count, 3), np.nan)
    classes = values[:, 7] if columns in (8, 9) else np.full(count, -1.0)
    refuse(
        ~((frames >= 0) & (frames <= LAST_FRAME) & (frames == np.floor(frames))), 0, 0, f"a whole frame 0..{LAST_FRAME}"
    )
    refuse(~((np.abs(ids) < 2.0**53) & (ids == np.floor(ids))), 1, 1, "a whole number as id, -1 for none")
    refuse(~(np.abs(boxes) <= LARGEST).all(axis=1), 2, 5, f"left, top, width, height within {LARGEST:g} px")
    if empty_boxes:
        refuse((boxes[:, 2:] < 0).any(axis=1), 2, 5, "a width and height >= 0 px")
    else:
        refuse((boxes[:, 2:] <= 0).any(axis=1), 2, 5, "a width and height > 0 px; drop the row")
    refuse(~np.isfinite(scores), 6, 6, "a finite score")
    refuse(~((np.abs(classes) < 2.0**53) & (classes == np.floor(classes))), 7, 7, "a whole number as class")
    absent = np.isnan(points).all(axis=1) | (points == -1.0).all(axis=1)
    refuse(~absent & ~np.isfinite(points).all(axis=1), 7, 9, "a place x,y,z of finite numbers, or -1,-1,-1")
    return MotRows(
        frames=frames.astype(np.int64),
        ids=ids.astype(np.int64),
        boxes_ltwh=boxes,
        scores=scores,
        points_m=np.where(absent[:, None], np.nan, points),
        class_ids=classes.astype(np.int64),
    )
