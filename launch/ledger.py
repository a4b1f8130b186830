"""The ledger: one fixed-size row for each activation of a stage, in an order that replays.

Rows go into one preallocated ring. Every row carries a number, drawn when the stage has finished and before its result
is published, so a consumer's row always has a higher number than its producer's: executing the rows by number is a
valid schedule. `take` returns only the gapless prefix: rows behind one that is still being written in another thread
wait.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
import numpy.typing as npt

from deploy.ring import RowRing

Rows = npt.NDArray[np.void]


class Stage(IntEnum):
    """What a row speaks of. The first seven are the stages of a report, in the order of the path.

    A LADDER row is a decision of the ladder (`launch/ladder.py`): `rung` and `decision` (a `Reason`) say what and why,
    `other` the stage it is about (-1: none), `camera` and `input` the frame, chunk or command it is about,
    `measured_ns` what was found on the run clock, `modelled_ns` the limit it was held against, `wait_ns` the time that
    was left until the deadline of `reaction`.

    A TRACK row on rung PREDICT consumed no detections: `camera` and `other` are the frame that was left out, `frame`
    and `photon_ns` those of the last look.
    """

    CAPTURE = 0
    DETECT = 1
    LOCALIZE = 2
    TRACK = 3
    PLAN = 4
    IK = 5
    SEND = 6
    STATE = 7
    EPISODE = 8
    LADDER = 9

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
    STALE = 6  # it came later than its hard limit: fenced, nothing uses it


class Rung(IntEnum):
    """The ladder of enforcement: what is done about a clause that is broken, the mildest first."""

    DROP = 0  # latest-only hand-over: a frame was left out
    OVERRUN = 1  # a stage took more than its p99; the slack is borrowed from the deadline
    PREDICT = 2  # too little time for the detector: the tracker predicts from the last detections
    FALLBACK = 3  # the smaller engine detects
    CONTINUE = 4  # no fresh chunk, or a stage that failed: go on along the rest of the present chunk
    HOLD = 5  # nothing left to follow, or photons too old: decelerate and hold
    STOP = 6  # latched safe stop, until an operator's reset


class Reason(IntEnum):
    """Why the ladder decided. The order is the code in recordings: append only."""

    OVERTAKEN = 0  # a newer frame came before this one was used
    TOO_LATE = 1  # the frame is older than one that was used already
    LONGER_THAN_P99 = 2
    LITTLE_TIME_LEFT = 3
    MISSES = 4  # k of n activations over the p99
    KEPT_AGAIN = 5  # on the way back
    NO_FRESH_CHUNK = 6
    CHUNK_EXHAUSTED = 7
    PHOTONS_TOO_OLD = 8
    FEEDBACK_SILENT = 9
    WATCHDOG = 10  # the control loop itself was silent
    STAGE_FAILED = 11
    FENCED = 12  # a result came later than its hard limit
    OPERATOR_RESET = 13
    NEW_CELL = 14  # a simulated episode began with a new cell: what an operator's reset is there
    GOVERNOR = 15  # the governor stopped for good: not a number, a jump, an arm that is not where it was sent
    ARM_FAULT = 16  # the arm cannot be commanded: protective or emergency stop, program stopped, connection lost

    @property
    def is_return(self) -> bool:
        """Whether it led back down the ladder."""
        return self in (Reason.KEPT_AGAIN, Reason.OPERATOR_RESET, Reason.NEW_CELL)

    @property
    def sentence(self) -> str:
        """The reason in words, for reports."""
        return _SENTENCES[self]


_SENTENCES = {
    Reason.OVERTAKEN: "a newer frame came first",
    Reason.TOO_LATE: "older than a frame already used",
    Reason.LONGER_THAN_P99: "longer than its p99",
    Reason.LITTLE_TIME_LEFT: "less time left than the stage's p99",
    Reason.MISSES: "too many misses",
    Reason.KEPT_AGAIN: "the budget is kept again",
    Reason.NO_FRESH_CHUNK: "no fresh chunk",
    Reason.CHUNK_EXHAUSTED: "the chunk is exhausted",
    Reason.PHOTONS_TOO_OLD: "the photons are too old",
    Reason.FEEDBACK_SILENT: "the arm's feedback is silent",
    Reason.WATCHDOG: "the control loop was silent",
    Reason.STAGE_FAILED: "a stage failed",
    Reason.FENCED: "later than its hard limit: fenced",
    Reason.OPERATOR_RESET: "reset by the operator",
    Reason.NEW_CELL: "a new simulated cell",
    Reason.GOVERNOR: "the governor stopped the arm",
    Reason.ARM_FAULT: "the arm cannot be commanded",
}


ROW = np.dtype(
    [
        ("order", "<i8"),
        ("stage", "<i4"),
        ("outcome", "<i4"),
        ("camera", "<i4"),
        ("decision", "<u4"),  # bits of the interventions, bit 31 among them; of a plan its `plan_word`
        ("sequence", "<i8"),  # of the value this row published
        ("input", "<i8"),  # sequence of the consumed value
        ("other", "<i8"),  # sequence of the second consumed value, the newest robot state; -1 = none
        ("now_ns", "<i8"),
        ("photon_ns", "<i8"),  # capture stamp of the newest photons behind the value
        ("modelled_ns", "<i8"),
        ("measured_ns", "<i8"),
        ("wait_ns", "<i8"),  # between publication of the input and the start
        ("frame", "<i8"),  # number of the newest frame behind the value, of `camera`
        ("engine", "<i4"),  # of the detector behind the value: 0 the configured one, 1 its fallback
        ("rung", "<i4"),  # the ladder's decision that this activation followed
    ]
)
ROW_FIELDS = tuple(ROW.names or ())


def plan_word(ahead_ns: int, back: int) -> int:
    """What a plan's row keeps of its request, for a replay: `decision`.

    Args:
        ahead_ns: Time from the photons to when the chunk is expected to take over [ns]; kept in microseconds.
        back: How many chunks before this one the chunk lies that is being executed; 0 = none, or too far.
    """
    return min(max(0, ahead_ns // 1000), (1 << 28) - 1) << 4 | (back if 0 < back < 16 else 0)


def read_plan_word(word: int) -> tuple[int, int]:
    """`ahead_ns` and `back` of a `plan_word`."""
    return (word >> 4) * 1000, word & 15


class Ledger:
    """The rows of a run, written by any of its threads, taken by one.

    Args:
        capacity: How many rows wait at most: ten seconds of a 500 Hz control loop with its cameras.
    """

    def __init__(self, capacity: int = 16384) -> None:
        self._ring = RowRing(ROW, capacity)

    def append(
        self,
        stage: int,
        sequence: int,
        now_ns: int,
        photon_ns: int,
        camera: int = -1,
        input_sequence: int = -1,
        other: int = -1,
        outcome: int = 0,
        decision: int = 0,
        modelled_ns: int = 0,
        measured_ns: int = 0,
        wait_ns: int = 0,
        frame: int = -1,
        engine: int = 0,
        rung: int = 0,
    ) -> None:
        """Write one row. Keywords say what is what; by position it takes a fifth less."""
        # `RowRing.append`, spelled out: a call less, and no tuple of the values
        ring = self._ring
        number = next(ring.numbers)
        ring.pack_into(
            ring.buffer, number % ring.slots * ring.row_bytes,
            number, stage, outcome, camera, decision, sequence, input_sequence, other,
            now_ns, photon_ns, modelled_ns, measured_ns, wait_ns, frame, engine, rung,
        )  # fmt: skip

    @property
    def lost(self) -> int:
        """Rows overwritten before they were taken: a run that lost one cannot be replayed."""
        return self._ring.lost

    def take(self) -> Rows:
        """Rows since the last call, by number, up to the first one that is still being written."""
        return self._ring.drain()


def rows_from_bytes(payload: bytes | memoryview | npt.NDArray[np.uint8]) -> Rows:
    """Rows as they were recorded."""
    return np.frombuffer(bytes(payload), dtype=ROW)
