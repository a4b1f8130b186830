"""The UR driver against the loopback controller: what a call costs, and how soon a fault is seen and the arm at rest.

The arm swings at up to 0.6 rad/s when something happens; `seen` is when the next call raises, `rest` and `way` are by
the controller's own record of the joints. Figures depend on the machine and on what else runs there: it prints both.

    python benchmarks/ur_driver.py --repeat 10
"""

from __future__ import annotations

import argparse
import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

from geometry.types import Array
from launch.machine import machine_facts
from robot.arm import ArmFault, JointCommand
from robot.ur.driver import UrArm
from robot.ur.loopback import CONTROL_PORT

PERIOD_S = 0.002
FAULTS = {
    "protective_stop": "unlock",
    "safeguard_stop": "release",
    "emergency_stop": "reset",
    "power_off": "reset",
    "stop_program": "",
    "pause_program": "",
    "speed_slider 0.4": "speed_slider 1",
    "silence 1.0": "clear",
    "drop_packets 100000": "clear",
    "drop_connections": "",
    "close_mid_packet": "",
}


class Controller:
    """`python -m robot.ur.loopback` and its control socket."""

    def __init__(self, address: str) -> None:
        command = [sys.executable, "-m", "robot.ur.loopback", "--address", address, "--unlock-delay", "0.1"]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert self._process.stdout is not None
        if not self._process.stdout.readline():
            sys.exit(f"no controller could be put at {address}: is another one there?")
        self._control = socket.create_connection((address, CONTROL_PORT), timeout=10.0).makefile("rw")

    def say(self, line: str) -> str:
        self._control.write(f"{line}\n")
        self._control.flush()
        return self._control.readline().strip()

    def trace(self, folder: Path) -> tuple[Array, Array, Array]:
        self.say(f"trace {folder / 'trace.npz'}")
        with np.load(folder / "trace.npz") as trace:
            return trace["t_ns"], trace["q"], trace["qd"]

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()


class Incident(NamedTuple):
    kind: str
    seen_ms: float
    rest_ms: float
    way_rad: float


def setpoint(start: Array, tick: int) -> JointCommand:
    """To and fro, beginning at rest; towards the middle of the joint's range, as each incident leaves it elsewhere."""
    joints = np.array(start)
    joints[0] -= np.copysign(0.1, start[0]) * (1.0 - np.cos(2.0 * np.pi * tick * PERIOD_S))
    return JointCommand(0, "position", joints, 0.0)


def incident(arm: UrArm, controller: Controller, fault: str, folder: Path) -> Incident | None:
    """Let something happen in the middle of a swing; None if the machine was too busy to come that far."""
    start = arm.read_state().joint_positions_rad
    at_ns, tick, kind = 0, 0, "not seen"
    due = time.monotonic()
    while tick < 1500:
        if tick == 125:
            at_ns = time.monotonic_ns()
            controller.say(fault)
        try:
            arm.read_state()
            arm.send(setpoint(start, tick))
        except ArmFault as error:
            kind = error.kind
            break
        tick += 1
        due = max(due + PERIOD_S, time.monotonic())
        time.sleep(max(0.0, due - time.monotonic()))
    seen_ns = time.monotonic_ns()
    if at_ns == 0:
        return None
    time.sleep(0.5)
    times, joints, speeds = controller.trace(folder)
    after = times > at_ns
    moving = times[after][np.abs(speeds[after]).max(axis=1) > 0.01]
    rest_ns = int(moving[-1]) if moving.size else at_ns
    way = np.abs(np.diff(joints[after, 0])).sum()
    return Incident(kind, (seen_ns - at_ns) * 1e-6, (rest_ns - at_ns) * 1e-6, float(way))


def faults(arm: UrArm, controller: Controller, repeat: int) -> None:
    head = ("what happens", "named", "seen ms p50", "max", "rest ms p50", "max", "way rad")
    print("\n{:22s} {:16s} {:>12s} {:>7s} {:>12s} {:>7s} {:>9s}".format(*head))
    early = 0
    with tempfile.TemporaryDirectory() as folder:
        for fault, cure in FAULTS.items():
            rows: list[Incident] = []
            while len(rows) < repeat:
                row = incident(arm, controller, fault, Path(folder))
                if row is None:
                    early += 1
                    if early > 20 + 10 * repeat:
                        sys.exit("this machine is too busy")
                    controller.say("reset")
                else:
                    rows.append(row)
                    controller.say(cure or "status")
                time.sleep(0.8 if fault.startswith("silence") else 0.1)
                arm.recover()
            seen, rest, way = (np.array([row[i] for row in rows]) for i in (1, 2, 3))
            kinds = "/".join(sorted({row.kind for row in rows}))
            print(
                f"{fault:22s} {kinds:16s} {np.median(seen):12.0f} {seen.max():7.0f} "
                f"{np.median(rest):12.0f} {rest.max():7.0f} {way.max():9.3f}"
            )

    print(f"silent for too long without a fault: {early} times")


def calls(arm: UrArm, seconds: float) -> None:
    start = arm.read_state().joint_positions_rad
    read, send, period = [], [], []
    used = resource.getrusage(resource.RUSAGE_SELF)
    begin = due = last = time.monotonic()
    for tick in range(round(seconds / PERIOD_S)):
        before = time.perf_counter()
        arm.read_state()
        between = time.perf_counter()
        arm.send(setpoint(start, tick))
        after = time.perf_counter()
        read.append(between - before)
        send.append(after - between)
        due = max(due + PERIOD_S, time.monotonic())
        time.sleep(max(0.0, due - time.monotonic()))
        period.append(time.monotonic() - last)
        last = time.monotonic()
    after_use = resource.getrusage(resource.RUSAGE_SELF)
    share = (after_use.ru_utime + after_use.ru_stime - used.ru_utime - used.ru_stime) / (time.monotonic() - begin)
    print(f"n = {len(read)}; streaming at 500 Hz takes {share:.1%} of a core")
    for name, taken in (("read_state", read), ("send", send), ("period", period)):
        p50, p99, p999 = np.percentile(np.array(taken) * 1e6, (50, 99, 99.9))
        print(f"{name:10s} p50 {p50:7.0f} us  p99 {p99:7.0f} us  p99.9 {p999:7.0f} us")
    print(arm.measure_round_trip(200))
    print(arm.clock_report())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--address", default="127.0.0.77", help="where the loopback controller is put")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long setpoints are streamed")
    parser.add_argument("--repeat", type=int, default=5, help="how often each fault is tried")
    options = parser.parse_args()
    print(machine_facts())
    print(f"load {os.getloadavg()[0]:.1f}")
    controller = Controller(options.address)
    arm = UrArm(options.address, gripper="none")
    try:
        arm.connect()
        calls(arm, options.seconds)
        faults(arm, controller, options.repeat)
    finally:
        arm.close()
        controller.close()


if __name__ == "__main__":
    main()
