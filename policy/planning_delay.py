"""How long planning takes: a running p99 over the newest plans."""

from __future__ import annotations

import math
from collections import deque
from typing import Final

WINDOW: Final = 256
WARM_UP: Final = 3


class PlanningDelay:
    """The p99 of the newest delays between the request of a chunk and its arrival.

    It is told what the ledger records, durations on the run's clock, so two virtual runs of a seed request alike. A
    replay does not need it: it makes the plans that were made.

    Args:
        window: Delays that count, the newest ones; of fewer than 100 the p99 is the longest.
        warm_up: Delays of the first plans, which do not count: an engine's first inferences are slow.

    Raises:
        ValueError: If the window is empty or the warm-up negative.
    """

    def __init__(self, window: int = WINDOW, warm_up: int = WARM_UP) -> None:
        if window < 1 or warm_up < 0:
            raise ValueError(f"window is {window}, warm_up is {warm_up}: expected >= 1 and >= 0")
        self._delays: deque[int] = deque(maxlen=window)
        self._warm_up = warm_up
        self._p99_ns = 0

    @property
    def p99_ns(self) -> int:
        """Nearest-rank p99 [ns]; 0 before the first delay that counts."""
        return self._p99_ns

    def add(self, delay_ns: int) -> None:
        """Count one more delay [ns]."""
        if self._warm_up > 0:
            self._warm_up -= 1
            return
        self._delays.append(delay_ns)
        self._p99_ns = sorted(self._delays)[math.ceil(0.99 * len(self._delays)) - 1]
