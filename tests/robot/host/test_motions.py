"""The host's own motions keep the limits and end where they should."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robot.host.motions import PARKING_SPEED, Motion, to_park, to_rest
from robot.kinematics import UR10E_HOME_RAD, UR10E_LIMITS

DT = 0.002
V, A, J = (np.array(getattr(UR10E_LIMITS, n)) for n in ("velocity_rad_s", "acceleration_rad_s2", "jerk_rad_s3"))


def sampled(motion: Motion) -> np.ndarray:
    return np.array([motion.at(t) for t in np.arange(0.0, motion.duration_s + 0.1, DT)])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-2.0, 2.0), min_size=6, max_size=6), st.lists(st.floats(-15.0, 15.0), min_size=6, max_size=6))
def test_every_motion_is_braked_along_itself(velocities: list[float], accelerations: list[float]) -> None:
    start = list(UR10E_HOME_RAD)
    motion = to_rest(UR10E_LIMITS, start, velocities, accelerations)
    places = sampled(motion)
    speeds = np.diff(places, axis=0) / DT
    assert places[0] == pytest.approx(start)
    assert speeds[-1] == pytest.approx(np.zeros(6), abs=1e-9)
    assert (np.abs(np.diff(speeds, axis=0)) / DT <= A + 1e-6).all()
    assert (speeds * np.sign(velocities) >= -1e-9).all()  # forward only
    assert motion.duration_s <= (np.abs(velocities) / A + A / J).max() + 1e-9


@pytest.mark.parametrize(
    "park", [(0.0, -1.57, 1.57, -1.57, -1.57, 0.0), UR10E_HOME_RAD, (3.0, -0.2, 0.3, -3.0, 2.0, 6.0)]
)
def test_parking_is_slow_and_straight(park: tuple[float, ...]) -> None:
    start = np.array([0.3, -1.0, 1.0, -1.0, -1.0, 0.5])
    motion = to_park(UR10E_LIMITS, start.tolist(), list(park))
    assert motion is not None
    places = sampled(motion)
    assert places[-1] == pytest.approx(park, abs=1e-9)
    way = np.array(park) - start
    along = (places - start) @ way / (way @ way)
    assert places == pytest.approx(start + along[:, None] * way, abs=1e-6)
    assert (np.abs(np.diff(places, axis=0)) / DT <= PARKING_SPEED * V + 1e-6).all()
    assert (np.abs(np.diff(places, 2, axis=0)) / DT**2 <= PARKING_SPEED * A + 1e-4).all()


def test_where_nothing_can_be_planned_it_stays() -> None:
    nowhere = to_rest(UR10E_LIMITS, list(UR10E_HOME_RAD), [float("nan")] * 6, [0.0] * 6)
    assert nowhere.at(0.0) == list(UR10E_HOME_RAD)
    assert to_park(UR10E_LIMITS, list(UR10E_HOME_RAD), [float("nan")] * 6) is None
