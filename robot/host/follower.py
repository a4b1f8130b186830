"""Following the main process's commands, and bridging the gap where one is late."""

from __future__ import annotations

from robot.arm import CommandMode
from robot.host.clamp import SetpointClamp
from robot.host.motions import Motion, to_rest
from robot.host.playback import Playback
from robot.host.settings import HostSettings


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
        self.is_late = False

    @property
    def mode(self) -> CommandMode:
        """What the commands hold."""
        return self._playback.mode

    def start(self, mode: CommandMode) -> None:
        """Begin to follow commands of this mode from where the arm is."""
        self._playback.start(self._clamp.joints, mode)
        self._braking, self.is_late = None, False

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
