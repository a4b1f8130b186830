"""MOT files whose rows have an identity."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from deploy.errors import BadInput
from tracking.mot_files import COLUMNS, MotRows, read_rows
from tracking.text_rows import read_numbers


def read_identified(path: str | Path) -> MotRows:
    """Read truth or tracks.

    Args:
        path: The file; it may be empty.

    Raises:
        BadInput: If it is not a MOT file, if a row has no identity, or two rows of a frame have the same, naming file
            and line.
    """
    path = Path(path)
    rows = read_rows(path)
    fault = identity_fault(rows)
    if fault is None:
        return rows
    row, what = fault
    lines = read_numbers(path, COLUMNS, least=6)[1]
    where = f"{path}:{lines[row]}" if len(lines) == len(rows) else f"{path}"  # a pipe is read but once
    raise BadInput(f"{where}: {what}")


def identity_fault(rows: MotRows) -> tuple[int, str] | None:
    """The first row that cannot be told from others, and what is wrong with it; None if there is none."""
    nameless = np.flatnonzero(rows.ids == -1)[:1].tolist()
    faults = [
        (row, f"no identity (-1) in frame {rows.frames[row]}: expected tracks, not detections") for row in nameless
    ]
    order = np.lexsort((np.arange(len(rows)), rows.ids, rows.frames))
    same = (np.diff(rows.frames[order]) == 0) & (np.diff(rows.ids[order]) == 0)
    for row in np.sort(order[1:][same])[:1].tolist():
        what = f"identity {rows.ids[row]} for the second time in frame {rows.frames[row]}: expected it once in a frame"
        faults.append((row, what))
    return min(faults, default=None)
