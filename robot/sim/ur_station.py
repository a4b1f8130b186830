"""A loopback UR controller on the simulated arm, stepped by the physics thread."""

from __future__ import annotations

from typing import Any

from deploy.errors import require
from robot.sim.clockwork import Clockwork, Moment
from robot.sim.plant import WorldPlant


class UrStation:
    """The controller's face: reads the joints and sets the servos before each step.

    Args:
        clockwork: Whose arm it is put on.
        address: Where it listens.
        model: Which UR arm it says it is.
        gripper: What moves the gripper, see `robot.ur.loopback.UrFront`.
    """

    def __init__(self, clockwork: Clockwork, address: str, model: str, gripper: str) -> None:
        self._front: Any = require("robot.ur.loopback", "sim").UrFront(
            WorldPlant(clockwork), address=address, model=model, gripper=gripper
        )
        self._front.start()
        self._jumps = clockwork.jumps

    def before(self, clockwork: Clockwork) -> bool:
        """One cycle of the controller; where the arm was put somewhere else, it takes that for its target."""
        if clockwork.jumps != self._jumps:
            self._front.rehome()
            self._jumps = clockwork.jumps
        self._front.step(clockwork.due_monotonic_ns)
        return True

    def after(self, moment: Moment, *, judged: bool) -> None:
        """Nothing: the controller tells its clients in its own cycle."""

    def close(self) -> None:
        """Stop listening."""
        self._front.close()
