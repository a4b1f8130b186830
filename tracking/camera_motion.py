"""How the camera moved between two pictures: the check of one motion, and files with a motion for each frame.

A motion maps pixel coordinates of the previous picture to this one: u' = A u + b as (2, 3), or a homography as (3, 3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from deploy.errors import BadInput
from geometry.types import Array, IntArray

from .assignment import box_iou
from .mot_files import LAST_FRAME
from .text_rows import read_numbers, shortest

# Between two looks at the same scene no camera does more than this: beyond it the numbers are damaged, or not a motion.
MOST_SCALE = 10.0
MOST_SHIFT_PX = 1e5
MOST_PERSPECTIVE_PER_PX = 1e-3
FORM = "frame and 6 or 9 numbers of a motion, row by row"
# By how much overlap one numbering of frames has to explain the boxes better than another.
CLEARLY = 0.02
# Pairs of frames that are looked at for that, spread over the sequence.
MOST_PAIRS = 500


def check_motion(motion: npt.ArrayLike, where: str = "camera motion") -> Array:
    """Check one motion.

    Args:
        motion: Shape (2, 3) or (3, 3).
        where: What it is called in errors.

    Returns:
        Shape (3, 3), its last element 1.

    Raises:
        BadInput: If the shape is another, a number is not finite, or it cannot be a camera's: not invertible, mirrored,
            scaled by more than ten, shifted by more than 100000 px, or with the horizon in the picture.

    Example:
        >>> check_motion([[1, 0, 5], [0, 1, -2]]).tolist()
        [[1.0, 0.0, 5.0], [0.0, 1.0, -2.0], [0.0, 0.0, 1.0]]
    """
    try:
        matrix: Array = np.array(motion, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise BadInput(f"{where}: not numbers ({error}); expected shape (2, 3) or (3, 3)") from error
    if matrix.shape not in ((2, 3), (3, 3)):
        raise BadInput(f"{where} has shape {matrix.shape}: expected (2, 3) or (3, 3), previous picture to this one")
    if not np.isfinite(matrix).all():
        raise BadInput(f"{where} {_text(matrix)}: expected finite numbers; pass None where the motion is not known")
    if len(matrix) == 2:
        matrix = np.vstack((matrix, (0.0, 0.0, 1.0)))
    if abs(matrix[2, 2]) < 1e-6:
        raise BadInput(f"{where} {_text(matrix)}: expected a last element that is not 0")
    matrix /= matrix[2, 2]
    if np.linalg.det(matrix[:2, :2]) <= 0.0:
        raise BadInput(f"{where} {_text(matrix)}: expected one that can be undone and does not mirror the picture")
    scales = np.linalg.svd(matrix[:2, :2], compute_uv=False)
    if scales[0] > MOST_SCALE or scales[1] < 1.0 / MOST_SCALE:
        raise BadInput(f"{where} {_text(matrix)}: scales by {scales[0]:.3g} and {scales[1]:.3g}: expected 0.1..10")
    if np.abs(matrix[:2, 2]).max() > MOST_SHIFT_PX:
        raise BadInput(f"{where} {_text(matrix)}: expected a shift within {MOST_SHIFT_PX:g} px")
    if np.abs(matrix[2, :2]).max() > MOST_PERSPECTIVE_PER_PX:
        raise BadInput(f"{where} {_text(matrix)}: expected a third row within {MOST_PERSPECTIVE_PER_PX:g} per px")
    if np.linalg.det(matrix) <= 1e-6:
        raise BadInput(f"{where} {_text(matrix)}: expected a homography that can be undone")
    return matrix


def move_boxes(boxes: npt.ArrayLike, motion: Array) -> Array:
    """Where boxes of the previous picture are in this one, if only the camera moved.

    Args:
        boxes: Shape (N, 4): x1, y1, x2, y2 [px].
        motion: Shape (3, 3), from ``check_motion``.

    Returns:
        Shape (N, 4): the boxes around their four moved corners [px].
    """
    corners = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 4, 2)
    moved = corners @ motion[:2, :2].T + motion[:2, 2]
    moved /= np.maximum(corners @ motion[2, :2] + 1.0, 1e-6)[..., None]
    return np.concatenate((moved.min(axis=1), moved.max(axis=1)), axis=1)


@dataclass(frozen=True, slots=True, eq=False)
class CameraMotions:
    """A motion for each of some frames.

    Attributes:
        frames: Shape (N,), int64, rising: the motion leads from the picture before to the picture of this number.
        matrices: Shape (N, 3, 3), as ``check_motion`` gives them.
    """

    frames: IntArray
    matrices: Array

    def __len__(self) -> int:
        return len(self.frames)

    def at(self, frame: int) -> Array | None:
        """The motion to a frame, shape (3, 3); None if there is none."""
        row = int(np.searchsorted(self.frames, frame))
        return self.matrices[row] if row < len(self) and self.frames[row] == frame else None

    def renumbered(self, offset: int) -> CameraMotions:
        """The same motions, the numbers of their frames moved by `offset`."""
        return CameraMotions(self.frames + offset, self.matrices)


def read_motions(path: str | Path) -> CameraMotions:
    """Read a file with a row for each frame: its number, then six numbers (2x3) or nine (3x3), row by row.

    This is the form of BoT-SORT's `GMC-*.txt` (https://github.com/NirAharon/BoT-SORT), which count frames from 0 and
    separate with tabs; commas and other white space do as well. ``numbering`` says which frames are meant.

    Raises:
        BadInput: If the file cannot be read or holds no row, or a row is damaged or no motion of a camera, naming file
            and line.
    """
    path = Path(path)
    values, lines = read_numbers(path, FORM, least=7)
    if not len(values):
        raise BadInput(f"{path}: no rows; expected {FORM}, or leave the option out")
    if values.shape[1] not in (7, 10):
        raise BadInput(f"{path}:{lines[0]}: {values.shape[1]} columns; expected 7 or 10: {FORM}")
    matrices = np.empty((len(values), 3, 3))
    seen: dict[float, int] = {}
    for row, (frame, *numbers) in enumerate(values.tolist()):
        where = f"{path}:{lines[row]}"
        if not (0 <= frame <= LAST_FRAME and frame.is_integer()):
            raise BadInput(f"{where}: frame {shortest(frame)}: expected a whole number 0..{LAST_FRAME}")
        if frame in seen:
            raise BadInput(f"{where}: frame {shortest(frame)} again, first on line {seen[frame]}; expected it once")
        seen[frame] = lines[row]
        matrices[row] = check_motion(np.reshape(numbers, (-1, 3)), f"{where}: motion")
    order = np.argsort(values[:, 0])
    return CameraMotions(values[order, 0].astype(np.int64), matrices[order])


def numbering(motions: CameraMotions, frames: Sequence[int], boxes: Sequence[Array]) -> int:
    """How the numbers of a file of motions have to be moved so that they mean the frames of the detections.

    MOT files count from 1, most files of motions from 0. So if one holds a frame 0 and the other does not, 1 is added
    (or taken away, if it is the detections that count from 0 and the motions go on behind them). Where the motions
    would reach as well without that, the numbering whose motions carry the boxes onto those of the next frame is the
    right one, if it is clear.

    Args:
        motions: As in the file.
        frames: Numbers of the frames with detections, rising.
        boxes: The boxes of each of these frames, shapes (M, 4) [px].

    Returns:
        1, 0 or -1, to be added.
    """
    if not len(motions) or not len(frames):
        return 0
    candidates = [0]
    if motions.frames[0] == 0 and frames[0] > 0:
        candidates = [1, 0] if motions.frames[-1] >= frames[-1] else [1]
    elif motions.frames[0] > 0 and frames[0] == 0 and motions.frames[-1] > frames[-1]:
        candidates = [-1, 0]
    if len(candidates) == 1:
        return candidates[0]
    usual, other = (agreement(motions.renumbered(offset), frames, boxes) for offset in candidates)
    return candidates[1] if other > usual + CLEARLY else candidates[0]


def agreement(motions: CameraMotions | None, frames: Sequence[int], boxes: Sequence[Array]) -> float:
    """How well motions carry the boxes of a frame onto those of the next.

    Args:
        motions: None: as if the camera stood still, as it does where there is none.
        frames: Numbers of the frames with detections, rising.
        boxes: The boxes of each of these frames, shapes (M, 4) [px].

    Returns:
        Mean over the boxes of their best IoU with one of the frame before, moved, 0..1; 0 if no frames are neighbours.
    """
    pairs = [row for row in range(1, len(frames)) if frames[row] == frames[row - 1] + 1]
    total, count = 0.0, 0
    for row in pairs[:: -(-len(pairs) // MOST_PAIRS) or 1]:
        before, now = boxes[row - 1], boxes[row]
        if len(before) and len(now):
            motion = None if motions is None else motions.at(frames[row])
            moved = before if motion is None else move_boxes(before, motion)
            total += float(box_iou(now[:, None], moved[None]).max(axis=1).sum())
            count += len(now)
    return total / count if count else 0.0


def _text(matrix: Array) -> str:
    return f"[{'; '.join(' '.join(f'{value:.4g}' for value in row) for row in matrix)}]"
