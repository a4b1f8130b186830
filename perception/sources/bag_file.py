"""Any bag file as messages in log order: ROS 2 folders, .mcap, .db3, ROS 1 .bag, and runs that a crash cut short."""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from rosbags.rosbag1 import Reader as Ros1Reader
from rosbags.rosbag2 import Reader as Ros2Reader
from rosbags.rosbag2.storage_mcap import McapReader
from rosbags.typesys import Stores, get_typestore

from deploy.errors import BadInput
from perception import ros_messages
from perception.sources.joined_file import CompletedFile
from perception.sources.mcap_tail import find_tail, is_complete

# First bytes of each kind of file, and the suffix that the reader goes by.
KINDS: Final = {b"#ROSBAG V": ".bag", b"\x89MCAP0\r\n": ".mcap", b"SQLite format 3\0": ".db3"}
EXPECTED: Final = "expected a run folder, .mcap or .db3 (ROS 2), or .bag (ROS 1)"
# RealSense's writer of .bag files adds these to each image.
REALSENSE_TRAILER_BYTES: Final = 4


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic of a bag.

    Attributes:
        name: Such as `/camera/wrist/color/image_raw`.
        message_type: Such as `sensor_msgs/msg/Image`, also for ROS 1.
        count: Number of messages.
    """

    name: str
    message_type: str
    count: int


@dataclass(frozen=True, slots=True)
class Message:
    """A message as it lies in the bag.

    Attributes:
        topic: Name of the topic.
        message_type: Type of the message.
        log_ns: When it was recorded [ns], on the bag's clock.
        raw: Serialised bytes.
    """

    topic: str
    message_type: str
    log_ns: int
    raw: bytes


class BagFile:
    """A bag opened for reading. It reads messages one after the other and holds one chunk (1 MiB) of them in memory.

    Args:
        path: Run folder, rosbag2 folder, `.mcap`, `.db3` (also RealSense's), or ROS 1 `.bag` (also RealSense's).
        allow_incomplete: Read what a crash left of an `.mcap`, instead of refusing it.

    Raises:
        BadInput: If there is no such file, or it is empty, cut short or not a bag.
    """

    def __init__(self, path: str | Path, allow_incomplete: bool = False) -> None:
        self.path = Path(path)
        self.incomplete = False
        self._closed = False
        file = _storage(self.path)
        self.is_ros1 = file.suffix == ".bag"
        self._store: Any = get_typestore(Stores.ROS1_NOETIC) if self.is_ros1 else ros_messages.typestore()
        if file.suffix == ".mcap" and not is_complete(file):
            if not allow_incomplete:
                raise BadInput(
                    f"{file}: cut short, the index at its end is missing; the run crashed or still records. "
                    f"`eyehand repair {file}` completes it"
                )
            self.incomplete = True
            self._reader: Any = McapReader(cast("Any", CompletedFile(file, find_tail(file))))
        else:
            _check_length(file)
            with _damage(self.path):
                self._reader = Ros1Reader(file) if self.is_ros1 else Ros2Reader(file)
        with _damage(self.path):
            self._reader.open()
        topics: dict[str, Topic] = {}
        for connection in self._reader.connections:
            count = connection.msgcount + (topics[connection.topic].count if connection.topic in topics else 0)
            topics[connection.topic] = Topic(connection.topic, connection.msgtype, count)
        self.topics = topics

    def messages(self, topics: Collection[str] | None = None) -> Iterator[Message]:
        """Messages in log order; those of equal time in the order of writing.

        Args:
            topics: Names of the topics to read; None for all of them.

        Raises:
            BadInput: Where the file turns out to be damaged, with the number of messages before that.
        """
        connections = [c for c in self._reader.connections if topics is None or c.topic in topics]
        if not connections:
            return
        read = 0
        iterator = self._reader.messages(connections=connections)
        while True:
            with _damage(self.path, read):
                item = next(iterator, None)
            if item is None:
                return
            connection, log_ns, raw = item
            read += 1
            yield Message(connection.topic, connection.msgtype, log_ns, raw)

    def first(self, topic: str) -> Any | None:
        """The first message of a topic, decoded; None if it has none."""
        message = next(self.messages((topic,)), None)
        return None if message is None else self.decode(message)

    def decode(self, message: Message) -> Any:
        """Message object of a standard type.

        Raises:
            BadInput: If the bytes do not fit the type, naming topic and time.
        """
        where = f"{self.path}: message of {message.topic} at {message.log_ns} ns"
        if message.message_type not in self._store.fielddefs:
            raise BadInput(f"{where} is a {message.message_type}, which is not a standard type")
        deserialize = self._store.deserialize_ros1 if self.is_ros1 else self._store.deserialize_cdr
        attempts = [message.raw]
        if self.is_ros1 and message.message_type == ros_messages.IMAGE:
            attempts.append(message.raw[:-REALSENSE_TRAILER_BYTES])
        reason = ""
        for raw in attempts:
            try:
                return deserialize(raw, message.message_type)
            except Exception as error:  # whatever a deserialiser says about bytes that are not its type
                reason = reason or str(error) or type(error).__name__
        raise BadInput(f"{where} is not a {message.message_type}: {reason}")

    def close(self) -> None:
        """Close the file; calling it again does nothing."""
        if not self._closed:
            self._closed = True
            with suppress(Exception):
                self._reader.close()


class _damage:  # noqa: N801 - used as a function
    """Turns whatever a reader says about bytes that make no sense into one line."""

    def __init__(self, path: Path, read: int | None = None) -> None:
        self._path = path
        self._read = read

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if error is None or isinstance(error, BadInput) or not isinstance(error, Exception):
            return
        where = "cannot be opened" if self._read is None else f"damaged after {self._read} messages"
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BadInput(f"{self._path}: {where}, the bag is cut short or broken: {reason}") from error


def _storage(path: Path) -> Path:
    """The file to read, or the folder where rosbag2's metadata describes it."""
    if not path.exists():
        raise BadInput(f"{path}: no such file or folder; {EXPECTED}")
    if path.is_dir():
        found = [file for suffix in ("*.mcap", "*.db3") for file in sorted(path.glob(suffix))]
        cut = len(found) == 1 and found[0].suffix == ".mcap" and not is_complete(found[0])
        if (path / "metadata.yaml").is_file() and not cut:
            return path
        if len(found) != 1:
            raise BadInput(f"{path}: not a bag, {len(found)} bag files and no metadata.yaml in it; {EXPECTED}")
        path = found[0]
    with path.open("rb") as file:
        head = file.read(16)
    if not head:
        raise BadInput(f"{path}: empty file, nothing was recorded; {EXPECTED}")
    for magic, suffix in KINDS.items():
        if head.startswith(magic):
            if path.suffix != suffix:
                raise BadInput(f"{path}: holds a {suffix} bag; rename it to end in {suffix}")
            return path
    raise BadInput(f"{path}: not a bag, it starts with {head[:8]!r}; {EXPECTED}")


def _check_length(path: Path) -> None:
    """Compare the length of a file with what its header says, where it does."""
    if path.suffix not in (".db3", ".bag") or path.is_dir():
        return
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(4096)
    if path.suffix == ".db3":
        if size < 100:
            raise BadInput(f"{path}: cut short, {size} bytes; expected a database header of 100")
        page, pages = struct.unpack_from(">H", head, 16)[0], struct.unpack_from(">I", head, 28)[0]
        expected = pages * (65536 if page == 1 else page)
        if size < expected:
            raise BadInput(f"{path}: cut short, {size} of {expected} bytes; copy it again")
        return
    start = head.find(b"index_pos=")
    if start < 0 or len(head) < start + 18:
        return  # not a bag header: the reader says what is wrong
    (index,) = struct.unpack_from("<Q", head, start + 10)
    if index == 0 or index >= size:
        raise BadInput(f"{path}: cut short or not closed, its index is missing; run 'rosbag reindex' on it")
