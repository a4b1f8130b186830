"""What the safety governor costs per check, by situation.

    python benchmarks/governor.py [--checks 3000] [--boxes 5] [--json]

Each situation is a stream of commands at 100 Hz for a UR10e with a gripper, five keep-out boxes, table, walls and
self-collision: at rest; the reference task's motion; fast motion; motion along a box, a few millimetres away; motion
that is held at the table over and over; streams whose every command is clipped (steps, a tool that is too fast); and
stops. Every check is timed on its own, on the wall and in processor time of the thread: where other programs share the
cores the second is nearer to what the check itself takes.
"""

from __future__ import annotations

import argparse
import gc
import json
import math
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from geometry.pose import Pose
from geometry.types import Array
from launch.machine import machine_facts
from robot.arm import JointCommand, RobotState
from robot.governor import Box, GovernorLimits, SafetyGovernor
from robot.kinematics import UR10E_HOME_RAD, UR10E_LIMITS, Kinematics
from robot.trajectory import JointTrajectory

TARGET_US = 200.0
DT = 0.01
TICK_NS = 10_000_000
HOME = np.array(UR10E_HOME_RAD)
KINEMATICS = Kinematics(Pose(np.eye(3), np.array([0.0, 0.0, 0.145])))
BOXES = (
    Box("fixture", (-0.95, -0.35, 0.0), (-0.75, -0.15, 0.25)),
    Box("post", (-0.4, 0.45, 0.0), (-0.3, 0.55, 0.9)),
    Box("shelf", (0.3, -0.8, 0.4), (0.9, 0.8, 0.6)),
    Box("feeder", (-0.9, 0.35, 0.0), (-0.7, 0.55, 0.2)),
    Box("screen", (-1.3, -0.6, 0.3), (-1.2, 0.6, 1.2)),
)
Next = Callable[[int, Array], tuple[Array, str]]


def task() -> Next:
    """Down, up and across, as the pick does it."""
    trajectory = JointTrajectory(UR10E_LIMITS.scaled(0.8))
    trajectory.reset(HOME)
    sent = HOME
    down = KINEMATICS.tcp(HOME).rotation
    last = HOME

    def following(tick: int, at: Array) -> tuple[Array, str]:
        nonlocal last, sent
        if not np.array_equal(at, sent):
            trajectory.reset(at)
        phase = 2 * math.pi * tick * DT / 4.0
        place = np.array(
            [-0.6 - 0.12 * math.sin(phase), 0.1 + 0.2 * math.sin(0.5 * phase), 0.2 + 0.15 * math.cos(phase)]
        )
        target = KINEMATICS.joints(Pose(down, place), last)
        joints, _, _ = trajectory.step(target, (target - last) / DT, DT)
        last, sent = target, joints
        return joints, "position"

    return following


def waves(size: float, pace: float) -> Next:
    direction = np.array([1.0, 0.3, -0.3, 0.6, 0.6, 1.0])

    def following(tick: int, _at: Array) -> tuple[Array, str]:
        t = tick * DT
        return HOME + size * (1 - math.cos(pace * t)) * min(1.0, t) * direction, "position"

    return following


def beside_a_box() -> Next:
    """To and fro along the fixture's top, fingers a few millimetres above the margin."""
    down = KINEMATICS.tcp(HOME).rotation
    last = HOME

    def following(tick: int, _at: Array) -> tuple[Array, str]:
        nonlocal last
        grown = min(1.0, tick * DT / 3.0)
        x = -0.6 - 0.2 * grown + 0.05 * math.sin(tick * DT)
        y = 0.1 - 0.35 * grown
        last = KINEMATICS.joints(Pose(down, np.array([x, y, 0.35 - 0.083 * grown])), last)
        return last, "position"

    return following


def into_a_wall() -> Next:
    """Always further down through the table, starting over from where it was held."""
    down = KINEMATICS.tcp(HOME).rotation

    def following(tick: int, at: Array) -> tuple[Array, str]:
        pose = KINEMATICS.tcp(at)
        step = -0.002 if (tick // 200) % 2 == 0 else 0.001
        place = pose.translation + np.array([0.0, 0.0, step])
        return KINEMATICS.joints(Pose(down, np.maximum(place, (-9, -9, -0.1))), at), "position"

    return following


def steps(size: float) -> Next:
    def following(tick: int, _at: Array) -> tuple[Array, str]:
        return HOME + size * (1.0 if (tick // 60) % 2 else -1.0) * np.ones(6), "position"

    return following


def at_speed(value: float) -> Next:
    def following(tick: int, _at: Array) -> tuple[Array, str]:
        sign = 1.0 if math.sin(tick * DT * 2.0) > 0.0 else -1.0
        return sign * value * np.array([1.0, 0.2, -0.2, 0.5, 0.5, 1.0]), "velocity"

    return following


def still() -> Next:
    return lambda _tick, _at: (HOME, "position")


LIMITS = GovernorLimits(keep_out=BOXES)
SITUATIONS: dict[str, tuple[Callable[[], Next], GovernorLimits, int]] = {
    "at rest": (still, LIMITS, 0),
    "the task": (task, LIMITS, 0),
    "fast": (lambda: waves(0.25, 2.5), LIMITS, 0),
    "beside a box": (beside_a_box, LIMITS, 0),
    "into the table": (into_a_wall, LIMITS, 0),
    "steps, clipped": (lambda: steps(0.06), LIMITS, 0),
    "tool too fast": (lambda: at_speed(1.5), replace(LIMITS, tool_speed_m_s=0.25), 0),
    "stale, stopped": (lambda: at_speed(1.5), LIMITS, 40),
}


def measure(situation: str, checks: int, boxes: int) -> dict[str, Any]:
    make, limits, stale_every = SITUATIONS[situation]
    following = make()
    governor = SafetyGovernor(replace(limits, keep_out=limits.keep_out[:boxes]), KINEMATICS, DT)
    governor.reset(HOME)
    at = HOME
    wall, cpu = np.empty(checks), np.empty(checks)
    changed = stopped = 0
    for tick in range(checks):
        joints, mode = following(tick, at)
        now_ns = (tick + 1) * TICK_NS
        stale = stale_every and (tick // stale_every) % 2
        state = RobotState(tick, now_ns, at, np.zeros(6), 1.0)
        command = JointCommand(now_ns, mode, joints, 1.0)  # type: ignore[arg-type]
        photons_ns = now_ns - (3_000_000_000 if stale else 0)
        began, spent = time.perf_counter_ns(), time.thread_time_ns()
        verdict = governor.check(command, state, now_ns, photons_ns)
        cpu[tick] = time.thread_time_ns() - spent
        wall[tick] = time.perf_counter_ns() - began
        out = verdict.command.joints
        at = at + out * DT if mode == "velocity" else np.array(out)
        changed += bool(verdict.interventions)
        stopped += verdict.stopped
        if governor.cause is not None:
            governor.reset(at)
    return {
        "situation": situation,
        "checks": checks,
        "changed": changed,
        "stopped": stopped,
        **{
            f"{name}_{what}_us": round(float(np.quantile(times, q)) / 1e3, 1)
            for what, times in (("wall", wall), ("cpu", cpu))
            for name, q in (("p50", 0.5), ("p99", 0.99))
        },
    }


def main() -> int:
    parser = argparse.ArgumentParser(description="What the safety governor costs per check.")
    parser.add_argument("--checks", type=int, default=3000, help="checks per situation (3000)")
    parser.add_argument("--boxes", type=int, default=5, choices=range(6), help="keep-out boxes (5)")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    asked = parser.parse_args()
    gc.freeze()
    rows = [measure(situation, asked.checks, asked.boxes) for situation in SITUATIONS]
    if asked.json:
        print(json.dumps({"target_p99_us": TARGET_US, "boxes": asked.boxes, "rows": rows, "machine": machine_facts()}))
        return 0
    print(
        f"{'situation':<16} {'checks':>6} {'changed':>7} {'stopped':>7}   p50 wall  p99 wall   p50 cpu   p99 cpu  [us]"
    )
    for row in rows:
        print(
            f"{row['situation']:<16} {row['checks']:>6} {row['changed']:>7} {row['stopped']:>7}"
            f" {row['p50_wall_us']:>10} {row['p99_wall_us']:>9} {row['p50_cpu_us']:>9} {row['p99_cpu_us']:>9}"
        )
    print(f"target: p99 below {TARGET_US:.0f} us")
    return 0


if __name__ == "__main__":
    sys.exit(main())
