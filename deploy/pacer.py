"""Absolute deadlines of a periodic loop."""

from __future__ import annotations

import time
from collections.abc import Callable

from deploy.errors import BadInput


class Pacer:
    """Paces a loop by absolute deadlines: a tick that is late does not delay those after it.

    Args:
        clock: The time [ns].
        period_ns: Time between deadlines [ns].
        spin_ns: For this long before the deadline, ask the clock instead of sleeping [ns]. It keeps a core, and the
            interpreter, from the other threads.

    Attributes:
        due_ns: The deadline of the tick that runs, or of the last one that did [ns]; at first the time of construction.
        skipped: Deadlines that were skipped so far, because the ticks before them took until the next one.

    Example:
        >>> pacer = Pacer(time.monotonic_ns, period_ns=1_000_000)
        >>> lateness_ns = [pacer.wait() for tick in range(3)]
        >>> min(lateness_ns) >= 0
        True
    """

    def __init__(self, clock: Callable[[], int], period_ns: int, spin_ns: int = 0) -> None:
        if period_ns <= 0:
            raise BadInput(f"period {period_ns} ns of a loop: expected > 0")
        self._clock, self._period_ns, self._spin_ns = clock, period_ns, spin_ns
        self.due_ns = clock()
        self.skipped = 0

    def wait(self) -> int:
        """Sleep until the next deadline, or return at once for the newest one that has passed.

        Returns:
            How late it is [ns].
        """
        self.due_ns += self._period_ns
        left_ns = self.due_ns - self._clock()
        if left_ns <= -self._period_ns:
            passed = -left_ns // self._period_ns
            self.skipped += passed
            self.due_ns += passed * self._period_ns
        elif left_ns > self._spin_ns:
            time.sleep((left_ns - self._spin_ns) * 1e-9)
        while (late_ns := self._clock() - self.due_ns) < 0:
            pass
        return late_ns
