"""Whether two outputs of one detector are the same detections: the file's against the framework's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from deploy.export.framework import MASKS, RAW, RTDETR

Float32 = npt.NDArray[np.float32]
Outputs = tuple[Float32, ...]

BOX_TOLERANCE_PX = 0.1
SCORE_TOLERANCE = 1e-3
MASK_TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True)
class OutputError:
    """Largest differences over some inputs.

    Attributes:
        frames: Number of inputs.
        box_px: Of a box's coordinate [px of the input].
        score: Of a score.
        mask: Of a mask's coefficient or of a prototype, as a part of the largest one; None if there are no masks.
    """

    frames: int
    box_px: float
    score: float
    mask: float | None = None

    @property
    def close(self) -> bool:
        """Whether the two are one detector."""
        boxes = self.box_px <= BOX_TOLERANCE_PX and self.score <= SCORE_TOLERANCE
        return boxes and (self.mask is None or self.mask <= MASK_TOLERANCE)

    def as_dict(self) -> dict[str, float]:
        """For a passport."""
        return {key: float(value) for key, value in asdict(self).items() if value is not None}

    def __str__(self) -> str:
        masks = "" if self.mask is None else f", masks within {self.mask:.2g} of their largest number"
        return f"boxes within {self.box_px:.2g} px of the input, scores within {self.score:.2g}{masks}"


def compare(
    expected: Sequence[Outputs], found: Sequence[Outputs], layout: str, input_hw: tuple[int, int]
) -> OutputError:
    """Compare raw outputs, input by input.

    Outputs of K best rows are compared as sets: rounding may swap two rows of almost one score, and at the end of the
    list it decides which of them is in it.

    Args:
        expected: The framework's outputs, for each input one array, or two with the prototypes of masks.
        found: The file's.
        layout: Their layout.
        input_hw: Height and width of the input [px].

    Returns:
        The errors; infinite where shapes differ, a value is not a number, or a row has no partner.
    """
    worst = np.zeros(3)
    for ours, theirs in zip(found, expected, strict=True):
        worst = np.maximum(worst, _errors(theirs, ours, layout, input_hw))
    box, score, mask = worst.tolist()
    return OutputError(len(expected), box, score, mask if layout.endswith(MASKS) else None)


def _errors(expected: Outputs, found: Outputs, layout: str, input_hw: tuple[int, int]) -> tuple[float, float, float]:
    """Of boxes, scores and masks."""
    shapes = [array.shape for array in expected] == [array.shape for array in found]
    if not shapes or not all(np.isfinite(array).all() for array in found):
        return np.inf, np.inf, np.inf
    (rows, *prototypes), (our_rows, *our_prototypes) = expected, found
    protos = max((_relative(a, b) for a, b in zip(prototypes, our_prototypes, strict=True)), default=0.0)
    coefficients = prototypes[0].shape[1] if prototypes else 0
    if layout.startswith(RAW):
        end = rows.shape[1] - coefficients
        difference = np.abs(rows[0] - our_rows[0])
        masks = _relative(rows[0, end:], our_rows[0, end:])
        return float(difference[:4].max()), float(difference[4:end].max()), max(protos, masks)
    size = np.tile(input_hw[::-1], 2) if layout == RTDETR else np.ones(4)
    theirs, ours = _by_score(rows[0]), _by_score(our_rows[0])
    score = float(np.abs(theirs[:, 4] - ours[:, 4]).max())
    sure = theirs[theirs[:, 4] > ours[-1, 4] + SCORE_TOLERANCE]
    if not len(sure):  # every score is the same: any row may stand for any other
        return 0.0, score, protos
    partner = (sure[:, None, 5] == ours[None, :, 5]) & (np.abs(sure[:, None, 4] - ours[None, :, 4]) <= SCORE_TOLERANCE)
    distance = np.abs((sure[:, None, :4] - ours[None, :, :4]) * size).max(axis=2)
    distance = np.where(partner, distance, np.inf)
    masks = _relative(sure[:, 6:], ours[distance.argmin(axis=1), 6:])
    return float(distance.min(axis=1).max()), score, max(protos, masks)


def _relative(expected: Float32, found: Float32) -> float:
    """Largest difference as a part of the largest number."""
    if not expected.size:
        return 0.0
    return float(np.abs(expected - found).max() / max(float(np.abs(expected).max()), np.finfo(np.float32).tiny))


def _by_score(rows: Float32) -> Float32:
    return rows[np.argsort(-rows[:, 4], kind="stable")]
