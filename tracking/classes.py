"""Classes as numbers, and which of them a detector may take for one another."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from deploy.errors import BadInput
from geometry.types import Array, IntArray

MAX_NAMES = 1024

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

    def number(self, name: str) -> int:
        """Number of a name, which is a new one if the name is new.

        Raises:
            BadInput: If there are too many.
        """
        found = self._numbers.get(name)
        if found is None:
            found = len(self._numbers)
            if found == MAX_NAMES:
                raise BadInput(
                    f"{self._kind} {name!r} is number {found + 1}: expected at most {MAX_NAMES}; reset the tracker"
                )
            self._numbers[name] = found
            self.names = tuple(self._numbers)
        return found


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
            found = np.array([self._names.number(name) for name in names], dtype=np.int64)
            self._numbers[names] = found
            self.matrix = np.array([[self._pair(a, b) for b in self.names] for a in self.names])
        return found

    def _pair(self, a: str, b: str) -> float:
        if a == b:
            return 1.0
        return self._pairs.get((a, b), self._pairs.get((b, a), self._other))
