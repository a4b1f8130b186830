"""A recorded run as a cell for the virtual clock: its cameras and its arm show what was recorded, when it was."""

from __future__ import annotations

import bisect
from collections.abc import Iterator

import numpy as np

from launch.bag import BagReader
from launch.ledger import Rows, Stage
from perception.frame import Frame
from robot.arm import JointCommand, RobotState


class RecordedCamera:
    """The frames of one camera, read one by one as time comes to them."""

    def __init__(self, reader: BagReader, name: str) -> None:
        self._frames: Iterator[Frame] = (
            record.value for record in reader.records([name]) if isinstance(record.value, Frame)
        )
        self._next: Frame | None = next(self._frames, None)

    def next_ns(self, now_ns: int) -> int | None:
        """Capture stamp of the next frame; one from before `now_ns` was taken while nobody looked."""
        while self._next is not None and self._next.stamp_ns < now_ns:
            self._next = next(self._frames, None)
        return None if self._next is None else self._next.stamp_ns

    def expose(self, now_ns: int) -> Frame:
        """The frame of this instant."""
        frame = self._next
        assert frame is not None
        assert frame.stamp_ns == now_ns, "asked for before its instant"
        self._next = next(self._frames, None)
        return frame


class RecordedArm:
    """An arm that moves as it did, whatever it is sent."""

    name = "recorded"

    def __init__(self, reader: BagReader) -> None:
        states = [
            record.value for record in reader.records((), ("joint_states",)) if isinstance(record.value, RobotState)
        ]
        self._states = sorted(states, key=lambda state: state.stamp_ns)
        self._stamps = [state.stamp_ns for state in self._states]
        self.joint_names: tuple[str, ...] = ()
        self._now_ns = 0

    def advance(self, now_ns: int) -> None:
        """Go to an instant of the run clock."""
        self._now_ns = now_ns

    def connect(self) -> None:
        """Nothing to do."""

    def read_state(self) -> RobotState:
        """The newest state that was measured by now."""
        return self._states[max(0, bisect.bisect_right(self._stamps, self._now_ns) - 1)]

    def send(self, command: JointCommand) -> None:
        """Nothing moves."""

    def stop(self) -> None:
        """Nothing moves."""

    def limp(self) -> None:
        """Nothing moves."""

    def recover(self) -> None:
        """Nothing ever fails here."""

    def close(self) -> None:
        """Nothing to release."""


def episode_spans(rows: Rows) -> list[tuple[int, int]]:
    """Begin and end of each recorded episode [ns]."""
    starts = rows["now_ns"][rows["stage"] == Stage.EPISODE].tolist()
    end = int(np.max(rows["now_ns"])) + 1 if len(rows) else 0
    return list(zip(starts, [*starts[1:], end], strict=True))
