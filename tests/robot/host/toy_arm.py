"""A driver for tests: an arm that is where it was sent, and does what a folder's files tell it to do wrong."""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from deploy.errors import BadInput, Missing
from robot.arm import ArmFault, JointCommand, RobotState

HOME = [0.0, -1.5, 1.5, -1.5, -1.5, 0.0]


class ToyArm:
    """Joints are at the last setpoint, from `lag_s` later on. It writes every call into `folder/driver.log`.

    A file in the folder makes trouble: `fault` (its text: the kind), `hang` (seconds), `raise`, `crash`, `segfault`.
    """

    name = "toy"
    joint_names = tuple(f"joint_{i}" for i in range(6))

    def __init__(self, folder: str, clock: Callable[[], int], refuse: str = "") -> None:
        self.folder, self.clock = Path(folder), clock
        self.refuse = refuse
        self.joints, self.speeds = np.array(HOME), np.zeros(6)
        self.sequence, self.faulted = 0, ""
        self.log = (self.folder / "driver.log").open("a", buffering=1 << 16)
        self.sent_ns = self.clock()

    def note(self, call: str, *values: Any) -> None:
        print(self.clock(), call, *values, file=self.log)
        if call != "send" or self.sequence % 5 == 0:
            self.log.flush()

    def connect(self) -> None:
        self.note("connect", os.getpid())
        if self.refuse == "missing":
            raise Missing("toy arm at 10.0.0.1 does not answer: switch it on")
        if self.refuse == "bad":
            raise BadInput("rig.arm.options.model: ur11: expected ur10e")
        if self.refuse == "fault":
            raise ArmFault("emergency_stop", "toy arm: the emergency stop is pressed")
        if self.refuse == "raise":
            raise ZeroDivisionError("an error of the driver's own")
        if self.refuse == "exit":
            os._exit(9)
        if self.refuse == "hang":
            time.sleep(30.0)

    def read_state(self) -> RobotState:
        self.trouble()
        self.sequence += 1
        if self.clock() - self.sent_ns > 20_000_000:
            self.speeds = np.zeros(6)
        return RobotState(self.sequence, self.clock(), self.joints, self.speeds, 0.5)

    def send(self, command: JointCommand) -> None:
        self.trouble()
        assert command.mode == "position"
        now_ns = self.clock()
        self.speeds = (command.joints - self.joints) / 0.002
        self.joints, self.sent_ns = command.joints, now_ns
        self.note("send", *command.joints.tolist(), command.gripper_opening)

    def stop(self) -> None:
        self.note("stop")

    def limp(self) -> None:
        self.note("limp")

    def recover(self) -> None:
        self.note("recover")
        if (self.folder / "fault").exists():
            raise ArmFault(self.faulted, "toy arm: the cause is still there")
        self.faulted = ""

    def close(self) -> None:
        self.note("close")
        self.log.flush()

    def trouble(self) -> None:
        for name in os.listdir(self.folder):  # noqa: PTH208 - it is the fast one
            if name == "fault" and not self.faulted:
                self.faulted = (self.folder / name).read_text()
            elif name == "hang":
                seconds = float((self.folder / name).read_text())
                (self.folder / name).unlink()
                self.note("hang", seconds)
                time.sleep(seconds)
            elif name == "raise":
                (self.folder / name).unlink()
                raise ZeroDivisionError("an error of the driver's own")
            elif name == "crash":
                print("toy arm: the library gave up", flush=True)
                os._exit(70)
            elif name == "segfault":
                ctypes.string_at(0)
        if self.faulted:
            raise ArmFault(self.faulted, f"toy arm: {self.faulted}")
