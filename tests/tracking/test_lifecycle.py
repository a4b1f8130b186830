"""When tracks begin, count, are remembered and end."""

from __future__ import annotations

import numpy as np
import pytest

from geometry import Camera, Pose
from perception.frame import Frame
from perception.visibility import Sight, Visibility
from tests.tracking.scenes import NAN, look, says, track
from tracking import BaseFrameTracker, TrackerParameters, TrackState

HERE = [[0.5, 0.2, 0.02]]
TENTATIVE, CONFIRMED, LOST = TrackState.TENTATIVE, TrackState.CONFIRMED, TrackState.LOST


def run(script, parameters=None, sight=Sight.VISIBLE):
    """Feed (time, detected?) rows; return the state after each, None where there is no track."""
    tracker = BaseFrameTracker(parameters)
    states = []
    for time_s, seen in script:
        tracks = track(tracker, look(time_s, HERE if seen else ()), says(sight))
        assert len(tracks) <= 1
        states.append(TrackState(tracks.state[0]) if len(tracks) else None)
    return states


@pytest.mark.parametrize(
    ("name", "parameters", "times", "expected"),
    [
        ("hits and seconds", {}, [0.0, 0.1], [TENTATIVE, CONFIRMED]),
        ("hits without seconds", {}, [0.0, 0.01, 0.02, 0.07, 0.08], [TENTATIVE] * 4 + [CONFIRMED]),
        ("seconds without hits", {"confirm_hits": 4}, [0.0, 0.2, 0.4, 0.6], [TENTATIVE] * 3 + [CONFIRMED]),
        ("at once if so wanted", {"confirm_hits": 1, "confirm_s": 0.0}, [0.0], [CONFIRMED]),
        ("irregular", {}, [0.0, 0.05, 0.9, 0.91, 3.5], [TENTATIVE, TENTATIVE, CONFIRMED, CONFIRMED, CONFIRMED]),
        ("slow camera", {}, [0.0, 2.0, 4.0], [TENTATIVE, CONFIRMED, CONFIRMED]),
    ],
)
def test_confirmation(name, parameters, times, expected):
    assert run([(t, True) for t in times], TrackerParameters(**parameters)) == expected


@pytest.mark.parametrize(
    ("name", "scores", "confirmed_at"),
    [
        ("a weak one after a sure one", [0.9, 0.5, 0.5, 0.5], 2),
        ("a sure one after a weak one", [0.5, 0.9, 0.5, 0.5], 2),
        ("the last one decides", [0.5, 0.5, 0.5, 0.9], 3),
        ("five in any order", [0.55, 0.5, 0.65, 0.5, 0.8], 3),
    ],
)
def test_the_sum_of_the_scores_confirms_whatever_their_order(name, scores, confirmed_at):
    """1.9 is reached by the third in the first two rows, by the fourth in the others."""
    assert next(k for k in range(len(scores)) if sum(scores[: k + 1]) >= 1.9 - 1e-9) == confirmed_at
    tracker = BaseFrameTracker(TrackerParameters(confirm_s=0.0, confirm_score=1.9 - 1e-6))
    states = [track(tracker, look(0.1 * k, HERE, scores=score)).state[0] for k, score in enumerate(scores)]
    assert states.index(CONFIRMED) == confirmed_at


def test_scores_are_a_plain_mean_at_first_and_then_fade():
    tracker, scores = BaseFrameTracker(), np.random.default_rng(0).uniform(0.5, 1.0, 12)
    told = [track(tracker, look(0.1 * k, HERE, scores=score)).scores[0] for k, score in enumerate(scores)]
    assert told[:5] == pytest.approx([scores[: k + 1].mean() for k in range(5)])
    for k in range(5, 12):
        assert told[k] == pytest.approx(0.8 * told[k - 1] + 0.2 * scores[k])


def first_time_without(sight, parameters=None, dt_s=0.1, until_s=60.0):
    """Seconds from the latest detection of a confirmed track to the update that dropped it; None if it lived on."""
    tracker = BaseFrameTracker(parameters)
    for k in range(5):
        track(tracker, look(k * dt_s, HERE), says(Sight.VISIBLE))
    for k in range(5, 5 + round(until_s / dt_s)):
        if not len(track(tracker, look(k * dt_s), None if sight is None else says(sight))):
            return (k - 4) * dt_s
    return None


@pytest.mark.parametrize(
    ("sight", "parameters", "dt_s", "expected_s"),
    [
        (Sight.VISIBLE, {}, 0.1, 1.0),
        (Sight.VISIBLE, {}, 1 / 30, 1.0),
        (Sight.VISIBLE, {"lost_s": 0.5}, 0.1, 0.5),
        (Sight.FREE, {}, 0.1, 0.2),
        (Sight.FREE, {}, 1 / 30, 0.2),
        (Sight.FREE, {"gone_s": 0.4}, 0.1, 0.4),
        (Sight.FREE, {"gone_s": 5.0}, 0.1, 1.0),
        (None, {}, 0.1, 1.0),
        (Sight.HIDDEN, {}, 0.1, 20.0),
        (Sight.HIDDEN, {"hidden_rate": 0.5}, 0.1, 2.0),
        (Sight.HIDDEN, {"hidden_rate": 0.0}, 0.1, None),
        (Sight.OUTSIDE, {}, 0.1, None),
    ],
)
def test_a_confirmed_track_ages_where_there_is_something_to_see(sight, parameters, dt_s, expected_s):
    lived = first_time_without(sight, TrackerParameters(**parameters), dt_s)
    assert lived == (None if expected_s is None else pytest.approx(expected_s, abs=dt_s * 1.01))


@pytest.mark.parametrize("sight", [Sight.OUTSIDE, Sight.VISIBLE, Sight.HIDDEN])
def test_a_tentative_track_has_no_patience_to_expect(sight):
    states = run([(0.0, True), *((k * 0.1, False) for k in range(1, 6))], sight=sight)
    assert states == [TENTATIVE] * 3 + [None] * 3


def test_states_of_a_life():
    seen = [True] * 3 + [False] * 8 + [True] + [False] * 12
    states = run([(k * 0.1, s) for k, s in enumerate(seen)])
    expected = [TENTATIVE] + [CONFIRMED] * 7 + [LOST] * 3 + [CONFIRMED] * 6 + [LOST] * 4 + [None] * 3
    assert states == expected


def test_a_rematched_track_is_never_silent():
    tracker = BaseFrameTracker()
    for k in range(3):
        track(tracker, look(k * 0.1, HERE))
    for k in range(3, 11):
        track(tracker, look(k * 0.1))
    tracks = track(tracker, look(1.1, HERE))
    assert tracks.state.tolist() == [CONFIRMED]
    assert tracks.detection_ids.tolist() == tracks.ids.tolist() == [1]


@pytest.mark.parametrize("gap_s", [0.9, 5.0, 600.0])
def test_one_look_after_a_long_silence_ends_nothing(gap_s):
    tracker = BaseFrameTracker()
    for k in range(3):
        track(tracker, look(k * 0.1, HERE))
    assert len(track(tracker, look(0.2 + gap_s))) == 1
    tracks = track(tracker, look(0.3 + gap_s, HERE))
    assert tracks.ids.tolist() == [1]
    assert tracks.state.tolist() == [CONFIRMED]


def test_time_outside_the_view_does_not_count_afterwards():
    tracker = BaseFrameTracker()
    for k in range(3):
        track(tracker, look(k * 0.1, HERE))
    for k in range(3, 103):
        track(tracker, look(k * 0.1), says(Sight.OUTSIDE))
    lived = 0
    for k in range(103, 150):
        if not len(track(tracker, look(k * 0.1), says(Sight.VISIBLE))):
            break
        lived += 1
    assert lived == 9


def test_a_remembered_object_is_the_same_when_the_camera_returns():
    rng = np.random.default_rng(1)
    tracker = BaseFrameTracker()
    for k in range(20):
        track(tracker, look(k * 0.1, HERE + rng.normal(0, 0.003, (1, 3))))
    for k in range(20, 320):
        away = track(tracker, look(k * 0.1), says(Sight.OUTSIDE))
    assert away.state.tolist() == [LOST]
    assert np.linalg.norm(away.position[0] - HERE[0]) < 0.015
    assert away.last_seen_ns.tolist() == [1_900_000_000]
    assert away.age_s[0] == pytest.approx(31.9)
    back = track(tracker, look(32.0, np.add(HERE, [0.01, -0.02, 0.0])))
    assert back.ids.tolist() == [1]
    assert back.state.tolist() == [CONFIRMED]


def test_two_cameras_that_both_miss_count_the_time_once():
    tracker = BaseFrameTracker()
    for k in range(5):
        track(tracker, look(k * 0.1, HERE, camera="left"))
        track(tracker, look(k * 0.1 + 0.05, HERE, camera="right"))
    times = [(0.5 + 0.05 * k, ("left", "right")[k % 2]) for k in range(30)]
    ended = next(t for t, camera in times if not len(track(tracker, look(t, camera=camera))))
    assert ended - 0.45 == pytest.approx(1.0, abs=0.051)


@pytest.mark.parametrize(("other", "expected_s"), [(Sight.OUTSIDE, 1.0), (Sight.HIDDEN, 1.0)])
def test_a_camera_that_cannot_see_the_place_does_not_excuse_one_that_can(other, expected_s):
    tracker = BaseFrameTracker()
    for k in range(5):
        track(tracker, look(k * 0.1, HERE, camera="left"))
        track(tracker, look(k * 0.1 + 0.05, camera="right"), says(other))
    k = 5
    while len(track(tracker, look(k * 0.1, camera="left"), says(Sight.VISIBLE))):
        track(tracker, look(k * 0.1 + 0.05, camera="right"), says(other))
        k += 1
    assert (k - 4) * 0.1 == pytest.approx(expected_s, abs=0.11)


def test_a_camera_that_sees_it_keeps_it_alive_for_one_that_does_not():
    tracker = BaseFrameTracker()
    for k in range(100):
        track(tracker, look(k * 0.1, HERE, camera="left"))
        tracks = track(tracker, look(k * 0.1, camera="right"), says(Sight.VISIBLE))
    assert tracks.ids.tolist() == [1]
    assert tracks.state.tolist() == [CONFIRMED]


@pytest.mark.parametrize(
    ("name", "score", "expected"),
    [("high", 0.9, [1.0]), ("low continues", 0.2, [1.0]), ("below low is ignored", 0.05, [])],
)
def test_low_scores_continue_a_confirmed_track(name, score, expected):
    tracker = BaseFrameTracker()
    for k in range(3):
        track(tracker, look(k * 0.1, HERE))
    for k in range(3, 30):
        tracks = track(tracker, look(k * 0.1, HERE, scores=score))
    assert (tracks.ids > 0).tolist() == expected
    assert tracks.detection_ids.tolist() == ([1] if expected else [-1])


def test_low_scores_start_nothing_and_confirm_nothing():
    tracker = BaseFrameTracker()
    for k in range(10):
        assert len(track(tracker, look(k * 0.1, HERE, scores=0.4))) == 0
    track(tracker, look(1.0, HERE))
    for k in range(11, 20):
        tracks = track(tracker, look(k * 0.1, HERE, scores=0.4))
    assert len(tracks) == 0


def test_a_high_score_is_served_before_a_low_one():
    tracker = BaseFrameTracker()
    for k in range(3):
        track(tracker, look(k * 0.1, HERE))
    offsets = [[0.001, 0, 0], [0.012, 0, 0]]
    tracks = track(tracker, look(0.3, HERE + np.array(offsets), scores=[0.3, 0.9]))
    assert tracks.detection_ids.tolist() == [-1, 1]


def test_tentative_tracks_have_no_detection_ids():
    tracker = BaseFrameTracker()
    first = track(tracker, look(0.0, HERE))
    assert first.ids.tolist() == [1]
    assert first.detection_ids.tolist() == [-1]
    assert len(first.confirmed()) == 0
    second = track(tracker, look(0.1, HERE))
    assert second.detection_ids.tolist() == [1]
    assert second.confirmed().ids.tolist() == [1]


def test_a_box_without_depth_keeps_a_track_alive():
    tracker = BaseFrameTracker()
    box = [[600, 420, 624, 444]]
    for k in range(5):
        track(tracker, look(k * 0.1, HERE, boxes=box))
    for k in range(5, 60):
        tracks = track(tracker, look(k * 0.1, [NAN], boxes=np.add(box, 2)))
    assert tracks.ids.tolist() == [1]
    assert tracks.state.tolist() == [CONFIRMED]
    assert tracks.detection_ids.tolist() == [1]
    assert tracks.last_seen_ns.tolist() == [5_900_000_000]
    assert np.allclose(tracks.position[0], HERE[0], atol=1e-6)
    assert np.isfinite(tracks.covariance).all()


A, B = [100, 100, 140, 140], [110, 100, 150, 140]
FAR = [400, 400, 440, 440]
APART = [[0.5, 0.2, 0.02], [0.5, -0.2, 0.02]]


@pytest.mark.parametrize(
    ("name", "tracked", "blind", "classes", "camera", "expected"),
    [
        ("one and one", [A, FAR], [A], 0, "wrist", [1]),
        ("each its own", [A, FAR], [FAR, A], 0, "wrist", [2, 1]),
        ("two tracks in question", [A, B], [A], 0, "wrist", [-1]),
        ("two boxes in question", [A, FAR], [A, B], 0, "wrist", [-1, -1]),
        ("too little overlap", [A, FAR], [[130, 130, 170, 170]], 0, "wrist", [-1]),
        ("another class", [A, FAR], [A], 1, "wrist", [-1]),
        ("another camera", [A, FAR], [A], 0, "left", [-1]),
    ],
)
def test_a_box_without_depth_is_matched_only_if_there_is_no_question(name, tracked, blind, classes, camera, expected):
    tracker = BaseFrameTracker()
    for k in range(3):
        track(tracker, look(k * 0.1, APART, boxes=tracked))
    tracks = track(tracker, look(0.3, [NAN] * len(blind), boxes=blind, class_ids=classes, camera=camera))
    assert tracks.detection_ids.tolist() == expected
    assert tracks.ids.tolist() == [1, 2]


def test_a_box_without_depth_follows_the_motion_of_the_picture():
    """The gripper's camera moves by a box a frame; the objects with depth say so."""
    tracker = BaseFrameTracker()
    points = [[0.5, 0.2, 0.02], [0.5, -0.2, 0.02], [0.5, 0.0, 0.02]]
    boxes = np.array([A, FAR, [300, 250, 340, 290]])
    for k in range(3):
        track(tracker, look(k * 0.1, points, boxes=boxes))
    tracks = track(tracker, look(0.3, [*points[:2], NAN], boxes=boxes + 40))
    assert tracks.detection_ids.tolist() == [1, 2, 3]


def test_rows_without_depth_start_nothing():
    tracker = BaseFrameTracker()
    tracks = track(tracker, look(0.0, [NAN, NAN]))
    assert len(tracks) == 0
    assert tracks.detection_ids.tolist() == [-1, -1]


def test_memory_is_bounded_and_keeps_what_was_seen_last():
    tracker = BaseFrameTracker(TrackerParameters(max_tracks=20))
    for k in range(200):
        points = [[k * 0.5, 0.3 * i, 0.0] for i in range(5)]
        for t in (0.0, 0.1):
            tracks = track(tracker, look(k * 0.5 + t, points), says(Sight.OUTSIDE))
        assert len(tracks) <= 20
    assert tracks.ids.tolist() == list(range(981, 1001))
    assert tracks.detection_ids.tolist() == list(range(996, 1001))
    crowd = track(tracker, look(101.0, [[0.0, 0.3 * i, 5.0] for i in range(30)]), says(Sight.OUTSIDE))
    assert len(crowd) == 20
    assert tracker._core.store.capacity <= 64


def test_behind_a_plate_under_a_real_view():
    """The view of a depth image itself: a hand over one of two objects, which the camera then does not detect."""
    camera = Camera(640, 480, 608.0, 608.0, 319.5, 239.5)
    looking_down = Pose.from_rotvec([np.pi, 0.0, 0.0], [0.0, 0.0, 1.0])
    depth = np.full((480, 640), 1000, dtype=np.uint16)
    depth[:, :320] = 600
    frame = Frame("wrist", 0, 0, 0, np.zeros((480, 640, 3), np.uint8), depth, 0.001, camera)
    view = Visibility(frame, looking_down)
    under, beside, away = [-0.15, 0.0, 0.02], [0.15, 0.0, 0.02], [2.0, 0.0, 0.02]
    tracker = BaseFrameTracker()
    for k in range(5):
        track(tracker, look(k * 0.1, [under, beside, away]))
    for k in range(5, 25):
        tracks = track(tracker, look(k * 0.1), view)
    assert tracks.ids.tolist() == [1, 3]
