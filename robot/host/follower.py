"""Following the main process's commands, and bridging the gap where one is late."""

from __future__ import annotations

from typing import Final

from robot.arm import CommandMode
from robot.host.clamp import Clamped, SetpointClamp
from robot.host.motions import Motion, to_rest
from robot.host.playback import Playback
from robot.host.settings import HostSettings

# cycles in a row without a clamp after which the arm has come back to the commands
LATE_CYCLES: Final = 25


class Follower:
    """What the arm should do next, from the commands that have come.

    While a command is missing the arm brakes, gently at first: one that is a few milliseconds late changes nothing that
    could be felt.

    Args:
        settings: What the host was told.
        clamp: What the setpoints go through; it knows how the arm moves.

    Attributes:
        is_late: Whether a command is missing.
    """

    def __init__(self, settings: HostSettings, clamp: SetpointClamp) -> None:
        self._limits, self._dt, self._clamp = settings.limits, settings.period_s, clamp
        self._playback = Playback(settings.command_period_ns * 1e-9, self._dt)
        self._braking: Motion | None = None
        self._elapsed_s = 0.0
        self._late_cycles = 0
        self.is_late = False

    @property
    def mode(self) -> CommandMode:
        """What the commands hold."""
        return self._playback.mode

    def start(self, mode: CommandMode) -> None:
        """Begin to follow commands of this mode from where the arm is and as it moves."""
        self._playback.start(self._clamp.joints, self._clamp.velocities, mode)
        self._braking, self.is_late = None, False
        self._late_cycles = LATE_CYCLES

    def offer(self, point: list[float], age_s: float) -> None:
        """Take in a command, as `Playback.offer`."""
        self._playback.offer(point, age_s)

    def step(self) -> list[float]:
        """The setpoint that the next cycle should reach [rad]."""
        clamp = self._clamp
        wanted = self._playback.step(clamp.joints)
        self.is_late = wanted is None
        if wanted is not None:
            self._braking = None
            return wanted
        if self._braking is None:
            self._braking = to_rest(self._limits, clamp.joints, clamp.velocities, clamp.accelerations)
            self._elapsed_s = 0.0
        self._elapsed_s += self._dt
        return self._braking.at(self._elapsed_s)

    def clamped(self) -> Clamped | None:
        """What the clamp did in the last cycle; to be asked once per cycle.

        It is `late` where the arm comes back to where commands that were missed have led meanwhile.
        """
        if self.is_late:
            self._late_cycles = LATE_CYCLES
        clamped = self._clamp.clamped
        if clamped is None:
            self._late_cycles -= 1
        elif self._late_cycles > 0 and clamped[0] != "position":
            self._late_cycles = LATE_CYCLES
            return ("late", *clamped[1:])
        return clamped
