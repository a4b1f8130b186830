"""A file that is cut short, read as if its missing end were there."""

from __future__ import annotations

import io
from pathlib import Path
from typing import BinaryIO

from perception.sources.mcap_tail import Tail


class CompletedFile:
    """Stands for the path of a cut file where only `open("rb")` is asked for: what it opens has the missing end."""

    def __init__(self, path: Path, tail: Tail) -> None:
        self._path = path
        self._tail = tail

    def open(self, _mode: str = "rb") -> BinaryIO:
        """Open the file for reading."""
        return io.BufferedReader(_Joined(self._path, self._tail))


class _Joined(io.RawIOBase):
    """The kept bytes of a file followed by the bytes of a tail."""

    def __init__(self, path: Path, tail: Tail) -> None:
        super().__init__()
        self._file = path.open("rb")
        self._tail = tail
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {
            io.SEEK_SET: 0,
            io.SEEK_CUR: self._position,
            io.SEEK_END: self._tail.keep + len(self._tail.data),
        }[whence]
        self._position = max(0, start + offset)
        return self._position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        beyond = self._position - self._tail.keep
        if beyond < 0:
            self._file.seek(self._position)
            data = self._file.read(min(len(buffer), -beyond))
        else:
            data = self._tail.data[beyond : beyond + len(buffer)]
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()
