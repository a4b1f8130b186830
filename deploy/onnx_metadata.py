"""`metadata_props` of an ONNX file for engines that drop them: four fields of its protobuf, without reading weights.

The wire format is that of https://protobuf.dev/programming-guides/encoding, the field numbers are those of
`ModelProto` and `StringStringEntryProto` in https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from deploy.errors import BadInput
from deploy.sniff import describe_file

GRAPH, METADATA_PROPS, KEY, VALUE = 7, 14, 1, 2
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_FIXED = {_FIXED64: 8, _FIXED32: 4}


def onnx_metadata(path: Path) -> dict[str, str]:
    """Read what an ONNX file says about itself.

    Args:
        path: The .onnx file. Weights and nodes are skipped, whatever their size.

    Returns:
        Values by key, in the order of the file.

    Raises:
        BadInput: If the file is cut short or is no ONNX model, naming what it is instead.
    """
    with path.open("rb") as file:
        try:
            return _model(file, path.stat().st_size)
        except ValueError as error:
            raise BadInput(f"{path} cannot be read as ONNX: it is {describe_file(path)} ({error})") from error


def _model(file: BinaryIO, size: int) -> dict[str, str]:
    """Metadata of a `ModelProto`, which holds a graph if it is one."""
    metadata: dict[str, str] = {}
    graphs = 0
    for number, length in _fields(file, size):
        if number == METADATA_PROPS:
            key, value = _entry(file.read(length))
            metadata[key] = value
        else:
            graphs += number == GRAPH
            file.seek(length, os.SEEK_CUR)
    if not graphs:
        raise ValueError("it holds no graph")
    return metadata


def _entry(content: bytes) -> tuple[str, str]:
    """Key and value of a `StringStringEntryProto`; one that is not there is empty."""
    found = {KEY: "", VALUE: ""}
    file = BytesIO(content)
    for number, length in _fields(file, len(content)):
        found[number] = file.read(length).decode("utf-8")
    return found[KEY], found[VALUE]


def _fields(file: BinaryIO, end: int) -> Iterator[tuple[int, int]]:
    """Number and length of each length-delimited field; the caller reads or skips its content."""
    while file.tell() < end:
        tag = _varint(file)
        number, wire = tag >> 3, tag & 7
        if wire == _VARINT:
            _varint(file)
            continue
        if number == 0 or (wire != _BYTES and wire not in _FIXED):
            raise ValueError(f"no field has the tag {tag}")
        length = _FIXED.get(wire) or _varint(file)
        if file.tell() + length > end:
            raise ValueError(f"a field of {length} bytes goes beyond the end")
        if wire == _BYTES:
            yield number, length
        else:
            file.seek(length, os.SEEK_CUR)


def _varint(file: BinaryIO) -> int:
    value = 0
    for shift in range(0, 70, 7):
        byte = file.read(1)
        if not byte:
            raise ValueError("it ends within a number")
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
    raise ValueError("a number has more than ten bytes")
