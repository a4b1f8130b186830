"""Tracks at an instant at which nobody looked: moved, not aged, and the next look is as good as without them."""

from __future__ import annotations

import numpy as np
import pytest

from perception.visibility import Sight
from tests.tracking.scenes import look, says, track
from tracking import BaseFrameTracker, ImageTracker, Tracks, TrackState

NEWEST_NS = 1_900_000_000


def followed(speed_m_s: float = 0.0) -> BaseFrameTracker:
    """A tracker that has seen one cube on its way along y for two seconds; the newest frame is at 1.9 s."""
    tracker = BaseFrameTracker()
    for k in range(20):
        track(tracker, look(k / 10, [[0.5, speed_m_s * k / 10, 0.02]]), says(Sight.VISIBLE))
    return tracker


def trace(tracks: Tracks) -> float:
    return float(np.trace(tracks.covariance[0, :3, :3]))


def test_nothing_is_tracked_yet() -> None:
    tracks = BaseFrameTracker().predicted(123)
    assert (len(tracks), tracks.stamp_ns) == (0, 123)
    assert tracks.detection_ids.shape == (0,)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("stamp_ns", [-(2**62) + 1, -5, 0, 123, 2**62 - 1])
@pytest.mark.parametrize("kind", [BaseFrameTracker, ImageTracker])
def test_before_any_look_every_instant_is_to_come(kind: type[BaseFrameTracker | ImageTracker], stamp_ns: int) -> None:
    tracks = kind().predicted(stamp_ns)
    assert (len(tracks), tracks.stamp_ns, len(tracks.covariance)) == (0, stamp_ns, 0)


@pytest.mark.parametrize("speed", [0.0, 0.1, 0.3])
def test_a_cube_is_where_its_velocity_takes_it(speed: float) -> None:
    tracks = followed(speed).predicted(NEWEST_NS + 100_000_000)
    assert tracks.stamp_ns == NEWEST_NS + 100_000_000
    assert tracks.position[0] == pytest.approx([0.5, speed * 2.0, 0.02], abs=0.004)
    assert tracks.velocity[0, 1] == pytest.approx(speed, abs=0.03)


def test_each_prediction_is_less_sure_than_the_one_before() -> None:
    tracker = followed()
    sure = [trace(tracker.predicted(NEWEST_NS + after)) for after in (0, 50_000_000, 100_000_000, 600_000_000)]
    assert sure == sorted(set(sure))


def test_it_is_no_look_the_track_is_neither_seen_nor_missed() -> None:
    tracker = followed()
    for k in range(1, 41):  # four seconds: four times what ends a track in plain view
        tracks = tracker.predicted(NEWEST_NS + k * 100_000_000)
    assert tracks.ids.tolist() == [1]
    assert tracks.last_seen_ns.tolist() == [NEWEST_NS]
    assert tracks.state.tolist() == [TrackState.CONFIRMED]
    assert tracks.age_s[0] == pytest.approx(1.9 + 4.0)
    assert tracks.detection_ids.shape == (0,)


@pytest.mark.parametrize("stamp_ns", [NEWEST_NS, NEWEST_NS - 50_000_000, 0, -1])
def test_an_instant_that_has_passed_leaves_the_tracks_where_they_are(stamp_ns: int) -> None:
    tracker, untouched = followed(0.2), followed(0.2)
    tracks, now = tracker.predicted(stamp_ns), untouched.predicted(NEWEST_NS)
    assert tracks.stamp_ns == NEWEST_NS
    assert np.array_equal(tracks.position, now.position)
    assert np.array_equal(tracks.covariance, now.covariance)


@pytest.mark.parametrize("speed", [0.0, 0.2])
@pytest.mark.parametrize("predicted_ms", [(50,), (30, 60, 90), (100,), (10, 10, 10)])
def test_the_next_look_finds_what_it_would_have_found(speed: float, predicted_ms: tuple[int, ...]) -> None:
    tracker, untouched = followed(speed), followed(speed)
    for after_ms in predicted_ms:
        tracker.predicted(NEWEST_NS + after_ms * 1_000_000)
    localized = look(2.0, [[0.5, 2.0 * speed, 0.02], [0.3, -0.2, 0.02]])
    tracks = track(tracker, localized, says(Sight.VISIBLE))
    as_ever = track(untouched, localized, says(Sight.VISIBLE))
    assert tracks.ids.tolist() == as_ever.ids.tolist()
    assert tracks.state.tolist() == as_ever.state.tolist()
    assert tracks.detection_ids.tolist() == as_ever.detection_ids.tolist()
    assert tracks.position == pytest.approx(as_ever.position, abs=1e-9)
    assert tracks.covariance == pytest.approx(as_ever.covariance, abs=1e-12)


def test_a_track_that_a_look_misses_dies_as_soon_as_it_would_have() -> None:
    tracker, untouched = followed(), followed()
    lived, as_ever = 0, 0
    for k in range(1, 30):
        tracker.predicted(NEWEST_NS + k * 100_000_000 - 50_000_000)
        lived += len(track(tracker, look(1.9 + k / 10), says(Sight.VISIBLE)))
        as_ever += len(track(untouched, look(1.9 + k / 10), says(Sight.VISIBLE)))
    assert 0 < lived == as_ever


def test_a_frame_from_before_the_prediction_is_used_as_if_nobody_had_asked() -> None:
    tracker, untouched = followed(0.1), followed(0.1)
    tracker.predicted(NEWEST_NS + 200_000_000)
    localized = look(2.0, [[0.5, 0.2, 0.02]], camera="slow")
    tracks, as_ever = track(tracker, localized), track(untouched, localized)
    assert tracks.stamp_ns == 2_000_000_000
    assert tracks.position.tobytes() == as_ever.position.tobytes()


def test_equal_calls_give_equal_bytes() -> None:
    one, other = followed(0.1), followed(0.1)
    for k in range(1, 6):
        a, b = (tracker.predicted(NEWEST_NS + k * 33_333_333) for tracker in (one, other))
        assert a.position.tobytes() == b.position.tobytes()
        assert a.covariance.tobytes() == b.covariance.tobytes()
    before = a.position.copy()
    one.predicted(NEWEST_NS + 10**9)
    assert np.array_equal(a.position, before)
    assert not a.position.flags.writeable


def test_tracks_foresee_what_their_tracker_foresees_also_when_it_has_gone_on() -> None:
    tracker = followed(0.2)
    tracks = tracker.update(look(2.0, [[0.5, 0.4, 0.02]]))
    at_once = tracker.predicted(2_400_000_000)
    for k in range(21, 30):
        tracker.update(look(k / 10))
    later = tracks.predicted(2_400_000_000)
    assert later.stamp_ns == 2_400_000_000
    assert later.ids.tolist() == at_once.ids.tolist() == [1]
    for name in ("position", "velocity", "covariance", "state"):
        assert getattr(later, name).tobytes() == getattr(at_once, name).tobytes(), name
    assert tracks.predicted(1).position.tobytes() == tracks.all.position.tobytes()
