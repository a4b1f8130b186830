"""Messages of one camera put together to frames: colour, its depth, its number and times."""

from __future__ import annotations

import struct
from collections import deque
from dataclasses import dataclass
from typing import Any, Final

from deploy.errors import BadInput
from geometry.registration import register_depth
from geometry.types import DepthImage
from perception.frame import Frame
from perception.ros_messages import camera_from_info, decode_color, decode_depth, stamp_ns_of
from perception.sources.bag_cameras import BagCamera
from perception.sources.bag_file import BagFile, Message
from perception.sources.realsense_bag import frame_number_and_stamp

# A row of our bags beside each frame: sequence, stamp_ns, received_ns, has depth.
FRAME_ROW = struct.Struct("<qqq?")
# Depth and colour of one frame of a driver differ by less than this; two frames at 60 Hz by more.
PAIRING_NS: Final = 8_000_000
# Images held while their other half is awaited.
HELD: Final = 8


@dataclass(slots=True)
class _Part:
    """An image that waits for what belongs to it."""

    sequence: int
    stamp_ns: int
    received_ns: int
    image: Any


class FrameAssembler:
    """Puts one camera's messages together, in log order.

    Colour and depth belong together when their stamps are equal, and in bags of drivers when they are within 8 ms. At
    most eight images of each kind are held; a colour image that finds no depth is left out and counted, and leaves a
    gap in the sequence numbers.

    Args:
        bag: Decodes the messages.
        camera: Says which topics to feed.

    Attributes:
        unpaired: Colour images left out for want of depth.
    """

    def __init__(self, bag: BagFile, camera: BagCamera) -> None:
        self._bag = bag
        self._about = camera
        self._camera = camera.camera
        self._where = f"{bag.path}: camera {camera.name}"
        self._colors: deque[_Part] = deque()
        self._depths: deque[_Part] = deque()
        self._rows: dict[int, tuple[int, int, bool]] = {}
        # Images of a .db3 of RealSense, which says number and time after each image, by the topic that says it.
        self._unnumbered: dict[str, deque[_Part]] = {topic: deque() for topic in camera.metadata_topics}
        self._count = 0
        self.unpaired = 0

    def push(self, message: Message) -> list[Frame]:
        """Take a message of one of the camera's topics; returns the frames that it completes."""
        about = self._about
        decoded = self._bag.decode(message)
        if message.topic == about.info_topic:
            self._camera = camera_from_info(decoded, message.topic)
        elif message.topic == about.row_topic:
            self._row(decoded.data.tobytes())
        elif message.topic in self._unnumbered:
            self._number(message.topic, str(decoded.data))
        elif message.topic == about.color_topic:
            self._image(decoded, message, self._colors, about.color_metadata_topic)
        elif message.topic == about.depth_topic:
            self._image(decoded, message, self._depths, about.depth_metadata_topic)
        return self._complete()

    def flush(self) -> list[Frame]:
        """Frames that can be completed at the end of the bag."""
        return self._complete(ended=True)

    def _image(self, image: Any, message: Message, parts: deque[_Part], metadata_topic: str | None) -> None:
        stamp_ns = stamp_ns_of(image)
        if self._about.layout == "realsense":
            # Log times of these files count from the start of the recording, not on the clock of the stamps.
            part = _Part(int(getattr(image.header, "seq", 0)), stamp_ns, stamp_ns, image)
        else:
            part = _Part(self._count, stamp_ns, message.log_ns, image)
            self._count += message.topic == self._about.color_topic
        if metadata_topic is None:
            parts.append(part)
        else:
            self._unnumbered[metadata_topic].append(part)

    def _number(self, topic: str, metadata: str) -> None:
        if not self._unnumbered[topic]:
            return
        part = self._unnumbered[topic].popleft()
        part.sequence, part.stamp_ns = frame_number_and_stamp(metadata, topic)
        part.received_ns = part.stamp_ns
        (self._colors if topic == self._about.color_metadata_topic else self._depths).append(part)

    def _row(self, row: bytes) -> None:
        if len(row) != FRAME_ROW.size:
            raise BadInput(f"{self._where}: frame row of {len(row)} bytes; expected {FRAME_ROW.size}")
        sequence, stamp_ns, received_ns, has_depth = FRAME_ROW.unpack(row)
        self._rows[stamp_ns] = (sequence, received_ns, has_depth)
        if len(self._rows) > 2 * HELD:
            self._rows.pop(next(iter(self._rows)))

    def _complete(self, ended: bool = False) -> list[Frame]:
        frames = []
        while self._colors:
            color = self._colors[0]
            sequence, received_ns, has_depth = self._rows.get(
                color.stamp_ns, (color.sequence, color.received_ns, self._about.has_depth)
            )
            depth: _Part | None = None
            if has_depth:
                depth, wait = self._depth_of(color, ended)
                if depth is None and wait and len(self._colors) < HELD:
                    break
                if depth is None:
                    self._colors.popleft()
                    self.unpaired += 1
                    continue
            self._colors.popleft()
            self._rows.pop(color.stamp_ns, None)
            frames.append(self._frame(color, depth, sequence, received_ns))
        while len(self._depths) > HELD:
            self._depths.popleft()
        return frames

    def _depth_of(self, color: _Part, ended: bool) -> tuple[_Part | None, bool]:
        """The depth image of a colour image, and if there is none, whether one may still come."""
        nearest = min(self._depths, key=lambda part: abs(part.stamp_ns - color.stamp_ns), default=None)
        if nearest is None:
            return None, not ended
        apart = nearest.stamp_ns - color.stamp_ns
        later = ended or self._depths[-1].stamp_ns > color.stamp_ns
        # A nearer one may follow while the images seen so far are older than the colour image.
        if apart == 0 or (later and abs(apart) <= PAIRING_NS):
            return nearest, False
        return None, not later

    def _frame(self, color: _Part, depth: _Part | None, sequence: int, received_ns: int) -> Frame:
        about = self._about
        return Frame(
            camera_name=about.name,
            sequence=sequence,
            stamp_ns=color.stamp_ns,
            received_ns=received_ns,
            color=decode_color(color.image, f"{self._where}: {about.color_topic}"),
            depth=None if depth is None else self._depth(depth.image),
            depth_scale_m=about.depth_scale_m,
            camera=self._camera,
        )

    def _depth(self, image: Any) -> DepthImage:
        about = self._about
        depth = decode_depth(image, f"{self._where}: {about.depth_topic}")
        if about.depth_camera is None or about.color_T_depth is None:
            return depth
        try:
            return register_depth(depth, about.depth_scale_m, about.depth_camera, self._camera, about.color_T_depth)
        except ValueError as error:
            raise BadInput(f"{self._where}: {about.depth_topic}: {error}") from error
