"""Classes as numbers, and which of them a detector may take for one another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from deploy.errors import BadInput
from geometry.types import Array, IntArray

# Enough for the largest vocabularies of detectors (LVIS: 1203). Votes and compatibilities are kept for all of them.
MAX_NAMES = 2048
# Of a detector that names other classes in each frame, so many lists are remembered.
MAX_LISTS = 256

Compatibility = Mapping[str, Mapping[str, float]]
"""By two names of classes, in either order: 1 a detector often takes one for the other, 0 they are never one object."""


class NameTable:
    """Numbers for names, in the order in which they come."""

    __slots__ = ("_kind", "_numbers", "names")

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._numbers: dict[str, int] = {}
        self.names: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.names)

    def numbers(self, names: Iterable[str]) -> list[int]:
        """Numbers of some names, which are new ones where the name is new.

        Raises:
            BadInput: If there are too many; then none of them is new.
        """
        names = tuple(names)
        new = [name for name in dict.fromkeys(names) if name not in self._numbers]
        if new:
            count = len(self) + len(new)
            if count > MAX_NAMES:
                raise BadInput(
                    f"{self._kind} {new[-1]!r} is number {count}: expected at most {MAX_NAMES} in one tracker; use "
                    "fewer names, or reset the tracker"
                )
            self._numbers.update(zip(new, range(len(self), count), strict=True))
            self.names = tuple(self._numbers)
        return [self._numbers[name] for name in names]


class ClassTable:
    """Classes of all detectors that feed one tracker, and how well two of them go together.

    Args:
        compatibility: By pairs of names.
        other: Of the pairs that are not in it.

    Attributes:
        matrix: Shape (C, C), symmetric, 1 on the diagonal, in [0, 1].
    """

    def __init__(self, compatibility: Compatibility, other: float) -> None:
        self._names = NameTable("class")
        self._pairs = {(a, b): value for a, row in compatibility.items() for b, value in row.items()}
        self._other = other
        self._numbers: dict[tuple[str, ...], IntArray] = {}
        self.matrix: Array = np.ones((0, 0))

    def __len__(self) -> int:
        return len(self._names)

    @property
    def names(self) -> tuple[str, ...]:
        """Names in the order in which they came."""
        return self._names.names

    def numbers(self, names: tuple[str, ...]) -> IntArray:
        """Shape (len(names),): the table's numbers of a detector's classes.

        Raises:
            BadInput: If there are too many classes.
        """
        found = self._numbers.get(names)
        if found is None:
            found = np.array(self._names.numbers(names), dtype=np.int64)
            if len(self._numbers) >= MAX_LISTS:
                self._numbers.clear()
            self._numbers[names] = found
            if len(self) > len(self.matrix):
                self.matrix = self._compatibilities()
        return found

    def _compatibilities(self) -> Array:
        matrix = np.full((len(self), len(self)), self._other)
        np.fill_diagonal(matrix, 1.0)
        numbers = {name: number for number, name in enumerate(self.names)}
        for (a, b), value in self._pairs.items():
            if a in numbers and b in numbers:
                matrix[numbers[a], numbers[b]] = matrix[numbers[b], numbers[a]] = value
        return matrix
