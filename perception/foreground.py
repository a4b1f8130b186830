"""What in a box is foreground: the level surfaces that there are to choose from."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from geometry.types import Array, BoolArray

BIN_M = 0.001
MOST_BINS = 2000
MIDDLE_COUNTS = 1.0


class Surfaces:
    """Heights of the level surfaces in each of several sets of points, found one after the other, sharpest first.

    Peaks of a histogram that is smoothed by the noise, in which points in the middle count twice. Sides spread over
    many heights: they make low peaks, which count where nothing else is seen of an object.

    Example:
        >>> heights = np.array([[0.04] * 30 + [0.0] * 20 + [0.3]])
        >>> everywhere = np.ones(heights.shape, dtype=bool)
        >>> found = Surfaces(heights, everywhere, ~everywhere, noise_m=0.001, tolerance_m=0.005)
        >>> [round(float(found.next(np.array([0]), np.array([5]))[0]), 3) for _ in range(3)]
        [0.04, 0.0, nan]
    """

    def __init__(
        self, heights_m: Array, chosen: BoolArray, middle: BoolArray, noise_m: float, tolerance_m: float
    ) -> None:
        """Count the points of each height.

        Args:
            heights_m: Shape (N, ...), along the upward direction [m].
            chosen: The same shape: which of them count; at least one in each set.
            middle: The same shape: points that count more when surfaces are put in order.
            noise_m: Standard deviation of one height [m].
            tolerance_m: Half width of the band that counts as one surface [m]. Surfaces differ by more than 1.5 times
                that.
        """
        sets = len(heights_m)
        flat = chosen.reshape(sets, -1)
        self._low_m = np.where(flat, heights_m.reshape(sets, -1), np.inf).min(axis=1)
        places = np.nonzero(flat)[0]
        bins = ((heights_m[chosen] - self._low_m[places]) * (1.0 / BIN_M) + 0.5).astype(np.int64)
        bins = np.minimum(bins, MOST_BINS - 1)
        self._half = max(1, int(noise_m / BIN_M + 0.5))
        self._wide = max(self._half, int(tolerance_m / BIN_M + 0.5))
        # the histogram has an empty frame as wide as the widest window, so that every window lies within it
        self._frame = frame = 2 * self._wide + 1
        size = int(bins.max(initial=0)) + 1 + 2 * frame
        bins += places * size + frame
        self._counts = np.bincount(bins, minlength=sets * size).reshape(sets, size)
        self._sums = np.cumsum(self._counts, axis=1)
        weights = 1.0 + MIDDLE_COUNTS * middle[chosen]
        sums = np.bincount(bins, weights, sets * size).reshape(sets, size).cumsum(axis=1)
        half = self._half
        self._smooth = np.zeros((sets, size))
        self._smooth[:, half + 1 : -half] = sums[:, 2 * half + 1 :] - sums[:, : -2 * half - 1]

    def next(self, rows: npt.NDArray[np.int64], least: Array) -> Array:
        """The next surface of some sets, shape (M,) [m]; NaN where there is none of at least that many points.

        Args:
            rows: Shape (M,), numbers of the sets, each once.
            least: Shape (M,), a surface has at least so many points.
        """
        smooth = self._smooth[rows]
        peaks = smooth.argmax(axis=1)
        near = peaks[:, None] + np.arange(-self._half, self._half + 1)
        weights = self._counts[rows[:, None], near]
        number = weights.sum(axis=1)
        middle = (weights * near).sum(axis=1) / np.maximum(number, 1) - self._frame
        band = self._sums[rows, peaks + self._wide] - self._sums[rows, peaks - self._wide - 1]
        apart = self._wide + self._wide // 2
        away = np.abs(np.arange(smooth.shape[1]) - peaks[:, None])
        self._smooth[rows] = np.where(away > apart, smooth, 0.0)
        found = (number > 0) & (band >= least)
        return np.where(found, self._low_m[rows] + middle * BIN_M, np.nan)
