"""Which chunk is being executed, and when the next one is needed."""

from __future__ import annotations

from typing import Literal

from policy.action_chunk import RELATIVE, ActionChunk
from policy.planning_delay import PlanningDelay
from policy.seam import ScheduleMode

Offer = Literal["switched", "older", "expired"]


class ChunkSchedule:
    """Holds the chunk that is being executed, and asks for the next one before it is exhausted.

    A new chunk takes over as soon as it arrives; how, is the seam's (`policy.seam`). It never goes back to a chunk
    whose observation is older.

    The next chunk is asked for, whatever is seen, by the time until starvation: when less is left than the p99 of the
    planning delay and a margin, or than the replanning horizon, whichever is longer. `synchronous` asks only when
    nothing is left, from photons of after the end: the arm waits for its plan. `ensemble` asks whenever there is
    something new to plan from.
    """

    def __init__(self, horizon_ns: int = 0, margin_ns: int = 0, mode: ScheduleMode = "naive") -> None:
        """Start without a chunk.

        Args:
            horizon_ns: The next chunk is needed when less than this is left of the present one [ns], however fast
                planning is: how soon the policy looks again.
            margin_ns: Time that must be left when the next chunk arrives [ns]. Requests are made when a frame has been
                looked at, so it covers the time between two of them, and the seam.
            mode: How chunks follow one another.

        Raises:
            ValueError: If the horizon or the margin is negative.
        """
        for name, value in (("horizon", horizon_ns), ("margin", margin_ns)):
            if value < 0:
                raise ValueError(f"{name} is {value} ns: expected >= 0")
        self._horizon_ns, self._margin_ns, self._mode = horizon_ns, margin_ns, mode
        self._delay = PlanningDelay()
        self._chunk: ActionChunk | None = None

    @property
    def chunk(self) -> ActionChunk | None:
        """The chunk that is being executed; None before the first."""
        return self._chunk

    @property
    def threshold_ns(self) -> int:
        """The next chunk is needed when less than this is left [ns]."""
        return max(self._horizon_ns, self._delay.p99_ns + self._margin_ns)

    def ahead_ns(self, now_ns: int, photon_ns: int) -> int:
        """Time from the photons to when a chunk that is asked for now is expected to take over [ns]."""
        return now_ns + self._delay.p99_ns - photon_ns

    def reset(self) -> None:
        """Forget the chunk: nothing is executed until one is offered. What planning takes is remembered."""
        self._chunk = None

    def remaining_ns(self, now_ns: int) -> int:
        """Time until the last action of the present chunk [ns]; 0 without a chunk or beyond its end."""
        return 0 if self._chunk is None else max(0, self._chunk.end_ns - now_ns)

    def is_starved(self, now_ns: int) -> bool:
        """Whether the present chunk has ended, and no other has come."""
        return self._chunk is not None and now_ns > self._chunk.end_ns

    def needs_next(self, now_ns: int, photon_ns: int) -> bool:
        """Whether the next chunk should be planned now, from photons of a time [ns]."""
        if self._chunk is None or self._mode == "ensemble":
            return True
        if self._mode == "synchronous":
            return photon_ns > self._chunk.end_ns
        return self.remaining_ns(now_ns) < self.threshold_ns

    def planned(self, delay_ns: int) -> None:
        """Note what planning took, from the request to the arrival on the run's clock [ns]."""
        self._delay.add(delay_ns)

    def offer(self, chunk: ActionChunk, now_ns: int) -> Offer:
        """Take over a chunk that has arrived.

        Args:
            chunk: The new chunk, with absolute actions (`ActionChunk.to_absolute`).
            now_ns: Time of its arrival [ns].

        Returns:
            `switched` if it is executed from now on; `older` if its observation is not newer than the present chunk's;
            `expired` if all of its actions lie in the past.

        Raises:
            ValueError: If the chunk holds increments or speeds.
        """
        if chunk.space in RELATIVE:
            raise ValueError(f"a {chunk.space} chunk cannot be scheduled: call to_absolute(joints at capture) first")
        if self._chunk is not None and chunk.stamp_ns <= self._chunk.stamp_ns:
            return "older"
        if chunk.end_ns < now_ns:
            return "expired"
        self._chunk = chunk
        return "switched"
