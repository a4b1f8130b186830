"""What a tracker returns, looked at by itself."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

from deploy.errors import BadInput
from tests.tracking.boxes import FRAME_NS, Boxes, box, feed, row_of
from tests.tracking.scenes import look
from tracking import BaseFrameTracker, ImageTracker, TrackState

ROWS = ("ids", "state", "position", "velocity", "covariance", "scores", "class_ids", "last_seen_ns", "age_s", "boxes")


@pytest.fixture
def tracks():
    """Rows: track 2, no track, track 1, a tentative one; track 3 is not seen."""
    tracker = ImageTracker()
    feed(tracker, [Boxes(row_of(3), class_id=[0, 1, 2])] * 5)
    second, first = row_of(2)[1], row_of(2)[0]
    looks = [second, box(1500, 300), first, box(900, 300)]
    return tracker.update(Boxes(looks, [0.9, 0.2, 0.9, 0.9], [1, 0, 0, 1]), stamp_ns=5 * FRAME_NS)


def test_the_rows_that_the_others_take_as_an_example(tracks):
    assert tracks.ids.tolist() == [2, -1, 1, -1]
    assert tracks.state.tolist() == [1, 3, 1, 0]
    assert tracks.all.ids.tolist() == [1, 2, 3, 4]
    assert tracks.all.all.ids.tolist() == [1, 2, 3, 4]
    assert tracks.all.state.tolist() == [1, 1, 1, 0]
    assert repr(tracks) == f"Tracks(stamp_ns={5 * FRAME_NS}, ids=[2, -1, 1, -1])"


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([2, 0], [1, 2]),
        (np.array([1, 1, 3]), [-1, -1, -1]),
        ([True, False, False, True], [2, -1]),
        (np.array([False] * 4), []),
        (slice(1, 3), [-1, 1]),
        (slice(None, None, -1), [-1, 1, -1, 2]),
        ([-1], [-1]),
        ([], []),
    ],
)
def test_a_selection_has_the_rows_that_were_asked_for(tracks, rows, expected):
    some = tracks.select(rows)
    assert some.ids.tolist() == expected
    assert len(some) == len(expected)
    for name in ROWS:
        array = getattr(some, name)
        assert np.array_equal(array, getattr(tracks, name)[rows], equal_nan=array.dtype.kind == "f"), name
        assert not array.flags.writeable, name
    assert some.detection_ids.tolist() == [2, -1, 1, -1]
    assert some.all.ids.tolist() == [1, 2, 3, 4]
    assert some.stamp_ns == tracks.stamp_ns


def test_a_selection_of_a_selection(tracks):
    assert tracks.all.select([3, 1, 0]).select([2, 0]).ids.tolist() == [1, 4]
    assert tracks.select([0, 2, 3]).confirmed().ids.tolist() == [2, 1]
    assert tracks.confirmed().ids.tolist() == [2, 1]
    assert tracks.all.confirmed().ids.tolist() == [1, 2, 3]
    assert tracks.all.confirmed().detection_ids.tolist() == [2, -1, 1, -1]


def test_the_rows_of_an_update_are_rows_of_all(tracks):
    everyone = tracks.all
    for row, number in enumerate(tracks.ids.tolist()):
        if number > 0:
            at = everyone.ids.tolist().index(number)
            for name in ROWS:
                assert np.array_equal(getattr(tracks, name)[row], getattr(everyone, name)[at]), name


def test_boxes_are_positions_in_another_form(tracks):
    known = tracks.boxes[[0, 2]]
    centre, size = 0.5 * (known[:, :2] + known[:, 2:]), known[:, 2:] - known[:, :2]
    assert np.hstack((centre, size)) == pytest.approx(tracks.position[[0, 2]])
    assert np.isnan(tracks.boxes[1]).all()


def test_tracks_in_space_have_no_boxes():
    tracker = BaseFrameTracker()
    for some in (tracker.update(look(0.0, [[0.5, 0.0, 0.0]])), tracker.update(look(0.1)), tracker.predicted(10**9)):
        with pytest.raises(BadInput, match="tracks in space have no boxes: expected those of an ImageTracker"):
            _ = some.boxes


def test_arrays_are_made_once_and_cannot_be_written_to(tracks):
    for name in ROWS:
        array = getattr(tracks, name)
        assert getattr(tracks, name) is array
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0
    assert tracks.all is tracks.all


def test_copies_are_equal(tracks):
    for other in (copy.deepcopy(tracks), pickle.loads(pickle.dumps(tracks))):
        for name in (*ROWS, "detection_ids"):
            one, two = getattr(tracks, name), getattr(other, name)
            assert np.array_equal(one, two, equal_nan=one.dtype.kind == "f"), name
        assert other.all.ids.tolist() == [1, 2, 3, 4]
        assert other.class_names == tracks.class_names


@pytest.mark.parametrize("rows", [slice(None), [2, 0, 1]])
def test_what_was_asked_for_is_not_packed(tracks, rows):
    some = tracks.select(rows)
    fresh = pickle.dumps(some)
    for name in (*ROWS, "all"):
        getattr(some, name)
        getattr(some.all, name)
    again = pickle.dumps(some)
    assert len(again) == len(fresh)
    unpacked = pickle.loads(again)
    for name in (*ROWS, "detection_ids"):
        array = getattr(unpacked, name)
        assert np.array_equal(array, getattr(some, name), equal_nan=array.dtype.kind == "f"), name
        assert not array.flags.writeable, name


def test_packed_tracks_do_not_take_the_tracker_along():
    """The tracker keeps a matrix of all pairs of classes, 12 MB here."""
    names = tuple(f"class {k}" for k in range(1200))
    base = BaseFrameTracker().update(look(0.0, [[0.5, 0.0, 0.0]], names=names))
    image = ImageTracker().update(look(0.0, [[0.5, 0.0, 0.0]], names=names).detections)
    for tracks in (base, image):
        packed = pickle.dumps(tracks)
        assert len(packed) < 2_000 + sum(map(len, names)) + 4 * len(names)
        later = pickle.loads(packed).predicted(10**10)
        assert np.array_equal(later.position, tracks.predicted(10**10).position)
        assert np.array_equal(later.covariance, tracks.predicted(10**10).covariance)


def test_states_are_numbers():
    assert [state.name for state in sorted(TrackState)] == ["TENTATIVE", "CONFIRMED", "LOST", "NONE"]
    assert [int(state) for state in TrackState] == [0, 1, 2, 3]
