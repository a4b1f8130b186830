"""Whether two outputs of one detector are the same detections: the file's against the framework's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from deploy.export.framework import RAW, RTDETR

Float32 = npt.NDArray[np.float32]

BOX_TOLERANCE_PX = 0.1
SCORE_TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True)
class OutputError:
    """Largest differences over some inputs.

    Attributes:
        frames: Number of inputs.
        box_px: Of a box's coordinate [px of the input].
        score: Of a score.
    """

    frames: int
    box_px: float
    score: float

    @property
    def close(self) -> bool:
        """Whether the two are one detector."""
        return self.box_px <= BOX_TOLERANCE_PX and self.score <= SCORE_TOLERANCE

    def as_dict(self) -> dict[str, float]:
        """For a passport."""
        return {key: float(value) for key, value in asdict(self).items()}


def compare(
    expected: Sequence[Float32], found: Sequence[Float32], layout: str, input_hw: tuple[int, int]
) -> OutputError:
    """Compare raw outputs, input by input.

    Outputs of K best rows are compared as sets: rounding may swap two rows of almost one score, and at the end of the
    list it decides which of them is in it.

    Args:
        expected: The framework's outputs, one for each input.
        found: The file's.
        layout: Their layout.
        input_hw: Height and width of the input [px].

    Returns:
        The errors; infinite where shapes differ, a value is not a number, or a row has no partner.
    """
    worst_box = worst_score = 0.0
    for ours, theirs in zip(found, expected, strict=True):
        box, score = _errors(theirs, ours, layout, input_hw)
        worst_box, worst_score = max(worst_box, box), max(worst_score, score)
    return OutputError(len(expected), worst_box, worst_score)


def _errors(expected: Float32, found: Float32, layout: str, input_hw: tuple[int, int]) -> tuple[float, float]:
    if expected.shape != found.shape or not np.isfinite(found).all():
        return np.inf, np.inf
    if layout == RAW:
        difference = np.abs(expected[0] - found[0])
        return float(difference[:4].max()), float(difference[4:].max())
    size = np.tile(input_hw[::-1], 2) if layout == RTDETR else np.ones(4)
    expected, found = _by_score(expected[0]), _by_score(found[0])
    score = float(np.abs(expected[:, 4] - found[:, 4]).max())
    sure = expected[expected[:, 4] > found[-1, 4] + SCORE_TOLERANCE]
    if not len(sure):  # every score is the same: any row may stand for any other
        return 0.0, score
    partner = (sure[:, None, 5] == found[None, :, 5]) & (
        np.abs(sure[:, None, 4] - found[None, :, 4]) <= SCORE_TOLERANCE
    )
    distance = np.abs((sure[:, None, :4] - found[None, :, :4]) * size).max(axis=2)
    return float(np.where(partner, distance, np.inf).min(axis=1).max()), score


def _by_score(rows: Float32) -> Float32:
    return rows[np.argsort(-rows[:, 4], kind="stable")]
