"""The memory of the tracks does what a list of records would do."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracking.store import LIVES, NEVER_NS, Column, TrackStore

NAMES = ("ids", "born_ns", "seen_ns", "unseen_ns", "limit_ns", "hits", "confirmed", "class_ids")
COLUMNS = {
    "means": Column(after=(2,)),
    "boxes": Column(after=(1, 4), fill=-1.0),
    "stamps": Column(after=(1,), kind=np.int64, fill=NEVER_NS),
    "flags": Column(kind=np.uint8, fill=3),
}


def written(store, first, new):
    """Fill the rows of new tracks with numbers that are theirs alone; return them as records."""
    records = []
    for k, row in enumerate(range(new.start, new.stop)):
        number = first + k
        store.life[:, row] = number * 10 + np.arange(LIVES)
        store.real[:, row] = number + 0.5 + np.arange(len(store.real))
        if store.votes.shape[1] > 1:
            store.votes[row, number % store.votes.shape[1]] = number
        store.column("means")[row] = [number, -number]
        if number % 2:
            store.column("boxes")[row, -1] = number
            store.column("stamps")[row, -1] = number
            store.column("flags")[row] = number % 200
        records.append(record(store, row))
    return records


def record(store, row):
    return (
        store.life[:, row].tolist(), store.real[:, row].tolist(), store.votes[row].tolist(),
        *(store.column(name)[row].tolist() for name in COLUMNS),
    )  # fmt: skip


def wider(records, classes, cameras):
    """What the records are with more classes and cameras."""
    result = []
    for life, real, votes, means, boxes, stamps, flags in records:
        votes = votes + [0.0] * (classes - len(votes))
        boxes = boxes + [[-1.0] * 4] * (cameras - len(boxes))
        result.append((life, real, votes, means, boxes, stamps + [NEVER_NS] * (cameras - len(stamps)), flags))
    return result


@settings(deadline=None, max_examples=40)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("append"), st.integers(0, 9)),
            st.tuples(st.just("keep"), st.integers(0, 2**32 - 1)),
            st.tuples(st.just("classes"), st.integers(1, 5)),
            st.tuples(st.just("cameras"), st.integers(1, 4)),
        ),
        max_size=25,
    )
)
def test_equals_a_list_of_records(steps):
    store, records = TrackStore(3, COLUMNS, capacity=2), []
    classes, cameras, number = 1, 1, 1
    for what, argument in steps:
        if what == "append":
            new = store.append(argument)
            assert (new.start, new.stop) == (len(records), len(records) + argument)
            assert (store.votes[new, :] == 0.0).all() or classes == 1
            assert (store.column("boxes")[new] == -1.0).all()
            assert (store.column("stamps")[new] == NEVER_NS).all()
            assert (store.column("flags")[new] == 3).all()
            records += written(store, number, new)
            number += argument
        elif what == "keep":
            rows = np.random.default_rng(argument).random(len(records)) < 0.6
            store.keep(rows)
            records = [some for some, kept in zip(records, rows.tolist(), strict=True) if kept]
        else:
            classes = max(classes, argument) if what == "classes" else classes
            cameras = max(cameras, argument) if what == "cameras" else cameras
            store.know_classes(classes)
            store.widen("boxes", cameras)
            store.widen("stamps", cameras)
            records = wider(records, classes, cameras)
        assert len(store) == len(records) <= store.capacity
        assert [record(store, row) for row in range(len(store))] == records
        assert [getattr(store, name).tolist() for name in NAMES] == store.life.tolist()
        assert store.state.shape == (3, len(records))
        assert store.votes.shape == (len(records), classes)


def test_the_parts_are_views():
    store = TrackStore(2, {})
    store.append(3)
    store.ids[:] = [4, 5, 6]
    store.scores[1] = 0.5
    store.state[1, 2] = 7.0
    assert store.life[0].tolist() == [4, 5, 6]
    assert store.real[0, 1] == 0.5
    assert store.real[2, 2] == 7.0
    store.keep(np.array([False, True, True]))
    store.ids[0] = 9
    assert store.life[0].tolist() == [9, 6]
    assert store.state[1, 1] == 7.0


@pytest.mark.parametrize("capacity", [1, 64])
def test_it_grows_by_doubling_and_keeps_what_it_has(capacity):
    store = TrackStore(1, COLUMNS, capacity=capacity)
    for k in range(200):
        store.append(1)
        store.ids[k] = k
        store.column("means")[k] = k
    assert store.ids.tolist() == list(range(200))
    assert store.column("means")[:, 0].tolist() == list(range(200))
    assert store.capacity == 256
    store.keep(np.zeros(200, np.bool_))
    assert len(store) == 0
    assert store.capacity == 256
    burst = store.append(1000)
    assert (burst.stop, store.capacity) == (1000, 1000)


def test_a_second_class_after_tracks_of_one():
    store = TrackStore(1, {})
    store.append(2)
    store.know_classes(3)
    store.votes[:] = [[1, 2, 3], [4, 5, 6]]
    store.know_classes(2)
    assert store.votes.tolist() == [[1, 2, 3], [4, 5, 6]], "classes are never forgotten"
    store.keep(np.array([False, True]))
    store.append(1)
    assert store.votes.tolist() == [[4, 5, 6], [0, 0, 0]]


def test_what_never_happened_can_be_subtracted_from_any_stamp():
    assert np.int64(2**62 - 1) - np.array([NEVER_NS]) == 2**63 - 1
