"""When the detector's smaller engine takes over, and when the configured one gets its turn again."""

from __future__ import annotations

from collections import deque

from launch.config.budget import FallbackConfig
from launch.ledger import Reason


class Fallback:
    """k misses of n activations bring the smaller engine; enough kept ones in a row the configured one, on trial."""

    def __init__(self, rule: FallbackConfig) -> None:
        self._rule = rule
        self._window: deque[bool] = deque(maxlen=rule.of)
        self._needed = rule.recover
        self._kept = 0
        self._trial = 0
        self.engine = 0

    def saw(self, missed: bool, engine: int) -> Reason | None:
        """Take note of one activation; the reason if the engine changes."""
        if engine != self.engine:
            return None
        if self.engine == 0:
            return self._saw_configured(missed)
        self._kept = 0 if missed else self._kept + 1
        if self._kept < self._needed:
            return None
        self.engine, self._kept, self._trial = 0, 0, 2 * self._rule.of
        return Reason.KEPT_AGAIN

    def _saw_configured(self, missed: bool) -> Reason | None:
        self._window.append(missed)
        on_trial = self._trial > 0
        self._trial = max(0, self._trial - 1)
        if sum(self._window) < self._rule.misses:
            if on_trial and not self._trial:
                self._needed = self._rule.recover
            return None
        self._needed = min(2 * self._needed, 8 * self._rule.recover) if on_trial else self._rule.recover
        self._window.clear()
        self.engine, self._trial = 1, 0
        return Reason.MISSES
