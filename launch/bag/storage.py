"""An MCAP file being written with `rosbags`: compression of chunks, and what a killed process leaves behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, cast, get_args

import lz4.frame  # type: ignore[import-untyped]
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer

from deploy.errors import BadInput
from perception.ros_messages import typestore

try:
    from backports import zstd
except ImportError:  # rosbags before 0.11.9 brings another package; its own choice of level is used then
    zstd = None  # type: ignore[assignment]

Compression = Literal["zstd", "lz4", "none"]
# Level 1 is a third cheaper than rosbags' default of 3, and 2 % larger on camera images. Both compressions carry a
# checksum of their own: rosbags leaves MCAP's empty, and bytes that a power cut has lost would be taken for pixels.
ZSTD_LEVEL = 1
# A chunk goes to disk when it is 1 MiB or spans this much of the run's time: what a killed run loses at most.
CHUNK_SPAN_NS = 1_000_000_000


class McapStorage:
    """A rosbag2 folder with one MCAP file, open for writing.

    Args:
        folder: Folder to make; it must not exist, or be empty.
        compression: Of chunks.

    Raises:
        BadInput: If the folder holds something, or cannot be made.
    """

    def __init__(self, folder: Path, compression: Compression) -> None:
        if compression not in get_args(Compression):
            raise BadInput(f"compression {compression!r}: expected one of {', '.join(get_args(Compression))}")
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()  # rosbags makes its own
        if folder.exists():
            raise BadInput(f"run folder {folder}: exists and is not an empty folder; name a new one")
        self.path = folder / f"{folder.name}.mcap"
        self._types: dict[str, str] = {}
        self._connections: dict[str, Any] = {}
        self._chunk_start_ns = -1
        self._writer: Any = Writer(folder, version=9, storage_plugin=StoragePlugin.MCAP)
        if compression != "none":
            self._writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
        try:
            self._writer.open()
        except OSError as error:
            raise BadInput(f"run folder {folder}: cannot be made: {error.strerror}") from error
        self._storage = cast("Any", self._writer.storage)
        # rosbags names zstd only, at its default level; MCAP and all its readers know lz4 too.
        if compression == "lz4":
            self._storage.compression, self._storage.compressor = "lz4", _lz4
        elif compression == "zstd" and zstd is not None:
            self._storage.compressor = _zstd

    @property
    def is_empty(self) -> bool:
        """Whether nothing was written yet."""
        return not self._connections

    def append(self, topic: str, message_type: str, time_ns: int, raw: bytes | memoryview) -> None:
        """Write a message; the topic is made with its first one.

        Raises:
            BadInput: If the topic holds messages of another type.
        """
        if topic not in self._connections:
            self._connections[topic] = self._writer.add_connection(topic, message_type, typestore=typestore())
            self._types[topic] = message_type
        elif self._types[topic] != message_type:
            raise BadInput(f"{topic}: holds {self._types[topic]}, not {message_type}; use another name")
        self._writer.write(self._connections[topic], time_ns, raw)
        self._flush(time_ns)

    def close(self) -> None:
        """Write the index and `metadata.yaml`."""
        file = self._storage.bio
        try:
            self._writer.close()
        finally:
            file.close()  # rosbags 0.10 leaves it to the garbage collector

    def _flush(self, time_ns: int) -> None:
        """Bring finished chunks to the operating system, and finish one that takes long to fill."""
        if not self._storage.chunk.msgs:
            self._storage.bio.flush()
            self._chunk_start_ns = -1
        elif self._chunk_start_ns < 0:
            self._chunk_start_ns = time_ns
        elif time_ns - self._chunk_start_ns > CHUNK_SPAN_NS:
            self._storage.close_chunk()
            self._storage.bio.flush()
            self._chunk_start_ns = -1


def _lz4(data: bytes) -> bytes:
    compressed: bytes = lz4.frame.compress(data, content_checksum=True)
    return compressed


def _zstd(data: bytes) -> bytes:
    parameter = zstd.CompressionParameter
    return zstd.compress(data, options={parameter.compression_level: ZSTD_LEVEL, parameter.checksum_flag: 1})
