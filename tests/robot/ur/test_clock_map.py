from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from robot.ur.clock_map import ControllerClock

SECOND = 1_000_000_000
PERIOD_NS = 2_000_000


def run(
    count: int,
    *,
    drift_ppm: float = 0.0,
    offset_ns: int = 0,
    least_ns: int = 150_000,
    jitter_ns: float = 300_000.0,
    seed: int = 0,
    clock: ControllerClock | None = None,
    from_ns: int = 0,
) -> tuple[ControllerClock, np.ndarray, np.ndarray, np.ndarray]:
    """A controller at 500 Hz: errors of the mapped times beyond the least delay, mapped times, arrivals [ns]."""
    rng = np.random.default_rng(seed)
    clock = clock or ControllerClock()
    true_ns = from_ns + np.arange(count) * PERIOD_NS
    # Gaps of 30 ms come up on real streams; packets stay in order.
    delays = least_ns + rng.exponential(jitter_ns, count) + 30e6 * (rng.random(count) < 0.002)
    arrivals = np.maximum.accumulate(true_ns + delays.astype(np.int64))
    stamps_s = (true_ns - from_ns) * 1e-9 * (1.0 - drift_ppm * 1e-6) + offset_ns * 1e-9
    mapped = np.array([clock.to_run_ns(float(s), int(a)) for s, a in zip(stamps_s, arrivals, strict=True)])
    return clock, mapped - true_ns - least_ns, mapped, arrivals


@settings(max_examples=10, deadline=None)
@given(
    drift_ppm=st.floats(-120.0, 120.0),
    offset_ns=st.integers(0, 30 * 86_400 * SECOND),
    jitter_ns=st.floats(1e3, 2e6),
    seed=st.integers(0, 2**32 - 1),
)
def test_offset_and_drift_are_found_under_any_delay(
    drift_ppm: float, offset_ns: int, jitter_ns: float, seed: int
) -> None:
    clock, errors, mapped, arrivals = run(
        6000, drift_ppm=drift_ppm, offset_ns=offset_ns, jitter_ns=jitter_ns, seed=seed
    )
    assert (mapped <= arrivals).all()
    assert (np.diff(mapped) >= 0).all()
    report = clock.report()
    assert report is not None
    # Before drift is known, from 5 or 6 s on, within what it makes in that time; then far below the raw jitter.
    assert np.abs(errors[500:]).max() < 6.0 * 130e-6 * SECOND + 0.1 * jitter_ns
    assert np.abs(errors[4000:]).max() < 60_000 + 0.1 * jitter_ns
    assert abs(report.drift_ppm - drift_ppm) < 10.0 + 0.01 * jitter_ns / 1e3
    assert report.packets == 6000
    assert report.restarts == 0
    assert 0 <= report.delay_p50_ns <= report.delay_p99_ns


def test_spread_is_that_of_the_delays() -> None:
    clock, _, _, _ = run(4000, jitter_ns=500_000.0)
    report = clock.report()
    assert report is not None
    assert 250_000 < report.delay_p50_ns < 500_000
    assert 1_500_000 < report.delay_p99_ns < 40_000_000


@settings(max_examples=10, deadline=None)
@given(uptime_s=st.floats(3.0, 1e6), again_s=st.floats(0.0, 1.0), seed=st.integers(0, 2**32 - 1))
def test_a_controller_that_was_started_again_is_followed(uptime_s: float, again_s: float, seed: int) -> None:
    clock, _, before, _ = run(600, offset_ns=int(uptime_s * SECOND), seed=seed)
    clock, errors, after, arrivals = run(
        600, offset_ns=int(again_s * SECOND), seed=seed + 1, clock=clock, from_ns=70 * SECOND
    )
    report = clock.report()
    assert report is not None
    assert report.restarts == 1
    assert after[0] > before[-1]
    assert (after <= arrivals).all()
    assert np.abs(errors[300:]).max() < 200_000


def test_nothing_is_known_before_the_first_packet() -> None:
    assert ControllerClock().report() is None
