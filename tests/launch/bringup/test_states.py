"""Judgement of what comes from an arm that stands still."""

from __future__ import annotations

import numpy as np
import pytest

from launch.bringup.states import Watched, judge_link, judge_standing, judge_states
from robot.arm import RobotState
from robot.kinematics import UR10E_HOME_RAD, UR10E_LIMITS
from robot.ur.clock_map import ClockReport
from robot.ur.round_trip import RoundTrip

HOME = np.array(UR10E_HOME_RAD)


def watched(stamps_ms: list[float], joints: list[np.ndarray] | None = None) -> Watched:
    rows = joints or [HOME] * len(stamps_ms)
    states = [
        RobotState(n, round(ms * 1e6), q, np.zeros(6), 1.0)
        for n, (ms, q) in enumerate(zip(stamps_ms, rows, strict=True))
    ]
    return Watched(tuple(states), 1.0)


EVERY = [2.0 * n for n in range(500)]


@pytest.mark.parametrize(
    ("stamps_ms", "status", "lost"),
    [
        (EVERY, "ok", 0),
        (EVERY[:100] + EVERY[103:], "ok", 3),
        (EVERY[:100] + EVERY[120:], "warning", 20),
        ([*EVERY[:250], *(ms + 60.0 for ms in EVERY[250:])], "warning", 30),
        (EVERY[::2], "failure", 249),
    ],
)
def test_gaps_are_counted(stamps_ms: list[float], status: str, lost: int) -> None:
    found = judge_states(watched(stamps_ms), 500.0)
    assert (found.status, found.figures["lost"]) == (status, lost)


def test_without_a_rate_the_usual_period_counts() -> None:
    found = judge_states(watched(EVERY[::2]), None)
    assert (found.status, found.figures["lost"], found.figures["period_p50_ms"]) == ("ok", 0, 4.0)
    assert found.figures["mean_hz"] == pytest.approx(250.0)


def test_silence_is_a_failure() -> None:
    found = judge_states(watched([0.0]), 500.0)
    assert (found.status, found.missing) == ("failure", True)


@pytest.mark.parametrize(
    ("last", "status"),
    [
        (HOME, "ok"),
        (HOME + 0.01 * np.eye(6)[3], "failure"),
    ],
)
def test_an_arm_that_is_held_stands_still(last: np.ndarray, status: str) -> None:
    found = judge_standing(watched([0.0, 2.0, 4.0], [HOME, HOME, last]), UR10E_LIMITS)
    assert found.status == status


def test_a_joint_beyond_its_end_is_a_failure() -> None:
    beyond = HOME + 7.0 * np.eye(6)[5]
    assert judge_standing(watched([0.0, 2.0, 4.0], [beyond] * 3), UR10E_LIMITS).status == "failure"


@pytest.mark.parametrize(
    ("trip_p99_ms", "drift_ppm", "late_ms", "statuses"),
    [
        (4.0, 20.0, 1.0, ["ok", "ok"]),
        (40.0, 20.0, 1.0, ["warning", "ok"]),
        (4.0, 150.0, 1.0, ["ok", "warning"]),
        (4.0, 20.0, 25.0, ["ok", "warning"]),
    ],
)
def test_way_and_clock(trip_p99_ms: float, drift_ppm: float, late_ms: float, statuses: list[str]) -> None:
    trip = RoundTrip(100, 0, 1_000_000, 2_000_000, round(trip_p99_ms * 1e6))
    clock = ClockReport(-1_000_000_000_000, drift_ppm, 100_000, round(late_ms * 1e6), 2000, 0)
    found = list(judge_link(trip, clock))
    assert [finding.status for finding in found] == statuses
    assert "+1000.0000 s" in found[1].detail
