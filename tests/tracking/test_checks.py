"""What no tracker takes, and that it says so in time."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from deploy.errors import BadInput
from perception.visibility import Sight
from tests.tracking.scenes import look, says
from tracking import BaseFrameTracker, ImageTracker, ImageTrackerParameters, Points, TrackerParameters
from tracking.checks import FARTHEST_NS

BOX = [[10.0, 10.0, 50.0, 50.0]]


def detected(xyxy=BOX, confidence=None, class_id=None):
    return SimpleNamespace(xyxy=xyxy, confidence=confidence, class_id=class_id)


def points(**other):
    return Points([[0.5, 0.0, 0.0]], 1e-5 * np.eye(3)[None], **other)


STAMPS = [
    (0.033, r"stamp_ns = 0\.033: expected a whole number of ns"),
    (1e9, "expected a whole number of ns"),
    (float("nan"), "stamp_ns = nan"),
    ("0", "stamp_ns = '0'"),
    (FARTHEST_NS, r"expected within 2\*\*62 ns"),
    (-(2**63), r"expected within 2\*\*62 ns"),
    (2**80, r"expected within 2\*\*62 ns"),
]


@pytest.mark.parametrize(("stamp", "message"), STAMPS)
def test_a_stamp_is_a_whole_number_of_nanoseconds(stamp, message):
    image, base = ImageTracker(), BaseFrameTracker()
    for call in (
        lambda: image.update(detected(), stamp_ns=stamp),
        lambda: image.predicted(stamp),
        lambda: base.update(points(), stamp_ns=stamp),
        lambda: base.update(look(0.0), stamp_ns=stamp),
        lambda: base.predicted(stamp),
    ):
        with pytest.raises(BadInput, match=message):
            call()
    assert len(image.predicted(0)) == len(base.predicted(0)) == 0


@pytest.mark.parametrize("start", [0, -5, 1_790_000_000_000_000_000, FARTHEST_NS - 200, -FARTHEST_NS + 1])
@pytest.mark.parametrize("kind", [int, np.int64])
def test_stamps_of_any_clock(start, kind):
    image, base = ImageTracker(), BaseFrameTracker(TrackerParameters(confirm_s=0.0))
    for k in (0, 100):
        seen = image.update(detected(), stamp_ns=kind(start + k))
        there = base.update(points(), stamp_ns=kind(start + k))
    for tracks in (seen, there):
        assert tracks.ids.tolist() == [1]
        assert tracks.stamp_ns == start + 100
        assert tracks.last_seen_ns.tolist() == [start + 100]
        assert tracks.age_s == pytest.approx([1e-7])
    ahead = image.predicted(FARTHEST_NS - 1)
    assert ahead.age_s[0] == pytest.approx((FARTHEST_NS - 1 - start) * 1e-9)
    assert np.isfinite(ahead.boxes).all()


def test_from_one_end_of_time_to_the_other():
    tracker = ImageTracker()
    tracker.update(detected(), stamp_ns=-FARTHEST_NS + 1)
    tracks = tracker.update(detected(), stamp_ns=FARTHEST_NS - 1)
    assert tracks.ids.tolist() == [1]
    assert np.isfinite(tracks.covariance).all()


@pytest.mark.parametrize("score", [87.0, 1.5, np.inf])
def test_a_score_is_a_probability(score):
    """Else a measurement would weigh less than nothing: the box of a sure detection would run away from it."""
    image, base = ImageTracker(), BaseFrameTracker()
    with pytest.raises(BadInput, match=f"score {score:g}: expected 0..1; divide percents by 100"):
        image.update(detected(BOX * 2, [0.5, score]), stamp_ns=0)
    with pytest.raises(BadInput, match=r"expected 0\.\.1"):
        base.update(points(scores=[score]), stamp_ns=0)
    with pytest.raises(BadInput, match=r"expected 0\.\.1"):
        base.update(look(0.0, [[0.5, 0.0, 0.0]], scores=score))
    assert image.update(detected(), stamp_ns=0).ids.tolist() == [1]
    assert len(base.update(points(), stamp_ns=0).all) == 1


@pytest.mark.parametrize(
    ("name", "boxes", "refused"),
    [
        ("one", [[0.3, 0.4, 0.5, 0.6]], True),
        ("all of the picture, and some of it", [[0.0, 0.0, 1.0, 1.0], [0.0, 0.1, 0.2, 0.9]], True),
        ("over the border", [[-0.02, 0.4, 0.2, 1.03], [0.3, 0.3, 0.6, 0.9]], True),
        ("with damage", [[0.3, 0.4, 0.5, 0.6], [np.nan] * 4, [0.0] * 4], True),
        ("one in pixels", [[0.3, 0.4, 0.5, 0.6], [10.0, 10.0, 50.0, 50.0]], False),
        ("a sliver in the corner", [[0.0, 0.0, 0.4, 0.9]], False),
        ("damage alone", [[0.0] * 4, [0.5, 0.5, 0.5, 0.9]], False),
        ("small", [[1.0, 1.0, 3.0, 2.0]], False),
    ],
)
def test_parts_of_a_picture_are_no_pixels(name, boxes, refused):
    tracker = ImageTracker()
    for k in range(2):
        tracker.update(detected([]), stamp_ns=k)
    if refused:
        with pytest.raises(BadInput, match="expected pixels; multiply normalised ones by the width and height"):
            tracker.update(detected(boxes, None, [3] * len(boxes)), stamp_ns=5)
        tracks = tracker.update(detected(), stamp_ns=2)
        assert (tracks.ids.tolist(), tracks.class_names) == ([1], ("0",)), "the tracker stayed as it was"
    else:
        tracker.update(detected(boxes), stamp_ns=5)


def test_what_began_in_pixels_is_not_doubted_any_more():
    tracker = ImageTracker()
    tracker.update(detected(), stamp_ns=0)
    assert tracker.update(detected([[0.3, 0.4, 0.5, 0.6]]), stamp_ns=1).ids.tolist() == [-1]


def test_names_of_classes_as_supervision_has_them():
    """They count, since a number means another class with another detector."""
    tracker = ImageTracker(ImageTrackerParameters(class_compatibility={"car": {"dog": 0.0}}))
    boxes = [[10.0, 10.0, 50.0, 50.0], [200.0, 10.0, 250.0, 50.0]]
    for k in range(3):
        some = detected(boxes, None, [16, 2] if k else [7, 7])
        some.data = {"class_name": np.array(["dog", "car"])}
        tracks = tracker.update(some, stamp_ns=k * 33_000_000)
        nobody = detected([])
        nobody.data = {"class_name": np.array([])}
        tracker.update(nobody, stamp_ns=k * 33_000_000 + 1)
    assert tracks.ids.tolist() == [1, 2]
    assert [tracks.class_names[number] for number in tracks.class_ids] == ["dog", "car"]
    assert tracks.class_names == ("car", "dog")
    swapped = detected(boxes[:1])
    swapped.data = {"class_name": ["car"]}
    assert tracker.update(swapped, stamp_ns=10**8).ids.tolist() == [-1], "a car is never a dog"


@pytest.mark.parametrize("data", [{}, {"class_name": None}, {"mask": 1}, None, "words"])
def test_without_names_the_numbers_count(data):
    some = detected(BOX, None, [2])
    some.data = data
    tracks = ImageTracker().update(some, stamp_ns=0)
    assert (tracks.class_ids.tolist(), tracks.class_names) == ([2], ("0", "1", "2"))


def test_names_of_other_boxes_are_refused():
    some = detected(BOX, None, [2])
    some.data = {"class_name": ["car", "dog"]}
    with pytest.raises(BadInput, match=r"data\['class_name'\] has 2 names of 1 boxes"):
        ImageTracker().update(some, stamp_ns=0)


def test_a_little_more_than_one_is_rounding():
    assert ImageTracker().update(detected(BOX, np.array([1.04], np.float32)), stamp_ns=0).ids.tolist() == [1]


@pytest.mark.parametrize(
    ("name", "wrong", "message"),
    [
        ("five columns", detected(np.ones((4, 5))), r"xyxy \(4, 5\).*expected \(M, 4\)"),
        ("one flat box", detected([1.0, 1.0, 5.0, 5.0]), r"xyxy \(4,\).*expected \(M, 4\)"),
        ("ragged", detected([[1, 2, 3, 4], [1, 2]]), "expected numbers xyxy"),
        ("words", detected([["a", "b", "c", "d"]]), "expected numbers xyxy"),
        ("a score too many", detected(BOX, [0.9, 0.8]), r"confidence \(2,\)"),
        ("scores in a column", detected(BOX, [[0.9]]), r"confidence \(1, 1\)"),
        ("classes of nobody", detected([], None, [1]), r"class_id \(1,\)"),
        ("no class", detected(BOX, None, [None]), "expected numbers"),
        ("a negative class", detected(BOX, None, [-1]), r"class_id -1\.\.-1: expected 0\.\."),
        ("a class too high", detected(BOX * 2, None, [0, 100_000]), r"class_id 0\.\.100000: expected 0\.\."),
        ("boxes alone", np.ones((1, 4)), "expected perception.Detections, or an object with xyxy"),
        ("nothing", None, "expected perception.Detections"),
    ],
)
def test_detections_that_are_none(name, wrong, message):
    tracker = ImageTracker()
    with pytest.raises(BadInput, match=message):
        tracker.update(wrong, stamp_ns=5)
    assert tracker.update(detected(), stamp_ns=0).ids.tolist() == [1], "the tracker stays as it was"


@pytest.mark.parametrize(
    ("name", "wrong", "message"),
    [
        ("flat", {"points_m": [0.5, 0.0, 0.0], "covariances_m2": np.eye(3)}, r"points_m \(3,\)"),
        ("two columns", {"points_m": np.ones((3, 2)), "covariances_m2": np.ones((3, 3, 3))}, r"points_m \(3, 2\)"),
        ("ragged", {"points_m": [[1, 2, 3], [1]], "covariances_m2": []}, "expected numbers points_m"),
        ("no covariance", {"points_m": [[1, 2, 3]], "covariances_m2": []}, r"covariances_m2 \(0,\)"),
        ("one for all", {"points_m": np.ones((2, 3)), "covariances_m2": np.eye(3)[None]}, r"\(1, 3, 3\)"),
        ("a class without a name", {"points_m": [[1, 2, 3]], "covariances_m2": [np.eye(3)], "class_ids": [1]}, "0..0"),
        ("half a class", {"points_m": [[1, 2, 3]], "covariances_m2": [np.eye(3)], "class_ids": ["x"]}, "numbers"),
    ],
)
def test_points_that_are_none(name, wrong, message):
    with pytest.raises(BadInput, match=message):
        Points(**wrong)


@pytest.mark.parametrize("empty", [[], np.zeros((0, 3)), np.zeros(0)])
def test_no_points(empty):
    for covariances in ([], np.zeros((0, 3, 3)), np.zeros((0, 9))):
        assert Points(empty, covariances).points_m.shape == (0, 3)


def test_points_need_a_stamp():
    with pytest.raises(BadInput, match="points have no stamp"):
        BaseFrameTracker().update(points())


@pytest.mark.parametrize("parameters", [ImageTrackerParameters, TrackerParameters])
@pytest.mark.parametrize("name", ["lost_s", "coast_s", "tentative_s", "settle_s", "confirm_s"])
def test_times_that_fit_into_no_stamp_are_named(parameters, name):
    for value in (1e10, 1e300, float("inf")):
        with pytest.raises(BadInput, match=rf"{name} = .*at most 1e\+09"):
            parameters(**{name: value})


@pytest.mark.parametrize("name", ["lost_s", "coast_s", "tentative_s", "settle_s"])
def test_for_ever(name):
    """The longest time that is allowed, through hours without a detection."""
    image, base = (
        ImageTracker(ImageTrackerParameters(**{name: 1e9})),
        BaseFrameTracker(TrackerParameters(**{name: 1e9})),
    )
    for k in range(10):
        image.update(detected(), stamp_ns=k * 10**8)
        base.update(points(), stamp_ns=k * 10**8)
    for hour in range(1, 6):
        seen = image.update(detected([]), stamp_ns=hour * 3600 * 10**9)
        there = base.update(Points([], []), stamp_ns=hour * 3600 * 10**9)
    for tracker, tracks in ((image, seen), (base, there)):
        assert len(tracks.all) == (name == "lost_s")
        assert np.isfinite(tracker.predicted(2**61).position).all()


def raising(_):
    raise RuntimeError("no picture")


@pytest.mark.parametrize(
    ("view", "error", "message"),
    [
        (lambda p: np.ones(len(p) + 1, np.uint8), BadInput, r"visibility of 1 points has shape \(2,\)"),
        (lambda p: np.full(len(p), 4, np.uint8), BadInput, r"visibility 4: expected values of Sight, 0\.\.3"),
        (raising, RuntimeError, "no picture"),
    ],
)
def test_a_view_that_fails_leaves_the_tracks_alone(view, error, message):
    """Nothing of that frame has been used when the view is asked: the same frame can be given again."""
    where = [[0.5, 0.0, 0.0], [0.5, 0.3, 0.0]]
    trackers = [BaseFrameTracker(), BaseFrameTracker()]
    for tracker in trackers:
        for k in range(5):
            tracker.update(look(k * 0.1, where), visibility=says(Sight.VISIBLE))
    frame = look(0.5, [*where[:1], [0.1, 0.1, 0.1]])
    with pytest.raises(error, match=message):
        trackers[0].update(frame, visibility=view)
    one, other = (tracker.update(frame, visibility=says(Sight.VISIBLE)).all for tracker in trackers)
    for name in ("ids", "position", "covariance", "scores", "last_seen_ns", "class_ids", "state"):
        assert np.array_equal(getattr(one, name), getattr(other, name)), name
    for k in range(6, 30):
        one, other = (tracker.update(look(k * 0.1), visibility=says(Sight.VISIBLE)).all for tracker in trackers)
        assert one.ids.tolist() == other.ids.tolist()


def test_a_refused_first_frame_sets_no_frame_of_reference():
    tracker = BaseFrameTracker()
    wrong = Points([[0.5, 0.0, 0.0]], [np.eye(3)], class_names=tuple(f"c{k}" for k in range(5000)))
    with pytest.raises(BadInput, match="expected at most"):
        tracker.update(wrong, stamp_ns=0)
    assert len(tracker.update(look(0.0, [[0.0, 0.0, 0.5]], frame_id="camera")).all) == 1
