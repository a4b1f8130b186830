"""Frames out of a bag, as if a camera sent them."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from geometry.camera import Camera
from perception.frame import Frame
from perception.sources.bag_cameras import BagCamera, choose_camera, find_cameras
from perception.sources.bag_file import BagFile
from perception.sources.bag_frames import FrameAssembler
from perception.sources.pacing import Pacer

_LONE_FRAME_NS: Final = 33_333_333  # a bag of one frame does not say how often it came


class RecordingSource:
    """A camera in a bag: our runs, bags of ROS 2 and ROS 1 drivers, RealSense's `.db3` and `.bag`.

    Frames keep the stamps and numbers that they were recorded with. Depth that RealSense recorded in its own lens is
    registered to colour. One chunk of the bag and a few images are in memory, whatever its length.

    Args:
        path: Run folder, rosbag2 folder, `.mcap`, `.db3` or `.bag`.
        camera: Name of the camera in the bag; needed where there are several.
        name: Name that frames carry; the camera's if None.
        loop: Start again at the end; stamps and numbers go on as if the next frame came one period after the last.
        need_depth: Refuse a camera without usable depth.
        allow_incomplete: Read what a crash left of a run.
        pace: Deliver the frames at the pace of the recording with times on the run clock, as a camera would.
        clock: Run clock [ns]; read only to pace.

    Raises:
        BadInput: If it is not a bag, or has no such camera, no images, or no depth where it is needed.
    """

    def __init__(
        self,
        path: str | Path,
        camera: str | None = None,
        *,
        name: str | None = None,
        loop: bool = False,
        need_depth: bool = False,
        allow_incomplete: bool = False,
        pace: bool = False,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._bag = BagFile(path, allow_incomplete)
        try:
            self._about: BagCamera = choose_camera(self._bag, find_cameras(self._bag), camera, need_depth)
        except BaseException:
            self._bag.close()
            raise
        self._name = name or self._about.name
        self._loop = loop
        self._frames = self._iterate()
        self._sequence_shift = 0
        self._stamp_shift_ns = 0
        self._first: Frame | None = None
        self._recent: deque[Frame] = deque(maxlen=2)
        self._unpaired = 0
        self._pacer = Pacer(clock) if pace else None

    @property
    def name(self) -> str:
        """Name that frames carry."""
        return self._name

    @property
    def camera(self) -> Camera:
        """Intrinsics of the colour images at the start of the bag."""
        return self._about.camera

    @property
    def has_depth(self) -> bool:
        """Whether frames come with depth."""
        return self._about.has_depth

    @property
    def unpaired(self) -> int:
        """Colour images left out so far because the bag has no depth of their time."""
        return self._unpaired

    def read(self) -> Frame | None:
        """The next frame; None at the end.

        Raises:
            BadInput: Where the bag turns out to be damaged.
        """
        frame = next(self._frames, None)
        if frame is None and self._loop and self._first is not None:
            self._rewind()
            frame = next(self._frames, None)
        if frame is None:
            return None
        if self._first is None:
            self._first = frame
        self._recent.append(frame)
        frame = replace(
            frame,
            camera_name=self._name,
            sequence=frame.sequence + self._sequence_shift,
            stamp_ns=frame.stamp_ns + self._stamp_shift_ns,
            received_ns=frame.received_ns + self._stamp_shift_ns,
        )
        return frame if self._pacer is None else self._pacer.wait(frame)

    def close(self) -> None:
        """Close the bag; calling it again does nothing."""
        self._frames = iter(())
        self._loop = False
        self._bag.close()

    def _iterate(self) -> Iterator[Frame]:
        assembler = FrameAssembler(self._bag, self._about)
        for message in self._bag.messages(self._about.topics):
            yield from assembler.push(message)
            self._unpaired = assembler.unpaired
        yield from assembler.flush()
        self._unpaired = assembler.unpaired

    def _rewind(self) -> None:
        """Continue after the last frame with the period of the last two, also where frames are missing between them."""
        assert self._first is not None
        last, before = self._recent[-1], self._recent[0]
        frames = last.sequence - before.sequence
        period_ns = max(1, (last.stamp_ns - before.stamp_ns) // frames) if frames > 0 else _LONE_FRAME_NS
        self._sequence_shift += last.sequence - self._first.sequence + 1
        self._stamp_shift_ns += last.stamp_ns - self._first.stamp_ns + period_ns
        self._frames = self._iterate()
