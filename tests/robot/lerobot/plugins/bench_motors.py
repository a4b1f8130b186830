"""A robot of LeRobot's shape without hardware: motors that go where they are sent, and a bus that can be spoiled."""

from __future__ import annotations

import math
import time
from typing import Any

ARM = ("shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll")


class BenchBus:
    """Counts what is asked of it; the torque decides whether the motors follow."""

    def __init__(self) -> None:
        self.torque = True
        self.calls: list[str] = []

    def disable_torque(self) -> None:
        self.torque = False
        self.calls.append("disable_torque")

    def enable_torque(self) -> None:
        self.torque = True
        self.calls.append("enable_torque")


class BenchMotors:
    """Motors in degrees (the gripper 0 to 100) that reach their goals with a time constant.

    Attributes:
        broken: Raised by every reading and action while it is set.
        hangs_s: How long a reading takes.
        fails_every: Each so-many-th reading fails; 0 for none.
        actions: What was sent: time [ns], action.
    """

    time_constant_s = 0.02

    def __init__(self, motors: tuple[str, ...] = (*ARM, "gripper"), start: float = 10.0) -> None:
        self.bus = BenchBus()
        self.positions = dict.fromkeys(motors, start)
        self.goals = dict(self.positions)
        self.broken: Exception | None = None
        self.hangs_s, self.fails_every, self.readings = 0.0, 0, 0
        self.actions: list[tuple[int, dict[str, float]]] = []
        self.connected, self.calibrated, self.connections = False, True, 0
        self.asked_to_calibrate: bool | None = None
        self._moved = time.monotonic()

    @property
    def observation_features(self) -> dict[str, Any]:
        return {f"{motor}.pos": float for motor in self.positions}

    @property
    def action_features(self) -> dict[str, Any]:
        return self.observation_features

    @property
    def is_connected(self) -> bool:
        return self.connected

    @property
    def is_calibrated(self) -> bool:
        return self.calibrated

    def connect(self, calibrate: bool = True) -> None:
        if self.broken is not None:
            raise self.broken
        self.connected, self.asked_to_calibrate = True, calibrate
        self.connections += 1

    def calibrate(self) -> None:
        raise AssertionError("nobody asked for a calibration")

    def configure(self) -> None:
        pass

    def get_observation(self) -> dict[str, Any]:
        self._talk()
        self.readings += 1
        time.sleep(self.hangs_s)
        if self.fails_every and self.readings % self.fails_every == 0:
            raise ConnectionError("Failed to sync read: there is no status packet!")
        self._move()
        return {f"{motor}.pos": value for motor, value in self.positions.items()}

    def send_action(self, action: dict[str, Any]) -> dict[str, Any]:
        self._talk()
        self.actions.append((time.monotonic_ns(), dict(action)))
        self._move()
        self.goals.update({key.removesuffix(".pos"): float(value) for key, value in action.items()})
        return action

    def disconnect(self) -> None:
        self.connected = False

    def _talk(self) -> None:
        if not self.connected:
            raise ConnectionError("not connected")
        if self.broken is not None:
            raise self.broken

    def _move(self) -> None:
        now = time.monotonic()
        part = 1.0 - math.exp(-(now - self._moved) / self.time_constant_s)
        self._moved = now
        if not hasattr(self, "bus") or self.bus.torque:
            for motor, goal in self.goals.items():
                self.positions[motor] += part * (goal - self.positions[motor])
