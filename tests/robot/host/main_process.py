"""A main process for tests: moves a toy arm through its host until it is told otherwise. Run as a program."""

from __future__ import annotations

import json
import signal
import sys
import time
from pathlib import Path

import numpy as np

from robot.arm import ArmFault, JointCommand
from robot.host import HostedArm, HostSettings


def drive(arm: HostedArm, epoch_ns: int, seconds: float, speed: float = 0.8) -> None:
    """Gather way with joints 0 and 3, then go on, at 100 Hz."""
    now_ns = time.monotonic_ns() - epoch_ns
    joints = np.array(arm.read_state().joint_positions_rad)
    due, moved, rate = time.monotonic(), 0.0, 0.0
    for _ in range(round(seconds * 100)):
        arm.read_states()
        rate = min(rate + 0.05, speed)
        moved += rate * 0.01
        now_ns = time.monotonic_ns() - epoch_ns
        arm.send(JointCommand(now_ns, "position", joints + moved * np.array([1.0, 0, 0, 1.0, 0, 0]), 1.0))
        due += 0.01
        time.sleep(max(0.0, due - time.monotonic()))


def main() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # started from a script's background it is ignored
    options = json.loads(sys.argv[1])
    folder, how = Path(options.pop("folder")), options.pop("how")
    epoch_ns = options.pop("epoch_ns")
    toy = {"driver": "tests.robot.host.toy_arm:ToyArm", "options": {"folder": str(folder / "toy")}}
    arm = HostedArm(HostSettings(epoch_ns=epoch_ns, log_path=folder / "arm_host.jsonl", **(toy | options)))
    arm.connect()
    try:
        drive(arm, epoch_ns, 0.3)
        print("moving", flush=True)
        if how == "raise":
            drive(arm, epoch_ns, 0.2)
            raise ZeroDivisionError("an error in a stage")
        drive(arm, epoch_ns, 8.0)
    except ArmFault as fault:
        print(json.dumps([fault.kind, str(fault)]), flush=True)
    except KeyboardInterrupt:
        print("interrupted", flush=True)
    finally:
        arm.close()


if __name__ == "__main__":
    main()
