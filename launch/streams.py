"""What flows between stages: bounded streams of values by sequence number, and the hash of the output streams."""

from __future__ import annotations

import hashlib
import struct
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

OUTPUTS = ("chunks", "commands", "detections", "tracks")


class NotHeld(LookupError):
    """A value that was never published, or is forgotten. The message names stream and number."""


@dataclass(frozen=True, slots=True)
class Item:
    """A published value with the photons behind it.

    Attributes:
        sequence: Number in its stream.
        value: The value.
        published_ns: When it was there for others [ns].
        photon_ns: Capture stamp of the newest photons behind it [ns].
        camera: Whose photons.
        frame_sequence: Of which frame.
        engine: Which of the detector's engines saw them: 0 the configured one, 1 its fallback.
        stale: It came later than its hard limit: nothing may use it.
    """

    sequence: int
    value: Any
    published_ns: int
    photon_ns: int
    camera: int
    frame_sequence: int
    engine: int = 0
    stale: bool = False


class Stream:
    """The newest `keep` values of one stream, by sequence number. One thread publishes, others may read."""

    def __init__(self, name: str, keep: int) -> None:
        self.name = name
        self._keep = keep
        self._items: OrderedDict[int, Item] = OrderedDict()
        self._newest: Item | None = None
        self.count = 0

    def put(self, item: Item) -> None:
        """Publish a value; the oldest beyond the bound is forgotten."""
        self._items[item.sequence] = item
        self._newest = item
        self.count += 1
        while len(self._items) > self._keep:
            self._items.popitem(last=False)

    def get(self, sequence: int) -> Item:
        """The value with that number.

        Raises:
            NotHeld: If it was never published or is forgotten.
        """
        try:
            return self._items[sequence]
        except KeyError:
            raise NotHeld(f"{self.name} {sequence} is not held (newest {self.newest_sequence})") from None

    def since(self, after: int, upto: int) -> list[Item]:
        """Values with after < sequence <= upto, in order."""
        return [item for sequence, item in tuple(self._items.items()) if after < sequence <= upto]

    @property
    def newest(self) -> Item | None:
        """The value published last."""
        return self._newest

    @property
    def newest_sequence(self) -> int:
        """Number of the value published last, -1 before the first."""
        newest = self._newest  # one read: another thread may publish meanwhile
        return newest.sequence if newest is not None else -1

    def clear(self) -> None:
        """Forget the values, not the count."""
        self._items.clear()
        self._newest = None


class OutputHash:
    """The replay hash: SHA-256 over the output streams by name, rows by sequence, little-endian."""

    def __init__(self) -> None:
        self._streams = {name: hashlib.sha256() for name in OUTPUTS}
        self.rows = dict.fromkeys(OUTPUTS, 0)

    def update(self, stream: str, sequence: int, payload: bytes) -> None:
        """Add the next row of a stream."""
        digest = self._streams[stream]
        digest.update(struct.pack("<qq", sequence, len(payload)))
        digest.update(payload)
        self.rows[stream] += 1

    def hexdigest(self) -> str:
        """The hash over all streams."""
        total = hashlib.sha256()
        for name in sorted(self._streams):
            total.update(struct.pack("<q", self.rows[name]))
            total.update(name.encode())
            total.update(self._streams[name].digest())
        return total.hexdigest()
