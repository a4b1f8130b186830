"""The base-frame tracker fed with places alone: no boxes, no images."""

from __future__ import annotations

from hashlib import sha256

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.errors import BadInput
from perception.visibility import Sight
from tests.tracking.boxes import bytes_of
from tests.tracking.scenes import look, says
from tracking import BaseFrameTracker, Points, TrackerParameters, TrackState

TENTATIVE, CONFIRMED, LOST, NONE = TrackState
PERIOD_NS = 33_333_333
VARIANCE = 1e-5


def places(points, variance=VARIANCE, **other):
    points = np.asarray(points, dtype=np.float64).reshape(-1, 3)
    return Points(points, np.repeat(variance * np.eye(3)[None], len(points), axis=0), **other)


def feed(tracker, looks, start=0, **other):
    for k, points in enumerate(looks, start):
        tracks = tracker.update(points, stamp_ns=k * PERIOD_NS, **other)
    return tracks


TWO = [[0.5, 0.0, 0.0], [0.5, 0.4, 0.0]]


# -- what comes in ----------------------------------------------------------------------------------------------------


def test_points_are_kept_as_they_are_and_cannot_be_changed():
    points, covariances = np.array(TWO), np.repeat(np.eye(3)[None], 2, axis=0)
    some = Points(points, covariances, [0.5, 0.6], [0, 1], ("cup", "bowl"))
    points[:] = covariances[:] = 7.0
    assert some.points_m.tolist() == TWO
    assert some.covariances_m2[1].tolist() == np.eye(3).tolist()
    for array in (some.points_m, some.covariances_m2, some.scores, some.class_ids):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0


def test_rows_are_those_of_the_points():
    rng, tracker = np.random.default_rng(0), BaseFrameTracker()
    many = np.array([[0.2 * i, 0.2 * j, 0.0] for i in range(3) for j in range(2)])
    for k in range(30):
        order = rng.permutation(6)[: rng.integers(1, 7)] if k else np.arange(6)
        tracks = tracker.update(places(many[order] + rng.normal(0, 0.002, (len(order), 3))), stamp_ns=k * PERIOD_NS)
        seen = tracks.state != TENTATIVE
        assert tracks.ids[seen].tolist() == (order[seen] + 1).tolist()
        assert tracks.position == pytest.approx(many[order], abs=0.02)
    assert tracks.all.ids.tolist() == [1, 2, 3, 4, 5, 6]


def test_scores_and_classes():
    tracker = BaseFrameTracker()
    looks = [places([*TWO, [0.5, 0.8, 0.0]], scores=[0.9, 0.6, 0.4], class_ids=[1, 0, 1], class_names=("cup", "bowl"))]
    tracks = feed(tracker, looks * 6)
    assert tracks.ids.tolist() == [1, 2, -1]
    assert tracks.class_ids.tolist() == [1, 0, -1]
    assert tracks.scores == pytest.approx([0.9, 0.6, 0.0])
    assert tracks.class_names == ("cup", "bowl")
    low = feed(tracker, [places(TWO, scores=[0.2, 0.05], class_ids=[1, 0], class_names=("cup", "bowl"))], 6)
    assert low.ids.tolist() == [1, -1]


@pytest.mark.parametrize(
    "damaged",
    [
        ([np.nan, 0.0, 0.0], np.eye(3)), ([np.inf, 0.0, 0.0], np.eye(3)), ([1e308, 1e308, 1e308], np.eye(3)),
        ([1e7, 0.0, 0.0], np.eye(3)), ([0.5, 0.2, 0.0], np.full((3, 3), np.nan)), ([0.5, 0.2, 0.0], -np.eye(3)),
        ([0.5, 0.2, 0.0], np.diag([1.0, 1.0, np.inf])), ([0.5, 0.2, 0.0], 1e200 * np.eye(3)),
        ([0.5, 0.2, 0.0], 1e20 * np.eye(3)),
        ([0.5, 0.2, 0.0], np.array([[1.0, np.inf, 0.0], [-np.inf, 1.0, 0.0], [0.0, 0.0, 1.0]])),
        ([0.5, 0.2, 0.0], np.array([[1.0, 5.0, 0.0], [5.0, 1.0, 0.0], [0.0, 0.0, 1.0]])),
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.filterwarnings("error")
def test_a_damaged_point_is_never_tracked_and_harms_no_other(damaged):
    tracker, clean = BaseFrameTracker(), BaseFrameTracker()
    small = VARIANCE * np.eye(3)
    for k in range(6):
        among = Points([TWO[0], damaged[0], TWO[1], damaged[0]], [small, damaged[1], small, damaged[1]])
        tracks = tracker.update(among, stamp_ns=k * PERIOD_NS)
        same = clean.update(places(TWO), stamp_ns=k * PERIOD_NS)
        assert len(tracks.all) == 2
        assert (tracks.state[1::2] == NONE).all()
        assert np.isnan(tracks.position[1::2]).all()
        for name in ("ids", "position", "velocity", "covariance"):
            assert np.array_equal(getattr(tracks.all, name), getattr(same.all, name)), name


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("box", [[np.nan] * 4, [np.inf] * 4, [-np.inf, -np.inf, np.inf, np.inf], [9.0, 9.0, 1.0, 1.0]])
def test_a_damaged_box_of_a_point_does_not_matter(box):
    """Two objects in reach of one another, so that overlaps are asked for."""
    tracker = BaseFrameTracker()
    for k in range(6):
        tracks = tracker.update(look(k * 0.1, [[0.5, 0.0, 0.0], [0.515, 0.0, 0.0]], boxes=[[10, 10, 50, 50], box]))
    assert tracks.ids.tolist() == [1, 2]


@pytest.mark.parametrize("variance", [0.0, 1e-300, 1e-9])
def test_points_that_are_claimed_to_be_exact(variance):
    """Nothing is exacter than `minimum_sigma_m`."""
    tracker = BaseFrameTracker()
    tracks = feed(tracker, [places(TWO, variance)] * 30)
    assert tracks.ids.tolist() == [1, 2]
    for covariance in tracks.covariance:
        np.linalg.cholesky(covariance)


def test_a_point_of_which_nothing_is_known_is_learned():
    tracker = BaseFrameTracker()
    feed(tracker, [places(TWO[:1], 1e10)])
    tracks = feed(tracker, [places(TWO[:1])] * 30, 1)
    assert tracks.ids.tolist() == [1]
    assert np.sqrt(tracks.covariance[0, 0, 0]) < 0.002
    np.linalg.cholesky(tracks.covariance[0])


# -- time -------------------------------------------------------------------------------------------------------------


def test_empty_looks():
    tracker = BaseFrameTracker()
    tracks = feed(tracker, [places([])] * 3)
    assert (len(tracks), len(tracks.all), tracks.position.shape) == (0, 0, (0, 3))
    assert feed(tracker, [places(TWO)] * 4, 3).ids.tolist() == [1, 2]


@pytest.mark.parametrize("gap_s", [10.0, 3600.0, 1e9])
def test_one_look_after_a_long_silence_ends_nothing(gap_s):
    tracker = BaseFrameTracker()
    feed(tracker, [places(TWO)] * 20)
    stamp_ns = 20 * PERIOD_NS + round(gap_s * 1e9)
    assert tracker.update(places([]), stamp_ns=stamp_ns).all.state.tolist() == [LOST, LOST]
    tracks = tracker.update(places(TWO), stamp_ns=stamp_ns + PERIOD_NS)
    assert tracks.ids.tolist() == [1, 2]
    for covariance in tracks.covariance:
        np.linalg.cholesky(covariance)


@pytest.mark.parametrize("late_ns", [1, 50_000_000, 100_000_000])
def test_a_late_look_of_another_source_is_used(late_ns):
    tracker, newest_ns = BaseFrameTracker(), 0
    for k in range(40):
        newest_ns = k * 10**8
        tracker.update(places([[0.2 * k * 0.1, 0.0, 0.0]], source="fast"), stamp_ns=newest_ns)
        then_ns = newest_ns - late_ns
        tracks = tracker.update(places([[0.2 * then_ns * 1e-9, 0.0, 0.0]], source="slow"), stamp_ns=then_ns)
        assert tracks.stamp_ns == newest_ns
        assert len(tracks.all) == 1
    assert tracks.ids.tolist() == [1]
    assert tracks.position[0, 0] == pytest.approx(0.2 * 3.9, abs=0.002)
    assert tracks.last_seen_ns.tolist() == [newest_ns]


def test_a_look_that_is_too_late_is_refused_and_changes_nothing():
    refused, alone = BaseFrameTracker(), BaseFrameTracker()
    for k in range(10):
        if k:
            with pytest.raises(BadInput, match=r"a look of points at .* older than the newest one: expected at most"):
                refused.update(places(TWO), stamp_ns=(k - 1) * PERIOD_NS - 100_000_001)
        one, other = (tracker.update(places(TWO), stamp_ns=k * PERIOD_NS) for tracker in (refused, alone))
        assert bytes_of(one) == bytes_of(other)


def test_a_source_that_appears_later():
    tracker = BaseFrameTracker()
    feed(tracker, [places(TWO, source="left")] * 30, visibility=says(Sight.VISIBLE))
    for k in range(30, 60):
        tracker.update(places(TWO, source="left"), stamp_ns=k * PERIOD_NS, visibility=says(Sight.VISIBLE))
        right = places(TWO[::-1], source="right", class_ids=[0, 0], class_names=("thing", "object"))
        tracks = tracker.update(right, stamp_ns=k * PERIOD_NS + 7, visibility=says(Sight.VISIBLE))
    assert tracks.ids.tolist() == [2, 1]
    assert tracks.class_names == ("object", "thing")
    boxed = tracker.update(look(60 * PERIOD_NS * 1e-9, TWO, camera="third"))
    assert boxed.ids.tolist() == [1, 2]


def test_points_and_boxes_feed_one_track():
    tracker = BaseFrameTracker()
    for k in range(20):
        tracker.update(look(k * 0.1, TWO, names=("object",)))
        tracks = tracker.update(places(TWO), stamp_ns=k * 10**8 + 50_000_000)
    assert tracks.ids.tolist() == [1, 2]
    assert len(tracks.all) == 2


def test_where_each_place_is_seen_to_be_free():
    """The view is asked for the silent tracks alone, with the places at which they are now."""
    asked = []

    def view(points):
        asked.append(points.copy())
        points[:] = np.nan  # a user's function may do what it likes with its argument
        return np.full(len(points), Sight.FREE, np.uint8)

    tracker = BaseFrameTracker()
    feed(tracker, [places(TWO)] * 10, visibility=view)
    assert all(len(points) == 0 for points in asked)
    for k in range(10, 30):
        tracks = tracker.update(places(TWO[:1]), stamp_ns=k * PERIOD_NS, visibility=view)
    assert tracks.all.ids.tolist() == [1]
    assert asked[-1] == pytest.approx(np.array(TWO[1:]), abs=1e-3)
    # More than 0.2 s of free space, two nanoseconds of which six looks leave open.
    assert sum(len(points) for points in asked) == 7
    assert np.isfinite(tracks.all.position).all()


# -- who is who -------------------------------------------------------------------------------------------------------


def test_neighbours_at_twice_the_noise_keep_their_ids():
    rng, tracker = np.random.default_rng(0), BaseFrameTracker()
    row = np.array([[0.5 + 0.03 * k, 0.0, 0.0] for k in range(5)])
    for k in range(100):
        noisy = row + rng.normal(0.0, np.sqrt(VARIANCE), row.shape)
        tracks = tracker.update(places(noisy), stamp_ns=k * PERIOD_NS)
    assert tracks.ids.tolist() == [1, 2, 3, 4, 5]


def test_a_ghost_does_not_take_the_detection_of_an_established_object():
    tracker = BaseFrameTracker()
    feed(tracker, [places(TWO[:1])] * 10)
    feed(tracker, [places([TWO[0], [0.5, 0.04, 0.0]])], 10)
    assert feed(tracker, [places([[0.5, 0.026, 0.0]])], 11).ids.tolist() == [1]


def test_ids_of_two_trackers_and_after_a_reset():
    one, other = BaseFrameTracker(), BaseFrameTracker()
    assert feed(one, [places(TWO)] * 5).ids.tolist() == feed(other, [places(TWO)] * 5).ids.tolist() == [1, 2]
    one.reset()
    assert feed(one, [places(TWO[1:])] * 5).ids.tolist() == [1]
    assert feed(other, [places(TWO)], 5).ids.tolist() == [1, 2]


@pytest.mark.parametrize("apart_m", [0.0, 0.002, 0.004, 0.02])
def test_two_points_at_one_place_are_one_thing(apart_m):
    """Detectors suppress per class: what they doubt comes twice. Without boxes, only the distance tells."""
    tracker = BaseFrameTracker()
    twice = [[0.5, 0.0, 0.0], [0.5, apart_m, 0.0], [0.5, 0.4, 0.0]]
    some = places(twice, scores=[0.6, 0.9, 0.9], class_ids=[0, 1, 0], class_names=("cup", "bowl"))
    tracks = feed(tracker, [some] * 10)
    if apart_m < 0.003:
        assert tracks.ids.tolist() == [-1, 1, 2], "the better score"
        assert len(tracks.all) == 2
    else:
        assert sorted(tracks.ids.tolist()) == [1, 2, 3]


def test_two_points_at_one_place_that_can_be_no_one_thing():
    tracker = BaseFrameTracker(TrackerParameters(class_compatibility={"cup": {"bowl": 0.0}}))
    some = places([TWO[0], TWO[0]], class_ids=[0, 1], class_names=("cup", "bowl"))
    assert sorted(feed(tracker, [some] * 10).ids.tolist()) == [1, 2]


# -- whatever comes ---------------------------------------------------------------------------------------------------


def random_looks(seed, count=40):
    rng = np.random.default_rng(seed)
    where = rng.uniform(-0.5, 0.5, (8, 3))
    newest_ns = int(rng.integers(-(10**18), 10**18))
    for _ in range(count):
        newest_ns += int(rng.choice([0, 10**6, PERIOD_NS, 4 * 10**8, 3 * 10**9], p=[0.1, 0.15, 0.55, 0.15, 0.05]))
        stamp_ns = newest_ns - int(rng.choice([0, 5 * 10**7], p=[0.85, 0.15]))
        where = where + rng.normal(0.0, 0.004, where.shape)
        points = np.vstack((where[rng.random(8) < 0.7], rng.uniform(-0.5, 0.5, (int(rng.integers(0, 3)), 3))))
        size = len(points)
        roots = rng.normal(size=(size, 3, 3)) * 10.0 ** rng.uniform(-4.0, -1.5, (size, 1, 1))
        covariances = roots @ roots.transpose(0, 2, 1)
        broken = rng.random(size) < 0.1
        points[broken] = rng.choice([np.nan, np.inf, -1e300, 5e6], (int(broken.sum()), 3))
        covariances[rng.random(size) < 0.05] *= rng.choice([-1.0, 0.0, 1e30, np.nan])
        kinds = int(rng.integers(1, 4))
        yield (
            Points(
                points, covariances, rng.choice([np.nan, 0.05, 0.3, 0.5, 1.0], size), rng.integers(0, kinds, size),
                ("cup", "bowl", "plate")[:kinds], source=str(rng.choice(["left", "right", "third"])),
            ),
            stamp_ns, rng.integers(0, 4, 64).astype(np.uint8) if rng.random() < 0.7 else None,
        )  # fmt: skip


def updated(tracker, points, stamp_ns, sights):
    view = None if sights is None else lambda places: np.resize(sights, len(places))
    return tracker.update(points, stamp_ns=stamp_ns, visibility=view)


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 2**32 - 1), st.sampled_from([3, 1024]))
def test_what_always_holds(seed, max_tracks):
    tracker = BaseFrameTracker(TrackerParameters(max_tracks=max_tracks))
    born, ended = set(), set()
    for points, stamp_ns, sights in random_looks(seed):
        tracks = updated(tracker, points, stamp_ns, sights)
        everyone = tracks.all
        ids = everyone.ids.tolist()
        assert ids == sorted(set(ids))
        assert not ended & set(ids), "an id never returns"
        ended |= born - set(ids)
        assert all(number > max(born, default=0) for number in set(ids) - born)
        born |= set(ids)
        assert len(ids) <= max_tracks
        assert len(tracks) == len(points.points_m)
        told = tracks.ids[tracks.ids >= 0]
        assert len(set(told.tolist())) == len(told)
        assert (np.isnan(tracks.position).all(axis=1) == (tracks.state == NONE)).all()
        assert np.isfinite(everyone.position).all()
        assert np.isfinite(everyone.velocity).all()
        assert np.array_equal(everyone.covariance, everyone.covariance.transpose(0, 2, 1))
        for covariance in everyone.covariance:
            np.linalg.cholesky(covariance)
        assert (everyone.last_seen_ns <= tracks.stamp_ns).all()
        assert (everyone.age_s >= 0.0).all()
        assert everyone.class_ids.max(initial=0) < max(len(tracks.class_names), 1)


@settings(deadline=None, max_examples=5)
@given(st.integers(0, 2**32 - 1))
def test_a_prediction_changes_nothing(seed):
    asked, alone = BaseFrameTracker(), BaseFrameTracker()
    for points, stamp_ns, sights in random_looks(seed, 25):
        for after_ns in (-5, 0, 10**7, 3 * 10**9):
            bytes_of(asked.predicted(stamp_ns + after_ns))
        one, other = (updated(tracker, points, stamp_ns, sights) for tracker in (asked, alone))
        assert bytes_of(one) == bytes_of(other)


def digest(tracker, seed):
    everything = sha256()
    for look_ in random_looks(seed):
        for part in bytes_of(updated(tracker, *look_)):
            everything.update(part)
    return everything.hexdigest()


def test_runs_are_equal_to_the_bit_and_reset_forgets_all():
    fresh, used = digest(BaseFrameTracker(), 7), BaseFrameTracker()
    digest(used, 8)
    used.reset()
    assert digest(used, 7) == fresh != digest(BaseFrameTracker(), 8)
