"""What a user of the image tracker relies on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.errors import BadInput
from perception.detections import Detections
from tests.tracking.boxes import (
    DAMAGED,
    FRAME_NS,
    Boxes,
    box,
    bytes_of,
    crowd,
    digest,
    feed,
    moved,
    random_looks,
    row_of,
)
from tracking import ImageTracker, ImageTrackerParameters, TrackState, engine

TENTATIVE, CONFIRMED, LOST, NONE = TrackState
A = box(100, 300)


def patient(**other):
    """A tracker that does not trust its first look."""
    return ImageTracker(ImageTrackerParameters(trust_first_look=False, **other))


# -- rows -------------------------------------------------------------------------------------------------------------


def test_rows_are_those_of_the_detections():
    rng, tracker = np.random.default_rng(0), ImageTracker()
    boxes = np.array(row_of(6))
    for k in range(30):
        order = rng.permutation(6)[: rng.integers(0, 7)]
        tracks = tracker.update(Boxes(boxes[order] + 3.0 * k), stamp_ns=k * FRAME_NS)
        assert len(tracks) == len(order)
        if k == 0:
            of = dict(zip(order.tolist(), tracks.ids.tolist(), strict=True))
        for row, number in enumerate(order.tolist()):
            of.setdefault(number, tracks.all.ids.max() if tracks.ids[row] < 0 else tracks.ids[row])
            assert tracks.ids[row] in (-1, of[number])
            assert tracks.boxes[row] == pytest.approx(boxes[number] + 3.0 * k, abs=40.0)


def test_a_detection_without_a_track_has_an_empty_row():
    tracker = ImageTracker()
    feed(tracker, [Boxes(row_of(2))] * 3)
    looks = [box(900, 300), A, [np.nan] * 4, box(300, 300)]
    tracks = tracker.update(Boxes(looks, [0.2, 0.9, 0.9, 0.9]), stamp_ns=3 * FRAME_NS)
    assert tracks.ids.tolist() == [-1, 1, -1, 2]
    assert tracks.state.tolist() == [NONE, CONFIRMED, NONE, CONFIRMED]
    assert tracks.class_ids.tolist() == [-1, 0, -1, 0]
    assert tracks.scores.tolist()[0::2] == [0.0, 0.0]
    assert tracks.last_seen_ns.tolist() == [-1, 3 * FRAME_NS, -1, 3 * FRAME_NS]
    for name in ("position", "velocity", "covariance", "age_s", "boxes"):
        array = getattr(tracks, name)
        assert len(array) == 4
        assert np.isnan(array[0::2]).all(), name
        assert np.isfinite(array[1::2]).all(), name
    assert tracks.position[1] == pytest.approx([100, 300, 40, 80])


def test_a_tentative_track_has_a_row_but_no_id():
    tracker = patient()
    tracks = feed(tracker, [Boxes([A])])
    assert tracks.ids.tolist() == tracks.detection_ids.tolist() == [-1]
    assert tracks.state.tolist() == [TENTATIVE]
    assert tracks.position[0] == pytest.approx([100, 300, 40, 80])
    assert tracks.all.ids.tolist() == [1]
    assert tracks.all.state.tolist() == [TENTATIVE]
    assert feed(tracker, [Boxes([A])], 1).ids.tolist() == [1]


def test_types_and_shapes():
    kinds = {
        "ids": (np.int64, ()), "state": (np.uint8, ()), "position": (np.float64, (4,)), "velocity": (np.float64, (4,)),
        "covariance": (np.float64, (8, 8)), "boxes": (np.float64, (4,)), "scores": (np.float32, ()),
        "class_ids": (np.int32, ()), "last_seen_ns": (np.int64, ()), "age_s": (np.float64, ()),
    }  # fmt: skip
    tracker = ImageTracker()
    for k, boxes in enumerate(([], row_of(3), [], [[np.nan] * 4])):
        tracks = tracker.update(Boxes(boxes), stamp_ns=k * FRAME_NS)
        for some in (tracks, tracks.all, tracks.select(np.zeros(len(tracks), np.bool_)), tracker.predicted(10**9)):
            for name, (kind, after) in kinds.items():
                array = getattr(some, name)
                assert (array.dtype, array.shape) == (kind, (len(some), *after)), name
                assert not array.flags.writeable, name


def test_what_was_returned_does_not_change():
    tracker = ImageTracker()
    looks = [Boxes(np.array(row_of(4)) + 5.0 * k, class_id=[0, 1, 2, k % 2]) for k in range(40)]
    kept = []
    for k, boxes in enumerate(looks):
        tracks = tracker.update(boxes if k < 20 else Boxes([]), stamp_ns=k * 100_000_000)
        untouched = tracker.predicted(k * 100_000_000 + 10**9)
        kept.append((tracks, bytes_of(tracks), untouched))
        if k % 3 == 0:
            # Nothing asked for yet: arrays are made later, from what was true then.
            kept.append((untouched, None, None))
    early = [bytes_of(tracks) for tracks, _, _ in kept]
    for k in range(40, 60):
        tracker.update(looks[k % 40], stamp_ns=k * 100_000_000)
    assert [bytes_of(tracks) for tracks, _, _ in kept] == early
    assert all(before is None or before == bytes_of(tracks) for tracks, before, _ in kept)


def test_detections_may_change_afterwards():
    """A detector that gives the same arrays again, with other numbers."""
    tracker, other = ImageTracker(), ImageTracker()
    xyxy, confidence = np.array(row_of(3)), np.full(3, 0.9)
    for k in range(6):
        tracks = tracker.update(Boxes(xyxy, confidence), stamp_ns=k * FRAME_NS)
        same = other.update(Boxes(xyxy.copy(), confidence.copy()), stamp_ns=k * FRAME_NS)
        xyxy += 2.0
        confidence -= 0.05
        assert bytes_of(tracks) == bytes_of(same)


# -- what comes in ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "boxes",
    [
        Boxes(row_of(2)),
        Boxes(np.array(row_of(2), np.float32), np.array([0.9, 0.8], np.float32), np.array([1, 0], np.int32)),
        Boxes(np.array(row_of(2), np.int64), [0.9, 0.8], [3, 7]),
        Boxes(tuple(map(tuple, row_of(2))), (0.9, 0.8), None),
        Boxes(np.asfortranarray(np.array(row_of(2))), None, np.array([0, 1], np.uint8)),
        Detections("cam", 0, 0, np.array(row_of(2)), [0.9, 0.8], [0, 1], ("cup", "bowl")),
    ],
)
def test_what_detections_may_be(boxes):
    assert feed(ImageTracker(), [boxes, boxes]).ids.tolist() == [1, 2]


@pytest.mark.parametrize("empty", [[], (), np.zeros(0), np.zeros((0, 4)), np.zeros((0, 4), np.float32)])
@pytest.mark.parametrize("others", [None, [], np.zeros(0, np.int64)])
def test_nothing_detected(empty, others):
    boxes = Boxes(empty, others, others)
    tracker = ImageTracker()
    tracks = feed(tracker, [boxes] * 5)
    assert (len(tracks), len(tracks.all), tracks.stamp_ns) == (0, 0, 4 * FRAME_NS)
    assert tracks.boxes.shape == (0, 4)
    assert feed(tracker, [Boxes([A])], 5).ids.tolist() == [1], "the first look is the first with detections"


def test_the_stamp_of_the_detections_is_taken_if_none_is_given():
    detections = [Detections("cam", k, k * FRAME_NS, [A], [0.9], [0], ("cup",)) for k in range(3)]
    tracker = ImageTracker()
    assert [tracker.update(some).stamp_ns for some in detections] == [0, FRAME_NS, 2 * FRAME_NS]
    assert tracker.update(detections[0], stamp_ns=10**9).stamp_ns == 10**9
    with pytest.raises(BadInput, match="detections of type Boxes have no stamp: give stamp_ns"):
        tracker.update(Boxes([A]))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("damaged", DAMAGED, ids=str)
def test_a_damaged_box_is_never_tracked_and_harms_no_other(damaged):
    """Also in the first look, whose tracks are trusted, and where other boxes overlap it."""
    good, tracker, clean = np.array(row_of(3)), ImageTracker(), ImageTracker()
    for k in range(8):
        among = np.vstack((good[:1], [damaged], good[1:], [damaged])) + np.array([2.0 * k, 0, 2.0 * k, 0])
        tracks = tracker.update(Boxes(among, class_id=[0, 1, 0, 0, 2]), stamp_ns=k * FRAME_NS)
        same = clean.update(Boxes(good + np.array([2.0 * k, 0, 2.0 * k, 0]), class_id=[0] * 3), stamp_ns=k * FRAME_NS)
        assert tracks.ids.tolist() == [1, -1, 2, 3, -1]
        assert tracks.state.tolist()[1::3] == [NONE, NONE]
        assert len(tracks.all) == 3
        for name in ("position", "velocity", "covariance", "scores"):
            assert np.array_equal(getattr(tracks.all, name), getattr(same.all, name)), name


@pytest.mark.filterwarnings("error")
def test_scores_that_are_no_numbers_count_as_none():
    tracker = ImageTracker()
    for k in range(4):
        tracks = tracker.update(Boxes(row_of(3), [0.9, np.nan, -3.0]), stamp_ns=k * FRAME_NS)
        assert tracks.ids.tolist() == [1, -1, -1]


# -- the beginning ----------------------------------------------------------------------------------------------------


def states_of(tracker, looks, period_ns=FRAME_NS):
    """State of the only track after each look, None where there is none."""
    states = []
    for k, boxes in enumerate(looks):
        tracks = tracker.update(boxes, stamp_ns=k * period_ns).all
        assert len(tracks) <= 1
        states.append(TrackState(tracks.state[0]) if len(tracks) else None)
    return states


def test_the_first_look_with_detections_is_trusted():
    tracker = ImageTracker()
    feed(tracker, [Boxes([])] * 3)
    assert feed(tracker, [Boxes(row_of(2), [0.9, 0.6])], 3).ids.tolist() == [1, 2]
    assert feed(tracker, [Boxes(row_of(3))], 4).ids.tolist() == [1, 2, -1]
    tracker.reset()
    assert feed(tracker, [Boxes(row_of(1))]).ids.tolist() == [1]
    assert feed(patient(), [Boxes(row_of(2))]).ids.tolist() == [-1, -1]


@pytest.mark.parametrize(
    ("name", "parameters", "scores", "period_ns", "expected"),
    [
        ("two sure ones", {}, [0.9, 0.9], FRAME_NS, [TENTATIVE, CONFIRMED]),
        ("two of three quarters", {}, [0.75, 0.75], FRAME_NS, [TENTATIVE, CONFIRMED]),
        ("three unsure ones", {}, [0.5] * 3, FRAME_NS, [TENTATIVE, TENTATIVE, CONFIRMED]),
        ("no score asked", {"confirm_score": 0.0}, [0.5] * 2, FRAME_NS, [TENTATIVE, CONFIRMED]),
        ("more hits", {"confirm_hits": 4}, [0.9] * 4, FRAME_NS, [TENTATIVE] * 3 + [CONFIRMED]),
        ("not within a moment", {}, [0.9] * 5, 9_000_000, [TENTATIVE] * 4 + [CONFIRMED]),
        ("at once", {"confirm_hits": 1, "confirm_s": 0.0, "confirm_score": 0.0}, [0.5], FRAME_NS, [CONFIRMED]),
        ("one hit is no more than needed", {"confirm_hits": 1}, [0.9, 0.9], FRAME_NS, [TENTATIVE, CONFIRMED]),
    ],
)
def test_confirmation(name, parameters, scores, period_ns, expected):
    looks = [Boxes([A], [score]) for score in scores]
    assert states_of(patient(**parameters), looks, period_ns) == expected


@pytest.mark.parametrize(
    ("period_s", "sizes", "one"),
    [
        (1 / 30, 0.5, True), (1 / 30, 0.6, False), (0.3, 0.6, False), (0.5, 0.6, True), (1.0, 0.65, True),
        (1.0, 0.75, False),
    ],
)  # fmt: skip
def test_something_new_may_come_farther_the_longer_nobody_looked(period_s, sizes, one):
    """Full reach is 0.7 sizes, that of what is seen for the second time at a quick rate 0.56."""
    side = 60.0
    looks = [Boxes([box(300.0 + side * sizes * k, 300.0, side, side)]) for k in range(2)]
    tracks = feed(patient(), looks, period_ns=round(period_s * 1e9))
    assert tracks.ids.tolist() == ([1] if one else [-1])
    assert len(tracks.all) == (1 if one else 2)


@pytest.mark.parametrize("period_ns", [1_000_000, FRAME_NS, 500_000_000, 2_000_000_000])
def test_from_a_thousand_frames_a_second_to_one_in_two_seconds(period_ns):
    """A box that drifts by a few pixels between looks is one object at any rate."""
    tracker = patient()
    for k in range(100):
        tracks = tracker.update(Boxes([box(100.0 + 0.05 * k, 300.0)]), stamp_ns=k * period_ns)
    assert tracks.ids.tolist() == [1]
    assert tracks.velocity[0, 0] == pytest.approx(0.05 / (period_ns * 1e-9), rel=0.2)
    assert tracks.age_s[0] == pytest.approx(99 * period_ns * 1e-9)
    for k in range(100, 120):
        tracks = tracker.update(Boxes([]), stamp_ns=k * period_ns)
    assert len(tracks.all) == (20 * period_ns < 2e9)


# -- scores -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("score", "found"), [(0.9, True), (0.5, True), (0.49, True), (0.1, True), (0.09, False)])
def test_a_low_score_continues_a_track(score, found):
    tracker = ImageTracker()
    feed(tracker, [Boxes([A])] * 3)
    for k in range(3, 90):
        tracks = tracker.update(Boxes([A], [score]), stamp_ns=k * FRAME_NS)
    assert tracks.ids.tolist() == ([1] if found else [-1])
    assert len(tracks.all) == int(found)


def test_low_scores_start_nothing_and_confirm_nothing():
    tracker = patient()
    for k in range(20):
        assert len(tracker.update(Boxes([A], [0.45]), stamp_ns=k * FRAME_NS).all) == 0
    tracker.update(Boxes([A], [0.9]), stamp_ns=20 * FRAME_NS)
    tracks = feed(tracker, [Boxes([A], [0.45])] * 15, 21)
    assert len(tracks.all) == 0, "it had 0.3 s for a second detection that is sure"


def test_a_high_score_is_served_before_a_nearer_low_one():
    tracker = ImageTracker()
    feed(tracker, [Boxes([A])] * 3)
    assert feed(tracker, [Boxes([A, box(112, 300)], [0.4, 0.9])], 3).ids.tolist() == [-1, 1]


def test_a_lost_track_is_found_by_a_low_score():
    tracker = ImageTracker()
    feed(tracker, [Boxes([A])] * 3)
    states = states_of_after(tracker, [Boxes([])] * 20, 3)
    assert states[-1] == LOST
    tracks = feed(tracker, [Boxes([A], [0.2])], 23)
    assert (tracks.ids.tolist(), tracks.state.tolist()) == ([1], [CONFIRMED])


def states_of_after(tracker, looks, start):
    return [int(feed(tracker, [boxes], start + k).all.state[0]) for k, boxes in enumerate(looks)]


# -- the end ----------------------------------------------------------------------------------------------------------


def seconds_alive(tracker, looks, period_ns=FRAME_NS):
    start = len(looks)
    feed(tracker, looks, period_ns=period_ns)
    for k in range(10_000):
        if not len(feed(tracker, [Boxes([])], start + k, period_ns).all):
            return (k + 1) * period_ns * 1e-9
    raise AssertionError("for ever")


@pytest.mark.parametrize("period_ns", [10_000_000, FRAME_NS, 100_000_000])
@pytest.mark.parametrize(
    ("parameters", "expected_s"),
    [({}, 2.0), ({"lost_s": 0.7}, 0.7), ({"coast_s": 5.0}, 2.0), ({"tentative_s": 5.0, "lost_s": 1.0}, 1.0)],
)
def test_how_long_a_confirmed_track_waits(parameters, expected_s, period_ns):
    tracker = ImageTracker(ImageTrackerParameters(**parameters))
    assert seconds_alive(tracker, [Boxes([A])] * 3, period_ns) == pytest.approx(expected_s, abs=period_ns * 1.01e-9)


@pytest.mark.parametrize(
    ("parameters", "expected_s"), [({}, 0.3), ({"tentative_s": 1.0}, 1.0), ({"tentative_s": 9.0, "lost_s": 0.5}, 0.5)]
)
def test_how_long_a_tentative_track_waits(parameters, expected_s):
    assert seconds_alive(patient(**parameters), [Boxes([A])]) == pytest.approx(expected_s, abs=0.034)


def test_states_of_a_life():
    tracker = patient(lost_s=1.0)
    states = states_of(
        tracker, [Boxes([A] if seen else []) for seen in [1] * 3 + [0] * 8 + [1] + [0] * 12], 100_000_000
    )
    expected = [TENTATIVE] + [CONFIRMED] * 7 + [LOST] * 3 + [CONFIRMED] * 6 + [LOST] * 4 + [None] * 3
    assert states == expected


@pytest.mark.parametrize("gap_s", [1.9, 10.0, 86400.0])
def test_one_look_after_a_long_silence_ends_nothing(gap_s):
    """Also with a velocity that was never quite zero: it is not believed for the whole gap."""
    tracker = ImageTracker()
    rng = np.random.default_rng(1)
    feed(tracker, [Boxes(np.array([A]) + rng.normal(0.0, 1.0, 4)) for _ in range(30)])
    after_ns = 29 * FRAME_NS + round(gap_s * 1e9)
    tracks = tracker.update(Boxes([]), stamp_ns=after_ns)
    assert tracks.all.state.tolist() == [LOST]
    tracks = tracker.update(Boxes([A]), stamp_ns=after_ns + FRAME_NS)
    assert (tracks.ids.tolist(), tracks.state.tolist()) == ([1], [CONFIRMED])


def test_a_gap_is_as_long_in_one_step_as_in_many():
    one, many = ImageTracker(), ImageTracker()
    looks = [Boxes([box(100 + 4 * k, 300 - k, 40 + k, 80)]) for k in range(20)]
    newest_ns = 19 * FRAME_NS
    feed(one, looks)
    feed(many, looks)
    for k in range(1, 50):
        many.update(Boxes([]), stamp_ns=newest_ns + k * FRAME_NS)
    at_ns = newest_ns + 50 * FRAME_NS
    far, near = one.predicted(at_ns), many.predicted(at_ns)
    assert far.position == pytest.approx(near.position, rel=1e-9)
    assert far.velocity == pytest.approx(near.velocity, rel=1e-9)
    assert far.covariance == pytest.approx(near.covariance, rel=1e-6)
    still = one.predicted(newest_ns + 30 * 10**9)
    # 4 px a frame for half a second, then fading with a time constant of one second.
    assert still.position[0, 0] - 176.0 == pytest.approx(4 * 30.0 * 1.5, rel=0.1)
    assert np.abs(still.velocity).max() < 1e-6


# -- who is who -------------------------------------------------------------------------------------------------------


def test_a_ghost_does_not_take_the_detection_of_an_established_object():
    tracker = ImageTracker()
    feed(tracker, [Boxes([A])] * 10)
    tracks = feed(tracker, [Boxes([A, box(124, 300)])], 10)
    assert tracks.all.state.tolist() == [CONFIRMED, TENTATIVE]
    # Nearer to the ghost, and within reach of both.
    tracks = feed(tracker, [Boxes([box(116, 300)])], 11)
    assert tracks.ids.tolist() == [1]
    assert tracks.all.position[0, 0] > 103.0


def watched(count=5, frames=30):
    """A tracker that knows `count` things at rest, side by side."""
    tracker, boxes = ImageTracker(), np.array(row_of(count), dtype=np.float64)
    feed(tracker, [Boxes(boxes)] * frames)
    return tracker, boxes, frames * FRAME_NS


@pytest.mark.parametrize(
    ("beside", "same"),
    [((0.0, 10.0, 0.0, 0.0), True), ((0.0, 0.0, 0.0, -30.0), True), ((24.0, 0.0, 24.0, 0.0), False)],
    ids=["a little off", "its feet are hidden", "beside its place"],
)
def test_what_a_settled_track_takes_for_itself(beside, same):
    tracker, boxes, now_ns = watched()
    boxes[2] += beside
    assert (tracker.update(Boxes(boxes), stamp_ns=now_ns).ids[2] == 3) == same


def test_the_longer_unseen_the_farther_a_track_reaches():
    tracker, boxes, now_ns = watched()
    for _ in range(20):
        tracker.update(Boxes(np.delete(boxes, 2, axis=0)), stamp_ns=now_ns)
        now_ns += FRAME_NS
    boxes[2] += [24.0, 0.0, 24.0, 0.0]
    assert tracker.update(Boxes(boxes), stamp_ns=now_ns).ids.tolist() == [1, 2, 3, 4, 5]


def test_a_camera_that_shakes_moves_all_alike():
    tracker, boxes, now_ns = watched()
    assert tracker.update(Boxes(np.add(boxes, [24.0, 0.0, 24.0, 0.0])), stamp_ns=now_ns).ids.tolist() == [1, 2, 3, 4, 5]


def test_objects_that_pass_one_another_keep_their_ids():
    rng, tracker = np.random.default_rng(0), ImageTracker()
    for k in range(80):
        boxes = np.array([box(100 + 8 * k, 300), box(740 - 8 * k, 318)]) + rng.normal(0.0, 1.0, (2, 4))
        order = [0, 1] if k % 2 else [1, 0]
        tracks = tracker.update(Boxes(boxes[order]), stamp_ns=k * FRAME_NS)
        if k == 0:
            first = tracks.ids[order].tolist()
        assert tracks.ids[order].tolist() == first


def test_of_two_equal_detections_one_is_an_object():
    tracker = ImageTracker()
    tracks = feed(tracker, [Boxes([A, A])] * 20)
    assert sorted(tracks.ids.tolist()) == [-1, 1]
    assert len(tracks.all) == 1


def test_two_tracks_at_the_same_place_stay_two():
    """Objects that met exactly; afterwards each detection has one of them, and none is shared."""
    tracker = ImageTracker()
    for k in range(41):
        u = abs(200.0 - 10.0 * k)
        tracks = tracker.update(Boxes([box(400 - u, 300), box(400 + u, 300)]), stamp_ns=k * FRAME_NS)
        assert sorted(tracks.ids.tolist()) == [1, 2], k
        assert np.isfinite(tracks.covariance).all()


def test_many_detections_of_one_object_at_once():
    rng, tracker = np.random.default_rng(0), ImageTracker()
    for k in range(20):
        boxes = np.array([A] * 30) + rng.normal(0.0, 2.0, (30, 4))
        tracks = tracker.update(Boxes(boxes, rng.uniform(0.5, 1.0, 30)), stamp_ns=k * FRAME_NS)
        assert tracks.all.ids.tolist() == [1]
        assert sorted(tracks.ids.tolist()) == [-1] * 29 + [1]


# -- memory -----------------------------------------------------------------------------------------------------------


def test_memory_is_bounded_and_keeps_what_was_seen_last():
    tracker = ImageTracker(ImageTrackerParameters(max_tracks=10, lost_s=1e6))
    for k in range(100):
        boxes = [box(100 + 1000 * (k // 4), 200 * row + 100) for row in range(4)]
        tracks = tracker.update(Boxes(boxes), stamp_ns=k * FRAME_NS)
        assert len(tracks.all) <= 10
        assert len(tracks) == 4
    assert tracks.ids.tolist() == [97, 98, 99, 100]
    assert tracks.all.ids.tolist() == [89, 90, *range(93, 101)]
    assert tracker._core.store.capacity <= 64


def test_of_too_many_at_once_the_surest_are_tracked():
    rng, tracker = np.random.default_rng(0), ImageTracker(ImageTrackerParameters(max_tracks=5))
    scores = np.linspace(0.5, 0.99, 40)[rng.permutation(40)]
    for k in range(3):
        tracks = tracker.update(Boxes(row_of(40), scores), stamp_ns=k * FRAME_NS)
        assert (len(tracks), len(tracks.all)) == (40, 5)
        assert set(np.flatnonzero(tracks.ids >= 0)) == set(np.argsort(-scores)[:5])
        assert (tracks.state[tracks.ids < 0] == NONE).all()
    assert tracker._core.store.capacity <= 64


def test_pairs_of_new_detections_may_be_compared_in_parts(monkeypatch):
    rng = np.random.default_rng(0)
    looks = [Boxes(crowd(rng, 60), class_id=rng.integers(0, 3, 60)) for _ in range(6)]
    whole = ImageTracker()
    expected = [bytes_of(whole.update(boxes, stamp_ns=k * FRAME_NS)) for k, boxes in enumerate(looks)]
    for at_once in (1, 60, 500):
        monkeypatch.setattr(engine, "AT_ONCE", at_once)
        parts = ImageTracker()
        assert [bytes_of(parts.update(boxes, stamp_ns=k * FRAME_NS)) for k, boxes in enumerate(looks)] == expected


def test_ids_of_two_trackers_do_not_know_of_one_another():
    one, other = ImageTracker(), ImageTracker()
    assert feed(one, [Boxes(row_of(3))]).ids.tolist() == [1, 2, 3]
    assert feed(other, [Boxes(row_of(2))]).ids.tolist() == [1, 2]
    assert feed(one, [Boxes(row_of(3))], 1).ids.tolist() == [1, 2, 3]


# -- other instants ---------------------------------------------------------------------------------------------------


def test_predictions_of_all_tracks():
    tracker = ImageTracker()
    for k in range(30):
        boxes = [box(100 + 4 * k, 300)] + ([box(900, 300)] if k < 10 else [])
        tracks = tracker.update(Boxes(boxes), stamp_ns=k * FRAME_NS)
    newest_ns = 29 * FRAME_NS
    ahead = tracker.predicted(newest_ns + 100_000_000)
    assert (ahead.stamp_ns, ahead.ids.tolist()) == (newest_ns + 100_000_000, [1, 2])
    assert ahead.state.tolist() == [CONFIRMED, LOST]
    assert ahead.position[0, 0] == pytest.approx(100 + 4 * 32, abs=1.5)
    assert ahead.boxes[0] == pytest.approx(box(228, 300), abs=3.0)
    assert ahead.last_seen_ns.tolist() == [newest_ns, 9 * FRAME_NS]
    assert ahead.detection_ids.shape == (0,)
    assert (ahead.covariance[:, 0, 0] > tracks.all.covariance[:, 0, 0]).all()
    for past_ns in (newest_ns, newest_ns - 1, 0, -(10**18)):
        past = tracker.predicted(past_ns)
        assert past.stamp_ns == newest_ns
        assert np.array_equal(past.position, tracks.all.position)


def test_nothing_is_predicted_of_nothing():
    assert (len(ImageTracker().predicted(7)), ImageTracker().predicted(7).stamp_ns) == (0, 7)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32 - 1), st.sampled_from([3, 1024]), st.booleans())
def test_what_always_holds(seed, max_tracks, trust):
    tracker = ImageTracker(ImageTrackerParameters(max_tracks=max_tracks, trust_first_look=trust, lost_s=0.5))
    born, ended = set(), set()
    for boxes, stamp_ns, motion in random_looks(seed):
        tracks = tracker.update(boxes, stamp_ns=stamp_ns, camera_motion=motion)
        everyone = tracks.all
        ids = everyone.ids.tolist()
        assert ids == sorted(set(ids))
        assert not ended & set(ids), "an id never returns"
        ended |= born - set(ids)
        assert all(number > max(born, default=0) for number in set(ids) - born)
        born |= set(ids)
        assert len(ids) <= max_tracks
        assert len(tracks) == len(boxes.xyxy)
        told = tracks.ids[tracks.ids >= 0]
        assert len(set(told.tolist())) == len(told), "no two detections continue one track"
        assert set(told.tolist()) <= set(everyone.ids[everyone.state == CONFIRMED].tolist())
        assert ((tracks.ids >= 0) == (tracks.state == CONFIRMED)).all()
        assert (np.isnan(tracks.position).all(axis=1) == (tracks.state == NONE)).all()
        rows = tracks.state != NONE
        assert (tracks.last_seen_ns[rows] == stamp_ns).all()
        assert np.isfinite(everyone.position).all()
        assert np.isfinite(everyone.velocity).all()
        assert (everyone.position[:, 2:] > 0.0).all()
        for covariance in everyone.covariance:
            np.linalg.cholesky(covariance)
        assert (everyone.last_seen_ns <= stamp_ns).all()
        assert (everyone.age_s >= 0.0).all()
        assert everyone.class_ids.max(initial=0) < max(len(tracks.class_names), 1)


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 2**32 - 1))
def test_a_prediction_changes_nothing(seed):
    asked, alone = ImageTracker(), ImageTracker()
    for boxes, stamp_ns, motion in random_looks(seed, 25):
        for after_ns in (-5, 0, 10**7, 3 * 10**9):
            bytes_of(asked.predicted(stamp_ns + after_ns))
        one = asked.update(boxes, stamp_ns=stamp_ns, camera_motion=motion)
        other = alone.update(boxes, stamp_ns=stamp_ns, camera_motion=motion)
        assert bytes_of(one) == bytes_of(other)


def wrong_updates(newest_ns):
    good = Boxes([A])
    return [
        {"detections": good, "stamp_ns": newest_ns},
        {"detections": good, "stamp_ns": newest_ns - 1},
        {"detections": good, "stamp_ns": 0.5},
        {"detections": good},
        {"detections": Boxes([[1, 2, 3]]), "stamp_ns": newest_ns + 1},
        {"detections": Boxes([A], [0.5, 0.5]), "stamp_ns": newest_ns + 1},
        {"detections": Boxes([A], [50.0]), "stamp_ns": newest_ns + 1},
        {"detections": Boxes([A], None, [10**6]), "stamp_ns": newest_ns + 1},
        {"detections": good, "stamp_ns": newest_ns + 1, "camera_motion": np.zeros((2, 3))},
        {"detections": good, "stamp_ns": newest_ns + 1, "camera_motion": np.eye(2)},
        {"detections": good, "stamp_ns": newest_ns + 1, "camera_motion": np.full((3, 3), np.nan)},
        {"detections": Detections("cam", 0, newest_ns + 1, [A], [0.9], [0], tuple(f"n{k}" for k in range(9999)))},
    ]


@pytest.mark.parametrize("number", range(12))
def test_a_refused_update_changes_nothing(number):
    refused, alone = ImageTracker(), ImageTracker()
    for k in range(12):
        boxes = Boxes(np.array(row_of(4)) + 2.0 * k if k % 4 else [], class_id=[0, 1, 2, k % 3] if k % 4 else None)
        if k > 2:
            wrong = wrong_updates((k - 1) * FRAME_NS)[number]
            with pytest.raises(BadInput):
                refused.update(wrong.pop("detections"), **wrong)
        one, other = (tracker.update(boxes, stamp_ns=k * FRAME_NS) for tracker in (refused, alone))
        assert bytes_of(one) == bytes_of(other)
        assert one.class_names == other.class_names


def test_time_that_goes_back_is_named():
    tracker = ImageTracker()
    feed(tracker, [Boxes([A])] * 2)
    with pytest.raises(BadInput, match=rf"stamp_ns = 7: expected later than the newest one, {FRAME_NS}; drop late"):
        tracker.update(Boxes([A]), stamp_ns=7)
    tracker.reset()
    assert tracker.update(Boxes([A]), stamp_ns=7).ids.tolist() == [1]


# -- the same again ---------------------------------------------------------------------------------------------------


def test_runs_are_equal_to_the_bit_and_reset_forgets_all():
    fresh, used = digest(ImageTracker(), 7), ImageTracker()
    digest(used, 8)
    used.reset()
    assert digest(used, 7) == fresh != digest(ImageTracker(), 8)


def test_another_process_with_other_hashes_gives_the_same_bytes():
    code = "from tests.tracking.boxes import *; print(digest(ImageTracker(), 7))"
    root = Path(__file__).resolve().parents[2]
    environment = {**os.environ, "PYTHONHASHSEED": "12345"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [digest(ImageTracker(), 7)]


# -- the camera moves -------------------------------------------------------------------------------------------------


def shake(rng, k):
    return np.array([[1.0, 0.0, rng.normal(0.0, 60.0)], [0.0, 1.0, rng.normal(0.0, 60.0)]])


def pan(rng, k):
    return np.array([[1.0, 0.0, 55.0 if k % 40 < 20 else -55.0], [0.0, 1.0, 0.0]])


def zoom(rng, k):
    factor = 1.25 if k % 6 < 3 else 0.8
    return np.array([[factor, 0.0, 320.0 * (1 - factor)], [0.0, factor, 240.0 * (1 - factor)]])


def roll(rng, k):
    c, s = np.cos(0.15), np.sin(0.15)
    turn = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
    centre = np.array([[1.0, 0.0, 320.0], [0.0, 1.0, 240.0], [0.0, 0.0, 1.0]])
    return centre @ turn @ np.linalg.inv(centre)


def tilt(rng, k):
    sign = 1.0 if k % 10 < 5 else -1.0
    return np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 60.0 * sign], [1e-4 * sign, 1e-4 * sign, 1.0]])


def ids_lost(camera, told, seed=0):
    """Objects that stand still in the world; how many ids the last look has that the first has not."""
    rng, tracker = np.random.default_rng(seed), ImageTracker()
    centres = np.array([[100.0 + 110.0 * i, 120.0 + 100.0 * j] for i in range(5) for j in range(3)])
    sizes = np.full(len(centres), 50.0)
    first = None
    for k in range(60):
        motion = camera(rng, k)
        if k:
            whole = motion if len(motion) == 3 else np.vstack((motion, [0.0, 0.0, 1.0]))
            step = 1e-3
            right, down = (moved(centres + np.array(off), whole) for off in ([step, 0.0], [0.0, step]))
            centres = moved(centres, whole)
            a, b = (right - centres) / step, (down - centres) / step
            sizes = sizes * np.sqrt(np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]))
        half = 0.5 * sizes[:, None]
        seen = centres + rng.normal(0.0, 1.0, centres.shape)
        tracks = tracker.update(
            Boxes(np.hstack((seen - half, seen + half))), stamp_ns=k * FRAME_NS,
            camera_motion=motion if told and k else None,
        )  # fmt: skip
        first = tracks.ids if first is None else first
    return int((tracks.ids != first).sum()), tracks


@pytest.mark.parametrize("camera", [shake, pan, zoom, roll, tilt])
def test_a_moving_camera_loses_no_id_if_its_motion_is_told(camera):
    assert ids_lost(camera, told=False)[0] >= 5
    lost, tracks = ids_lost(camera, told=True)
    assert lost == 0
    # What stands still in the world has no velocity of its own, however the camera moves.
    assert np.abs(tracks.velocity[:, :2]).max() < 40.0


def test_a_motion_maps_places_velocities_and_sizes():
    """A quarter turn and a doubling: what moved to the right now moves down twice as fast."""
    tracker = ImageTracker(ImageTrackerParameters(parallax=0.0))
    feed(tracker, [Boxes([box(300 + 3 * k, 200, 30, 60)]) for k in range(40)])
    before = tracker.predicted(40 * FRAME_NS)
    turn = np.array([[0.0, -2.0, 500.0], [2.0, 0.0, -100.0]])
    after = tracker.update(Boxes([]), stamp_ns=40 * FRAME_NS, camera_motion=turn).all
    u, v, width, height = before.position[0]
    assert after.position[0] == pytest.approx([500 - 2 * v, 2 * u - 100, 2 * width, 2 * height])
    assert before.velocity[0, 0] == pytest.approx(90.0, rel=0.05)
    assert after.velocity[0, 1] == pytest.approx(2 * before.velocity[0, 0])
    assert after.velocity[0, 0] == pytest.approx(-2 * before.velocity[0, 1], abs=1e-9)
    assert after.covariance[0] == pytest.approx(4.0 * before.covariance[0])


def test_what_is_not_in_the_plane_of_the_motion_may_be_elsewhere():
    spread = {}
    for parallax in (0.0, 0.2):
        tracker = ImageTracker(ImageTrackerParameters(parallax=parallax))
        feed(tracker, [Boxes([box(300, 200)])] * 20)
        motion = np.array([[1.0, 0.0, 30.0], [0.0, 1.0, 40.0]])
        spread[parallax] = tracker.update(Boxes([]), stamp_ns=20 * FRAME_NS, camera_motion=motion).all.covariance[0]
    gained = spread[0.2] - spread[0.0]
    assert gained[:2, :2] == pytest.approx(np.diag([10.0**2] * 2))
    assert gained[4:] == pytest.approx(0.0)


def test_both_shapes_of_a_motion_are_the_same():
    trackers = [ImageTracker() for _ in range(4)]
    motion = np.array([[1.01, 0.02, 3.0], [-0.02, 1.01, -4.0], [0.0, 0.0, 1.0]])
    for k in range(10):
        given = (motion, motion[:2], 2.5 * motion, motion.tolist())
        results = [
            bytes_of(tracker.update(Boxes(row_of(3)), stamp_ns=k * FRAME_NS, camera_motion=some))
            for tracker, some in zip(trackers, given, strict=True)
        ]
        assert results[0] == results[1] == results[3]
    assert trackers[2].predicted(0).position == pytest.approx(trackers[0].predicted(0).position)


def test_the_motion_before_anything_was_seen_says_nothing():
    tracker = ImageTracker()
    motion = [[1, 0, 1000], [0, 1, 1000]]
    assert tracker.update(Boxes([A]), stamp_ns=0, camera_motion=motion).position[0] == pytest.approx([100, 300, 40, 80])


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("u", [-999.99, -1000.0, -1001.0, -5000.0])
def test_a_track_at_the_horizon_of_a_motion_is_over(u):
    """Behind it, the arithmetic would bring the track back into the picture, mirrored."""
    tracker = ImageTracker()
    feed(tracker, [Boxes([box(u, 300), box(300, 300)])])
    motion = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [1e-3, 0.0, 1.0]])
    there = moved(np.array([[300.0, 300.0]]), motion)[0]
    tracks = tracker.update(Boxes([box(*there, 30, 60)]), stamp_ns=FRAME_NS, camera_motion=motion)
    assert tracks.ids.tolist() == [2]
    assert tracks.all.ids.tolist() == [2]


@pytest.mark.filterwarnings("error")
def test_motions_that_add_up_to_nonsense_end_tracks_and_nothing_else():
    tracker = ImageTracker(ImageTrackerParameters(lost_s=1e6))
    motion = np.array([[9.0, 0.0, 100.0], [0.0, 9.0, 100.0]])
    for k in range(400):
        tracks = tracker.update(Boxes([A] if k > 390 else row_of(5)), stamp_ns=k * 10**6, camera_motion=motion)
        assert np.isfinite(tracks.all.covariance).all()
        assert len(tracks.all) < 60
    for k in range(400, 450):
        tracks = tracker.update(Boxes([A]), stamp_ns=k * 10**6)
    assert tracks.state.tolist() == [CONFIRMED]


def test_tracks_foresee_what_their_tracker_foresees_also_when_it_has_gone_on():
    class Boxes:
        xyxy = np.array([[100.0, 100.0, 140.0, 180.0]])

    tracker = ImageTracker()
    for k in range(10):
        Boxes.xyxy = Boxes.xyxy + 4.0
        tracks = tracker.update(Boxes, stamp_ns=k * 33_000_000)
    at_once = tracker.predicted(1_500_000_000)
    Boxes.xyxy = Boxes.xyxy[:0]
    for k in range(10, 40):
        tracker.update(Boxes, stamp_ns=k * 50_000_000)
    later = tracks.predicted(1_500_000_000)
    assert later.boxes[0, 0] > tracks.boxes[0, 0] + 40.0
    for name in ("ids", "position", "velocity", "covariance", "state"):
        assert getattr(later, name).tobytes() == getattr(at_once, name).tobytes(), name
