"""RTDE packets and recipes: every value survives, every damage is a BadPacket."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot.ur.protocol import (
    HEADER,
    INPUT_TYPES,
    NAMES_LIMIT,
    OUTPUT_TYPES,
    TYPE_FORMATS,
    BadPacket,
    Kind,
    PacketReader,
    Recipe,
    Value,
    names_of,
    packet,
    text,
)

_ELEMENT = {
    "?": st.booleans(),
    "B": st.integers(0, 255),
    "I": st.integers(0, 2**32 - 1),
    "Q": st.integers(0, 2**64 - 1),
    "i": st.integers(-(2**31), 2**31 - 1),
    "d": st.floats(allow_nan=False),
}


def values_of(kind: str) -> st.SearchStrategy[Value]:
    layout = TYPE_FORMATS[kind]
    element = _ELEMENT[layout[-1]]
    if len(layout) == 1:
        return element  # type: ignore[return-value]
    return st.tuples(*[element] * int(layout[0]))  # type: ignore[return-value]


@st.composite
def filled_recipes(draw: st.DrawFn) -> tuple[Recipe, dict[str, Value]]:
    names = draw(st.lists(st.sampled_from(sorted(OUTPUT_TYPES)), min_size=1, max_size=20, unique=True))
    recipe = Recipe.of(names, OUTPUT_TYPES)
    return recipe, {name: draw(values_of(OUTPUT_TYPES[name])) for name in names}


def test_types_cover_the_makers_lists(shared_data: Path) -> None:
    lists = shared_data / "rtde_recipes"
    outputs = (lists / "exhaustive_rtde_output_recipe.txt").read_text().split()
    inputs = (lists / "rtde_input_recipe.txt").read_text().split()
    assert set(outputs) == set(OUTPUT_TYPES)
    assert set(inputs) <= set(INPUT_TYPES)
    assert set(OUTPUT_TYPES.values()) | set(INPUT_TYPES.values()) <= set(TYPE_FORMATS)


@given(filled_recipes())
def test_values_survive_packing(filled: tuple[Recipe, dict[str, Value]]) -> None:
    recipe, values = filled
    assert recipe.unpack(recipe.pack(values)) == values


@given(st.lists(st.tuples(st.sampled_from(list(Kind)), st.binary(max_size=40)), max_size=8), st.data())
def test_packets_survive_any_split(packets: list[tuple[Kind, bytes]], data: st.DataObject) -> None:
    stream = b"".join(packet(kind, payload) for kind, payload in packets)
    reader, found = PacketReader(), []
    while stream:
        cut = data.draw(st.integers(1, len(stream)))
        found += list(reader.feed(stream[:cut]))
        stream = stream[cut:]
    assert found == packets


@given(st.lists(st.binary(max_size=300), max_size=10))
def test_random_bytes_are_packets_or_bad(chunks: list[bytes]) -> None:
    reader, taken = PacketReader(), 0
    try:
        for chunk in chunks:
            for kind, payload in reader.feed(chunk):
                assert kind in Kind
                taken += HEADER.size + len(payload)
    except BadPacket:
        return
    assert taken <= sum(map(len, chunks))


@pytest.mark.parametrize(
    ("stream", "says"),
    [
        (b"\x00\x02V", "its size is 2 bytes"),
        (b"\x00\x00\x00", "its size is 0 bytes"),
        (b"\x00\x03Q", "kind 81"),
    ],
)
def test_impossible_headers(stream: bytes, says: str) -> None:
    with pytest.raises(BadPacket, match=says):
        list(PacketReader().feed(stream))


def test_packets_before_a_bad_one_are_given() -> None:
    packets = PacketReader().feed(packet(Kind.START) + b"\x00\x01X")
    assert next(packets) == (Kind.START, b"")
    with pytest.raises(BadPacket):
        next(packets)


@pytest.mark.parametrize("size", [0, 1, 7, 9, 100])
def test_values_of_a_wrong_size(size: int) -> None:
    with pytest.raises(BadPacket, match=f"values of {size} bytes for a recipe of 8"):
        Recipe.of(["timestamp"], OUTPUT_TYPES).unpack(bytes(size))


def test_names() -> None:
    assert names_of(b"actual_q, actual_qd,") == ("actual_q", "actual_qd")
    assert names_of(b"") == ()
    with pytest.raises(BadPacket, match="the controller takes 2048"):
        names_of(b"a" * (NAMES_LIMIT + 1))
    with pytest.raises(BadPacket, match="not text"):
        names_of(b"\xff\xfe")


def test_packet_larger_than_its_size_field() -> None:
    with pytest.raises(BadPacket, match="65535"):
        packet(Kind.DATA, bytes(65533))


@given(st.text(max_size=400), st.text(max_size=400))
def test_text_packet_states_its_lengths(message: str, source: str) -> None:
    data = text(message, source, 2)
    assert HEADER.unpack_from(data) == (len(data), Kind.TEXT)
    said = data[3]
    by = data[4 + said]
    assert 3 + 1 + said + 1 + by + 1 == len(data)
    assert data[-1] == 2


def test_known_bytes() -> None:
    recipe = Recipe.of(["timestamp", "robot_mode", "output_bit_register_64"], OUTPUT_TYPES)
    values: dict[str, Value] = {"timestamp": 1.0, "robot_mode": -1, "output_bit_register_64": True}
    assert recipe.pack(values) == struct.pack(">d", 1.0) + b"\xff\xff\xff\xff\x01"
    assert packet(Kind.PROTOCOL_VERSION, b"\x00\x02") == b"\x00\x05V\x00\x02"
