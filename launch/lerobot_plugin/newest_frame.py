"""The newest frame of a camera, for somebody who asks at a rate of his own."""

from __future__ import annotations

import threading

from deploy.errors import EyehandError, Missing
from perception.frame import Frame
from perception.source import Source

# rendering a first picture without OpenGL takes its time
FIRST_FRAME_S = 60.0


class NewestFrame:
    """Reads a source in a thread and keeps its newest frame.

    Args:
        source: The camera; it is closed with this.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._frame: Frame | None = None
        self._error: EyehandError | None = None
        self._came = threading.Event()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"camera-{source.name}", daemon=True)
        self._thread.start()

    def frame(self) -> Frame:
        """The newest frame; waits for the first one.

        Raises:
            Missing: If the camera stopped, or sent none.
        """
        self._came.wait(FIRST_FRAME_S)
        if self._error is not None:
            raise self._error
        if self._frame is None:
            raise Missing(f"camera {self._source.name} sent no frame within {FIRST_FRAME_S:g} s: check its cable")
        return self._frame

    def close(self) -> None:
        """End the thread and release the camera."""
        self._end.set()
        self._thread.join(10.0)
        self._source.close()

    def _run(self) -> None:
        try:
            while not self._end.is_set():
                frame = self._source.read()
                if frame is None:
                    raise Missing(f"camera {self._source.name}: its frames are at an end")
                self._frame = frame
                self._came.set()
        except EyehandError as error:
            self._error = error
            self._came.set()
