from __future__ import annotations

import time
from pathlib import Path

import cv2
import numpy as np

from launch.bag import BagWriter
from perception.sources.opencv import OpenCvSource
from perception.sources.pacing import Pacer
from perception.sources.recording import RecordingSource
from tests.perception.sources.bag_builders import MS, read_all, small_frame


class FakeTime:
    def __init__(self) -> None:
        self.now_ns = 70_000 * MS
        self.slept_s: list[float] = []

    def clock(self) -> int:
        return self.now_ns

    def sleep(self, seconds: float) -> None:
        self.slept_s.append(round(seconds, 6))
        self.now_ns += round(seconds * 1e9)


def test_frames_come_when_they_are_due_and_late_ones_show_their_age() -> None:
    fake = FakeTime()
    pacer = Pacer(fake.clock, fake.sleep)
    frames = []
    for k, busy_ms in enumerate([0, 10, 50, 0]):
        fake.now_ns += busy_ms * MS
        frames.append(pacer.wait(small_frame(k)))
    assert fake.slept_s == [0.023, 0.016]
    assert [frame.received_ns - 70_000 * MS for frame in frames] == [0, 33 * MS, 66 * MS, 99 * MS]
    assert {frame.received_ns - frame.stamp_ns for frame in frames} == {4 * MS}  # as recorded
    assert fake.now_ns == 70_000 * MS + 99 * MS


def test_a_recording_at_its_own_pace(tmp_path: Path) -> None:
    with BagWriter(tmp_path / "run") as writer:
        for k in range(4):
            writer.write_frame(small_frame(k, period_ns=50 * MS), 0)
    begin = time.monotonic_ns()
    frames = read_all(RecordingSource(tmp_path / "run", pace=True))
    assert time.monotonic_ns() - begin >= 149 * MS
    assert all(begin - 5 * MS <= frame.stamp_ns <= time.monotonic_ns() for frame in frames)
    assert np.diff([frame.stamp_ns for frame in frames]).tolist() == [50 * MS] * 3


def test_pictures_at_their_own_pace(tmp_path: Path) -> None:
    for k in range(3):
        cv2.imwrite(str(tmp_path / f"{k}.png"), np.zeros((8, 8, 3), dtype=np.uint8))
    begin = time.monotonic_ns()
    frames = read_all(OpenCvSource(str(tmp_path), fps=20.0, pace=True))
    assert time.monotonic_ns() - begin >= 99 * MS
    assert frames[0].stamp_ns >= begin
