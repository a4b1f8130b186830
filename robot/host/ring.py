"""Rows in memory that two processes share: one writes, one reads, neither ever waits for the other.

Each row carries its number and a checksum. A reader that meets a row in the middle of being written sees that from the
checksum: nothing depends on the order in which one processor sees what another one has stored.
"""

from __future__ import annotations

import mmap
import struct
import zlib
from typing import Any

_CHECK = struct.Struct("=I")
_NUMBER = struct.Struct("=q")


class Ring:
    """Numbered rows in a part of shared memory that begins as zeros. Each side makes its own.

    Args:
        memory: The memory.
        offset: Where the ring begins in it [bytes].
        slots: Rows that it holds; older ones are overwritten.
        fields: Fields of a row, in the letters of `struct`, without alignment.

    Attributes:
        size: Bytes that the ring takes.
        lost: Rows that were overwritten before this side read them.
        torn: How often this side met a row in the middle of being written.

    Example:
        >>> memory = mmap.mmap(-1, 4096)
        >>> writer, reader = Ring(memory, 0, 4, "qd"), Ring(memory, 0, 4, "qd")
        >>> writer.append(7, 0.5)
        1
        >>> reader.take(), reader.take()
        ([(1, 7, 0.5)], [])
    """

    __slots__ = ("_memory", "_next", "_offset", "_row", "_row_bytes", "_slots", "lost", "size", "torn")

    def __init__(self, memory: mmap.mmap, offset: int, slots: int, fields: str) -> None:
        self._memory, self._offset, self._slots = memory, offset, slots
        self._row = struct.Struct("=q" + fields)
        self._row_bytes = self._row.size + _CHECK.size
        self.size = slots * self._row_bytes
        self._next = 1  # memory that was never written says 0
        self.lost = self.torn = 0

    def append(self, *values: Any) -> int:
        """Write a row; returns its number. One thread at a time."""
        number = self._next
        row = self._row.pack(number, *values)
        at = self._offset + number % self._slots * self._row_bytes
        self._memory[at : at + self._row_bytes] = row + _CHECK.pack(zlib.crc32(row))
        self._next = number + 1
        return number

    def take(self) -> list[tuple[Any, ...]]:
        """Rows that were written since the last call, oldest first; each begins with its number."""
        rows: list[tuple[Any, ...]] = []
        while len(rows) < self._slots:
            at = self._offset + self._next % self._slots * self._row_bytes
            (number,) = _NUMBER.unpack_from(self._memory, at)
            if number < self._next:
                break
            row = self._memory[at : at + self._row_bytes]
            if zlib.crc32(row[: -_CHECK.size]) != _CHECK.unpack_from(row, self._row.size)[0]:
                self.torn += 1
                break  # the writer is at it: the next call gets it
            values = self._row.unpack_from(row)
            if values[0] > self._next:  # the writer has come round: what it has overwritten is lost
                oldest = values[0] - self._slots + 1
                self.lost += oldest - self._next
                self._next = oldest
                continue
            rows.append(values)
            self._next += 1
        return rows
