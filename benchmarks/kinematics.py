"""Inverse kinematics beside other libraries: the same poses and starts, in turns, in one run.

    python benchmarks/kinematics.py [--model ur10e] [--poses 2000] [--round-trip 100000] [--figure FILE] [--json]

Three sets: `near` starts a tenth of a radian off the joints that made the pose, as a control loop does; `far` starts
from one rest position, and nothing starts anew; `singular` is `near` at configurations with wrist, elbow or shoulder at
or next to one. A solve counts when it is off by at most 0.1 mm and 1 mrad inside the joints' ranges. Times are
processor time of all solves, so that other work on the machine counts for nothing. `--round-trip` solves that many
random and singular poses with ours alone and checks every branch.

The others are in `pip install pin mink ikpy`, best in an environment of their own that has eyehand too; one that is not
installed is named and left out. ikpy solves every twentieth pose.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from kinematics_peers import INSTALL, Solver, following, ikpy, mink, ours, pinocchio

from geometry.pose import Pose
from launch.machine import machine_facts
from robot.kinematics import (
    DhModel,
    JointLimits,
    Kinematics,
    PoseFollower,
    Unreachable,
    forward,
    inverse,
    limits_named,
    model_named,
    nearest,
)
from robot.trajectory import JointTrajectory

OURS = "eyehand any_joints"
TOOLS: dict[str, tuple[Callable[[DhModel, JointLimits], Solver], int]] = {
    OURS: (ours, 1),
    "eyehand follow": (following, 1),
    "pinocchio DLS": (pinocchio, 1),
    "mink": (mink, 1),
    "ikpy": (ikpy, 20),
}
CLOSE_M, CLOSE_RAD = 1e-4, 1e-3
REST = np.array([-0.46, -1.70, 2.02, -1.88, -1.57, 2.69])
OFFSETS = [0.0, 1e-15, 1e-12, 1e-9, 1e-8, 1e-6, 1e-4, 1e-2]


def singular_joints(rng: np.random.Generator, count: int, model: DhModel) -> np.ndarray:
    """Shape (N, 6): wrist, elbow and shoulder in turn, exactly and nearly singular."""
    joints = rng.uniform(-3.0, 3.0, (count, 6))
    off = rng.choice(OFFSETS, count) * rng.choice([-1.0, 1.0], count)
    for i, q in enumerate(joints):
        if i % 3 == 0:
            q[4] = rng.choice([0.0, math.pi]) + off[i]
        elif i % 3 == 1:
            q[2] = off[i]
        else:
            sine = -(model.a_m[1] * math.cos(q[1]) + model.a_m[2] * math.cos(q[1] + q[2])) / model.d_m[4]
            if abs(sine) <= 1.0:
                q[3] = math.remainder(math.asin(sine) - q[1] - q[2] + off[i], 2 * math.pi)
    return joints


def problems(count: int, model: DhModel) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Joints that make the poses, and starts, by set."""
    rng = np.random.default_rng(20)
    anywhere, singular = rng.uniform(-3.0, 3.0, (count, 6)), singular_joints(rng, count, model)
    return {
        "near": (anywhere, anywhere + rng.uniform(-0.1, 0.1, (count, 6))),
        "far": (anywhere, np.tile(REST, (count, 1))),
        "singular": (singular, singular + rng.uniform(-0.1, 0.1, (count, 6))),
    }


def measure(count: int, model: DhModel, limits: JointLimits) -> tuple[dict[str, Any], list[str]]:
    """Rows by set and tool, and the tools that are not installed."""
    solvers, missing = {}, []
    for name, (build, _) in TOOLS.items():
        try:
            solvers[name] = build(model, limits)
        except ImportError as error:
            missing.append(f"{name}: {error}: {INSTALL}")
    table: dict[str, Any] = {}
    for kind, (joints, starts) in problems(count, model).items():
        rows: dict[str, list[tuple[float, float, float, bool]]] = {name: [] for name in solvers}
        for i, (q, start) in enumerate(zip(joints, starts, strict=True)):
            pose = forward(q, model)
            for name, solve in solvers.items():
                if i % TOOLS[name][1] == 0 and not (kind == "far" and name == "eyehand follow"):
                    rows[name].append(_one(solve, pose, start, model, limits))
        table[kind] = {name: _summary(row) for name, row in rows.items() if row}
        fast = table[kind][OURS]["median_us"]
        for row in table[kind].values():
            row["ratio"] = row["median_us"] / fast
    return table, missing


def _one(
    solve: Solver, pose: Pose, start: np.ndarray, model: DhModel, limits: JointLimits
) -> tuple[float, float, float, bool]:
    matrix = pose.matrix
    began = time.thread_time_ns()
    try:
        found = solve(matrix, start)
    except Exception:  # any refusal of any library is a pose that was not solved
        return (time.thread_time_ns() - began) / 1e3, math.inf, math.inf, False
    taken = (time.thread_time_ns() - began) / 1e3
    error_m, error_rad = forward(found, model).distance_to(pose)
    inside = all(
        low - 1e-9 <= q <= high + 1e-9 for low, q, high in zip(limits.lower_rad, found, limits.upper_rad, strict=True)
    )
    return taken, error_m, error_rad, bool(inside and error_m <= CLOSE_M and error_rad <= CLOSE_RAD)


def _summary(rows: list[tuple[float, float, float, bool]]) -> dict[str, float]:
    taken, errors_m, errors_rad, solved = (np.array(column) for column in zip(*rows, strict=True))
    good = solved.astype(bool)
    return {
        "n": len(rows),
        "solved": float(good.mean()),
        "error_m": float(np.median(errors_m[good])) if good.any() else math.inf,
        "error_rad": float(np.median(errors_rad[good])) if good.any() else math.inf,
        "median_us": float(np.median(taken)),
        "p99_us": float(np.percentile(taken, 99)),
    }


def round_trip(count: int, model: DhModel, limits: JointLimits) -> dict[str, float]:
    """Solve poses of random (two in three) and singular joints with ours, and check every branch."""
    rng = np.random.default_rng(21)
    lower, upper = np.array(limits.lower_rad), np.array(limits.upper_rad)
    joints = np.vstack((rng.uniform(lower, upper, (count - count // 3, 6)), singular_joints(rng, count // 3, model)))
    failed, worst, branches = 0, 0.0, 0
    for q in joints:
        pose = forward(q, model)
        try:
            found = [nearest(pose, q, limits, model), *map(np.array, inverse(pose, q, model))]
        except Unreachable:
            failed += 1
            continue
        branches += len(found) - 1
        worst = max(worst, *(float(np.abs(forward(f, model).matrix - pose.matrix).max()) for f in found))
    return {"n": len(joints), "failed": failed, "branches": branches, "worst": worst}


def draw(path: Path) -> None:
    """Past the wrist's singularity within 5 s, with a trajectory behind: exact joints, and those of the follower."""
    import matplotlib.pyplot as plt  # type: ignore[import-untyped,unused-ignore]

    arm, at = Kinematics(Pose(np.eye(3), np.array([0.0, 0.0, 0.145]))), np.array([0.3, -1.4, 1.9, -2.0, 0.0, 0.5])
    figure, axes = plt.subplots(3, 1, figsize=(7, 8), sharex=True)
    for off in (0.001, 0.01, 0.03):
        line = None
        for style, follows in (("-", True), (":", False)):
            t, speed, error_m, error_rad = sweep(arm, at, off, follows)
            label = f"{1e3 * off:g} mrad off" if follows else None
            (line,) = axes[0].plot(t, speed, style, label=label, color=None if line is None else line.get_color())
            axes[1].plot(t, 1e3 * error_m, style, color=line.get_color())
            axes[2].plot(t, np.degrees(error_rad), style, color=line.get_color())
    axes[0].set(
        yscale="log", ylabel="fastest joint asked for [rad/s]", title="past the wrist's singularity (dotted: exact)"
    )
    axes[0].legend()
    axes[1].set(ylabel="tool off by [mm]")
    axes[2].set(ylabel="tool off by [deg]", xlabel="time [s]")
    figure.tight_layout()
    figure.savefig(path)


def sweep(arm: Kinematics, at: np.ndarray, off_rad: float, follows: bool) -> tuple[np.ndarray, ...]:
    """Times [s], fastest joint asked for [rad/s], and how far the tool behind the trajectory is off [m, rad]."""
    dt, limits, middle = 0.01, arm.limits.scaled(0.8), arm.tcp(at)
    tilt = Pose.from_rotvec(off_rad * np.array([math.cos(at[0]), math.sin(at[0]), 0.0]), np.zeros(3)).rotation
    follower, trajectory, rows, joints = PoseFollower(arm, limits, dt), JointTrajectory(limits), [], None
    for k in range(550):
        u = min(k * dt / 5.0, 1.0)
        turn = Pose.from_rotvec([0.0, 0.0, u**3 * (10 - 15 * u + 6 * u * u) - 0.5], np.zeros(3)).rotation
        pose = Pose(turn @ tilt @ middle.rotation, middle.translation)
        if joints is None:
            joints = arm.any_joints(pose, at)
            follower.reset(joints)
            trajectory.reset(joints)
            continue
        following = follower.step(pose).joints if follows else arm.any_joints(pose, joints)
        speed = (following - joints) / dt
        error_m, error_rad = arm.tcp(trajectory.step(following, speed, dt)[0]).distance_to(pose)
        rows.append((k * dt, np.abs(speed).max(), error_m, error_rad))
        joints = following
    return tuple(np.array(rows).T)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="ur10e", help="arm (default %(default)s)")
    parser.add_argument("--poses", type=int, default=2000, help="of each set (default %(default)s)")
    parser.add_argument("--round-trip", type=int, default=0, help="poses to solve with ours alone (default none)")
    parser.add_argument("--figure", type=Path, help="draw a sweep through a singularity, to this picture")
    parser.add_argument("--json", action="store_true", help="print the object only")
    options = parser.parse_args()
    if options.poses < 1:
        parser.error(f"--poses {options.poses}: expected at least 1")
    model, limits = model_named(options.model), limits_named(options.model)
    sets, missing = measure(options.poses, model, limits)
    result: dict[str, Any] = {"model": model.name, "sets": sets, "missing": missing, "machine": machine_facts()}
    if options.round_trip:
        result["round_trip"] = round_trip(options.round_trip, model, limits)
    if options.figure is not None:
        draw(options.figure)
    if not options.json:
        for kind, rows in sets.items():
            head = f"{'n':>6s} {'solved':>8s} {'error m':>9s} {'rad':>9s} {'median us':>10s} {'p99':>9s} to ours"
            print(f"{kind:20s} {head}")
            for name, row in rows.items():
                share, errors = 100 * row["solved"], f"{row['error_m']:9.1e} {row['error_rad']:9.1e}"
                times = f"{row['median_us']:10.1f} {row['p99_us']:9.1f} {row['ratio']:6.1f}x"
                print(f"  {name:18s} {row['n']:6d} {share:7.2f}% {errors} {times}")
        for line in missing:
            print(f"left out: {line}")
        if options.round_trip:
            trip = result["round_trip"]
            print(f"{trip['n']} poses, {trip['branches']} branches: {trip['failed']} failed, worst {trip['worst']:.1e}")
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
