"""A driver that moves the loopback's arm, and when the arm came to rest by the controller's own trace."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from geometry.types import Array
from robot.arm import JointCommand
from robot.ur.driver import UrArm
from tests.robot.ur.loopback_process import LoopbackProcess

PERIOD_S = 0.002
AT_REST_RAD_S = 0.01


@contextmanager
def connected(loopback: LoopbackProcess, **options: Any) -> Iterator[UrArm]:
    """A connected driver; a busy machine may keep either process waiting, which must not look like silence."""
    options = {"gripper": "none", "silence_s": 1.5, "watchdog_hz": 1.0, **options}
    arm = UrArm(loopback.address, **options)
    arm.connect()
    try:
        yield arm
    finally:
        arm.close()


def position(joints: Array, opening: float = 0.0) -> JointCommand:
    return JointCommand(0, "position", joints, opening)


def velocity(speeds: Array, opening: float = 0.0) -> JointCommand:
    return JointCommand(0, "velocity", speeds, opening)


def stream(arm: UrArm, seconds: float, command_at: Callable[[float], JointCommand]) -> None:
    """Send at 500 Hz, with the state read each time, as the host does; late ticks are not caught up with."""
    for tick in range(round(seconds / PERIOD_S)):
        due = time.monotonic() + PERIOD_S
        arm.read_state()
        arm.send(command_at(tick * PERIOD_S))
        time.sleep(max(0.0, due - time.monotonic()))


def swing(joints: Array, seconds: float = 0.8, amplitude: float = 0.1) -> Callable[[float], JointCommand]:
    """Joint 0 to and fro around where it is, beginning at rest.

    The controller takes any setpoint of it after any other: one that a busy machine kept waiting is no sudden change.
    """

    def at(t: float) -> JointCommand:
        q = np.array(joints)
        q[0] += 0.5 * amplitude * (1.0 - np.cos(2.0 * np.pi * t / seconds))
        return position(q)

    return at


def rest_after_s(loopback: LoopbackProcess, t_ns: int, folder: Path) -> float:
    """How long after a time of `time.monotonic_ns` the arm last moved [s], by the controller's trace."""
    path = folder / "trace.npz"
    loopback.inject(f"trace {path}")
    with np.load(path) as trace:
        times, speeds = trace["t_ns"], np.abs(trace["qd"]).max(axis=1)
    moving = times[speeds > AT_REST_RAD_S]
    return 0.0 if moving.size == 0 else max(0.0, float(moving[-1] - t_ns) * 1e-9)
