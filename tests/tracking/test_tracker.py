"""Scenes: what a user of the tracker relies on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perception.visibility import Sight
from tests.tracking.scenes import NAN, SIGMA_M, look, says, track
from tracking import BaseFrameTracker, TrackerParameters, Tracks, TrackState


def noisy(points, rng, sigma_m=SIGMA_M):
    return np.asarray(points, dtype=np.float64) + rng.normal(0.0, sigma_m, np.shape(points))


def test_empty_input_is_normal():
    tracker = BaseFrameTracker()
    for k in range(5):
        tracks = track(tracker, look(k * 0.1), says(Sight.VISIBLE))
        assert len(tracks) == 0
        assert tracks.stamp_ns == k * 100_000_000
        assert tracks.class_names == ("red_cube", "distractor")
        assert (tracks.position.shape, tracks.covariance.shape) == ((0, 3), (0, 6, 6))


def test_types_and_shapes_of_the_contract():
    tracker = BaseFrameTracker()
    tracks = track(tracker, look(0.0, [[0.5, 0.0, 0.0], [0.5, 0.3, 0.0], NAN]))
    kinds = {
        "ids": (np.int64, (2,)), "position": (np.float64, (2, 3)), "velocity": (np.float64, (2, 3)),
        "covariance": (np.float64, (2, 6, 6)), "class_ids": (np.int32, (2,)), "scores": (np.float32, (2,)),
        "state": (np.uint8, (2,)), "last_seen_ns": (np.int64, (2,)), "age_s": (np.float64, (2,)),
        "detection_ids": (np.int64, (3,)),
    }  # fmt: skip
    for name, (kind, shape) in kinds.items():
        array = getattr(tracks, name)
        assert (array.dtype, array.shape) == (kind, shape), name
        assert not array.flags.writeable
    assert len(tracks) == 2


def test_output_does_not_change_afterwards():
    tracker = BaseFrameTracker()
    track(tracker, look(0.0, [[0.5, 0.0, 0.0]]))
    tracks = track(tracker, look(0.1, [[0.5, 0.0, 0.0]]))
    before = tracks.position.copy(), tracks.covariance.copy()
    track(tracker, look(0.2, [[0.51, 0.0, 0.0]]))
    assert np.array_equal(tracks.position, before[0])
    assert np.array_equal(tracks.covariance, before[1])


@pytest.mark.parametrize("rate_hz", [10, 30])
def test_a_still_cube_is_known_to_two_millimetres(rate_hz):
    where = np.array([[0.5, 0.2, 0.02]])
    errors, claimed = [], []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        tracker = BaseFrameTracker()
        for k in range(6 * rate_hz):
            tracks = track(tracker, look(k / rate_hz, noisy(where, rng)))
            if k >= 3 * rate_hz:
                errors.append(np.linalg.norm(tracks.position[0] - where[0]))
                claimed.append(np.sqrt(np.trace(tracks.covariance[0, :3, :3])))
        assert tracks.ids.tolist() == [1]
    rms = float(np.sqrt(np.mean(np.square(errors))))
    assert rms < 0.002
    assert 0.5 < rms / float(np.mean(claimed)) < 1.5, "the covariance tells the truth"


@pytest.mark.parametrize(("speed", "rate_hz"), [(0.1, 10), (0.1, 30), (0.3, 10), (0.5, 10), (0.02, 10)])
def test_a_cube_that_begins_to_move_and_stops_is_followed(speed, rate_hz):
    rng = np.random.default_rng(3)
    tracker = BaseFrameTracker()
    errors = []
    for k in range(9 * rate_hz):
        t = k / rate_hz
        where = np.array([[0.3 + speed * min(max(t - 3.0, 0.0), 2.0), 0.2, 0.02]])
        tracks = track(tracker, look(t, noisy(where, rng)))
        errors.append(np.linalg.norm(tracks.position[0] - where[0]))
        if 4.0 < t < 5.0:
            assert tracks.velocity[0, 0] == pytest.approx(speed, abs=0.035)
    assert tracks.ids.tolist() == [1]
    assert float(np.sqrt(np.mean(np.square(errors)))) < 0.0052, "better than the measurements themselves"
    assert max(errors[rate_hz:]) < 0.02


def test_crossing_objects_keep_their_ids():
    rng = np.random.default_rng(0)
    tracker = BaseFrameTracker()
    for k in range(60):
        x = -0.3 + 0.01 * k
        paths = np.array([[x, 0.5 + 0.012, 0.0], [-x, 0.5 - 0.012, 0.0]])
        order = [0, 1] if k % 2 else [1, 0]
        tracks = track(tracker, look(k * 0.1, noisy(paths[order], rng, 0.002), sigma_m=0.002))
    assert tracks.ids.tolist() == [1, 2]
    # In the first frame row 0 was the second path.
    assert tracks.position[:, 0] == pytest.approx([-x, x], abs=0.01)


def test_a_row_of_cubes_under_a_camera_that_moves_by_their_spacing():
    """Each box lies exactly where its neighbour's was: boxes alone would shift all ids by one."""
    rng = np.random.default_rng(0)
    points = np.array([[0.045 * i, 0.0, 0.0] for i in range(6)] + [[0.1, 0.4, 0.0]])
    tracker = BaseFrameTracker()
    for k in range(20):
        boxes = np.hstack((points[:, :2], points[:, :2] + 0.04)) * 600 + [27.0 * k, 0, 27.0 * k, 0]
        tracks = track(tracker, look(k * 0.1, noisy(points, rng), boxes=boxes))
        if k:
            assert tracks.detection_ids.tolist() == [1, 2, 3, 4, 5, 6, 7]


def test_neighbours_stay_themselves_when_one_is_missed():
    rng = np.random.default_rng(0)
    points = np.array([[0.5, 0.0, 0.0], [0.5, 0.042, 0.0], [0.5, 0.084, 0.0]])
    tracker = BaseFrameTracker()
    for k in range(100):
        shown = np.array([0, 1, 2] if k < 3 else [i for i in range(3) if rng.random() > 0.3], dtype=int)
        tracks = track(tracker, look(k * 0.1, noisy(points[shown], rng)))
        if k:
            assert tracks.detection_ids.tolist() == (shown + 1).tolist()


@pytest.mark.parametrize("period", [2, 3, 5])
def test_a_flickering_class_is_one_track_with_the_class_of_the_majority(period):
    rng = np.random.default_rng(0)
    tracker = BaseFrameTracker()
    for k in range(40):
        wrong = k % period == period - 1
        tracks = track(tracker, look(k * 0.1, noisy([[0.5, 0.2, 0.0]], rng), class_ids=int(wrong)))
        assert tracks.ids.tolist() == [1]
        assert tracks.class_ids.tolist() == [0]
    assert tracks.state.tolist() == [TrackState.CONFIRMED]


def test_a_class_that_was_wrong_at_first_is_corrected():
    tracker = BaseFrameTracker()
    for k in range(20):
        tracks = track(tracker, look(k * 0.1, [[0.5, 0.2, 0.0]], class_ids=int(k < 2)))
    assert tracks.ids.tolist() == [1]
    assert tracks.class_ids.tolist() == [0]


def test_neighbours_of_two_classes_do_not_exchange_ids():
    rng = np.random.default_rng(0)
    tracker = BaseFrameTracker()
    points = [[0.5, 0.0, 0.0], [0.515, 0.0, 0.0]]
    for k in range(50):
        tracks = track(tracker, look(k * 0.1, noisy(points, rng, 0.005), class_ids=[0, 1], sigma_m=0.005))
    assert tracks.ids.tolist() == [1, 2]
    assert tracks.class_ids.tolist() == [0, 1]


def test_two_boxes_of_different_class_on_one_object_are_one_track():
    rng = np.random.default_rng(0)
    tracker = BaseFrameTracker()
    for k in range(30):
        points = noisy(noisy([[0.5, 0.2, 0.0]], rng).repeat(2, axis=0), rng, 0.001)
        scores = [0.9, 0.6] if k % 4 else [0.55, 0.7]
        tracks = track(tracker, look(k * 0.1, points, class_ids=[0, 1], scores=scores))
        assert tracks.ids.tolist() == [1]
        assert k < 3 or tracks.class_ids.tolist() == [0], "the better box decides, also where the other was first"


@pytest.mark.parametrize(("offset_s", "bias_m"), [(0.0, 0.0), (0.0, 0.008), (0.05, 0.008), (0.013, 0.0)])
def test_two_cameras_feed_one_track(offset_s, bias_m):
    rng = np.random.default_rng(0)
    where = np.array([[0.5, 0.2, 0.02], [0.4, -0.1, 0.02]])
    tracker = BaseFrameTracker()
    for k in range(50):
        track(tracker, look(k * 0.1, noisy(where, rng), camera="left"), says(Sight.VISIBLE))
        right = np.add(noisy(where[::-1], rng), [bias_m, 0, 0])
        tracks = track(tracker, look(k * 0.1 + offset_s, right, camera="right"), says(Sight.VISIBLE))
        assert tracks.ids.tolist() == [1, 2]
    assert tracks.detection_ids.tolist() == [2, 1]
    assert np.allclose(tracks.position, where, atol=0.003 + bias_m)


def test_a_track_that_another_camera_saw_last_is_taken_over_by_place():
    tracker = BaseFrameTracker()
    for k in range(5):
        track(tracker, look(k * 0.1, [[0.5, 0.0, 0.0], [0.5, 0.05, 0.0]], camera="left"))
    boxes = [[10, 10, 30, 30], [200, 10, 230, 30]]
    tracks = track(tracker, look(0.5, [[0.5, 0.051, 0.0], [0.5, 0.001, 0.0]], camera="right", boxes=boxes))
    assert tracks.detection_ids.tolist() == [2, 1]


def test_of_two_boxes_on_a_new_object_the_better_one_starts_the_track():
    point = [0.5, 0.2, 0.0]
    tracks = track(BaseFrameTracker(), look(0.0, [point, point], class_ids=[1, 0], scores=[0.6, 0.9]))
    assert tracks.class_ids.tolist() == [0]
    assert tracks.scores == pytest.approx([0.9])


def test_objects_that_a_camera_never_saw_say_nothing_of_its_motion():
    """Also in the first half second of a run, whose stamps are as small as those of empty memory."""
    tracker = BaseFrameTracker()
    points, box = [[0.5, 0.0, 0.0], [0.5, 0.3, 0.0], [0.5, -0.3, 0.0]], [100, 100, 124, 124]
    track(tracker, look(0.0, points[:1], camera="right", boxes=[box]))
    track(tracker, look(0.1, points[:1], camera="right", boxes=[box]))
    track(tracker, look(0.2, points, camera="left"))
    others = [[300, 300, 324, 324], [400, 400, 424, 424]]
    tracks = track(tracker, look(0.3, [NAN, *points[1:]], camera="right", boxes=[box, *others]))
    assert tracks.detection_ids.tolist() == [1, 2, 3]


def test_an_old_box_says_nothing():
    """The left camera moved while it saw nothing: each object is now where the other one's box was."""
    where, near, far = [[0.5, 0.0, 0.0], [0.54, 0.0, 0.0]], [0.512, 0.0, 0.0], [0.528, 0.0, 0.0]
    boxes = [[100, 100, 124, 124], [200, 100, 224, 124]]
    for pause_s, expected in ((0.1, [2, 1]), (1.0, [1, 2])):
        tracker = BaseFrameTracker()
        for k in range(3):
            track(tracker, look(k * 0.1, where, camera="left", boxes=boxes))
        for k in range(round(pause_s * 10)):
            track(tracker, look(0.2 + (k + 1) * 0.1, where, camera="right", boxes=boxes))
        tracks = track(tracker, look(0.3 + pause_s, [near, far], camera="left", boxes=boxes[::-1]))
        assert tracks.detection_ids.tolist() == expected


def test_a_faded_memory_does_not_attract_what_belongs_to_a_known_object():
    """Under a wide covariance everything is near: 30 mm from the memory beat 20 mm from the object."""
    tracker = BaseFrameTracker()
    known, memory = [0.5, 0.0, 0.0], [0.55, 0.0, 0.0]
    for k in range(10):
        track(tracker, look(k * 0.1, [known, memory]))
    for k in range(10, 700):
        tracks = track(tracker, look(k * 0.1, [known]), says(Sight.OUTSIDE))
    assert np.sqrt(tracks.covariance[:, 0, 0]) == pytest.approx([0.001, 0.05], abs=0.02)
    tracks = track(tracker, look(70.0, [[0.52, 0.0, 0.0]], camera="other"), says(Sight.OUTSIDE))
    assert tracks.detection_ids.tolist() == [1]


def test_a_ghost_does_not_take_the_detection_of_an_established_track():
    tracker = BaseFrameTracker()
    for k in range(5):
        track(tracker, look(k * 0.1, [[0.5, 0.0, 0.0]]))
    track(tracker, look(0.5, [[0.5, 0.0, 0.0], [0.5, 0.04, 0.0]]))
    tracks = track(tracker, look(0.6, [[0.5, 0.026, 0.0]], camera="other"))
    assert tracks.ids.tolist() == [1, 2]
    assert tracks.detection_ids.tolist() == [1]


def test_noise_that_swaps_places_does_not_swap_classes():
    tracker = BaseFrameTracker()
    for k in range(5):
        track(tracker, look(k * 0.1, [[0.5, 0.0, 0.0], [0.515, 0.0, 0.0]], class_ids=[0, 1]))
    tracks = track(tracker, look(0.5, [[0.509, 0.0, 0.0], [0.506, 0.0, 0.0]], class_ids=[0, 1], camera="other"))
    assert tracks.detection_ids.tolist() == [1, 2]


def test_cameras_may_name_their_classes_in_different_orders():
    tracker = BaseFrameTracker()
    where = [[0.5, 0.0, 0.0], [0.5, 0.3, 0.0]]
    for k in range(3):
        track(tracker, look(k * 0.1, where, camera="left", class_ids=[0, 1], names=("red_cube", "distractor")))
        tracks = tracker.update(
            look(k * 0.1, where, camera="right", class_ids=[2, 0], names=("distractor", "mug", "red_cube"))
        )
    assert tracks.class_names == ("red_cube", "distractor", "mug")
    assert tracks.class_ids.tolist() == [0, 1]


@pytest.mark.parametrize("late_s", [0.02, 0.1])
def test_a_late_frame_of_a_second_camera_is_used(late_s):
    tracker = BaseFrameTracker()
    speed = 0.2
    for k in range(1, 40):
        t = k * 0.1
        tracks = track(tracker, look(t, [[speed * t, 0.0, 0.0]], camera="left"))
        then = t - late_s
        tracks = track(tracker, look(then, [[speed * then, 0.0, 0.0]], camera="right"))
        assert tracks.stamp_ns == round(t * 1e9)
    assert tracks.ids.tolist() == [1]
    assert tracks.position[0, 0] == pytest.approx(speed * t, abs=0.001)
    assert tracks.last_seen_ns.tolist() == [round(t * 1e9)]


COLUMNS = (
    "ids", "position", "velocity", "covariance", "class_ids", "scores", "state", "last_seen_ns", "age_s",
    "detection_ids",
)  # fmt: skip


def state_of(tracks: Tracks) -> list[bytes]:
    return [np.asarray(getattr(tracks, name)).tobytes() for name in COLUMNS]


@pytest.mark.parametrize(
    ("name", "wrong", "message"),
    [
        ("too old", look(0.89, [[0.5, 0, 0]]), r"frame 9 of camera wrist .* 0\.110 s older .* late_s = 0\.1 s"),
        ("another frame", look(1.1, [[0.5, 0, 0]], frame_id="camera"), "frame of camera wrist: expected base"),
    ],
)
def test_refused_frames_change_nothing(name, wrong, message):
    trackers = [BaseFrameTracker(), BaseFrameTracker()]
    for tracker in trackers:
        for k in range(11):
            track(tracker, look(k * 0.1, [[0.5, 0, 0]]))
    with pytest.raises(ValueError, match=message):
        trackers[0].update(wrong)
    after = [track(tracker, look(1.1, [[0.5, 0, 0]])) for tracker in trackers]
    assert state_of(after[0]) == state_of(after[1])


def test_points_in_a_cameras_own_frame_are_tracked_for_that_camera_alone():
    tracker = BaseFrameTracker()
    for k in range(3):
        tracks = track(tracker, look(k * 0.1, [[0.0, 0.0, 0.5]], frame_id="camera"))
    assert tracks.state.tolist() == [TrackState.CONFIRMED]
    with pytest.raises(ValueError, match="camera left: expected camera wrist"):
        track(tracker, look(0.3, [[0.0, 0.0, 0.5]], frame_id="camera", camera="left"))
    tracker.reset()
    assert len(track(tracker, look(0.0, [[0.0, 0.0, 0.5]], frame_id="camera", camera="left"))) == 1


def test_a_view_of_the_wrong_shape_is_named():
    tracker = BaseFrameTracker()
    track(tracker, look(0.0, [[0.5, 0, 0]]))
    with pytest.raises(ValueError, match=r"visibility of 1 points has shape \(2,\)"):
        track(tracker, look(0.1), lambda _: np.ones(2, np.uint8))


@pytest.mark.parametrize(
    "covariance",
    [np.full((3, 3), np.nan), -np.eye(3), np.diag([1e-5, 1e-5, -1e-4]), np.full((3, 3), np.inf)],
)
def test_a_point_with_an_impossible_covariance_counts_as_none(covariance):
    tracker = BaseFrameTracker()
    for k in range(3):
        track(tracker, look(k * 0.1, [[0.5, 0.2, 0.0]]))
    tracks = track(tracker, look(0.3, [[0.52, 0.2, 0.0]], covariances_m2=covariance[None]))
    assert tracks.position[0] == pytest.approx([0.5, 0.2, 0.0], abs=1e-9)
    assert tracks.detection_ids.tolist() == [1], "its box still continues the track"


def random_run(seed, tracker, steps=60):
    rng = np.random.default_rng(seed)
    places = rng.uniform(-0.5, 0.5, (8, 3))
    t, results = 0.0, []
    for _ in range(steps):
        t += float(rng.choice([0.0, 0.01, 0.033, 0.1, 0.4, 3.0]))
        shown = places[rng.random(8) < 0.7]
        points = noisy(shown, rng, 0.005)
        points[rng.random(len(points)) < 0.1] = np.nan
        camera = ("left", "right")[int(rng.integers(2))]
        sights = rng.integers(0, 3, 64).astype(np.uint8)
        localized = look(
            t,
            points,
            camera=camera,
            scores=rng.uniform(0.05, 1.0, len(points)).tolist(),
            class_ids=rng.integers(0, 2, len(points)).tolist(),
        )
        results.append(track(tracker, localized, lambda p, s=sights: s[: len(p)]))
        places += rng.normal(0, 0.003, places.shape)
    return results


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 2**32 - 1))
def test_invariants(seed):
    tracker = BaseFrameTracker()
    born: set[int] = set()
    ended: set[int] = set()
    for tracks in random_run(seed, tracker):
        ids = tracks.ids.tolist()
        assert ids == sorted(set(ids))
        assert not ended & set(ids), "an id never returns"
        ended |= born - set(ids)
        born |= set(ids)
        known = tracks.detection_ids[tracks.detection_ids >= 0]
        assert len(set(known.tolist())) == len(known), "no two detections continue one track"
        assert np.isin(known, tracks.ids[tracks.state == TrackState.CONFIRMED]).all()
        assert np.isfinite(tracks.position).all()
        assert np.isfinite(tracks.velocity).all()
        assert np.array_equal(tracks.covariance, tracks.covariance.transpose(0, 2, 1))
        for covariance in tracks.covariance:
            np.linalg.cholesky(covariance)
        assert (tracks.last_seen_ns <= tracks.stamp_ns).all()
        assert (tracks.age_s >= 0).all()
        assert tracks.class_ids.max(initial=0) < len(tracks.class_names)
        assert set(tracks.state.tolist()) <= {0, 1, 2}


def test_runs_are_identical_to_the_bit_and_reset_forgets_all():
    fresh = [state_of(tracks) for tracks in random_run(7, BaseFrameTracker())]
    used = BaseFrameTracker()
    random_run(99, used)
    used.reset()
    again = random_run(7, used)
    assert [state_of(tracks) for tracks in again] == fresh
    assert again[0].class_names == ("red_cube", "distractor")


def test_an_empty_reset_tracker_accepts_an_earlier_time():
    tracker = BaseFrameTracker()
    track(tracker, look(100.0, [[0.5, 0, 0]]))
    tracker.reset()
    tracks = track(tracker, look(0.0, [[0.5, 0, 0]]))
    assert (tracks.stamp_ns, tracks.ids.tolist()) == (0, [1])


def test_five_hundred_objects():
    rng = np.random.default_rng(0)
    points = np.array([[0.2 * (i % 25), 0.2 * (i // 25), 0.0] for i in range(500)])
    tracker = BaseFrameTracker()
    for k in range(4):
        order = rng.permutation(500)
        tracks = track(tracker, look(k * 0.1, noisy(points[order], rng)))
        if k == 0:
            first = order
        else:
            assert (first[tracks.detection_ids - 1] == order).all()
    assert len(tracks) == 500


@pytest.mark.parametrize("wrong", [np.zeros((1, 3)), look(0.0, [[0.5, 0, 0]]).detections])
def test_what_has_no_places_is_named(wrong):
    with pytest.raises(ValueError, match=f"detections of type {type(wrong).__name__} have no places"):
        BaseFrameTracker().update(wrong, stamp_ns=0)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"lost_s": 0.0}, "tracker lost_s = 0.0: expected > 0"),
        ({"lost_s": float("nan")}, "lost_s = nan"),
        ({"high_score": 1.5}, "high_score = 1.5: expected 0..1"),
        ({"confirm_hits": 0}, "confirm_hits = 0: expected a whole number >= 1"),
        ({"max_tracks": 2.5}, "max_tracks = 2.5"),
        ({"slack_m": -1.0}, "slack_m = -1.0: expected >= 0"),
        ({"hidden_rate": -0.1}, "hidden_rate"),
    ],
)
def test_parameters_out_of_range_are_named(wrong, message):
    with pytest.raises(ValueError, match=message):
        TrackerParameters(**wrong)


def test_high_score_below_the_default_low_score_is_accepted():
    tracker = BaseFrameTracker(TrackerParameters(high_score=0.02))
    assert len(track(tracker, look(0.0, [[0.5, 0, 0]], scores=0.03))) == 1
