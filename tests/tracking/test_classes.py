"""Classes of several detectors as one table, and what their votes come to."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from deploy.errors import BadInput
from perception.detections import Detections
from tests.tracking.scenes import look
from tracking import BaseFrameTracker, ImageTracker, ImageTrackerParameters, TrackerParameters
from tracking.classes import MAX_LISTS, MAX_NAMES, ClassTable, NameTable

PERIOD_NS = 33_000_000


def seen(tracker, number, boxes, class_ids, names=("cup", "bowl", "plate"), scores=0.9):
    boxes = np.asarray(boxes, dtype=np.float32).reshape(-1, 4)
    shape = len(boxes)
    detections = Detections(
        "cam",
        number,
        number * PERIOD_NS,
        boxes,
        np.broadcast_to(scores, shape),
        np.broadcast_to(class_ids, shape),
        names,
    )
    return tracker.update(detections)


A, B, FAR = [100, 100, 140, 180], [120, 100, 160, 180], [400, 100, 440, 180]


# -- the table --------------------------------------------------------------------------------------------------------


def test_numbers_follow_the_order_in_which_names_come():
    table = ClassTable({}, 0.5)
    assert (len(table), table.names, table.matrix.shape) == (0, (), (0, 0))
    assert table.numbers(("cup", "bowl")).tolist() == [0, 1]
    assert table.numbers(("plate", "cup")).tolist() == [2, 0]
    assert table.numbers(()).tolist() == []
    assert table.names == ("cup", "bowl", "plate")
    assert table.numbers(("cup", "cup")).tolist() == [0, 0], "a detector may use a name twice"


@pytest.mark.parametrize(
    "order", [{"cup": {"bowl": 0.8}}, {"bowl": {"cup": 0.8}}, {"cup": {"bowl": 0.8}, "bowl": {"cup": 0.8}}]
)
def test_compatibility_in_either_order(order):
    table = ClassTable({**order, "fork": {"spoon": 0.1}}, 0.3)
    table.numbers(("cup",))
    assert table.matrix.tolist() == [[1.0]]
    table.numbers(("plate", "bowl"))
    assert table.names == ("cup", "plate", "bowl")
    assert table.matrix.tolist() == [[1.0, 0.3, 0.8], [0.3, 1.0, 0.3], [0.8, 0.3, 1.0]]
    assert np.array_equal(table.matrix, table.matrix.T)


def test_too_many_names_change_nothing():
    table = ClassTable({}, 0.5)
    table.numbers(("cup", "bowl"))
    with pytest.raises(BadInput, match=rf"class 'n{MAX_NAMES - 2}' is number {MAX_NAMES + 1}: expected at most"):
        table.numbers(tuple(f"n{k}" for k in range(MAX_NAMES - 1)))
    assert table.names == ("cup", "bowl")
    assert table.numbers(("plate",)).tolist() == [2]
    full = table.numbers(tuple(f"n{k}" for k in range(MAX_NAMES - 3)))
    assert (len(table), full[-1], table.matrix.shape) == (MAX_NAMES, MAX_NAMES - 1, (MAX_NAMES, MAX_NAMES))


def test_a_detector_that_names_other_classes_each_time_takes_no_memory():
    table, rng = ClassTable({}, 0.5), np.random.default_rng(0)
    names = [f"n{k}" for k in range(20)]
    for _ in range(4 * MAX_LISTS):
        order = tuple(rng.permutation(names).tolist())
        assert [table.names[number] for number in table.numbers(order)] == list(order)
    assert len(table._numbers) <= MAX_LISTS
    assert len(table) == 20


def test_names_of_cameras():
    table = NameTable("camera")
    assert table.numbers(("left",)) == [0]
    assert table.numbers(("right", "left")) == [1, 0]
    with pytest.raises(BadInput, match="camera"):
        table.numbers(str(k) for k in range(MAX_NAMES))
    assert len(table) == 2


def test_the_largest_vocabularies_are_tracked():
    """LVIS has 1203 classes; the highest one may come first."""
    names = tuple(f"n{k}" for k in range(1203))
    tracker = ImageTracker()
    for k in range(3):
        tracks = seen(tracker, k, [A, FAR], [1202, 7], names)
    assert tracks.class_ids.tolist() == [1202, 7]
    unnamed = ImageTracker()
    for k, highest in enumerate((3, MAX_NAMES - 1, 0)):
        box = SimpleNamespace(xyxy=[A], confidence=None, class_id=[highest])
        tracks = unnamed.update(box, stamp_ns=k * PERIOD_NS)
    assert tracks.ids.tolist() == [1]
    assert tracks.class_names == tuple(str(k) for k in range(MAX_NAMES))


# -- votes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("period", [2, 3, 5])
def test_a_class_that_flickers_is_one_track_with_the_class_of_the_majority(period):
    tracker = ImageTracker()
    for k in range(40):
        tracks = seen(tracker, k, [A], int(k % period == period - 1))
        assert tracks.ids.tolist() == [1]
        assert tracks.class_ids.tolist() == [0]


def test_a_class_that_was_wrong_at_first_is_corrected():
    tracker = ImageTracker()
    says = [seen(tracker, k, [A], int(k < 3)).class_ids.tolist()[0] for k in range(15)]
    assert says[:3] == [1, 1, 1]
    assert says[-1] == 0
    assert says == sorted(says, reverse=True), "it changes once"


def test_classes_that_appear_in_the_course_of_a_run():
    """Votes of a single class are not counted; when a second comes, the first has its votes all the same."""
    tracker = ImageTracker()
    for k in range(20):
        tracks = seen(tracker, k, [A], 0, ("cup",))
    assert tracker._core.store.votes.shape[1] == 1
    for k in range(20, 24):
        tracks = seen(tracker, k, [A], 0, ("bowl",))
        assert [tracks.class_names[n] for n in tracks.class_ids] == ["cup"], "four against twenty"
    for k in range(24, 60):
        tracks = seen(tracker, k, [A], 0, ("bowl",))
    assert [tracks.class_names[n] for n in tracks.class_ids] == ["bowl"]
    assert tracks.ids.tolist() == [1]
    for k in range(60, 120):
        tracks = seen(tracker, k, [A, FAR], [3, 2], ("a", "b", "c", "plate"))
    assert [tracks.class_names[n] for n in tracks.class_ids] == ["plate", "c"]
    assert tracks.class_names == ("cup", "bowl", "a", "b", "c", "plate")


def test_late_classes_count_as_if_they_had_been_known_from_the_beginning():
    """The same detections, once with all names from the first frame on."""
    known, late = ImageTracker(), ImageTracker()
    rng = np.random.default_rng(3)
    for k in range(60):
        second = int(k >= 20 and rng.random() < 0.6)
        one = seen(known, k, [A], second, ("cup", "bowl"))
        other = seen(late, k, [A], second, ("cup", "bowl") if k >= 20 else ("cup",))
        assert one.ids.tolist() == other.ids.tolist()
        assert one.class_ids.tolist() == other.class_ids.tolist()
    assert late._core.store.votes == pytest.approx(known._core.store.votes, rel=1e-9)


def test_votes_do_not_pass_to_the_next_track_in_memory():
    tracker = ImageTracker(ImageTrackerParameters(lost_s=0.2))
    for k in range(30):
        seen(tracker, k, [A], 1)
    for k in range(30, 50):
        seen(tracker, k, [], 0)
    for k in range(50, 55):
        tracks = seen(tracker, k, [A], 0)
    assert tracks.ids.tolist() == [2]
    assert tracks.class_ids.tolist() == [0]
    assert tracker._core.store.votes[0, 1] == 0.0


def test_a_second_box_of_another_class_votes_and_starts_nothing():
    tracker = ImageTracker()
    for k in range(30):
        scores = [0.9, 0.6] if k % 4 else [0.55, 0.7]
        tracks = seen(tracker, k, [A, A], [0, 1], scores=scores)
        assert len(tracks.all) == 1
        assert sorted(tracks.ids.tolist()) == [-1, 1]
        assert k < 3 or tracks.all.class_ids.tolist() == [0], "the better box decides, also where the other was first"


def test_the_vote_of_second_boxes_can_win():
    """The first class holds the pair, since the box of a track's own class is preferred; but it is heard."""
    tracker = ImageTracker()
    for k in range(20):
        tracks = seen(tracker, k, [A, A] if k else [A], [0, 1] if k else [0], scores=[0.5, 0.99] if k else [0.9])
    assert tracks.all.class_ids.tolist() == [1]


# -- which classes may be one object ----------------------------------------------------------------------------------


def tracker_with(compatibility, other=0.5):
    return ImageTracker(ImageTrackerParameters(class_compatibility=compatibility, other_class=other))


def test_classes_that_are_never_one_object():
    tracker = tracker_with({"cup": {"bowl": 0.0}})
    for k in range(5):
        seen(tracker, k, [A], 0)
    tracks = seen(tracker, 5, [A], 1)
    assert tracks.all.ids.tolist() == [1, 2]
    assert tracks.ids.tolist() == [-1]
    tracks = seen(tracker, 6, [A], 2)
    assert tracks.all.ids.tolist() == [1, 2], "the third class may continue either"


def test_classes_that_are_never_one_object_are_no_second_boxes():
    """A rider on a bicycle: two boxes that overlap by more than half, two objects."""
    for names, expected in ((("cup", "bowl"), [1, 2]), (("cup", "plate"), [1, -1])):
        tracker = tracker_with({"cup": {"bowl": 0.0}})
        for k in range(4):
            tracks = seen(tracker, k, [A, A], [0, 1], names, scores=[0.9, 0.8])
        assert tracks.ids.tolist() == expected


def test_nor_are_they_in_space():
    tracker = BaseFrameTracker(TrackerParameters(class_compatibility={"red_cube": {"distractor": 0.0}}))
    for k in range(4):
        tracks = tracker.update(look(k * 0.1, [[0.5, 0.0, 0.0]] * 2, class_ids=[0, 1]))
    assert tracks.ids.tolist() == [1, 2]
    assert tracks.class_ids.tolist() == [0, 1]


@pytest.mark.parametrize(("compatibility", "expected"), [(1.0, [1]), (0.5, [-1]), (0.0, [-1])])
def test_one_and_the_same_class_reaches_as_far(compatibility, expected):
    """At half a size off, another class is out of reach; one that is taken for it often is not."""
    tracker = tracker_with({"cup": {"bowl": compatibility}})
    for k in range(5):
        seen(tracker, k, [A], 0)
    off = np.add(A, [30, 0, 30, 0])
    assert seen(tracker, 5, [off], 1).ids.tolist() == expected


@pytest.mark.parametrize("other", [0.0, 0.5, 1.0])
def test_what_holds_for_classes_that_are_not_listed(other):
    tracker = tracker_with({}, other)
    for k in range(5):
        seen(tracker, k, [A], 0)
    assert seen(tracker, 5, [A], 1).ids.tolist() == ([-1] if other == 0.0 else [1])


def test_with_a_choice_the_own_class_is_preferred():
    tracker = ImageTracker()
    for k in range(5):
        seen(tracker, k, [A, B], [0, 1])
    middle = (np.array(A) + B) / 2.0
    tracks = seen(tracker, 5, [np.add(middle, [1, 0, 1, 0]), np.subtract(middle, [1, 0, 1, 0])], [0, 1])
    assert tracks.ids.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"cup": {"bowl": 1.5}}, "cup and bowl = 1.5: expected 0..1"),
        ({"cup": {"bowl": float("nan")}}, "expected 0..1"),
        ({"cup": {"cup": 0.5}}, "1 for a class and itself"),
        ({"cup": {"bowl": 0.5}, "bowl": {"cup": 0.4}}, "the same figure in both orders"),
    ],
)
def test_compatibilities_that_are_none(wrong, message):
    with pytest.raises(BadInput, match=message):
        ImageTrackerParameters(class_compatibility=wrong)
