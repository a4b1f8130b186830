"""Recording on a worker thread: the loops hand values over, messages and files are made off the hot path."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

from launch.bag.writer import BagWriter
from launch.ledger import Rows
from perception.frame import Frame
from robot.arm import JointCommand, RobotState

QUEUE_LIMIT = 64


class Recorder:
    """Sink of an executor that writes a bag on a thread of its own, in the order of the calls.

    Args:
        writer: The bag to write.
        blocking: Wait when the worker is behind (virtual clock), or drop and count (wall clock). A run that dropped
            anything cannot be replayed, and says so.
        images: Whether to write frames; without them hours fit on a disk.
    """

    def __init__(self, writer: BagWriter, *, blocking: bool, images: bool = True) -> None:
        self._writer = writer
        self._images = images
        self._blocking = blocking
        limit = QUEUE_LIMIT if blocking else 64 * QUEUE_LIMIT
        self._queue: queue.Queue[tuple[Callable[[], None], bool] | None] = queue.Queue(limit)
        self._frames = threading.Semaphore(QUEUE_LIMIT)
        self._error: BaseException | None = None
        self.dropped = 0
        self._thread = threading.Thread(target=self._work, name="eyehand-recorder", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Things that were handed over and are not written yet."""
        return self._queue.qsize()

    def frame(self, frame: Frame, now_ns: int) -> None:
        """Record a frame; on the wall clock at most `QUEUE_LIMIT` wait in memory."""
        if not self._images:
            return
        if not self._frames.acquire(blocking=self._blocking):
            self.dropped += 1
            return

        self._put(lambda: self._writer.write_frame(frame, now_ns), is_frame=True)

    def state(self, state: RobotState, now_ns: int) -> None:
        """Record a robot state."""
        self._put(lambda: self._writer.write_joint_state(state, now_ns))

    def output(self, stream: str, payload: bytes, now_ns: int) -> None:
        """Record a row of an output stream."""
        self._put(lambda: self._writer.write_bytes(stream, payload, now_ns))

    def command(self, command: JointCommand, now_ns: int) -> None:
        """Record a setpoint."""
        self._put(lambda: self._writer.write_joint_command(command, now_ns))

    def rows(self, rows: Rows, now_ns: int) -> None:
        """Record a block of the ledger."""
        if len(rows):
            payload = rows.tobytes()
            self._put(lambda: self._writer.write_bytes("ledger", payload, now_ns))

    def text(self, topic: str, text: str, now_ns: int) -> None:
        """Record a text, for example the resolved configuration."""
        self._put(lambda: self._writer.write_text(topic, text, now_ns))

    def close(self) -> None:
        """Write what is queued and finish the bag.

        Raises:
            OSError: If writing failed, for example on a full disk.
        """
        self._queue.put(None)
        self._thread.join()
        try:
            self._writer.close()
        except BaseException as error:
            self._error = self._error or error
        if self._error is not None:
            raise self._error

    def _put(self, job: Callable[[], None], *, is_frame: bool = False) -> None:
        if self._error is not None:
            raise self._error
        try:
            self._queue.put((job, is_frame), block=self._blocking)
        except queue.Full:
            self.dropped += 1
            if is_frame:
                self._frames.release()

    def _work(self) -> None:
        while (item := self._queue.get()) is not None:
            job, is_frame = item
            try:
                if self._error is None:  # after an error the queue is drained, so that nobody waits for a place
                    job()
            except BaseException as error:
                self._error = error
            finally:
                if is_frame:
                    self._frames.release()
