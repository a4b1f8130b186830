from __future__ import annotations

import pytest

from launch.streams import Item, NotHeld, OutputHash, Stream


def item(sequence: int) -> Item:
    return Item(sequence, f"value {sequence}", 0, 0, 0, 0)


def test_a_stream_forgets_the_oldest_and_counts_on() -> None:
    stream = Stream("tracks", keep=3)
    for sequence in range(5):
        stream.put(item(sequence))
    assert (stream.count, stream.newest_sequence, stream.get(2).value) == (5, 4, "value 2")
    with pytest.raises(NotHeld, match="tracks 1 is not held"):
        stream.get(1)
    stream.clear()
    assert (stream.count, stream.newest_sequence, stream.newest) == (5, -1, None)


@pytest.mark.parametrize(
    ("after", "upto", "expected"), [(-1, 2, [0, 1, 2]), (1, 3, [2, 3]), (3, 3, []), (2, 99, [3, 4])]
)
def test_since(after: int, upto: int, expected: list[int]) -> None:
    stream = Stream("states", keep=10)
    for sequence in range(5):
        stream.put(item(sequence))
    assert [one.sequence for one in stream.since(after, upto)] == expected


def digest(rows: list[tuple[str, int, bytes]]) -> str:
    total = OutputHash()
    for row in rows:
        total.update(*row)
    return total.hexdigest()


BASE = [("detections", 0, b"a"), ("tracks", 0, b"b"), ("detections", 1, b"c")]


def test_the_hash_is_over_streams_not_over_their_interleaving() -> None:
    assert digest(BASE) == digest([BASE[1], BASE[0], BASE[2]])


@pytest.mark.parametrize(
    "changed",
    [
        [*BASE[:2], ("detections", 1, b"d")],  # another value
        [*BASE[:2], ("detections", 2, b"c")],  # another number
        [*BASE, ("commands", 0, b"")],  # one row more, even an empty one
        BASE[:2],  # one row less
        [("tracks", 0, b"a"), ("detections", 0, b"b"), ("detections", 1, b"c")],  # another stream
    ],
)
def test_the_hash_changes_with_any_row(changed: list[tuple[str, int, bytes]]) -> None:
    assert digest(changed) != digest(BASE)
