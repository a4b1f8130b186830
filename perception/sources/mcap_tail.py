"""The end of an MCAP file that a crash has cut off, made again from what is there.

MCAP writes chunks as it goes and an index at the very end. A writer that is killed leaves every finished chunk on disk
and no index, and readers refuse such a file. `find_tail` walks over the chunks by their headers (it reads no pixels)
and makes the missing end in memory: for reading through `joined_file.CompletedFile`, or for appending with `repair`.

Format: https://mcap.dev/spec
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from rosbags.rosbag2.storage_mcap import DECOMPRESSORS

from deploy.errors import BadInput

MAGIC = b"\x89MCAP0\r\n"
FOOTER, SCHEMA, CHANNEL, CHUNK, MESSAGE_INDEX, CHUNK_INDEX, STATISTICS, DATA_END = (
    0x02, 0x03, 0x04, 0x06, 0x07, 0x08, 0x0B, 0x0F,
)  # fmt: skip
RECORD_HEADER = 9


@dataclass(slots=True)
class _Chunk:
    """A chunk record, and where the index of each of its channels stands."""

    offset: int
    length: int
    start_ns: int
    end_ns: int
    raw_size: int
    compression: str
    compressed_size: int
    data_offset: int
    indexes: dict[int, int] = field(default_factory=dict)
    counts: dict[int, int] = field(default_factory=dict)
    index_end: int = 0


@dataclass(frozen=True, slots=True)
class Tail:
    """What is missing at the end of a cut file.

    Attributes:
        keep: Number of bytes of the file to keep.
        lost: Number of bytes after them: an unfinished chunk.
        messages: Number of messages that can be read.
        data: The end to put after the kept bytes.
    """

    keep: int
    lost: int
    messages: int
    data: bytes


def is_complete(path: Path) -> bool:
    """Whether an MCAP file ends as it should."""
    with path.open("rb") as file:
        size = file.seek(0, io.SEEK_END)
        file.seek(max(0, size - len(MAGIC)))
        return size > 2 * len(MAGIC) and file.read() == MAGIC


def find_tail(path: Path) -> Tail:
    """Make the missing end of a cut MCAP file.

    Raises:
        BadInput: If it is no MCAP file, is damaged rather than cut, or has no finished chunk.
    """
    schemas: dict[int, bytes] = {}
    channels: dict[int, bytes] = {}
    with path.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            raise BadInput(f"{path}: not an MCAP file")
        size = file.seek(0, io.SEEK_END)
        try:
            chunks = list(_chunks(file, size))
        except struct.error as error:  # a record that is whole by its length, and too short for what it should hold
            raise BadInput(
                f"{path}: damaged near byte {file.tell()}, not only cut short ({error}); copy it again from where "
                "it was recorded"
            ) from error
        while chunks:
            last = _definitions(file, chunks[-1], {}, {})
            if last is not None and last == set(chunks[-1].indexes):
                break
            chunks.pop()  # its data or its index did not reach the disk
        for chunk in chunks:
            if not channels.keys() >= chunk.indexes.keys():
                _definitions(file, chunk, schemas, channels)
    if not chunks:
        raise BadInput(f"{path}: cut short before the first chunk was finished; nothing can be read from it")
    keep = chunks[-1].index_end
    messages = sum(sum(chunk.counts.values()) for chunk in chunks)
    return Tail(keep, size - keep, messages, _tail(keep, schemas, channels, chunks))


def repair(path: Path) -> Tail:
    """Complete a cut MCAP file in place: drop the unfinished chunk, append the index. Does nothing to a whole file.

    Raises:
        BadInput: As `find_tail`.
    """
    if is_complete(path):
        return Tail(path.stat().st_size, 0, 0, b"")
    tail = find_tail(path)
    with path.open("r+b") as file:
        file.truncate(tail.keep)
        file.seek(tail.keep)
        file.write(tail.data)
    return tail


def _chunks(file: BinaryIO, size: int) -> Iterator[_Chunk]:
    """Finished chunks with their message indexes, in file order; stops at the first record that is cut."""
    position = len(MAGIC)
    chunk: _Chunk | None = None
    while position + RECORD_HEADER <= size:
        file.seek(position)
        opcode, length = struct.unpack("<BQ", file.read(RECORD_HEADER))
        end = position + RECORD_HEADER + length
        if end > size or opcode == 0:
            break
        if opcode == CHUNK:
            if chunk is not None:
                yield chunk
            head = file.read(min(length, 64))
            start_ns, end_ns, raw_size, _, name_length = struct.unpack_from("<QQQII", head)
            name = head[32 : 32 + name_length].decode("ascii", "replace")
            (compressed,) = struct.unpack_from("<Q", head, 32 + name_length)
            data_offset = position + RECORD_HEADER + 40 + name_length
            chunk = _Chunk(
                position, end - position, start_ns, end_ns, raw_size, name, compressed, data_offset, index_end=end
            )
        elif opcode == MESSAGE_INDEX and chunk is not None:
            channel, entries = struct.unpack("<HI", file.read(6))
            chunk.indexes[channel] = position
            chunk.counts[channel] = entries // 16
            chunk.index_end = end
        position = end
    if chunk is not None:
        yield chunk


def _definitions(
    file: BinaryIO, chunk: _Chunk, schemas: dict[int, bytes], channels: dict[int, bytes]
) -> set[int] | None:
    """Collect the schema and channel records of a chunk; returns the channels of its messages, None if damaged."""
    used: set[int] = set()
    try:
        file.seek(chunk.data_offset)
        raw = DECOMPRESSORS[chunk.compression](file.read(chunk.compressed_size), chunk.raw_size)
        position = 0
        while position < len(raw):
            opcode, length = struct.unpack_from("<BQ", raw, position)
            end = position + RECORD_HEADER + length
            (identifier,) = struct.unpack_from("<H", raw, position + RECORD_HEADER)
            if opcode == SCHEMA:
                schemas[identifier] = bytes(raw[position:end])
            elif opcode == CHANNEL:
                channels[identifier] = bytes(raw[position:end])
            else:
                used.add(identifier)
            position = end
    except Exception:  # whatever a decompressor says about bytes that never reached the disk
        return None
    return used


def _tail(keep: int, schemas: dict[int, bytes], channels: dict[int, bytes], chunks: list[_Chunk]) -> bytes:
    """Data end, summary section and footer."""
    out = bytearray(_record(DATA_END, struct.pack("<I", 0)))
    summary = keep + len(out)
    out += b"".join(schemas.values()) + b"".join(channels.values())
    totals: dict[int, int] = {}
    for chunk in chunks:
        offsets = b"".join(struct.pack("<HQ", channel, offset) for channel, offset in chunk.indexes.items())
        out += _record(
            CHUNK_INDEX,
            struct.pack("<QQQQI", chunk.start_ns, chunk.end_ns, chunk.offset, chunk.length, len(offsets))
            + offsets
            + struct.pack("<QI", chunk.index_end - chunk.offset - chunk.length, len(chunk.compression))
            + chunk.compression.encode()
            + struct.pack("<QQ", chunk.compressed_size, chunk.raw_size),
        )
        for channel, count in chunk.counts.items():
            totals[channel] = totals.get(channel, 0) + count
    counts = b"".join(struct.pack("<HQ", channel, count) for channel, count in totals.items())
    start_ns, end_ns = min(chunk.start_ns for chunk in chunks), max(chunk.end_ns for chunk in chunks)
    out += _record(
        STATISTICS,
        struct.pack("<QHIIII", sum(totals.values()), len(schemas), len(channels), 0, 0, len(chunks))
        + struct.pack("<QQI", start_ns, end_ns, len(counts))
        + counts,
    )
    return bytes(out + _record(FOOTER, struct.pack("<QQI", summary, 0, 0)) + MAGIC)


def _record(opcode: int, content: bytes) -> bytes:
    return struct.pack("<BQ", opcode, len(content)) + content
