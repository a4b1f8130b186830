"""Remarks for the person who runs this, counted by kind so that a fault that repeats stays one line."""

from __future__ import annotations

TOO_LATE = "a frame was older than one already used, and was left out"
NO_POSE = "no arm pose at the frame's stamp: frame skipped"
TICKS_MISSED = "control ticks missed"
STARVED = "control ticks without a chunk: it had ended before the next one came, and the arm slowed down"
CHUNK_TOO_LATE = "a chunk came too late to be used"


class Notes:
    """Texts by kind: the first text of a kind is kept, the others are counted."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}
        self._counts: dict[str, int] = {}

    def add(self, text: str, kind: str | None = None) -> None:
        """Count a remark; remarks of one kind differ in their figures only."""
        key = kind or text
        self._texts.setdefault(key, text)
        self._counts[key] = self._counts.get(key, 0) + 1

    def counts(self) -> dict[str, int]:
        """How often each remark was made, by its first text."""
        return {text: self._counts[key] for key, text in self._texts.items()}
