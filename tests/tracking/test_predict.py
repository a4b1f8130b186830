"""Tracks at an instant at which nobody looked: moved, not aged, and the next look is as good as without them."""

from __future__ import annotations

import numpy as np
import pytest

from deploy.errors import BadInput
from perception.visibility import Sight
from tests.tracking.scenes import look, says
from tracking import BaseFrameTracker, TrackerParameters, Tracks, TrackState

NEWEST_NS = 1_900_000_000
LATE_S = TrackerParameters().late_s


def followed(speed_m_s: float = 0.0) -> BaseFrameTracker:
    """A tracker that has seen one cube on its way along y for two seconds; the newest frame is at 1.9 s."""
    tracker = BaseFrameTracker()
    for k in range(20):
        tracker.update(look(k / 10, [[0.5, speed_m_s * k / 10, 0.02]]), says(Sight.VISIBLE))
    return tracker


def trace(tracks: Tracks) -> float:
    return float(np.trace(tracks.covariances[0, :3, :3]))


def test_nothing_is_tracked_yet() -> None:
    tracks = BaseFrameTracker().predict(123)
    assert (len(tracks), tracks.stamp_ns) == (0, 123)
    assert tracks.detection_ids.shape == (0,)


@pytest.mark.parametrize("speed", [0.0, 0.1, 0.3])
def test_a_cube_is_where_its_velocity_takes_it(speed: float) -> None:
    tracks = followed(speed).predict(NEWEST_NS + 100_000_000)
    assert tracks.stamp_ns == NEWEST_NS + 100_000_000
    assert tracks.positions_m[0] == pytest.approx([0.5, speed * 2.0, 0.02], abs=0.004)
    assert tracks.velocities_m_s[0, 1] == pytest.approx(speed, abs=0.03)


def test_each_prediction_is_less_sure_than_the_one_before() -> None:
    tracker = followed()
    sure = [trace(tracker.predict(NEWEST_NS + after)) for after in (0, 50_000_000, 100_000_000, 600_000_000)]
    assert sure == sorted(set(sure))


def test_it_is_no_look_the_track_is_neither_seen_nor_missed() -> None:
    tracker = followed()
    for k in range(1, 41):  # four seconds: four times what ends a track in plain view
        tracks = tracker.predict(NEWEST_NS + k * 100_000_000)
    assert tracks.ids.tolist() == [1]
    assert tracks.last_seen_ns.tolist() == [NEWEST_NS]
    assert tracks.states.tolist() == [TrackState.CONFIRMED]
    assert tracks.age_s[0] == pytest.approx(1.9 + 4.0)
    assert tracks.detection_ids.shape == (0,)


@pytest.mark.parametrize("stamp_ns", [NEWEST_NS, NEWEST_NS - 50_000_000, 0, -1])
def test_an_instant_that_has_passed_leaves_the_tracks_where_they_are(stamp_ns: int) -> None:
    tracker, untouched = followed(0.2), followed(0.2)
    tracks, now = tracker.predict(stamp_ns), untouched.predict(NEWEST_NS)
    assert tracks.stamp_ns == NEWEST_NS
    assert np.array_equal(tracks.positions_m, now.positions_m)
    assert np.array_equal(tracks.covariances, now.covariances)


@pytest.mark.parametrize("speed", [0.0, 0.2])
@pytest.mark.parametrize("predicted_ms", [(50,), (30, 60, 90), (100,), (10, 10, 10)])
def test_the_next_look_finds_what_it_would_have_found(speed: float, predicted_ms: tuple[int, ...]) -> None:
    tracker, untouched = followed(speed), followed(speed)
    for after_ms in predicted_ms:
        tracker.predict(NEWEST_NS + after_ms * 1_000_000)
    localized = look(2.0, [[0.5, 2.0 * speed, 0.02], [0.3, -0.2, 0.02]])
    tracks = tracker.update(localized, says(Sight.VISIBLE))
    as_ever = untouched.update(localized, says(Sight.VISIBLE))
    assert tracks.ids.tolist() == as_ever.ids.tolist()
    assert tracks.states.tolist() == as_ever.states.tolist()
    assert tracks.detection_ids.tolist() == as_ever.detection_ids.tolist()
    assert tracks.positions_m == pytest.approx(as_ever.positions_m, abs=1e-9)
    assert tracks.covariances == pytest.approx(as_ever.covariances, abs=1e-12)


def test_a_track_that_a_look_misses_dies_as_soon_as_it_would_have() -> None:
    tracker, untouched = followed(), followed()
    lived, as_ever = 0, 0
    for k in range(1, 30):
        tracker.predict(NEWEST_NS + k * 100_000_000 - 50_000_000)
        lived += len(tracker.update(look(1.9 + k / 10), says(Sight.VISIBLE)))
        as_ever += len(untouched.update(look(1.9 + k / 10), says(Sight.VISIBLE)))
    assert 0 < lived == as_ever


def test_a_frame_from_before_the_prediction_is_used_up_to_the_limit_and_refused_beyond() -> None:
    tracker = followed()
    tracker.predict(NEWEST_NS + 200_000_000)
    with pytest.raises(BadInput, match=r"older than the newest one"):
        tracker.update(look(2.1 - LATE_S - 0.01, [[0.5, 0.0, 0.02]], camera="slow"))
    tracks = tracker.update(look(2.1 - LATE_S, [[0.5, 0.0, 0.02]], camera="slow"))
    assert tracks.stamp_ns == NEWEST_NS + 200_000_000
    assert tracks.last_seen_ns.tolist() == [round((2.1 - LATE_S) * 1e9)]


def test_equal_calls_give_equal_bytes() -> None:
    one, other = followed(0.1), followed(0.1)
    for k in range(1, 6):
        a, b = (tracker.predict(NEWEST_NS + k * 33_333_333) for tracker in (one, other))
        assert a.positions_m.tobytes() == b.positions_m.tobytes()
        assert a.covariances.tobytes() == b.covariances.tobytes()
    before = a.positions_m.copy()
    one.predict(NEWEST_NS + 10**9)
    assert np.array_equal(a.positions_m, before)
    assert not a.positions_m.flags.writeable
