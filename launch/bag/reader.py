"""Reading a run, or anybody's bag, as typed records in log order."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.errors import BadInput
from geometry.camera import Camera
from launch.bag import topics
from perception.frame import Frame
from perception.ros_messages import BYTES, STRING
from perception.sources.bag_cameras import BagCamera, choose_camera, find_cameras
from perception.sources.bag_file import BagFile, Message
from perception.sources.bag_frames import FrameAssembler
from robot.arm import JointCommand, RobotState

Value = Frame | RobotState | JointCommand | bytes | str


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """One thing that was recorded.

    Attributes:
        stream: Name of the camera, `joint_states`, `joint_commands`, or the stream or text of ours.
        log_ns: When it was consumed, on the run clock [ns]; in a foreign bag, on that bag's clock.
        value: A frame, a robot state, a command, rows as bytes, or a text.
    """

    stream: str
    log_ns: int
    value: Value


class BagReader:
    """A bag opened for reading, forward only. One chunk of it and a few images are in memory, whatever its length.

    Args:
        path: Run folder, rosbag2 folder, `.mcap`, `.db3` or ROS 1 `.bag`.
        need_images: Refuse a bag without images.
        need_depth: Refuse a bag with a camera without usable depth.
        allow_incomplete: Read what a crash left of a run, instead of refusing it.

    Attributes:
        path: As given.
        epoch_offset_ns: Unix epoch minus run clock [ns]; 0 in a foreign bag.
        ignored: Topics whose type says nothing to us, with the number of their messages.
        skipped: Messages of types that we read but that do not describe our arm, by topic, so far.

    Raises:
        BadInput: If it is not a bag, or empty, or cut short, or lacks what is needed.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        need_images: bool = False,
        need_depth: bool = False,
        allow_incomplete: bool = False,
    ) -> None:
        self._bag = BagFile(path, allow_incomplete)
        self.path = self._bag.path
        self.skipped: Counter[str] = Counter()
        try:
            self._cameras = {camera.name: camera for camera in find_cameras(self._bag)}
            if need_images or need_depth:
                self.require_images(need_depth=need_depth)
            self.epoch_offset_ns = self._epoch_offset_ns()
        except BaseException:
            self._bag.close()
            raise
        used = {topic for camera in self._cameras.values() for topic in camera.topics}
        used |= {topics.JOINT_STATES, topics.JOINT_COMMANDS, topics.RECORDING}
        self._streams = {
            name.removeprefix(topics.STREAMS): topic.message_type
            for name, topic in self._bag.topics.items()
            if name.startswith(topics.STREAMS) and topic.message_type in (BYTES, STRING) and name not in used
        }
        self.ignored = {
            name: topic.count
            for name, topic in self._bag.topics.items()
            if name not in used and name.removeprefix(topics.STREAMS) not in self._streams and not _is_ours(name)
        }

    @property
    def cameras(self) -> tuple[str, ...]:
        """Names of the cameras."""
        return tuple(self._cameras)

    @property
    def streams(self) -> tuple[str, ...]:
        """Names of our streams of rows."""
        return tuple(sorted(name for name, kind in self._streams.items() if kind == BYTES))

    @property
    def texts(self) -> tuple[str, ...]:
        """Names of our texts."""
        return tuple(sorted(name for name, kind in self._streams.items() if kind == STRING))

    @property
    def incomplete(self) -> bool:
        """Whether a crash has cut the bag."""
        return self._bag.incomplete

    @property
    def has_depth(self) -> bool:
        """Whether there is a camera, and each has usable depth."""
        return bool(self._cameras) and all(camera.has_depth for camera in self._cameras.values())

    def camera(self, name: str) -> Camera:
        """Intrinsics of a camera at the start of the bag.

        Raises:
            BadInput: If there is no such camera.
        """
        return self._about(name).camera

    def require_images(self, *, need_depth: bool = False) -> None:
        """Refuse a bag without images, or with a camera without usable depth if that is needed.

        Raises:
            BadInput: Naming what is missing.
        """
        for name in self._cameras or (None,):
            choose_camera(self._bag, tuple(self._cameras.values()), name, need_depth)

    def require_depth(self, name: str, remedy: str) -> None:
        """Refuse a camera without usable depth.

        Raises:
            BadInput: If it has none, naming it, why, and the remedy.
        """
        try:
            choose_camera(self._bag, tuple(self._cameras.values()), name, need_depth=True)
        except BadInput as error:
            raise BadInput(f"{error}; or {remedy}") from error

    def records(
        self, cameras: Collection[str] | None = None, streams: Collection[str] | None = None
    ) -> Iterator[Record]:
        """What was recorded, in log order, and of equal time in the order of writing.

        Args:
            cameras: Cameras to read; None for all of them.
            streams: Other streams to read by the names that records carry; None for all of them.

        Raises:
            BadInput: If there is no such camera, or where the bag turns out to be damaged.
        """
        chosen = [self._about(name) for name in (self._cameras if cameras is None else cameras)]
        assemblers = {camera.name: FrameAssembler(self._bag, camera) for camera in chosen}
        camera_of = {topic: camera.name for camera in chosen for topic in camera.topics}
        others = self._other_topics()
        if streams is not None:
            others = {topic: name for topic, name in others.items() if name in streams}
        counts: Counter[str] = Counter()
        log_ns = 0
        for message in self._bag.messages({*camera_of, *others}):
            log_ns = message.log_ns - self.epoch_offset_ns
            if message.topic in camera_of:
                name = camera_of[message.topic]
                for frame in assemblers[name].push(message):
                    yield Record(name, log_ns, frame)
                continue
            value = self._value(message, counts[message.topic])
            counts[message.topic] += 1
            if value is None:
                self.skipped[message.topic] += 1
            else:
                yield Record(others[message.topic], log_ns, value)
        for name, assembler in assemblers.items():
            for frame in assembler.flush():
                yield Record(name, log_ns, frame)

    def text(self, name: str) -> str:
        """The first text of a name, for example `config`.

        Raises:
            BadInput: If there is none.
        """
        if self._streams.get(name) == STRING:
            for record in self.records((), (name,)):
                return str(record.value)
        raise BadInput(f"{self.path}: no text {name!r}; it has {', '.join(self.texts) or 'none: not a run of ours'}")

    def close(self) -> None:
        """Close the file; calling it again does nothing."""
        self._bag.close()

    def __enter__(self) -> BagReader:  # noqa: PYI034 - typing.Self came with Python 3.11
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _about(self, name: str) -> BagCamera:
        return choose_camera(self._bag, tuple(self._cameras.values()), name, need_depth=False)

    def _other_topics(self) -> dict[str, str]:
        found = {f"{topics.STREAMS}{name}": name for name in self._streams}
        for topic in (topics.JOINT_STATES, topics.JOINT_COMMANDS):
            if topic in self._bag.topics and self._bag.topics[topic].message_type == topics.JOINT_STATE:
                found[topic] = topic.removeprefix("/")
        return found

    def _value(self, message: Message, count: int) -> Value | None:
        decoded: Any = self._bag.decode(message)
        if message.message_type == BYTES:
            return bytes(decoded.data.tobytes())
        if message.message_type == STRING:
            return str(decoded.data)
        try:
            is_state = message.topic == topics.JOINT_STATES
            return topics.state_of(decoded, count) if is_state else topics.command_of(decoded)
        except BadInput:
            return None  # another robot's joints

    def _epoch_offset_ns(self) -> int:
        if topics.RECORDING not in self._bag.topics:
            return 0
        message = self._bag.first(topics.RECORDING)
        try:
            return int(json.loads(message.data)["epoch_offset_ns"])  # type: ignore[union-attr]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise BadInput(f"{self.path}: {topics.RECORDING} does not say the clock of the run: {error!r}") from error


def _is_ours(topic: str) -> bool:
    return topic.endswith(("/eyehand_info", "/eyehand_frame"))
