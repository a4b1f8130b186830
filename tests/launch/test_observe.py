from __future__ import annotations

from typing import cast

import numpy as np
import pytest

from geometry import Pose
from geometry.types import Array
from launch.codec import decode_tracks, encode_tracks
from launch.ledger import plan_word, read_plan_word
from launch.observe import in_hand, observe, seen_object
from robot.arm import RobotState
from robot.kinematics import Kinematics
from tracking import BaseFrameTracker, Points, Tracks

PERIOD_NS = 100_000_000
SIGMA_M = 0.002


class HandAt:
    """An arm whose hand is in one place, whatever its joints."""

    def __init__(self, position_m: Array) -> None:
        self._pose = Pose(np.eye(3), position_m)

    def tcp(self, joints_rad: Array) -> Pose:
        return self._pose


def watched(velocity_m_s: Array, looks: int = 30) -> Tracks:
    """Tracks of a cube that moves as it is told, seen ten times a second with 2 mm of noise."""
    tracker, rng = BaseFrameTracker(), np.random.default_rng(4)
    covariance = np.eye(3)[None] * SIGMA_M**2
    for look in range(looks):
        place = np.array([-0.6, 0.1, 0.02]) + velocity_m_s * look * 0.1 + rng.normal(scale=SIGMA_M, size=3)
        points = Points(place[None], covariance, class_ids=np.zeros(1, dtype=np.int64), class_names=("red_cube",))
        update = tracker.update(points, stamp_ns=look * PERIOD_NS)
    return update.all


def test_an_object_at_rest_stays_where_it_is_however_far_ahead() -> None:
    tracks = watched(np.zeros(3))
    now, later = seen_object(tracks, "red_cube"), seen_object(tracks, "red_cube", 300_000_000)
    np.testing.assert_array_equal(now.position_m, later.position_m)
    np.testing.assert_array_equal(later.velocity_m_s, np.zeros(3))


def test_a_moving_object_is_shown_where_it_will_be() -> None:
    velocity = np.array([0.0, 0.05, 0.0])
    tracks = watched(velocity)
    now, later = seen_object(tracks, "red_cube"), seen_object(tracks, "red_cube", 300_000_000)
    np.testing.assert_allclose(later.velocity_m_s, velocity, atol=0.01)
    np.testing.assert_allclose(later.position_m - now.position_m, 0.3 * later.velocity_m_s, atol=1e-12)
    assert later.ahead_ns == 300_000_000
    # a prediction is less sure than what it was made from, and stays a covariance
    assert np.trace(later.covariance_m2) > np.trace(now.covariance_m2)
    assert np.linalg.eigvalsh(later.covariance_m2).min() > 0.0


def test_what_is_not_there_is_not_seen() -> None:
    nothing = seen_object(watched(np.zeros(3)), "blue_cube", 100)
    assert np.isnan(nothing.position_m).all()
    assert nothing.age_s == float("inf")


@pytest.mark.parametrize(("ahead_ns", "back"), [(0, 0), (123_456_000, 3), (268_000_000_000, 15)])
def test_a_plans_row_keeps_its_request(ahead_ns: int, back: int) -> None:
    assert read_plan_word(plan_word(ahead_ns, back)) == (ahead_ns, back)
    assert plan_word(ahead_ns, back) < 1 << 32


def test_a_request_beyond_what_a_row_holds() -> None:
    assert read_plan_word(plan_word(-5, -1)) == (0, 0)
    assert read_plan_word(plan_word(10**15, 16)) == (((1 << 28) - 1) * 1000, 0)


def test_what_the_hand_holds_goes_where_the_hand_goes() -> None:
    tcp = np.array([-0.6, 0.1, 0.2])
    beside = np.array([0.0, 0.02, -0.02])
    assert in_hand(tcp + beside, tcp, 0.5)
    assert not in_hand(tcp + beside, tcp, 1.0)  # the fingers are open around it
    assert not in_hand(tcp + 3.0 * beside, tcp, 0.0)  # closed beside it
    assert not in_hand(np.full(3, np.nan), tcp, 0.5)


def test_a_velocity_is_not_believed_at_first_sight() -> None:
    tracks = watched(np.array([0.0, 0.3, 0.0]), looks=4)
    np.testing.assert_array_equal(seen_object(tracks, "red_cube", 300_000_000).velocity_m_s, np.zeros(3))


def test_what_went_out_of_sight_is_predicted_no_further() -> None:
    tracks = watched(np.array([0.0, 0.05, 0.0]))
    later = tracks.predicted(tracks.stamp_ns + 2_000_000_000)
    np.testing.assert_array_equal(
        seen_object(later, "red_cube", 300_000_000).position_m, seen_object(later, "red_cube").position_m
    )


def test_the_hand_decides_whether_the_object_is_shown_ahead() -> None:
    tracks = watched(np.array([0.0, 0.05, 0.0]))
    now, later = seen_object(tracks, "red_cube"), seen_object(tracks, "red_cube", 300_000_000)
    for opening, wanted in ((0.5, now), (1.0, later)):
        state = RobotState(0, 0, np.zeros(6), np.zeros(6), opening)
        shown = observe(tracks, state, cast("Kinematics", HandAt(now.position_m)), "red_cube", 300_000_000)
        np.testing.assert_array_equal(shown.object_position_m, wanted.position_m)
        assert shown.object_ahead_ns == wanted.ahead_ns


def test_recorded_tracks_are_as_old_as_those_before_make_them() -> None:
    velocity, first_seen_ns = np.array([0.0, 0.05, 0.0]), dict[int, int]()
    for looks in range(1, 31):
        tracks = watched(velocity, looks)
        recorded = decode_tracks(encode_tracks(tracks), tracks.class_names, first_seen_ns)
        np.testing.assert_allclose(recorded.age_s, tracks.age_s, atol=1e-12)
    shown = seen_object(recorded, "red_cube", 300_000_000)
    np.testing.assert_array_equal(shown.position_m, seen_object(tracks, "red_cube", 300_000_000).position_m)
    assert shown.velocity_m_s.any()
    np.testing.assert_array_equal(decode_tracks(encode_tracks(tracks), tracks.class_names).age_s, [0.0])
