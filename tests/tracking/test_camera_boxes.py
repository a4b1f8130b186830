"""Boxes of the tracks in each camera: how far the picture moved, and which of them still say something."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tracking.base_look import BaseLook
from tracking.camera_boxes import COLUMNS, LatestBoxes, keep, know_cameras
from tracking.store import TrackStore

S = 1_000_000_000
LASTING_S = 0.5


def seen(boxes, stamp_ns=0, camera=0):
    """A look of which only boxes, camera and stamp matter here."""
    count = len(boxes)
    return BaseLook(
        stamp_ns=stamp_ns, scores=np.ones(count), class_ids=np.zeros(count, np.int64), level=np.full(count, 2),
        now_ns=stamp_ns, camera=camera, previous_ns=stamp_ns, boxes=np.array(boxes, dtype=np.float64),
        points_m=np.zeros((count, 3)), noise_m2=np.zeros((count, 3, 3)), common_m2=None,
        located=np.ones(count, np.bool_), pointless=np.zeros(count, np.bool_), visibility=None,
    )  # fmt: skip


ROW = np.array([[0.0, 0.0, 10.0, 10.0], [20.0, 0.0, 30.0, 10.0], [40.0, 0.0, 50.0, 10.0]])
EVERY = np.arange(3)


@pytest.fixture
def store():
    tracks = TrackStore(0, COLUMNS)
    tracks.append(3)
    keep(seen(ROW), tracks, EVERY, EVERY)
    return tracks


def test_a_picture_that_moved_is_moved_back(store):
    """By the spacing of the row, so that each box lies on its neighbour's."""
    look = seen(ROW + np.array([20.0, 3.0, 20.0, 3.0]), S // 10)
    latest = LatestBoxes(look, store, LASTING_S, (EVERY, EVERY), np.ones(3, np.bool_))
    assert latest.overlap(look.boxes, EVERY).tolist() == [1.0, 1.0, 1.0]
    assert latest.overlap(look.boxes[:, None], EVERY[None]) == pytest.approx(np.eye(3))


@pytest.mark.parametrize(
    ("name", "pairs", "same"),
    [
        ("none is near", ([], []), []),
        ("one may be either", ([0, 0], [0, 1]), [True, True]),
        ("another class", ([0], [0]), [False]),
    ],
)
def test_where_nothing_is_certain_the_picture_stood_still(store, name, pairs, same):
    look = seen(ROW + np.array([4.0, 0.0, 4.0, 0.0]), S // 10)
    i, j = (np.array(side, dtype=np.int64) for side in pairs)
    latest = LatestBoxes(look, store, LASTING_S, (i, j), np.array(same, dtype=np.bool_))
    assert latest.overlap(look.boxes, EVERY) == pytest.approx([60 / 140] * 3)


@pytest.mark.parametrize(("after_ns", "fresh"), [(0, True), (S // 2, True), (S // 2 + 1, False)])
def test_an_old_box_says_nothing(store, after_ns, fresh):
    latest = LatestBoxes(seen(ROW, after_ns), store, LASTING_S, (EVERY, EVERY), np.ones(3, np.bool_))
    assert latest.fresh.tolist() == [fresh] * 3
    assert latest.overlap(ROW, EVERY).tolist() == [float(fresh)] * 3


def test_each_camera_has_boxes_of_its_own(store):
    know_cameras(store, 2)
    other = replace(seen(ROW, S // 10), camera=1)
    nothing = (np.zeros(0, np.int64), np.zeros(0, np.int64))
    assert not LatestBoxes(other, store, LASTING_S, nothing, np.zeros(0, np.bool_)).fresh.any()
    keep(other, store, np.array([2]), np.array([0]))
    latest = LatestBoxes(other, store, LASTING_S, nothing, np.zeros(0, np.bool_))
    assert latest.fresh.tolist() == [True, False, False]
    assert latest.overlap(ROW[[2, 2, 2]], EVERY).tolist() == [1.0, 0.0, 0.0]
    assert store.column("boxes")[0, 0].tolist() == ROW[0].tolist()
