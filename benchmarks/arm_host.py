"""How well the arm host keeps its time, and how long a command takes to the driver, while others use the processor.

The driver costs next to nothing, so the figures are the host's own. `--load N` adds N processes that do nothing but
count. Figures depend on the machine and on what else runs there: it prints both.

    python benchmarks/arm_host.py --seconds 30 --load 2
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from deploy.errors import EyehandError
from deploy.pacer import Pacer
from launch.machine import machine_facts
from robot.arm import JointCommand, RobotState
from robot.host import HostedArm, HostSettings

HOME = np.array([0.0, -1.5, 1.5, -1.5, -1.5, 0.0])
PERIOD_NS = 10_000_000


class Recorder:
    """A driver that remembers when the gripper's opening, which says which command it belongs to, was new."""

    name, joint_names = "recorder", tuple(f"joint_{i}" for i in range(6))

    def __init__(self, path: str, clock: Callable[[], int]) -> None:
        self._path, self._clock = Path(path), clock
        self._joints, self._opening, self._sequence = HOME, 0.0, 0
        self._came: list[tuple[float, int]] = []

    def connect(self) -> None: ...

    def read_state(self) -> RobotState:
        self._sequence += 1
        return RobotState(self._sequence, self._clock(), self._joints, np.zeros(6), self._opening)

    def send(self, command: JointCommand) -> None:
        self._joints = command.joints
        if command.gripper_opening != self._opening:
            self._opening = command.gripper_opening
            self._came.append((self._opening, self._clock()))

    def stop(self) -> None: ...

    def limp(self) -> None: ...

    def recover(self) -> None: ...

    def close(self) -> None:
        self._path.write_text(json.dumps(self._came))


def count() -> None:
    """Use the processor."""
    while True:
        sum(range(10_000))


def commands(arm: HostedArm, epoch_ns: int, ticks: int, priority: int | None) -> dict[float, int]:
    """Move the arm to and fro; when each command was sent, by its opening [ns]."""
    if priority is not None:
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(priority))
    sent: dict[float, int] = {}

    def clock() -> int:
        return time.monotonic_ns() - epoch_ns

    pacer = Pacer(clock, PERIOD_NS)
    for tick in range(ticks):
        arm.read_states()
        joints = HOME + 0.2 * (1.0 - np.cos(2.0 * tick * PERIOD_NS * 1e-9))
        opening = (tick + 1) / (ticks + 1)
        sent[opening] = clock()
        arm.send(JointCommand(sent[opening], "position", joints, opening))
        pacer.wait()
    return sent


def measure(seconds: float, load: int, priority: int | None) -> dict[str, object]:
    """Figures of one run."""
    epoch_ns = time.monotonic_ns()
    burners = [multiprocessing.get_context("spawn").Process(target=count, daemon=True) for _ in range(load)]
    for burner in burners:
        burner.start()
    with tempfile.TemporaryDirectory() as folder:
        here, log = Path(folder) / "came.json", Path(folder) / "arm_host.jsonl"
        settings = HostSettings(
            "benchmarks.arm_host:Recorder", {"path": str(here)}, epoch_ns=epoch_ns, log_path=log, priority=priority
        )
        arm = HostedArm(settings)
        began = time.monotonic()
        arm.connect()
        started_s = time.monotonic() - began
        sent: dict[float, int] = {}
        loop = threading.Thread(
            target=lambda: sent.update(commands(arm, epoch_ns, round(seconds * 100), priority and priority - 10))
        )
        loop.start()
        loop.join()
        arm.close()
        came = dict(json.loads(here.read_text()))
        rows = [json.loads(line) for line in log.read_text().splitlines()]
    for burner in burners:
        burner.kill()
    taken = np.array([came[opening] - stamp for opening, stamp in sent.items() if opening in came]) * 1e-3
    timing = next(row for row in rows if row["kind"] == "timing")
    return {
        "seconds": seconds, "load": load, "realtime": rows[0]["realtime"], "start_s": round(started_s, 3),
        "late": sum(row.get("count", 1) for row in rows if row["kind"] == "late"),
        **{name: value for name, value in timing.items() if name.endswith("_us") or name == "cycles"},
        "commands": len(sent), "overtaken": len(sent) - len(taken),
        **{f"command_p{q:g}_us": round(float(np.percentile(taken, q)), 1) for q in (50, 99, 100)},
    }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=30.0, help="default %(default)s")
    parser.add_argument("--load", type=int, default=2, help="processes that use the processor (default %(default)s)")
    parser.add_argument("--priority", type=int, default=60, help="SCHED_FIFO priority of the host; 0 for none")
    options = parser.parse_args()
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    result = measure(options.seconds, options.load, options.priority or None)
    print(json.dumps(result | {"machine": machine_facts()}))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except EyehandError as error:
        print(f"arm_host: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
