from __future__ import annotations

import threading

import numpy as np
import pytest

from launch.control_path import UNREACHABLE_BIT
from launch.ledger import ROW, Ledger, Outcome, Stage, rows_from_bytes


def test_rows_come_back_in_order_and_once() -> None:
    ledger = Ledger()
    for sequence in range(5):
        ledger.append(
            Stage.DETECT, sequence, now_ns=10 * sequence, photon_ns=sequence, camera=1, input_sequence=sequence
        )
    rows = ledger.take()
    assert rows["sequence"].tolist() == [0, 1, 2, 3, 4]
    assert rows["order"].tolist() == [0, 1, 2, 3, 4]
    assert set(rows["camera"].tolist()) == {1}
    assert set(rows["outcome"].tolist()) == {Outcome.OK}
    assert len(ledger.take()) == 0


def test_a_row_survives_its_bytes() -> None:
    ledger = Ledger()
    ledger.append(
        Stage.IK, 7, 1, -1, input_sequence=3, other=9, outcome=2, decision=5, modelled_ns=11, measured_ns=12, wait_ns=13
    )
    row = rows_from_bytes(ledger.take().tobytes())[0]
    names = ("stage", "sequence", "input", "other", "outcome", "decision", "modelled_ns", "measured_ns", "wait_ns")
    assert [int(row[name]) for name in names] == [Stage.IK, 7, 3, 9, 2, 5, 11, 12, 13]


def test_a_row_holds_every_intervention() -> None:
    ledger = Ledger()
    ledger.append(Stage.IK, 0, 0, 0, decision=UNREACHABLE_BIT)
    assert ledger.take()["decision"].tolist() == [UNREACHABLE_BIT]


def test_rows_of_several_threads_merge_without_gaps() -> None:
    ledger = Ledger(capacity=100_000)
    threads = [
        threading.Thread(target=lambda t=t: [ledger.append(Stage.TRACK, i, i, i, camera=t) for i in range(2000)])
        for t in range(4)
    ]
    for thread in threads:
        thread.start()
    blocks = []
    while any(thread.is_alive() for thread in threads):
        blocks.append(ledger.take())
    for thread in threads:
        thread.join()
    rows = np.concatenate([*blocks, ledger.take()])
    assert rows["order"].tolist() == list(range(8000))
    for thread in range(4):
        assert rows["sequence"][rows["camera"] == thread].tolist() == list(range(2000))


def test_a_row_that_is_still_being_written_holds_back_those_behind_it() -> None:
    ledger = Ledger()
    ledger.append(Stage.DETECT, 0, 0, 0)
    next(ledger._ring.numbers)  # another thread drew number 1 and has not written its row
    ledger.append(Stage.TRACK, 0, 0, 0)
    assert ledger.take()["order"].tolist() == [0]
    assert ledger.take()["order"].tolist() == []


def test_lost_rows_are_counted() -> None:
    ledger = Ledger(capacity=4)
    for sequence in range(10):
        ledger.append(Stage.DETECT, sequence, 0, 0)
    assert ledger.take()["sequence"].tolist() == [6, 7, 8, 9]
    assert ledger.lost == 6


@pytest.mark.parametrize("name", ["order", "stage", "sequence", "input", "other", "now_ns", "photon_ns", "measured_ns"])
def test_fields_are_little_endian(name: str) -> None:
    assert ROW[name].str[0] in "<|"
