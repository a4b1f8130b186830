"""A row is read whole or not at all."""

from __future__ import annotations

import mmap
import multiprocessing
import os
import struct
import sys
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot.host.mailboxes import Mailboxes, as_field, as_text, shared_file
from robot.host.ring import Ring

FIELDS = "qd"
ROW = struct.calcsize("=q" + FIELDS) + 4


def rings(slots: int = 4, offset: int = 8) -> tuple[mmap.mmap, Ring, Ring]:
    memory = mmap.mmap(-1, 4096)
    return memory, Ring(memory, offset, slots, FIELDS), Ring(memory, offset, slots, FIELDS)


def test_rows_come_once_and_in_order() -> None:
    _, writer, reader = rings()
    assert reader.take() == []
    assert [writer.append(10 * i, 0.5 * i) for i in (1, 2, 3)] == [1, 2, 3]
    assert reader.take() == [(1, 10, 0.5), (2, 20, 1.0), (3, 30, 1.5)]
    assert reader.take() == []
    writer.append(40, 2.0)
    assert reader.take() == [(4, 40, 2.0)]
    assert (reader.lost, reader.torn) == (0, 0)


@pytest.mark.parametrize(("written", "kept"), [(4, 4), (5, 4), (9, 4), (1000, 4)])
def test_a_slow_reader_gets_the_newest_and_knows_what_it_lost(written: int, kept: int) -> None:
    _, writer, reader = rings(slots=4)
    for i in range(1, written + 1):
        writer.append(i, 0.0)
    assert [row[1] for row in reader.take()] == list(range(written - kept + 1, written + 1))
    assert reader.lost == written - kept


@pytest.mark.parametrize("cut", range(ROW))
@pytest.mark.parametrize("backwards", [False, True])
def test_a_row_that_is_half_written_is_seen(cut: int, backwards: bool) -> None:
    memory, writer, reader = rings(slots=4, offset=0)
    for i in range(1, 6):
        writer.append(0x0102030405060708 * i, 1.0 / i)
    assert len(reader.take()) == 4
    before = memory[2 * ROW : 3 * ROW]  # rows 2, 6
    writer.append(0x1112131415161718, 6.5)
    after = memory[2 * ROW : 3 * ROW]
    memory[2 * ROW : 3 * ROW] = before[:cut] + after[cut:] if backwards else after[:cut] + before[cut:]
    whole = memory[2 * ROW : 3 * ROW] == after
    assert reader.take() == ([(6, 0x1112131415161718, 6.5)] if whole else [])
    memory[2 * ROW : 3 * ROW] = after
    assert reader.take() == ([] if whole else [(6, 0x1112131415161718, 6.5)])


@given(st.binary(min_size=4 * ROW, max_size=4 * ROW))
def test_memory_of_anything_is_never_a_row(content: bytes) -> None:
    memory, _, reader = rings(slots=4, offset=0)
    memory[: 4 * ROW] = content
    cut = ROW - 4
    rows = [content[at : at + ROW] for at in range(0, 4 * ROW, ROW)]
    whole = [row for row in rows if zlib.crc32(row[:cut]) == int.from_bytes(row[cut:], sys.byteorder)]
    assert len(reader.take()) <= len(whole)


def _write(descriptor: int, seconds_rows: int) -> None:
    ring = Ring(mmap.mmap(descriptor, 4096), 0, 2, "64q")
    for i in range(seconds_rows):
        ring.append(*([i] * 64))


def test_another_process_writes_as_fast_as_it_can() -> None:
    descriptor = os.memfd_create("ring") if hasattr(os, "memfd_create") else shared_file()
    os.ftruncate(descriptor, 4096)
    reader = Ring(mmap.mmap(descriptor, 4096), 0, 2, "64q")
    writer = multiprocessing.get_context("fork").Process(target=_write, args=(descriptor, 40_000))
    writer.start()
    last, seen = -1, 0
    while writer.is_alive() or last < 39_999:
        for _, *values in reader.take():
            assert len(set(values)) == 1
            assert values[0] > last
            last, seen = values[0], seen + 1
    writer.join()
    os.close(descriptor)
    assert last == 39_999
    assert seen + reader.lost == 40_000


def test_the_mailboxes_do_not_overlap() -> None:
    descriptor = shared_file()
    mine, theirs = Mailboxes(descriptor), Mailboxes(descriptor)
    os.close(descriptor)
    text = as_field("Ärger " * 200)
    for _ in range(600):  # more than any of them holds
        mine.commands.append(0, 1, 2, *[0.5] * 6, 1.0)
        mine.beats.append(3)
        theirs.states.append(4, 5, *[0.25] * 12, 0.5)
        theirs.status.append(True, 1, 7, True, text)
        theirs.events.append(8, 2, -1, 0.0, 0.0, 1, 0.0, 0.0, text)
    assert theirs.commands.take()[-1] == (600, 0, 1, 2, *[0.5] * 6, 1.0)
    assert theirs.beats.take()[-1] == (600, 3)
    assert mine.states.take()[-1] == (600, 4, 5, *[0.25] * 12, 0.5)
    assert as_text(mine.status.take()[-1][-1]).startswith("Ärger Ärger ")
    assert mine.events.take()[-1][:4] == (600, 8, 2, -1)
