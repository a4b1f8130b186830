"""Names and `metadata_props` of an ONNX file for engines that change or drop them, without reading its weights.

The wire format is that of https://protobuf.dev/programming-guides/encoding, the field numbers are those of
https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from deploy.errors import BadInput
from deploy.sniff import describe_file

GRAPH, METADATA_PROPS = 7, 14  # of ModelProto
INPUT, OUTPUT = 11, 12  # of GraphProto
KEY, VALUE = 1, 2  # of StringStringEntryProto
NAME = 1  # of ValueInfoProto
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_FIXED = {_FIXED64: 8, _FIXED32: 4}


@dataclass(frozen=True, slots=True)
class OnnxHeader:
    """What an ONNX file says about itself.

    Attributes:
        metadata: `metadata_props`, in the order of the file.
        inputs: Names of the graph's inputs; older files list their weights among them.
        outputs: Names of the graph's outputs.
    """

    metadata: dict[str, str] = field(default_factory=dict)
    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)


def onnx_header(path: Path) -> OnnxHeader:
    """Read what an ONNX file says about itself.

    Args:
        path: The .onnx file. Weights and nodes are skipped, whatever their size.

    Raises:
        BadInput: If the file is cut short or is no ONNX model, naming what it is instead.
    """
    with path.open("rb") as file:
        try:
            return _model(file, path.stat().st_size)
        except ValueError as error:
            raise BadInput(f"{path} cannot be read as ONNX: it is {describe_file(path)} ({error})") from error


def _model(file: BinaryIO, size: int) -> OnnxHeader:
    """Header of a `ModelProto`, which holds a graph if it is one."""
    header = OnnxHeader()
    graphs = 0
    for number, length in _fields(file, size):
        if number == METADATA_PROPS:
            found = _texts(file.read(length))
            header.metadata[found.get(KEY, "")] = found.get(VALUE, "")
        elif number == GRAPH:
            graphs += 1
            _graph(file, file.tell() + length, header)
        else:
            file.seek(length, os.SEEK_CUR)
    if not graphs:
        raise ValueError("it holds no graph")
    return header


def _graph(file: BinaryIO, end: int, header: OnnxHeader) -> None:
    """Names of a `GraphProto`."""
    names = {INPUT: header.inputs, OUTPUT: header.outputs}
    for number, length in _fields(file, end):
        if number in names:
            names[number].append(_texts(file.read(length)).get(NAME, ""))
        else:
            file.seek(length, os.SEEK_CUR)


def _texts(content: bytes) -> dict[int, str]:
    """Texts of a small message by field number; what is no text is read as well as it can be."""
    file = BytesIO(content)
    return {number: file.read(length).decode("utf-8", "replace") for number, length in _fields(file, len(content))}


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
