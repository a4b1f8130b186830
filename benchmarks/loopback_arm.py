"""The reference task through the driver of a UR10e and an emulated controller, and what the arm does when it is killed.

    python benchmarks/loopback_arm.py [--episodes 20] [--kills 10] [--seed 1] [--address 127.0.0.1] [--json]

First `eyehand run ur10e_loopback`: success, the period in which the arm host serves the controller, and every command
of the ledger against the governor's limits (position; speed, acceleration and jerk by differences of what was sent).
Then, again and again, the same run is killed with SIGKILL while the arm moves at more than 0.3 rad/s, and the process
of the controller and the physics measures how long and how far the arm still moves.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from geometry.types import Array
from launch.bag import BagReader
from launch.cli.values import at_least
from launch.config import load_config
from launch.machine import machine_facts
from launch.wiring import governor_limits
from robot.sim.motion_trace import Rest
from robot.sim.settings import WorldSettings
from robot.sim.world_process import WorldProcess

CONFIG = "ur10e_loopback"
MOVING_RAD_S, MOVE_WITHIN_S, REST_S = 0.3, 90.0, 1.5
# between episodes the arm is put back home
EPISODE_S = 1.0


def command(seed: int, address: str, out: Path, *more: str) -> list[str]:
    settings = (f"rig.arm.options.host={address}", f"sim.address={address}", *more)
    assignments = [part for one in settings for part in ("--set", one)]
    return [sys.executable, "-m", "eyehand", "run", CONFIG, "--seed", str(seed), "--out", str(out), *assignments]


def episodes(count: int, seed: int, address: str, folder: Path) -> dict[str, Any]:
    """Run the task; what it came to."""
    out = folder / "run"
    done = subprocess.run(
        [*command(seed, address, out), "--episodes", str(count), "--json"],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if not done.stdout:
        sys.exit(f"the run ended with exit code {done.returncode} and no result")
    result = json.loads(done.stdout)
    log = [json.loads(line) for line in (out / "arm_host.jsonl").read_text().splitlines()]
    timing = [line for line in log if line["kind"] == "timing"]
    return {
        "episodes": result["episodes"],
        "successes": result["successes"],
        "frames": result["frames"],
        "dropped_frames": result["dropped_frames"],
        "safe_stop": result["safe_stop"],
        "servo_cycles": sum(line["cycles"] for line in timing),
        "servo_period_us": {
            name: float(np.median([line[f"period_{name}_us"] for line in timing])) for name in ("p50", "p99", "p99.9")
        },
        "servo_period_worst_us": max(line["period_max_us"] for line in timing),
        "host_interventions": sum(line["kind"] in ("position", "velocity", "acceleration") for line in log),
        "outside_limits": outside_limits(out),
    }


def outside_limits(run: Path) -> dict[str, int]:
    """How many of a run's commands were outside the governor's limits, of how many."""
    config = load_config(str(run / "config.yaml"))
    limits, period_s = governor_limits(config).joints, 1.0 / config.control.rate_hz
    with BagReader(run) as bag:
        rows = [record.value for record in bag.records((), ("joint_commands",))]
    joints = np.array([row.joints for row in rows])
    stamps = np.array([row.stamp_ns for row in rows])
    found = {"commands": len(rows), "position": 0, "velocity": 0, "acceleration": 0, "jerk": 0}
    found["position"] = count((joints < limits.lower_rad) | (joints > limits.upper_rad), 1e-9)
    gaps_s = np.diff(stamps) * 1e-9
    speeds = np.diff(joints, axis=0) / np.maximum(gaps_s, period_s)[:, None]
    found["velocity"] = count(np.abs(speeds[gaps_s < EPISODE_S]) - limits.velocity_rad_s, 1e-3)
    # a tick that was fenced sent nothing: what comes after it is not the next one
    for part in np.split(joints, np.flatnonzero(gaps_s > 1.5 * period_s) + 1):
        for name, order, allowed in (
            ("acceleration", 2, limits.acceleration_rad_s2),
            ("jerk", 3, limits.jerk_rad_s3),
        ):
            if len(part) > order:
                found[name] += count(np.abs(np.diff(part, order, axis=0)) / period_s**order - allowed, 1e-2)
    return found


def count(beyond: Array, tolerance: float) -> int:
    """Rows in which something is beyond a limit."""
    return int((np.asarray(beyond, dtype=np.float64) > tolerance).any(axis=1).sum())


def kill(seed: int, address: str, folder: Path) -> Rest:
    """Kill one run in mid-motion; how the arm came to rest."""
    settings = WorldSettings(Path(), time.monotonic_ns(), seed=seed, ur_address=address)
    with WorldProcess(settings) as world:
        process = subprocess.Popen(
            [*command(seed, address, folder / f"kill-{seed}", f"sim.world={world.socket}"), "--episodes", "9"],
            stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        try:
            deadline = time.monotonic() + MOVE_WITHIN_S
            while not np.abs(world.client.trace().speeds_rad_s[-1:]).max(initial=0.0) > MOVING_RAD_S:
                if process.poll() is not None or time.monotonic() > deadline:
                    sys.exit(f"the arm did not move in run {seed}: exit code {process.poll()}")
                time.sleep(0.1)
            killed_ns = time.monotonic_ns() - settings.epoch_ns
            process.send_signal(signal.SIGKILL)
            process.wait()
            time.sleep(REST_S)
            return world.client.trace().to_rest(killed_ns)
        finally:
            process.kill()
            process.wait()


def figures(rests: list[Rest]) -> dict[str, Any]:
    def spread(values: list[float]) -> dict[str, float]:
        return {"p50": float(np.median(values)), "max": max(values)}

    return {
        "n": len(rests),
        "speed_at_the_kill_rad_s": spread([rest.start_rad_s for rest in rests]),
        "to_rest_s": spread([rest.after_s for rest in rests]),
        "tool_m": spread([rest.tool_m for rest in rests]),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--episodes", type=at_least(1), default=20)
    parser.add_argument("--kills", type=at_least(0), default=10)
    parser.add_argument("--seed", type=at_least(0), default=1)
    parser.add_argument("--address", default="127.0.0.1", help="where the emulated controller listens")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        task = episodes(options.episodes, options.seed, options.address, Path(folder))
        rests = [kill(options.seed + 1 + i, options.address, Path(folder)) for i in range(options.kills)]
    result = {"task": task, "killed": figures(rests) if rests else None, "machine": machine_facts()}
    if options.json:
        print(json.dumps(result))
        return 0
    period, outside = task["servo_period_us"], task["outside_limits"]
    print(
        f"task: {task['successes']} of {task['episodes']}; {task['frames']} frames, {task['dropped_frames']} left out"
    )
    print(
        f"servo period, {task['servo_cycles']} cycles: p50 {period['p50']:.0f} us, p99 {period['p99']:.0f}, "
        f"p99.9 {period['p99.9']:.0f}, worst {task['servo_period_worst_us']:.0f}"
    )
    print("commands outside limits: " + ", ".join(f"{name} {number}" for name, number in outside.items()))
    if rests:
        killed = result["killed"]
        for name in ("speed_at_the_kill_rad_s", "to_rest_s", "tool_m"):
            print(f"killed, n = {killed['n']}, {name}: p50 {killed[name]['p50']:.3f}, max {killed[name]['max']:.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
