from __future__ import annotations

import threading

import numpy as np
import pytest

from deploy.errors import Missing
from geometry import Camera
from launch.lerobot_plugin.newest_frame import NewestFrame
from perception.frame import Frame
from perception.source import SourceStalled

CAMERA = Camera(8, 6, 10.0, 10.0, 4.0, 3.0)


class Pictures:
    name = "front"
    camera = CAMERA

    def __init__(self, count: int, end: Exception | None = None) -> None:
        self.count, self.end, self.closed = count, end, False
        self.taken = 0
        self.go = threading.Semaphore(0)

    def read(self) -> Frame | None:
        self.go.acquire(timeout=5.0)
        if self.taken == self.count:
            if self.end is not None:
                raise self.end
            return None
        self.taken += 1
        color = np.full((6, 8, 3), self.taken, dtype=np.uint8)
        return Frame("front", self.taken, self.taken, self.taken, color, None, 0.001, CAMERA)

    def close(self) -> None:
        self.closed = True


def test_it_waits_for_the_first_frame_and_hands_out_the_newest() -> None:
    source = Pictures(3)
    camera = NewestFrame(source)
    source.go.release()
    assert camera.frame().sequence == 1
    assert camera.frame().sequence == 1
    source.go.release(2)
    for _ in range(500):
        if camera.frame().sequence == 3:
            break
        threading.Event().wait(0.005)
    assert camera.frame().sequence == 3
    source.go.release(9)
    camera.close()
    assert source.closed


@pytest.mark.parametrize(
    ("end", "message"), [(None, "frames are at an end"), (SourceStalled("front", 1.0), "sent no frame for 1 s")]
)
def test_a_camera_that_ends_is_told_to_who_asks(end: Exception | None, message: str) -> None:
    source = Pictures(0, end)
    camera = NewestFrame(source)
    source.go.release(9)
    with pytest.raises(Missing, match=message):
        camera.frame()
    camera.close()
