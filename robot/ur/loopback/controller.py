"""The controller's inside: what mode it is in, what the program does, where the joints shall be in this cycle."""

from __future__ import annotations

from collections import deque

import numpy as np

from geometry.types import Array
from robot.arm import JOINTS
from robot.ur.loopback.modes import RobotMode, Runtime, SafetyMode
from robot.ur.loopback.motion import SanityCheck
from robot.ur.loopback.plant import CYCLE_S
from robot.ur.loopback.power import Power
from robot.ur.loopback.program import Program, ProgramError
from robot.ur.loopback.registers import Registers
from robot.ur.loopback.settings import ArmModel, ControllerSettings
from robot.ur.loopback.targets import Targets
from robot.ur.loopback.tool_space import ToolSpace

_EVENTS = 1000


class Controller:
    """State machine; knows nothing of sockets.

    Args:
        model: The arm.
        settings: How it behaves.
        joints_rad: Shape (6,), where the joints are at first [rad].
    """

    def __init__(self, model: ArmModel, settings: ControllerSettings, joints_rad: Array) -> None:
        self.model = model
        self.settings = settings
        self.tools = ToolSpace(model.dh, model.limits)
        self.targets = Targets(joints_rad, model.limits, settings.brake_rad_s2)
        self.registers = Registers()
        self.events: deque[str] = deque(maxlen=_EVENTS)
        self.event_count = 0
        self._said = ""
        self.time_s = settings.clock_offset_s
        self.steps = 0
        self._power = Power(settings.power_step_s)
        self.safety = SafetyMode.NORMAL
        self.runtime = Runtime.STOPPED
        self.program: Program | None = None
        self.freedrive = False
        self.payload_kg = 0.0
        self.payload_centre_m = (0.0, 0.0, 0.0)
        self.remote = True
        self.joints_rad = joints_rad
        self.velocity_rad_s: Array = np.zeros(JOINTS)
        self._stopped_at_s = 0.0

    def say(self, sentence: str) -> None:
        """Add to the controller's log; what is said again and again is logged once."""
        if sentence != self._said:
            self.events.append(f"{self.time_s:.3f} {sentence}")
            self.event_count += 1
        self._said = sentence

    @property
    def mode(self) -> RobotMode:
        """Power and brakes."""
        return self._power.mode

    # programs

    @property
    def playing(self) -> bool:
        """Whether a program runs."""
        return self.runtime is Runtime.PLAYING

    @property
    def ready(self) -> bool:
        """Whether a program could be started."""
        return self.mode is RobotMode.RUNNING and self.safety in (SafetyMode.NORMAL, SafetyMode.REDUCED)

    def play(self, program: Program | None = None) -> bool:
        """Start a program, which ends the one before, or go on with the one that was paused; False if it cannot be."""
        if not self.ready or (program is None and self.program is None):
            self.say(f"no program started: robot {self.mode.name}, safety {self.safety.name}")
            return False
        if program is not None:
            self.stop("another program was started")
            self.program = program
        self.runtime = Runtime.PLAYING
        self.targets.resume()
        self.say(f"program {self.program.name if self.program else ''} plays")
        return True

    def pause(self) -> bool:
        """Let the arm come to rest; the program can be gone on with."""
        if not self.playing:
            return False
        self.runtime = Runtime.PAUSED
        self.targets.halt()
        return True

    def stop(self, why: str) -> bool:
        """End the program, if there is one; the arm slows down and holds."""
        if self.program is None:
            return False
        self.say(f"program {self.program.name} stopped: {why}")
        self.program = None
        self.runtime = Runtime.STOPPED
        self.freedrive = False
        self.targets.end()
        return True

    # safety and power

    def protective_stop(self, code: str, sentence: str) -> None:
        """Stop and wait for an operator; the program is paused."""
        if self.safety is SafetyMode.PROTECTIVE_STOP or self.mode is not RobotMode.RUNNING:
            return
        self.say(f"protective stop, {code}: {sentence}")
        self._safety_stop(SafetyMode.PROTECTIVE_STOP)

    def safeguard_stop(self) -> None:
        """Somebody opened the gate."""
        self.say("safeguard stop")
        self._safety_stop(SafetyMode.SAFEGUARD_STOP)

    def emergency_stop(self) -> None:
        """Somebody pressed the button: the arm slows down, then the power goes and the brakes hold."""
        self.say("emergency stop")
        self.stop("emergency stop")
        self._safety_stop(SafetyMode.ROBOT_EMERGENCY_STOP)

    def _safety_stop(self, safety: SafetyMode) -> None:
        self.safety = safety
        self._stopped_at_s = self.time_s
        self.freedrive = False
        if not self.pause():
            self.targets.halt()

    def unlock(self) -> bool:
        """Let go of a protective stop; False while that is too early."""
        if self.safety is not SafetyMode.PROTECTIVE_STOP:
            return True
        if self.time_s - self._stopped_at_s < self.settings.unlock_delay_s:
            return False
        self.say("protective stop unlocked")
        self.safety = SafetyMode.NORMAL
        return True

    def release(self) -> None:
        """The button is turned back, or the gate closed. After an emergency stop the arm stays without power."""
        if self.safety in (SafetyMode.SAFEGUARD_STOP, SafetyMode.ROBOT_EMERGENCY_STOP):
            self.say(f"{self.safety.name} released")
            self.safety = SafetyMode.NORMAL

    def restart_safety(self) -> None:
        """Restart the safety system: the arm is without power after it."""
        self.power(RobotMode.POWER_OFF)
        if self.safety in (SafetyMode.VIOLATION, SafetyMode.FAULT):
            self.safety = SafetyMode.NORMAL

    def power(self, goal: RobotMode) -> bool:
        """Go towards `POWER_OFF`, `IDLE` (powered, brakes on) or `RUNNING` (brakes off); False if safety forbids it."""
        if goal is RobotMode.POWER_OFF:
            self.stop("power off")
            self.targets.halt()
            self._power.off()
            return True
        if self.safety not in (SafetyMode.NORMAL, SafetyMode.REDUCED):
            return False
        self._power.go(goal, self.time_s)
        return True

    def reset(self) -> None:
        """As after powering up, without the wait; the joints stay where they are and clients connected."""
        self.stop("reset")
        self.targets.end()
        self._power = Power(self.settings.power_step_s)
        self.safety = SafetyMode.NORMAL
        self.freedrive = False
        self.remote = True
        self.registers = Registers()

    def place(self, joints_rad: Array) -> None:
        """Be somewhere else at once, at rest, as a simulated arm can; a program that moves the arm ends.

        Args:
            joints_rad: Shape (6,), where the joints are now [rad].
        """
        if not self.targets.done:
            self.stop("the arm was put somewhere else")
        self.joints_rad = joints_rad
        self.targets.place(joints_rad)

    # the cycle

    def step(self, joints_rad: Array, velocity_rad_s: Array, elapsed_s: float = CYCLE_S) -> Array:
        """One cycle.

        Args:
            joints_rad: Shape (6,), where the joints are [rad].
            velocity_rad_s: Shape (6,), how fast they move [rad/s].
            elapsed_s: How far the controller's clock has gone since the last cycle [s].

        Returns:
            Shape (6,): where they shall be [rad].
        """
        self.time_s += elapsed_s
        self.steps += 1
        self.joints_rad, self.velocity_rad_s = joints_rad, velocity_rad_s
        if self.safety is SafetyMode.ROBOT_EMERGENCY_STOP and self.targets.done:
            self._power.off()
        self._power.step(self.time_s)
        self.targets.scale(self.registers.speed_slider, self.settings.slider_rate * CYCLE_S)
        if self.playing and self.program is not None:
            try:
                if not self.program.step(self, CYCLE_S * self.targets.scaling):
                    self.stop("it came to its end")
            except ProgramError as error:
                self.stop(str(error))
        self._move()
        return self.targets.rad

    def _move(self) -> None:
        targets = self.targets
        if self.freedrive:
            targets.give_way(self.joints_rad)
            return
        if self.mode is not RobotMode.RUNNING:
            targets.hold()
            return
        apart = float(np.abs(targets.rad - self.joints_rad).max())
        if apart > self.settings.deviation_rad and self.safety is SafetyMode.NORMAL:
            targets.place(self.joints_rad)
            self.protective_stop("C153", f"position deviates from path: a joint is {apart:.2f} rad from its target")
        try:
            targets.step()
        except SanityCheck as error:
            self.protective_stop(error.code, str(error))
            targets.halt()
            targets.step()
