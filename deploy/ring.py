"""A preallocated ring of fixed-size rows: appending costs a fraction of a microsecond and never allocates."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import numpy.typing as npt

from deploy.errors import BadInput

Rows = npt.NDArray[np.void]

_CODES = {
    "i1": "b", "i2": "h", "i4": "i", "i8": "q", "u1": "B", "u2": "H", "u4": "I", "u8": "Q",
    "f2": "e", "f4": "f", "f8": "d", "b1": "?",
}  # fmt: skip


class RowRing:
    """Rows of one writer thread, taken in order by one reader thread, without a lock.

    A row is published by one assignment after it is complete. There is one slot more than the capacity, so the slot
    that is being written is never one of the newest `capacity` rows; rows that were overwritten while the reader
    copied them are dropped and counted.

    Args:
        dtype: Structured, little-endian, of numbers, fixed-length bytes and fixed arrays of them.
        capacity: How many rows wait at most; when it is full the oldest is overwritten and counted as lost.

    Raises:
        BadInput: If the type has a field that cannot be packed, or the capacity is less than 1.

    Example:
        >>> ring = RowRing(np.dtype([("stage", "<i4"), ("at_ns", "<i8")]), capacity=2)
        >>> for row in range(3):
        ...     ring.append(row, 10 * row)
        >>> ring.drain().tolist(), ring.lost
        ([(1, 10), (2, 20)], 1)
    """

    __slots__ = ("_buffer", "_capacity", "_count", "_itemsize", "_lost", "_pack_into", "_rows", "_slots", "_taken")

    def __init__(self, dtype: npt.DTypeLike, capacity: int) -> None:
        if capacity < 1:
            raise BadInput(f"capacity {capacity} of a row ring: expected at least 1 row")
        row = np.dtype(dtype)
        self._pack_into = struct.Struct(row_format(row)).pack_into
        self._capacity = capacity
        self._slots = capacity + 1
        self._itemsize = row.itemsize
        self._buffer = bytearray(self._slots * row.itemsize)
        self._rows: Rows = np.frombuffer(self._buffer, dtype=row)
        self._count = 0
        self._taken = 0
        self._lost = 0

    def __len__(self) -> int:
        return min(self._count - self._taken, self._capacity)

    @property
    def lost(self) -> int:
        """Rows that were overwritten before they were taken, since the start."""
        return self._lost + max(0, self._count - self._taken - self._capacity)

    def append(self, *values: Any) -> None:
        """Write one row.

        Args:
            values: One value for each field, in order; the elements of an array field one by one.

        Raises:
            struct.error: If the number of values or the range of one is wrong; nothing is written then.
        """
        count = self._count
        self._pack_into(self._buffer, count % self._slots * self._itemsize, *values)
        self._count = count + 1

    def drain(self) -> Rows:
        """Take all rows that wait.

        Returns:
            A copy, oldest first.
        """
        end = self._count
        begin = max(self._taken, end - self._capacity)
        rows = self._rows.take(np.arange(begin, end), mode="wrap")
        # what the writer reached while the rows were copied may be half old, half new
        torn = max(0, self._count - self._capacity - begin)
        self._lost += begin - self._taken + min(torn, len(rows))
        self._taken = end
        return rows[torn:] if torn else rows


def row_format(dtype: np.dtype[Any]) -> str:
    """The `struct` format that writes a row of a structured type, padding included.

    Raises:
        BadInput: If a field cannot be packed, naming it.

    Example:
        >>> row_format(np.dtype([("stage", "<i4"), ("joints", "<f8", (6,))]))
        '<i6d'
    """
    if dtype.names is None or dtype.fields is None:
        raise BadInput(f"row type {dtype}: expected a structured type with named fields")
    parts, at = ["<"], 0
    for name in dtype.names:
        kind, offset = dtype.fields[name][:2]
        base, shape = kind.subdtype or (kind, ())
        count = int(np.prod(shape, dtype=np.int64))
        code = _CODES.get(base.str[1:])
        if base.kind == "S" and not shape:
            code, count = "s", base.itemsize
        if code is None or base.str[0] == ">" or offset < at:
            raise BadInput(
                f"field {name!r} of type {kind} in a row: expected little-endian integers, floats, bools or bytes"
            )
        parts.append("x" * (offset - at) + (f"{count}{code}" if count != 1 or code == "s" else code))
        at = offset + kind.itemsize
    return "".join(parts) + "x" * (dtype.itemsize - at)
