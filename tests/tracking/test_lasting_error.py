"""An error that all looks have in common: the covariance of a track says so, however many looks there were."""

from __future__ import annotations

import numpy as np
import pytest

from deploy.errors import BadInput
from geometry import Pose, pose_spread
from tests.tracking.boxes import bytes_of
from tests.tracking.scenes import look
from tracking import BaseFrameTracker, Points, TrackerParameters

PERIOD_NS = 33_333_333
COUNT = 300
LOOKS = (1, 2, 10, 30, 120)
# One standard deviation of the mean of NEES over COUNT objects is sqrt(6 / COUNT) = 0.14; the filter, which allows for
# motion, is on the careful side where nothing moves.
HONEST = (1.9, 3.45)
MANY = TrackerParameters(max_tracks=10 * COUNT)


def errors(rng: np.random.Generator, covariances: np.ndarray) -> np.ndarray:
    return np.einsum("nij,nj->ni", np.linalg.cholesky(covariances), rng.normal(size=(len(covariances), 3)))


def scene(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Places too far apart to be confused, a depth camera's noise, and the spread of a pose of 3 mm and 6 mrad."""
    where = np.array([[2.0 * (k % 20), 2.0 * (k // 20), 0.0] for k in range(COUNT)])
    rays = rng.normal(size=(COUNT, 3))
    rays /= np.linalg.norm(rays, axis=1)[:, None]
    own = 0.0015**2 * np.eye(3) + 0.005**2 * rays[:, :, None] * rays[:, None]
    sigma = np.diag([0.003**2] * 3 + [0.006**2] * 3)
    return where, own, np.concatenate([pose_spread(Pose.identity(), [0.7 * ray], sigma) for ray in rays])


def nees(cameras: int, told: bool, seed: int = 0) -> dict[int, float]:
    """Mean of e' P^-1 e of the position after some numbers of looks; 3 if the covariances are right."""
    rng, found = np.random.default_rng(seed), {}
    where, own, common = scene(rng)
    persisting = [errors(rng, common) for _ in range(cameras)]
    tracker = BaseFrameTracker(MANY)
    for k in range(max(LOOKS)):
        points = where + persisting[k % cameras] + errors(rng, own)
        seen = Points(points, own + common, source=f"camera {k % cameras}")
        tracks = tracker.update(seen, stamp_ns=k * PERIOD_NS, common_m2=common if told else None).all
        assert len(tracks) == COUNT
        off = tracks.position - where
        found[k + 1] = float(
            np.einsum("ni,ni->n", off, np.linalg.solve(tracks.covariance[:, :3, :3], off[:, :, None])[:, :, 0]).mean()
        )
    return {looks: found[looks] for looks in LOOKS}


def test_a_pose_that_stays_wrong_stays_in_the_covariance():
    honest = nees(1, told=True)
    assert all(HONEST[0] < value < HONEST[1] for value in honest.values()), honest
    assert nees(1, told=False)[120] > 20.0


def test_of_two_cameras_the_covariance_is_careful():
    """Their errors might be one: that of the arm under both."""
    careful = nees(2, told=True)
    assert all(0.5 < value < HONEST[1] for value in careful.values()), careful


def test_a_camera_that_is_exact_takes_the_error_of_another_away():
    rng = np.random.default_rng(0)
    where, own, common = scene(rng)
    off, tracker = errors(rng, common), BaseFrameTracker(MANY)
    for k in range(200):
        points = where + errors(rng, own) + (off if k < 20 else 0.0)
        seen = Points(points, own + common if k < 20 else own, source="wrong" if k < 20 else "exact")
        tracks = tracker.update(seen, stamp_ns=k * PERIOD_NS, common_m2=common if k < 20 else None).all
        if k == 19:
            doubt = np.trace(tracks.covariance[:, :3, :3], axis1=1, axis2=2)
            assert (doubt > 0.9 * np.trace(common, axis1=1, axis2=2)).all()
    assert (np.trace(tracks.covariance[:, :3, :3], axis1=1, axis2=2) < 0.1 * doubt).all()


def test_it_stays_while_nothing_is_seen_and_in_what_is_foreseen():
    common = np.diag([0.01, 0.002, 0.02])[None] ** 2
    told, alone = BaseFrameTracker(), BaseFrameTracker()
    for k in range(60):
        seen = Points([[0.5, 0.0, 0.0]], common + 1e-6 * np.eye(3))
        both = [told.update(seen, stamp_ns=k * PERIOD_NS, common_m2=common), alone.update(seen, stamp_ns=k * PERIOD_NS)]
    lasting = both[0].covariance - both[1].covariance
    assert lasting[0, :3, :3] == pytest.approx(common[0], rel=0.15, abs=1e-12)
    assert not lasting[0, 3:].any(), "a velocity has no part in it"
    now_ns = both[0].stamp_ns
    for ahead_ns in (10**7, 10**9, 10**11):
        one, other = (tracks.predicted(now_ns + ahead_ns) for tracks in both)
        assert one.covariance - other.covariance == pytest.approx(lasting, abs=1e-9 + 1e-9 * other.covariance.max())
    for tracker in (told, alone):
        tracker.update(Points([], []), stamp_ns=now_ns + 10**9)
    now_ns += 2 * 10**9
    one, other = told.predicted(now_ns), alone.predicted(now_ns)
    assert np.array_equal(one.position, other.position)
    assert one.covariance - other.covariance == pytest.approx(lasting, abs=1e-9)


def test_nothing_in_common_changes_nothing():
    told, alone = BaseFrameTracker(), BaseFrameTracker()
    for k in range(20):
        seen = Points([[0.5, 0.0, 0.0], [0.5, 0.01, 0.0]], [1e-5 * np.eye(3)] * 2)
        one = told.update(seen, stamp_ns=k * PERIOD_NS, common_m2=np.zeros((2, 3, 3)))
        assert bytes_of(one) == bytes_of(alone.update(seen, stamp_ns=k * PERIOD_NS))


def test_a_detection_without_a_point_has_no_error_in_common():
    tracker, nothing = BaseFrameTracker(), [np.nan] * 3
    for k in range(5):
        seen = look(0.1 * k, [[0.5, 0.0, 0.0], nothing])
        tracks = tracker.update(seen, common_m2=[1e-6 * np.eye(3), np.full((3, 3), np.nan)])
    assert tracks.ids.tolist() == [1, -1]
    assert np.isfinite(tracks.all.covariance).all()


def test_rounding_of_a_sum_is_no_mistake():
    """Points of which one direction is hardly known: the sum forgets what is small."""
    rng, tracker = np.random.default_rng(0), BaseFrameTracker()
    for k in range(200):
        root, ray = rng.normal(size=(3, 3)) * 10.0 ** rng.uniform(-5, -2), rng.normal(size=3)
        common = (root @ np.diag([1.0, 1.0, 0.0]) @ root.T)[None]
        own = 10.0 ** rng.uniform(-4, 4) * np.outer(ray, ray)[None]
        tracker.update(Points([[0.5, 0.0, 0.0]], own + common), stamp_ns=k, common_m2=common)


@pytest.mark.parametrize(
    ("name", "common", "message"),
    [
        ("one for all", np.eye(3) * 1e-6, r"common_m2 \(3, 3\) of a look of points: expected \(1, 3, 3\)"),
        ("words", "much", "expected numbers"),
        ("not finite", np.full((1, 3, 3), np.inf), "expected finite numbers"),
        ("negative", -1e-6 * np.eye(3)[None], "expected a part of each point's covariance"),
        ("more than all of it", 1.1e-5 * np.eye(3)[None], "the covariance has to have it too"),
        ("more in one direction", np.diag([1e-6, 1e-6, 2e-5])[None], "expected a part of each point's covariance"),
    ],
)
def test_what_is_no_part_of_the_covariance_is_refused(name, common, message):
    tracker = BaseFrameTracker()
    seen = Points([[0.5, 0.0, 0.0]], 1e-5 * np.eye(3)[None])
    with pytest.raises(BadInput, match=message):
        tracker.update(seen, stamp_ns=7, common_m2=common)
    tracks = tracker.update(seen, stamp_ns=0, common_m2=1e-5 * np.eye(3)[None])
    assert tracks.all.last_seen_ns.tolist() == [0], "the tracker stayed as it was, and all of it may be in common"
