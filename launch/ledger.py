"""The ledger: one fixed-size row for each activation of a stage, in an order that replays.

Rows go into a preallocated ring per thread. Every row carries a number, drawn from one counter when the stage has
finished and before its result is published, so a consumer's row always has a higher number than its producer's:
executing the rows by number is a valid schedule. `take` returns only the gapless prefix: rows behind one that is still
being written in another thread wait.
"""

from __future__ import annotations

import itertools
import threading
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from deploy.ring import RowRing

Rows = npt.NDArray[np.void]


class Stage(IntEnum):
    """What a row speaks of. The first seven are the stages of a report, in the order of the path."""

    CAPTURE = 0
    DETECT = 1
    LOCALIZE = 2
    TRACK = 3
    PLAN = 4
    IK = 5
    SEND = 6
    STATE = 7
    EPISODE = 8

    @property
    def label(self) -> str:
        """The name in configuration, reports and recordings."""
        return self.name.lower()


REPORTED = tuple(Stage)[:7]


class Outcome(IntEnum):
    """How an activation ended."""

    OK = 0
    ERROR = 1
    HELD = 2
    CLIPPED = 3
    STOPPED = 4
    DROPPED = 5


ROW = np.dtype(
    [
        ("order", "<i8"),
        ("stage", "<i4"),
        ("outcome", "<i4"),
        ("camera", "<i4"),
        ("decision", "<i4"),
        ("sequence", "<i8"),  # of the value this row published
        ("input", "<i8"),  # sequence of the consumed value
        ("other", "<i8"),  # sequence of the second consumed value: frame, newest robot state; -1 = none
        ("now_ns", "<i8"),
        ("photon_ns", "<i8"),  # capture stamp of the newest photons behind the value
        ("modelled_ns", "<i8"),
        ("measured_ns", "<i8"),
        ("wait_ns", "<i8"),  # between publication of the input and the start
    ]
)
ROW_FIELDS = tuple(ROW.names or ())


class Ledger:
    """Rings of rows, one per thread, merged by number."""

    def __init__(self, capacity: int = 4096) -> None:
        self._capacity = capacity
        self._count = itertools.count()
        self._local = threading.local()
        self._rings: list[RowRing] = []
        self._lock = threading.Lock()
        self._held: Rows = np.empty(0, dtype=ROW)
        self._next = 0

    def append(
        self,
        stage: int,
        sequence: int,
        now_ns: int,
        photon_ns: int,
        *,
        camera: int = -1,
        input_sequence: int = -1,
        other: int = -1,
        outcome: int = 0,
        decision: int = 0,
        modelled_ns: int = 0,
        measured_ns: int = 0,
        wait_ns: int = 0,
    ) -> None:
        """Write one row into the calling thread's ring."""
        ring: RowRing | None = getattr(self._local, "ring", None)
        if ring is None:
            ring = self._local.ring = RowRing(ROW, self._capacity)
            with self._lock:
                self._rings.append(ring)
        ring.append(
            next(self._count), stage, outcome, camera, decision, sequence, input_sequence, other,
            now_ns, photon_ns, modelled_ns, measured_ns, wait_ns,
        )  # fmt: skip

    @property
    def lost(self) -> int:
        """Rows overwritten before they were taken: a run that lost one cannot be replayed."""
        return sum(ring.lost for ring in self._rings)

    def take(self) -> Rows:
        """Rows since the last call, by number, up to the first one that is still being written."""
        with self._lock:
            rings = tuple(self._rings)
        rows = np.concatenate([self._held, *(ring.drain() for ring in rings)])
        rows = rows[np.argsort(rows["order"], kind="stable")]
        if self.lost:  # numbers are missing for good; waiting for them would hold everything back
            self._held = rows[:0]
            return rows
        gapless = int(np.count_nonzero(rows["order"] == self._next + np.arange(len(rows))))
        self._held, ready = rows[gapless:], rows[:gapless]
        self._next += gapless
        return ready


def rows_from_bytes(payload: bytes | memoryview | npt.NDArray[np.uint8]) -> Rows:
    """Rows as they were recorded."""
    return np.frombuffer(bytes(payload), dtype=ROW)
