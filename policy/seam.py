"""From one chunk to the next: what is executed while an old plan and a new one both speak of the same instant.

All of it is a function of the chunks and of the control ticks that took them up, so a replay comes to the same bytes.

`rtc` (real-time chunking, arXiv 2506.07339, in the form that is trained rather than guided) has no seam to hide: the
policy is handed the actions that will have been executed when its chunk arrives, and its chunk goes on from them.
"""

from __future__ import annotations

import math
from typing import Final, Literal, Protocol

from geometry.types import Array
from policy.action_chunk import ActionChunk, interpolate

ScheduleMode = Literal["synchronous", "naive", "blend", "ensemble", "rtc"]
# of the temporal ensembling of ACT: a larger one trusts the older chunks more
DECAY: Final = 0.01


class Seam(Protocol):
    """Says which action belongs to an instant, of the chunks that have arrived so far."""

    def reset(self) -> None:
        """Forget all chunks: the next one is followed as if it were the first."""
        ...

    def take(self, chunk: ActionChunk, now_ns: int) -> None:
        """Follow a chunk from now on; its actions before this instant [ns] lie in the past and are skipped."""
        ...

    def action(self, t_ns: int) -> Array:
        """The action of a time not before the last `take` [ns], shape (7,), in the units of the chunks' space.

        Raises:
            LookupError: If there is no chunk.
        """
        ...


class Switch:
    """The newest chunk at once: `naive`; `rtc`, whose chunks go on; `synchronous`, where nothing moves."""

    def __init__(self) -> None:
        self._chunk: ActionChunk | None = None

    def reset(self) -> None:
        """Forget the chunk."""
        self._chunk = None

    def take(self, chunk: ActionChunk, now_ns: int) -> None:  # noqa: ARG002 - a seam's signature
        """Follow a chunk from now on."""
        self._chunk = chunk

    def action(self, t_ns: int) -> Array:
        """The newest chunk's action of a time."""
        if self._chunk is None:
            raise LookupError("no chunk to follow: take one first")
        return self._chunk.sample(t_ns)


class Blend:
    """From what was followed so far to the new chunk within a time window.

    The share of the new chunk rises from 0 to 1 with no slope at either end, so where both chunks are smooth position
    and velocity are continuous. A chunk that arrives within the window is blended with the blend. An old chunk that
    ends within it stands still at its last action: the position is continuous there, the velocity only as far as the
    old chunk has faded.

    Args:
        window_ns: How long the change takes [ns]; 0 switches at once.

    Raises:
        ValueError: If the window is negative.
    """

    def __init__(self, window_ns: int) -> None:
        self._window_ns = _checked(window_ns)
        self._followed: list[tuple[ActionChunk, int]] = []

    def reset(self) -> None:
        """Forget all chunks."""
        self._followed = []

    def take(self, chunk: ActionChunk, now_ns: int) -> None:
        """Follow a chunk, wholly so when the window has passed."""
        followed = [part for part in self._followed if part[0].space == chunk.space]
        whole = [i for i, (_, since_ns) in enumerate(followed) if since_ns + self._window_ns <= now_ns]
        self._followed = [*followed[whole[-1] if whole else 0 :], (chunk, now_ns)]

    def action(self, t_ns: int) -> Array:
        """The first chunk's action, and towards each later one's as far as its window has passed."""
        if not self._followed:
            raise LookupError("no chunk to follow: take one first")
        action = self._followed[0][0].sample(t_ns)
        for chunk, since_ns in self._followed[1:]:
            share = _rise(t_ns - since_ns, self._window_ns)
            if share > 0.0:
                action = interpolate(chunk.space, action, chunk.sample(t_ns), share)
        return action


class Ensemble:
    """The weighted mean of all chunks that speak of an instant, chunk i having the weight exp(-decay i), 0 the oldest.

    The temporal ensembling of ACT (Zhao et al., arXiv 2304.13705, section IV-B). There a weight begins and ends at
    once; here it fades in and out, so that the mean does not jump when a chunk arrives or ends. Rotations are averaged
    one after the other along shortest arcs, which is exact for two and close for chunks that nearly agree.

    Args:
        fade_ns: How long a chunk's weight takes to come and to go [ns]; 0 is the paper's.
        decay: Larger ones trust older chunks more; 0 trusts all the same.

    Raises:
        ValueError: If one of them is negative.
    """

    def __init__(self, fade_ns: int, decay: float = DECAY) -> None:
        if not decay >= 0.0:
            raise ValueError(f"decay is {decay}: expected >= 0")
        self._fade_ns = _checked(fade_ns)
        self._decay = decay
        self._chunks: list[tuple[ActionChunk, int]] = []

    def reset(self) -> None:
        """Forget all chunks."""
        self._chunks = []

    def take(self, chunk: ActionChunk, now_ns: int) -> None:
        """Add a chunk to the mean; those that have ended are forgotten."""
        held = [part for part in self._chunks if part[0].end_ns > now_ns and part[0].space == chunk.space]
        # with nothing to fade in from, it has its whole weight at once
        self._chunks = [*held, (chunk, now_ns if held else now_ns - self._fade_ns)]

    def action(self, t_ns: int) -> Array:
        """The weighted mean; beyond the end of all chunks the newest one's last action."""
        if not self._chunks:
            raise LookupError("no chunk to follow: take one first")
        total, mean = 0.0, None
        for i, (chunk, since_ns) in enumerate(self._chunks):
            fade = _rise(t_ns - since_ns, self._fade_ns) * _rise(chunk.end_ns - t_ns, self._fade_ns)
            weight = fade * math.exp(-self._decay * i)
            if weight > 0.0:
                total += weight
                action = chunk.sample(t_ns)
                mean = action if mean is None else interpolate(chunk.space, mean, action, weight / total)
        return self._chunks[-1][0].sample(t_ns) if mean is None else mean


def make_seam(mode: ScheduleMode, window_ns: int, decay: float = DECAY) -> Seam:
    """The seam of a mode.

    Args:
        mode: Which.
        window_ns: Of `blend`, how long a change takes; of `ensemble`, how long a weight fades [ns].
        decay: Of `ensemble`.
    """
    if mode == "blend":
        return Blend(window_ns)
    return Ensemble(window_ns, decay) if mode == "ensemble" else Switch()


def _checked(window_ns: int) -> int:
    if window_ns < 0:
        raise ValueError(f"the window is {window_ns} ns: expected >= 0")
    return window_ns


def _rise(passed_ns: int, window_ns: int) -> float:
    """From 0 to 1 within a window, with no slope and no curvature at its ends."""
    if passed_ns >= window_ns:
        return 1.0
    if passed_ns <= 0:
        return 0.0
    u = passed_ns / window_ns
    return u * u * u * (10.0 + u * (6.0 * u - 15.0))
