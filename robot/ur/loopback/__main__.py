"""Run the loopback controller with an ideal arm: `python -m robot.ur.loopback --address 127.0.0.2`."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
import time
from typing import get_args

from deploy.errors import EyehandError
from robot.kinematics import UR10E_HOME_RAD
from robot.ur.loopback.front import GripperWire, UrFront, run_front
from robot.ur.loopback.plant import IdealPlant
from robot.ur.loopback.settings import ControllerSettings


def main() -> int:
    """Run until interrupted, or for `--seconds`; what an operator should know goes to standard error."""
    parser = argparse.ArgumentParser(prog="python -m robot.ur.loopback", description=__doc__)
    parser.add_argument("--address", default="127.0.0.1", help="IPv4 address whose ports it takes")
    parser.add_argument("--model", default="ur10e", help="the arm")
    parser.add_argument("--gripper", default="robotiq", choices=get_args(GripperWire), help="what moves the gripper")
    parser.add_argument("--seconds", type=float, default=None, help="stop after this time")
    parser.add_argument("--unlock-delay", type=float, default=5.0, help="wait before a protective stop can be unlocked")
    parser.add_argument("--clock-offset", type=float, default=1000.0, help="the controller's clock at the start [s]")
    parser.add_argument("--clock-drift", type=float, default=0.0, help="how much faster its clock runs, as 50e-6")
    options = parser.parse_args()
    settings = ControllerSettings(
        unlock_delay_s=options.unlock_delay, clock_offset_s=options.clock_offset, clock_drift=options.clock_drift
    )
    try:
        front = UrFront(
            IdealPlant(UR10E_HOME_RAD), options.address, options.model, settings=settings, gripper=options.gripper
        )
        front.start()
    except EyehandError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    thread = run_front(front, stop)
    sys.stdout.write(f"UR controller at {options.address}, {options.model}\n")
    sys.stdout.flush()
    end_s = None if options.seconds is None else time.monotonic() + options.seconds
    arm, shown = front.controller, 0
    while thread.is_alive() and not stop.is_set() and (end_s is None or time.monotonic() < end_s):
        stop.wait(0.05)
        fresh, shown = arm.event_count - shown, arm.event_count
        for event in list(arm.events)[-fresh:] if fresh else ():
            sys.stderr.write(event + "\n")
    stop.set()
    thread.join()
    front.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
