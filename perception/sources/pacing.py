"""Recorded frames at the pace of the recording, on the run clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from perception.frame import Frame


class Pacer:
    """Holds frames back until they are due, and moves their times to the run clock.

    The first frame is due at once and the others as long after it as they were received. A frame that is asked for too
    late keeps the times at which it was due, so its age shows; none is left out.

    Args:
        clock: Run clock [ns].
        sleep: Waits for a number of seconds.
    """

    def __init__(self, clock: Callable[[], int], sleep: Callable[[float], None] = time.sleep) -> None:
        self._clock = clock
        self._sleep = sleep
        self._shift_ns: int | None = None

    def wait(self, frame: Frame) -> Frame:
        """Return the frame when it is due, on the run clock."""
        now_ns = self._clock()
        if self._shift_ns is None:
            self._shift_ns = now_ns - frame.received_ns
        due_ns = frame.received_ns + self._shift_ns
        if due_ns > now_ns:
            self._sleep((due_ns - now_ns) * 1e-9)
        return replace(frame, stamp_ns=frame.stamp_ns + self._shift_ns, received_ns=due_ns)
