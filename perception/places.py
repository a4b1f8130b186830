"""Where objects are, before the sensor's own errors: what the ways of finding them have in common."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from geometry.types import Array, BoolArray

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """Centre of one object, seen from the camera.

    Attributes:
        mean_m: Shape (3,), along the two horizontal directions and the upward one [m].
        covariance_m2: Shape (3, 3), of what fits what is seen as well [m^2].
        pixels: How many pixels of the patch show the object's top.
    """

    mean_m: Array
    covariance_m2: Array
    pixels: int


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """The same of N objects: shapes (N, 3), (N, 3, 3), (N,); NaN where depth says nothing.

    Attributes:
        mean_m: See `Place`.
        covariance_m2: See `Place`.
        pixels: See `Place`.
        doubtful: Shape (N,), where what is seen hardly fits what was looked for.
    """

    mean_m: Array
    covariance_m2: Array
    pixels: Integers
    doubtful: BoolArray

    @classmethod
    def unknown(cls, count: int) -> Places:
        """Nothing is known of so many objects yet."""
        means, covariances = np.full((count, 3), np.nan), np.full((count, 3, 3), np.nan)
        return cls(means, covariances, np.zeros(count, np.int64), np.ones(count, np.bool_))

    def put(self, rows: Integers | int, found: Places | Place) -> None:
        """Write into some rows, or into one."""
        self.mean_m[rows] = found.mean_m
        self.covariance_m2[rows] = found.covariance_m2
        self.pixels[rows] = found.pixels
        self.doubtful[rows] = found.doubtful if isinstance(found, Places) else False
