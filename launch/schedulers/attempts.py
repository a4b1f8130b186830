"""Running a stage that may raise: a failure is a decision of the ladder, not the end of the loop."""

from __future__ import annotations

from collections.abc import Callable

from launch.ladder import Ladder
from launch.ledger import Stage
from launch.schedulers.notes import Notes
from launch.streams import Item


class Attempts:
    """Calls stages for a scheduler.

    Args:
        ladder: Told about each failure; it says when there were too many.
        notes: Where a failure is noted for the person who runs this.
    """

    def __init__(self, ladder: Ladder, notes: Notes) -> None:
        self._ladder = ladder
        self._notes = notes

    def __call__(self, stage: Stage, now_ns: int, source: Item, call: Callable[[], Item | None]) -> Item | None:
        """The stage's result; None if it has none, failed, or came too late to be used.

        Raises:
            Exception: What the stage raised, if the ladder says that the run must end.
        """
        try:
            item = call()
        except Exception as error:
            kind = f"{stage.label} failed: {type(error).__name__}"
            self._notes.add(f"{kind}: {error}", kind)
            if self._ladder.failed(stage, now_ns, source):
                raise
            return None
        if item is not None and item.stale:
            self._notes.add(f"{stage.label} came later than its hard limit: its result was not used")
        return item
