"""What comes from an arm that stands still: how regularly, how much is lost, and whether it does stand still."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from geometry.types import Array
from launch.bringup.finding import Finding
from robot.arm import Arm, BufferedArm, RobotState
from robot.kinematics import JointLimits
from robot.ur.clock_map import ClockReport
from robot.ur.round_trip import RoundTrip

_POLL_S = 0.002
# of the states that should come
ENOUGH = 0.99
TOO_FEW = 0.9
# gaps of real streams reach 30 ms; beyond that servoj's smoothing runs dry [ms]
LATE_MS = 10.0
FAR_TOO_LATE_MS = 50.0
# an arm that is held moves less than this [rad]
STILL_RAD = 0.002
# quartz is within 50 ppm
DRIFT_PPM = 100.0


@dataclass(frozen=True, slots=True)
class Watched:
    """States that came in a while.

    Attributes:
        states: In order, none twice.
        seconds: How long was listened [s].
    """

    states: tuple[RobotState, ...]
    seconds: float

    def periods_ms(self) -> Array:
        """Times between states, by the arm's clock [ms]."""
        periods: Array = np.diff([state.stamp_ns for state in self.states]) * 1e-6
        return periods


def watch(arm: Arm, seconds: float) -> Watched:
    """Listen to a connected arm for a while [s].

    Raises:
        robot.arm.ArmFault: If the arm cannot be commanded.
    """
    states: list[RobotState] = []
    newest = newest_states(arm)[-1:]
    last = newest[0].sequence if newest else -1
    start = time.monotonic()
    while time.monotonic() - start < seconds:
        for state in newest_states(arm):
            if state.sequence > last:
                states.append(state)
                last = state.sequence
        time.sleep(_POLL_S)
    return Watched(tuple(states), time.monotonic() - start)


def newest_states(arm: Arm) -> list[RobotState]:
    """All states since the last call, where the driver keeps them; else the newest."""
    return arm.read_states() if isinstance(arm, BufferedArm) else [arm.read_state()]


def judge_states(watched: Watched, rate_hz: float | None) -> Finding:
    """How regularly states come.

    Args:
        watched: What came.
        rate_hz: States a second that were asked for; None for what the arm sends by itself [Hz].
    """
    count = len(watched.states)
    if count < 3:
        return Finding(
            "states", "failure", f"{count} states in {watched.seconds:.1f} s",
            "see the cable and the load of this computer", missing=True,
        )  # fmt: skip
    periods_ms = watched.periods_ms()
    p50, p99, worst = np.percentile(periods_ms, (50, 99, 100)).tolist()
    period_ms = p50 if rate_hz is None else 1e3 / rate_hz
    lost = int(np.maximum(np.round(periods_ms / period_ms) - 1, 0).sum())
    mean_hz = 1e3 * len(periods_ms) / float(periods_ms.sum())
    figures = {
        "count": count, "mean_hz": mean_hz, "period_p50_ms": p50, "period_p99_ms": p99, "period_worst_ms": worst,
        "lost": lost,
    }  # fmt: skip
    detail = (
        f"{count} in {watched.seconds:.1f} s, {mean_hz:.1f} Hz; period p50 {p50:.2f}, p99 {p99:.2f}, "
        f"worst {worst:.2f} ms; {lost} lost"
    )
    part = (count - 1) / (count - 1 + lost)
    if part >= ENOUGH and worst <= FAR_TOO_LATE_MS:
        return Finding("states", "ok", detail, figures=figures)
    remedy = (
        "connect the control box by a cable of its own, without Wi-Fi, and see whether this computer is busy "
        "(docs/realtime.md)"
    )
    return Finding("states", "warning" if part >= TOO_FEW else "failure", detail, remedy, figures)


def judge_standing(watched: Watched, limits: JointLimits) -> Finding:
    """Whether the arm stands still, inside its joint limits."""
    joints = np.array([state.joint_positions_rad for state in watched.states])
    moved = float(np.ptp(joints, axis=0).max())
    where = ", ".join(f"{math.degrees(q):.1f}" for q in joints[-1])
    figures = {"joints_rad": joints[-1].tolist(), "moved_rad": moved}
    detail = f"joints at {where} deg; moved {math.degrees(moved):.3f} deg meanwhile"
    if moved > STILL_RAD:
        remedy = "somebody moves it: stop the other program, let go of freedrive; or its payload is wrong and it sinks"
        return Finding("joints", "failure", detail, remedy, figures)
    if not limits.contains(joints[-1]):
        remedy = "a joint is outside its range: jog it back at the teach pendant"
        return Finding("joints", "failure", detail, remedy, figures)
    return Finding("joints", "ok", detail, figures=figures)


def judge_link(trip: RoundTrip, clock: ClockReport | None) -> Iterator[Finding]:
    """How long the way to a controller and back is, and how well its clock is known."""
    p50, p99 = trip.p50_ns * 1e-6, trip.p99_ns * 1e-6
    figures: dict[str, float] = {
        "count": trip.count, "lost": trip.lost, "least_ms": trip.least_ns * 1e-6, "p50_ms": p50, "p99_ms": p99,
    }  # fmt: skip
    detail = f"n = {trip.count}, p50 {p50:.2f}, p99 {p99:.2f} ms; {trip.lost} lost"
    late = p99 > LATE_MS or trip.lost > 0
    remedy = "a cable of its own to the control box; look for load on this computer (docs/realtime.md)" if late else ""
    yield Finding("round trip", "warning" if late else "ok", detail, remedy, figures)
    if clock is None:
        return
    delay_p50, delay_p99 = clock.delay_p50_ns * 1e-6, clock.delay_p99_ns * 1e-6
    figures = {
        "offset_s": clock.offset_ns * 1e-9, "drift_ppm": clock.drift_ppm, "delay_p50_ms": delay_p50,
        "delay_p99_ms": delay_p99, "packets": clock.packets, "restarts": clock.restarts,
    }  # fmt: skip
    detail = (
        f"controller's clock {-clock.offset_ns * 1e-9:+.4f} s from the run clock, drift {clock.drift_ppm:+.1f} ppm; "
        f"packets late by p50 {delay_p50:.2f}, p99 {delay_p99:.2f} ms (n = {clock.packets})"
    )
    if delay_p99 > LATE_MS or abs(clock.drift_ppm) > DRIFT_PPM or clock.restarts:
        remedy = "stamps of states are as uncertain as that: use a direct cable, an idle computer, and look again"
        yield Finding("clock", "warning", detail, remedy, figures)
    else:
        yield Finding("clock", "ok", detail, figures=figures)
