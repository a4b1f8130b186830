"""Which chunk is being executed, and when the next one is needed."""

from __future__ import annotations

from typing import Literal

from geometry.types import Array
from policy.action_chunk import ActionChunk

Offer = Literal["switched", "older", "expired"]


class ChunkSchedule:
    """Holds the chunk that is being executed.

    A new chunk takes over as soon as it arrives, at the action that belongs to that instant: the actions before it lie
    in the past and are skipped. It never goes back to a chunk whose observation is older.
    """

    def __init__(self, threshold_ns: int) -> None:
        """Start without a chunk.

        Args:
            threshold_ns: The next chunk is needed when less than this is left of the present one [ns]: the time that
                planning takes, and a margin.

        Raises:
            ValueError: If the threshold is negative.
        """
        if threshold_ns < 0:
            raise ValueError(f"threshold is {threshold_ns} ns: expected >= 0")
        self._threshold_ns = threshold_ns
        self._chunk: ActionChunk | None = None

    @property
    def chunk(self) -> ActionChunk | None:
        """The chunk that is being executed; None before the first."""
        return self._chunk

    def reset(self) -> None:
        """Forget the chunk: nothing is executed until one is offered."""
        self._chunk = None

    def remaining_ns(self, now_ns: int) -> int:
        """Time until the last action of the present chunk [ns]; 0 without a chunk or beyond its end."""
        return 0 if self._chunk is None else max(0, self._chunk.end_ns - now_ns)

    def needs_next(self, now_ns: int) -> bool:
        """Whether the next chunk should be planned now."""
        return self._chunk is None or self.remaining_ns(now_ns) < self._threshold_ns

    def offer(self, chunk: ActionChunk, now_ns: int) -> Offer:
        """Take over a chunk that has arrived.

        Args:
            chunk: The new chunk, with absolute actions (`ActionChunk.to_absolute`).
            now_ns: Time of its arrival [ns].

        Returns:
            `switched` if it is executed from now on; `older` if its observation is not newer than the present chunk's;
            `expired` if all of its actions lie in the past.

        Raises:
            ValueError: If the chunk holds increments.
        """
        if chunk.space == "joint_delta":
            raise ValueError("a joint_delta chunk cannot be scheduled: call to_absolute(joints at capture) first")
        if self._chunk is not None and chunk.stamp_ns <= self._chunk.stamp_ns:
            return "older"
        if chunk.end_ns < now_ns:
            return "expired"
        self._chunk = chunk
        return "switched"

    def action(self, t_ns: int) -> Array | None:
        """The action that belongs to a time, shape (7,), or None before the first chunk; see `ActionChunk.sample`."""
        return None if self._chunk is None else self._chunk.sample(t_ns)
