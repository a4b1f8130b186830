"""Each joint a little to both sides, then a stop in mid-motion."""

from __future__ import annotations

import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from deploy.realtime import Realtime
from geometry.types import Array
from launch.bringup.finding import Finding, Status
from launch.bringup.mover import Mover, Pace, Refused
from robot.arm import ArmFault

# of what was asked; an arm that does less, or moves another joint by that, does not do what it is told
TOLERANCE: Final = 0.25
# a joint that is further behind than this follows badly [rad]
BEHIND_RAD: Final = math.radians(0.5)
# braking from a jog takes tenths of a second [s]
STOP_S: Final = 0.5
# what the arm host clamps, the governor should not have let through
_CLAMPS: Final = ("position", "velocity", "acceleration", "non_finite")
_NO_ROOM: Final = "move the arm to where it has room to both sides, or see `governor` in the configuration"


@dataclass(frozen=True, slots=True)
class JogPlan:
    """How each joint is moved.

    Attributes:
        angle_rad: How far to each side [rad].
        settle_s: How long it rests there before it is looked at [s].
        pace: How slowly.
    """

    angle_rad: float = math.radians(2.0)
    settle_s: float = 0.4
    pace: Pace = field(default_factory=Pace)


def jog(mover: Mover, plan: JogPlan, realtime: Realtime) -> Iterator[Finding]:
    """Jog an arm; between two findings it rests, and nobody needs to be quick. A failure ends it.

    Args:
        mover: The arm, not connected; it is closed at the end.
        plan: How to move.
        realtime: What the control loop asks of the system.
    """
    try:
        with realtime, ThreadPoolExecutor(1, "jog", realtime.enter_control_thread) as control:
            try:
                mover.host.connect()
                for joint, name in enumerate(mover.host.joint_names):
                    finding = control.submit(_jog_joint, mover, plan, joint, name).result()
                    yield finding
                    if finding.status == "failure":
                        return
                yield control.submit(_try_stop, mover, plan).result()
                yield _host_said(mover)
            finally:
                mover.close()
    except ArmFault as fault:
        yield Finding("jog", "failure", f"{fault.kind}: the arm stopped and holds", str(fault))


def _jog_joint(mover: Mover, plan: JogPlan, joint: int, name: str) -> Finding:
    """Move a joint to one side, to the other, and back."""
    start = mover.begin()
    moved: list[float] = []
    others = 0.0
    tracks = []
    for side in (plan.angle_rad, -plan.angle_rad):
        target = start.copy()
        target[joint] += side
        try:
            mover.go(target, plan.settle_s)
        except Refused as refused:
            return _refused(mover, plan, start, f"jog {name}", side, refused)
        here = mover.state.joint_positions_rad - start
        moved.append(float(here[joint]))
        others = max(others, float(np.abs(np.delete(here, joint)).max()))
        tracks.append(mover.track)
    mover.go(start, plan.settle_s)
    mover.rest()
    behind = max(track.behind_rad() for track in tracks)
    return judge_motion(name, plan.angle_rad, (moved[0], moved[1]), others, behind)


def _refused(mover: Mover, plan: JogPlan, start: Array, name: str, side: float, refused: Refused) -> Finding:
    """What a motion that the governor stopped means; the arm goes back, if it is known to go where it is sent."""
    detail = f"{math.degrees(side):+.1f} deg: {refused}"
    if refused.why.kind == "following":
        return Finding(name, "failure", detail, "it does not go where it is sent: do not run, see its log")
    with suppress(Refused):
        mover.begin()
        mover.go(start, plan.settle_s)
        mover.rest()
    return Finding(name, "warning", f"{detail}; not moved further", _NO_ROOM)


def judge_motion(name: str, asked: float, moved: tuple[float, float], others: float, behind: float) -> Finding:
    """What a joint did that was sent to one side and to the other.

    Args:
        name: Of the joint.
        asked: How far to each side [rad].
        moved: Where it came to, the positive side first [rad].
        others: The most that another joint moved [rad].
        behind: The furthest that it was behind [rad].
    """
    asked_deg, others_deg, behind_deg = (math.degrees(angle) for angle in (asked, others, behind))
    moved_deg = [math.degrees(angle) for angle in moved]
    detail = (
        f"{asked_deg:+.2f} / {-asked_deg:+.2f} deg asked, {moved_deg[0]:+.2f} / {moved_deg[1]:+.2f} measured; "
        f"following error {behind_deg:.2f} deg"
    )
    status: Status = "failure"
    remedy = ""
    if moved[0] < 0.0 < moved[1]:
        detail, remedy = f"{detail}: it turns the wrong way", "this is another arm than rig.arm.model says: do not run"
    elif max(abs(moved[0] - asked), abs(moved[1] + asked)) > TOLERANCE * asked:
        remedy = "it does not go where it is sent: see its load, its brakes and its log"
    elif others > TOLERANCE * asked:
        detail, remedy = f"{detail}; another joint moved {others_deg:.2f} deg", "see whether the payload is right"
    elif behind > BEHIND_RAD:
        status, remedy = "warning", "it lags behind: see lookahead_s and gain of the driver, and the speed slider"
    else:
        status = "ok"
    figures = {
        "asked_deg": asked_deg, "moved_deg": moved_deg, "others_deg": others_deg, "following_error_deg": behind_deg,
    }  # fmt: skip
    return Finding(f"jog {name}", status, detail, remedy, figures)


def _try_stop(mover: Mover, plan: JogPlan) -> Finding:
    """Tell the arm to stop while the last joint moves, and see how long it takes and how far it goes."""
    start = mover.begin()
    target = start.copy()
    target[-1] += plan.angle_rad
    try:
        mover.go(target, until=start[-1] + 0.5 * plan.angle_rad)
    except Refused as refused:
        return _refused(mover, plan, start, "stop", plan.angle_rad, refused)
    at, speed = mover.state.joint_positions_rad, float(np.abs(mover.state.joint_velocities_rad_s).max())
    took_s = mover.rest()
    went_deg = math.degrees(float(np.abs(mover.state.joint_positions_rad - at).max()))
    figures = {"from_rad_s": speed, "took_s": took_s, "went_deg": went_deg}
    detail = f"told to stop at {speed:.3f} rad/s, it rested after {took_s * 1e3:.0f} ms and {went_deg:.2f} deg"
    if took_s > STOP_S:
        return Finding("stop", "failure", detail, "the arm does not obey a stop: use its emergency stop", figures)
    mover.begin()
    mover.go(start, plan.settle_s)
    mover.rest()
    return Finding("stop", "ok", detail, figures=figures)


def _host_said(mover: Mover) -> Finding:
    """What the arm host had to do by itself meanwhile."""
    events = mover.host.events()
    clamps = [event for event in events if event.kind in _CLAMPS]
    late = sum(event.count for event in events if event.kind == "late")
    figures = {"clamps": sum(event.count for event in clamps), "late": late}
    if late:
        detail = f"{late} commands came late; catching up, it clamped {figures['clamps']} times"
        remedy = "allow real time (docs/realtime.md), or leave this computer alone"
        return Finding("arm host", "warning", detail, remedy, figures)
    if clamps:
        said = ", ".join(sorted({f"{event.kind} of joint {event.joint}" for event in clamps}))
        return Finding("arm host", "failure", f"it had to clamp what came in time: {said}", "please report it", figures)
    return Finding("arm host", "ok", "it clamped nothing, and no command came late", figures=figures)
