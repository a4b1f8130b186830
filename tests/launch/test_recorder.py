"""The recorder's worker: order, a full disk, a machine that is too slow."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

from geometry import Camera
from launch.recorder import QUEUE_LIMIT, Recorder
from perception.frame import Frame

CAMERA = Camera(8, 6, 5.0, 5.0, 3.5, 2.5)


def frame(sequence: int) -> Frame:
    return Frame("wrist", sequence, sequence, sequence, np.zeros((6, 8, 3), np.uint8), None, 1.0, CAMERA)


class Writer:
    """A bag writer that remembers, and fails or waits when told to."""

    def __init__(self, fails_at: int | None = None) -> None:
        self.written: list[Any] = []
        self.closed = False
        self.gate = threading.Event()
        self.gate.set()
        self._fails_at = fails_at

    def write_frame(self, frame: Frame, _now_ns: int) -> None:
        self.gate.wait(10)
        if self._fails_at is not None and len(self.written) >= self._fails_at:
            raise OSError(28, "No space left on device")
        self.written.append(frame.sequence)

    def write_bytes(self, stream: str, payload: bytes, _now_ns: int) -> None:
        self.gate.wait(10)
        self.written.append((stream, payload))

    def close(self) -> None:
        self.closed = True


def test_everything_is_written_in_order() -> None:
    writer = Writer()
    recorder = Recorder(writer, blocking=True)  # type: ignore[arg-type]
    for number in range(3 * QUEUE_LIMIT):
        recorder.frame(frame(number), number)
        recorder.output("tracks", bytes([number % 256]), number)
    recorder.close()
    assert writer.written[::2] == list(range(3 * QUEUE_LIMIT))
    assert writer.closed
    assert recorder.dropped == 0


def test_a_full_disk_ends_the_run_with_its_error_and_nobody_waits_forever() -> None:
    writer = Writer(fails_at=5)
    recorder = Recorder(writer, blocking=True)  # type: ignore[arg-type]
    raised: list[BaseException] = []

    def feed() -> None:
        try:
            for number in range(10 * QUEUE_LIMIT):
                recorder.frame(frame(number), number)
        except OSError as error:
            raised.append(error)

    thread = threading.Thread(target=feed, daemon=True)
    thread.start()
    thread.join(20)
    assert not thread.is_alive()
    assert "No space left" in str(raised[0])
    with pytest.raises(OSError, match="No space left"):
        recorder.close()
    assert writer.closed
    assert writer.written == list(range(5))


def test_on_the_wall_clock_frames_beyond_the_limit_are_dropped_and_counted() -> None:
    writer = Writer()
    writer.gate.clear()
    recorder = Recorder(writer, blocking=False)  # type: ignore[arg-type]
    for number in range(QUEUE_LIMIT + 40):
        recorder.frame(frame(number), number)
    writer.gate.set()
    recorder.close()
    assert recorder.dropped == 40
    assert writer.written == list(range(QUEUE_LIMIT))


def test_without_images_frames_are_neither_written_nor_missed() -> None:
    writer = Writer()
    recorder = Recorder(writer, blocking=False, images=False)  # type: ignore[arg-type]
    for number in range(2 * QUEUE_LIMIT):
        recorder.frame(frame(number), number)
    recorder.output("tracks", b"row", 0)
    recorder.close()
    assert writer.written == [("tracks", b"row")]
    assert recorder.dropped == 0
