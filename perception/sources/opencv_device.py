"""A camera that OpenCV drives, read on a thread of its own so that a dead one cannot hold anybody."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import cv2

from deploy.errors import Missing
from geometry.types import Image

# Between attempts at a camera that gives no image.
RETRY_S = 0.01


class OpenCvDevice:
    """Keeps the newest image of a camera; images that nobody takes are replaced, and their numbers show it.

    A driver may block for ever in a read. The thread that does so is left behind as a daemon, and frees the camera if
    it ever returns.

    Args:
        source: Index of the device, or the address of a stream.
        width: Wanted width [px]; None leaves the camera's.
        height: Wanted height [px]; None leaves the camera's.
        fps: Wanted images a second; None leaves the camera's.
        clock: Run clock [ns].

    Raises:
        Missing: If the camera cannot be opened.
    """

    def __init__(
        self, source: int | str, width: int | None, height: int | None, fps: float | None, clock: Callable[[], int]
    ) -> None:
        self._capture: Any = cv2.VideoCapture(source)
        if not self._capture.isOpened():
            self._capture.release()
            raise Missing(
                f"camera {source} cannot be opened: check that it is plugged in, that no other program uses it, and "
                "its index (/dev/video<index>)"
            )
        wanted = ((cv2.CAP_PROP_FRAME_WIDTH, width), (cv2.CAP_PROP_FRAME_HEIGHT, height), (cv2.CAP_PROP_FPS, fps))
        for key, value in wanted:
            if value is not None:
                self._capture.set(key, value)
        self.width = int(self._capture.get(cv2.CAP_PROP_FRAME_WIDTH))
        self.height = int(self._capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
        self._clock = clock
        self._arrived = threading.Condition()
        self._newest: tuple[int, int, Image] | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name=f"eyehand-camera-{source}", daemon=True)
        self._thread.start()

    def take(self, timeout_s: float) -> tuple[int, int, Image] | None:
        """Number, receive time [ns] and pixels of an image that was not taken before; None if none comes in time."""
        with self._arrived:
            self._arrived.wait_for(lambda: self._newest is not None or self._stop.is_set(), timeout_s)
            newest, self._newest = self._newest, None
            return newest

    def close(self) -> None:
        """Stop the thread and free the camera."""
        self._stop.set()
        with self._arrived:
            self._arrived.notify_all()
        self._thread.join(timeout=1.0)

    def _work(self) -> None:
        number = 0
        try:
            while not self._stop.is_set():
                found, image = self._capture.read()
                received_ns = self._clock()
                if not found:
                    time.sleep(RETRY_S)
                    continue
                with self._arrived:
                    self._newest = (number, received_ns, image)
                    self._arrived.notify_all()
                number += 1
        finally:
            self._capture.release()
