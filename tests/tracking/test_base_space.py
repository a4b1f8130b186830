"""How far a track reaches for a detection: by its doubt, and by a leap only from a place that is seen to be free."""

from __future__ import annotations

import numpy as np
import pytest

from perception.visibility import Sight
from tests.tracking.scenes import look, says
from tracking import BaseFrameTracker, TrackerParameters

HERE = np.array([0.5, 0.0, 0.02])


def beside(x_m: float, y_m: float = 0.0) -> np.ndarray:
    return HERE + np.array([x_m, y_m, 0.0])


def settled(speed_m_s: float = 0.0, seconds: float = 1.0) -> tuple[BaseFrameTracker, float]:
    """A tracker that has seen one object, until when."""
    tracker = BaseFrameTracker()
    count = round(seconds * 30)
    for k in range(count + 1):
        tracker.update(look(k / 30, [beside(speed_m_s * k / 30)]), visibility=says(Sight.VISIBLE))
    return tracker, count / 30


@pytest.mark.parametrize(
    ("sight", "continued"),
    [(Sight.OUTSIDE, False), (Sight.VISIBLE, False), (Sight.HIDDEN, False), (Sight.FREE, True), (None, True)],
)
def test_a_leap_is_made_only_from_a_free_place(sight: Sight | None, continued: bool) -> None:
    tracker, t = settled()
    visibility = None if sight is None else says(sight)
    for k in range(1, 4):
        tracker.update(look(t + k / 30), visibility=visibility)
    tracks = tracker.update(look(t + 4 / 30, [beside(0.06)]), visibility=visibility)
    assert bool(tracks.ids[0] == 1) is continued


@pytest.mark.parametrize("sight", list(Sight))
def test_what_stayed_is_found_again_whatever_was_seen_of_its_place(sight: Sight) -> None:
    tracker, t = settled()
    for k in range(1, 4):
        tracker.update(look(t + k / 30), visibility=says(sight))
    tracks = tracker.update(look(t + 4 / 30, [beside(0.02, 0.01)]), visibility=says(sight))
    assert tracks.ids.tolist() == [1]


def test_a_stranger_at_the_edge_of_the_view_does_not_take_over_what_has_just_left_it() -> None:
    tracker, t = settled()
    for k in range(1, 10):
        tracker.update(look(t + k / 30, [beside(0.08)]), visibility=says(Sight.OUTSIDE))
    tracks = tracker.update(look(t + 5.0, [HERE, beside(0.08)]), visibility=says(Sight.VISIBLE))
    assert tracks.ids.tolist() == [1, 2]


@pytest.mark.parametrize(("speed_m_s", "ids"), [(0.1, [1]), (0.0, [-1])])
def test_what_moved_may_come_back_elsewhere(speed_m_s: float, ids: list[int]) -> None:
    tracker, t = settled(speed_m_s)
    for k in range(1, 60):
        tracker.update(look(t + k / 30), visibility=says(Sight.OUTSIDE))
    tracks = tracker.update(look(t + 2.0, [beside(speed_m_s * t, 0.12)]), visibility=says(Sight.VISIBLE))
    assert tracks.ids.tolist() == ids


def test_no_pair_is_lost_to_the_bound_that_spares_inversions() -> None:
    """Every pair within the gate by the whole computation is found, and no other."""
    rng = np.random.default_rng(0)
    parameters = TrackerParameters(confirm_hits=1, confirm_s=0.0)
    for _ in range(200):
        tracker = BaseFrameTracker(parameters)
        root = rng.normal(0.0, 0.02, (3, 3))
        noise = root @ root.T + 1e-6 * np.eye(3)
        offset = rng.normal(0.0, 0.05, 3)
        tracker.update(look(0.0, [HERE], covariances_m2=noise[None]))
        tracks = tracker.update(look(0.0, [HERE + offset], covariances_m2=noise[None], camera="other"))
        floor = parameters.minimum_sigma_m**2 * np.eye(3)
        spread = 2 * (noise + floor) + parameters.slack_m**2 * np.eye(3)
        near = offset @ np.linalg.solve(spread, offset) <= parameters.gate_sigma**2
        near &= np.linalg.norm(offset) <= parameters.gate_m
        assert (tracks.ids[0] == 1) == near
