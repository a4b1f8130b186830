from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from deploy.errors import BadInput
from robot.sim.motion_trace import COLUMNS, MotionTrace, TraceRing

STEP_NS = 2_000_000


def braking(rows: int = 500, start_m_s: float = 1.0, brake_m_s2: float = 2.0) -> np.ndarray:
    """One joint whose tool, a metre away, moves along x; it brakes from row 100 on."""
    table = np.zeros((rows, COLUMNS))
    table[:, 0] = np.arange(rows) * STEP_NS
    table[:, 1] = 50_000
    speed = np.clip(start_m_s - brake_m_s2 * np.clip(np.arange(rows) - 100, 0, None) * 0.002, 0.0, None)
    at = np.concatenate([[0.0], np.cumsum(speed * 0.002)])
    table[:, 3], table[:, 9] = at[1:], speed
    table[:, 15] = at[:-1]  # the site of the step's beginning
    return table


def test_time_and_way_to_rest() -> None:
    trace = MotionTrace.from_rows(braking())
    assert trace.tool_m_s == pytest.approx(trace.speeds_rad_s[:, 0], abs=1e-9)
    rest = trace.to_rest(100 * STEP_NS, below_rad_s=1e-6)
    assert rest.after_s == pytest.approx(0.5, abs=0.003)
    assert rest.tool_m == pytest.approx(0.25, abs=0.002)
    assert rest.joints_rad[0] == pytest.approx(0.25, abs=0.002)
    assert (rest.start_rad_s, rest.start_m_s) == pytest.approx((1.0, 1.0))
    assert trace.lateness_us() == pytest.approx((50.0,) * 4)
    later = trace.to_rest(400 * STEP_NS)
    assert (later.after_s, later.tool_m) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("from_ns", "rows", "sentence"),
    [(-1, 500, "not in the trace"), (501 * STEP_NS, 500, "not in the trace"), (0, 200, "still moves")],
)
def test_what_cannot_be_said(from_ns: int, rows: int, sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence):
        MotionTrace.from_rows(braking(rows)).to_rest(from_ns)


def test_an_empty_trace() -> None:
    trace = MotionTrace.from_rows(np.zeros((0, COLUMNS)))
    assert np.isnan(trace.lateness_us()).all()
    with pytest.raises(BadInput, match="not in the trace of 0 steps"):
        trace.to_rest(0)


def test_the_jump_to_another_scene_is_no_motion() -> None:
    table = braking(200, brake_m_s2=0.0)
    table[100:, 2] = 1
    table[100:, 15] += 5.0
    trace = MotionTrace.from_rows(table)
    assert trace.tool_m_s.max() == pytest.approx(1.0)
    assert trace.tool_m_s[99] == 0.0


def test_the_ring_keeps_the_last_minute() -> None:
    ring = TraceRing(STEP_NS * 100)
    assert ring.newest() == []
    for count in (10, 290, 300, 1000):
        while ring._count < count:
            ring.add((float(ring._count), *([0.0] * (COLUMNS - 1))))
        rows = np.concatenate(ring.newest())
        assert rows[:, 0].tolist() == list(range(max(0, count - 300), count))


def test_files(tmp_path: Path) -> None:
    trace = MotionTrace.from_rows(braking(20))
    trace.save(tmp_path / "motion.npz")
    with np.load(tmp_path / "motion.npz") as stored:
        assert stored["joints_rad"] == pytest.approx(trace.joints_rad)
        assert stored["stamp_ns"].tolist() == trace.stamp_ns.tolist()
    trace.save(tmp_path / "motion.csv")
    lines = (tmp_path / "motion.csv").read_text().splitlines()
    assert lines[0].startswith("stamp_ns,lateness_ns,episode,joints_rad_0,")
    assert len(lines) == 21
    assert lines[2].startswith("2000000,50000,0,0.004,")
    with pytest.raises(BadInput, match=r"\.npz or \.csv"):
        trace.save(tmp_path / "motion.txt")
