"""Jerk and seams of motions whose figures are known."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
PERIOD_NS = 10_000_000
PERIOD_S = 0.01


@pytest.fixture
def smoothness(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("smoothness")


def six(path: np.ndarray) -> np.ndarray:
    """One joint's path, the others at rest."""
    joints = np.zeros((len(path), 6))
    joints[:, 2] = path
    return joints


def stamps(count: int) -> np.ndarray:
    return np.arange(count, dtype=np.int64) * PERIOD_NS


def motion_of(smoothness: ModuleType, path: np.ndarray, chunks: np.ndarray) -> object:
    """A target that is followed exactly; the speed of a tick is that to the next one, as the control path has it."""
    joints = six(path)
    motion = smoothness.Motion(PERIOD_NS, np.full(6, 200.0))
    for i in range(len(path) - 1):
        speed = (joints[i + 1] - joints[i]) / PERIOD_S
        motion.ticks.append(
            smoothness.tick_of(
                i * PERIOD_NS, int(chunks[i]), (joints[i + 1], speed), PERIOD_S, joints[i], joints[i], i * PERIOD_NS
            )
        )
    return motion


def test_a_cubic_has_its_own_jerk(smoothness: ModuleType) -> None:
    t = np.arange(200) * PERIOD_S
    joints = six(1.5 * t**3)
    jerk = smoothness.worst_jerk(stamps(200), joints, PERIOD_NS, smoothness.is_moving(joints, PERIOD_NS))
    assert jerk == pytest.approx(9.0, rel=1e-6)
    assert len(jerk) > 180


def test_a_jump_of_a_milliradian_is_three_thousand(smoothness: ModuleType) -> None:
    path = 0.3 * np.arange(100) * PERIOD_S
    path[50:] += 1e-3
    joints = six(path)
    jerk = smoothness.worst_jerk(stamps(100), joints, PERIOD_NS, smoothness.is_moving(joints, PERIOD_NS))
    assert jerk.max() == pytest.approx(2000.0)  # the binomial 1, 2, 1 of a step
    assert np.count_nonzero(jerk > 1.0) == 3


def test_waiting_neither_counts_nor_hides(smoothness: ModuleType) -> None:
    t = np.arange(100) * PERIOD_S
    moving = 0.5 * t**3 + 0.1 * t
    waiting = np.concatenate((moving, np.full(900, moving[-1])))
    found = []
    for path in (moving, waiting):
        joints = six(path)
        moves = smoothness.is_moving(joints, PERIOD_NS)
        found.append(smoothness.worst_jerk(stamps(len(path)), joints, PERIOD_NS, moves))
    assert len(found[1]) <= len(found[0]) + 3
    assert np.median(found[1]) == pytest.approx(np.median(found[0]))


def test_nothing_is_differentiated_across_a_gap(smoothness: ModuleType) -> None:
    joints = six(0.3 * np.arange(20) * PERIOD_S)
    at = stamps(20)
    at[10:] += 5 * PERIOD_NS
    joints[10:, 2] += 0.1
    moving = np.ones(19, dtype=bool)
    assert smoothness.worst_jerk(at, joints, PERIOD_NS, moving) == pytest.approx(0.0, abs=1e-6)
    assert smoothness.worst_jerk(stamps(20), joints, PERIOD_NS, moving).max() > 1e5


def test_holds_break_the_target(smoothness: ModuleType) -> None:
    joints = six(0.3 * np.arange(20) * PERIOD_S)
    joints[8:12] = np.nan
    joints[12:, 2] += 1.0
    jerk = smoothness.worst_jerk(stamps(20), joints, PERIOD_NS, np.ones(19, dtype=bool))
    assert jerk == pytest.approx(0.0, abs=1e-6)
    assert len(jerk) == 10


def test_too_short_a_motion_has_none(smoothness: ModuleType) -> None:
    assert not len(smoothness.worst_jerk(stamps(3), np.zeros((3, 6)), PERIOD_NS, np.ones(2, dtype=bool)))
    assert smoothness.spread(np.empty(0)) == {"p50": None, "p99": None, "max": None}
    assert smoothness.Motion(PERIOD_NS, np.full(6, 200.0)).figures()["target_jerk"]["max"] is None


def test_seams_are_the_target_s_own_jumps(smoothness: ModuleType) -> None:
    """A chunk that takes over 2 mrad ahead and 0.1 rad/s faster, and one that goes on where the last one was."""
    motion = smoothness.Motion(PERIOD_NS, np.full(6, 200.0))
    place, speed = 0.0, 0.3
    for i in range(30):
        if i == 10:
            place, speed = place + 2e-3, 0.4
        ahead = six(np.array([place + speed * PERIOD_S]))[0]
        rate = six(np.array([speed]))[0]
        chunk = 0 if i < 10 else 1 if i < 20 else 2
        here = six(np.array([place]))[0]
        motion.ticks.append(
            smoothness.tick_of(i * PERIOD_NS, chunk, (ahead, rate), PERIOD_S, here, here, i * PERIOD_NS)
        )
        place += speed * PERIOD_S
    places, speeds = motion.seams()
    assert places == pytest.approx([2e-3, 0.0], abs=1e-12)
    assert speeds == pytest.approx([0.1, 0.0], abs=1e-9)


def test_a_seam_after_a_hold_is_none(smoothness: ModuleType) -> None:
    motion = smoothness.Motion(PERIOD_NS, np.full(6, 200.0))
    here = np.zeros(6)
    for i in range(9):
        target = None if 3 <= i < 6 else (here + 0.1, here)
        motion.ticks.append(smoothness.tick_of(i * PERIOD_NS, int(i >= 6), target, PERIOD_S, here, here, i * PERIOD_NS))
    assert motion.figures()["seams"] == 0
    assert motion.figures()["held_ticks"] == 3


def test_a_jump_shows_in_the_target_and_ticks_at_the_limit_in_the_share(smoothness: ModuleType) -> None:
    t = np.arange(200) * PERIOD_S
    smooth = motion_of(smoothness, 0.3 * t, np.zeros(200)).figures()
    assert smooth["target_jerk"]["max"] == pytest.approx(0.0, abs=1e-6)
    assert smooth["at_limit"] == 0.0
    saturated = motion_of(smoothness, 200.0 / 6.0 * t**3, np.zeros(200)).figures()
    assert saturated["at_limit"] == pytest.approx(1.0)
    assert saturated["commanded_jerk"]["p99"] == pytest.approx(200.0, rel=1e-4)
