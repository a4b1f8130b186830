"""Where the arm host's events go: into its own file, and to the main process. Neither keeps the loop waiting."""

from __future__ import annotations

import json
import queue
import threading
from pathlib import Path
from typing import Any, TextIO

from robot.host.events import EVENT_KINDS, EventKind, HostEvent
from robot.host.mailboxes import as_field
from robot.host.ring import Ring

# an intervention that lasts is told this often [ns]
REPEAT_NS = 1_000_000_000


class Journal:
    """Writes events, from any thread; the file is written by a thread of its own.

    Args:
        path: The file, one JSON object a line; None for none.
        ring: The main process's copy.
    """

    def __init__(self, path: Path | None, ring: Ring | None = None) -> None:
        self._file: TextIO | None = path.open("a", encoding="utf-8") if path is not None else None
        self._ring = ring
        self._lock = threading.Lock()
        self._lines: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._pending: dict[EventKind, tuple[int, HostEvent | None]] = {}
        self._writer = threading.Thread(target=self._write, name="journal", daemon=True)
        self._writer.start()

    def tell(self, event: HostEvent, **details: Any) -> None:
        """Write an event; the details go into the file only."""
        self._lines.put(event.as_json() | details)
        if self._ring is not None:
            with self._lock:
                self._ring.append(
                    event.stamp_ns, EVENT_KINDS.index(event.kind), event.joint, event.value, event.limit, event.count,
                    event.duration_s, event.distance_rad, as_field(event.text),
                )  # fmt: skip

    def intervened(self, now_ns: int, kind: EventKind, joint: int, value: float, limit: float) -> None:
        """Count an intervention; the first is written at once, those that follow once a second."""
        told_ns, waiting = self._pending.get(kind, (-REPEAT_NS, None))
        count = 1 if waiting is None else waiting.count + 1
        event = HostEvent(now_ns, kind, "", joint, value, limit, count)
        if now_ns - told_ns >= REPEAT_NS:
            self._pending[kind] = (now_ns, None)
            self.tell(event)
        else:
            self._pending[kind] = (told_ns, event)

    def flush(self, now_ns: int) -> None:
        """Write the interventions that were counted and have waited long enough."""
        for kind, (told_ns, waiting) in self._pending.items():
            if waiting is not None and now_ns - told_ns >= REPEAT_NS:
                self._pending[kind] = (now_ns, None)
                self.tell(waiting)

    def close(self) -> None:
        """Write what is left and end."""
        for _, waiting in self._pending.values():
            if waiting is not None:
                self.tell(waiting)
        self._pending.clear()
        self._lines.put(None)
        self._writer.join(2.0)
        if self._file is not None:
            self._file.close()

    def _write(self) -> None:
        while (line := self._lines.get()) is not None:
            if self._file is not None:
                self._file.write(json.dumps(line) + "\n")
                self._file.flush()
