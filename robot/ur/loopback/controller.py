"""The controller's inside: what mode it is in, what the program does, where the joints shall be in this cycle."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol

import numpy as np

from geometry.types import Array
from robot.arm import JOINTS
from robot.ur.loopback.modes import RobotMode, Runtime, SafetyMode
from robot.ur.loopback.motion import Brake, Motion, SanityCheck, check
from robot.ur.loopback.plant import CYCLE_S
from robot.ur.loopback.registers import Registers
from robot.ur.loopback.settings import ArmModel, ControllerSettings
from robot.ur.loopback.tool_space import ToolSpace

MakeMotion = Callable[[Array, Array], Motion]
_EVENTS = 1000
_REST_RAD_S = 1e-3


class ProgramError(Exception):
    """The program did what the controller's interpreter refuses: it ends there."""


class Program(Protocol):
    """A program that runs on the controller."""

    @property
    def name(self) -> str:
        """What the dashboard calls it."""
        ...

    def step(self, arm: Controller, dt: float) -> bool:
        """Run for one cycle, `dt` seconds of the program's own time; False when it has come to its end.

        Raises:
            ProgramError: If it asks for what the interpreter refuses.
        """
        ...


class Controller:
    """State machine and trajectory generator; knows nothing of sockets.

    Args:
        model: The arm.
        settings: How it behaves.
        joints_rad: Shape (6,), where the joints are at first [rad].
    """

    def __init__(self, model: ArmModel, settings: ControllerSettings, joints_rad: Array) -> None:
        self.model = model
        self.settings = settings
        self.tools = ToolSpace(model.dh, model.limits)
        self.registers = Registers()
        self.events: deque[str] = deque(maxlen=_EVENTS)
        self.event_count = 0
        self._said = ""
        self.time_s = settings.clock_offset_s
        self.steps = 0
        self.mode = RobotMode.RUNNING
        self.safety = SafetyMode.NORMAL
        self.runtime = Runtime.STOPPED
        self.program: Program | None = None
        self.motion: Motion | None = None
        self.freedrive = False
        self.payload_kg = 0.0
        self.payload_centre_m = (0.0, 0.0, 0.0)
        self.scaling = 1.0
        self.remote = True
        self.joints_rad = joints_rad
        self.velocity_rad_s: Array = np.zeros(JOINTS)
        self.target_rad: Array = joints_rad.copy()
        self.target_rad_s: Array = np.zeros(JOINTS)
        self.target_rad_s2: Array = np.zeros(JOINTS)
        self._make: MakeMotion | None = None
        self._from_rest = False
        self._stopped_at_s = 0.0
        self._power_goal = self.mode
        self._power_due_s = 0.0

    def say(self, sentence: str) -> None:
        """Add to the controller's log; what is said again and again is logged once."""
        if sentence != self._said:
            self.events.append(f"{self.time_s:.3f} {sentence}")
            self.event_count += 1
        self._said = sentence

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
            self._make = None
        self.runtime = Runtime.PLAYING
        if self._make is not None:
            self.begin(self._make)
        self.say(f"program {self.program.name if self.program else ''} plays")
        return True

    def pause(self) -> bool:
        """Let the arm come to rest; the program can be gone on with."""
        if not self.playing:
            return False
        self.runtime = Runtime.PAUSED
        self.halt(self.settings.brake_rad_s2)
        return True

    def stop(self, why: str) -> bool:
        """End the program, if there is one; the arm slows down and holds."""
        if self.program is None:
            return False
        self.say(f"program {self.program.name} stopped: {why}")
        self.program = None
        self._make = None
        self.runtime = Runtime.STOPPED
        self.freedrive = False
        self.halt(self.settings.brake_rad_s2)
        return True

    # motions

    def begin(self, make: MakeMotion, from_rest: bool = False) -> None:
        """Start a motion from where the joints are sent to now; it is made anew after a pause.

        Args:
            make: Makes the motion from joint positions and velocities.
            from_rest: The motion begins at rest: an arm that moves is brought to rest first.
        """
        self._make = make
        self._from_rest = from_rest
        if from_rest and np.abs(self.target_rad_s).max() > _REST_RAD_S:
            self.motion = Brake(self.target_rad, self.target_rad_s, self.settings.brake_rad_s2)
        else:
            velocity = self.target_rad_s / self.scaling if self.scaling > 0.0 else np.zeros(JOINTS)
            self.motion = make(self.target_rad, velocity)
            self._from_rest = False

    def halt(self, deceleration_rad_s2: float) -> None:
        """Let the arm slow down and hold."""
        self.motion = Brake(self.target_rad, self.target_rad_s, deceleration_rad_s2)
        self._from_rest = False

    def end_motion(self, deceleration_rad_s2: float) -> None:
        """Stop the motion for good: it is not gone on with after a pause."""
        self._make = None
        self.halt(deceleration_rad_s2)

    @property
    def motion_done(self) -> bool:
        """Whether the motion that was begun last has come to its end."""
        return self.motion is None or (self.motion.done and not self._from_rest)

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
            self.halt(self.settings.brake_rad_s2)

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
            self.halt(self.settings.brake_rad_s2)
            self.mode = self._power_goal = goal
            return True
        if self.safety not in (SafetyMode.NORMAL, SafetyMode.REDUCED):
            return False
        self._power_goal = max(goal, self.mode)
        self._power_due_s = self.time_s + self.settings.power_step_s
        return True

    def _power_step(self) -> None:
        if self.safety is SafetyMode.ROBOT_EMERGENCY_STOP and self.motion_done:
            self.mode = self._power_goal = RobotMode.POWER_OFF
        if self.mode < self._power_goal and self.time_s >= self._power_due_s:
            steps = (RobotMode.POWER_OFF, RobotMode.POWER_ON, RobotMode.IDLE, RobotMode.RUNNING)
            self.mode = steps[steps.index(self.mode) + 1]
            self._power_due_s = self.time_s + self.settings.power_step_s

    def reset(self) -> None:
        """As after powering up, without the wait; the joints stay where they are and clients connected."""
        self.stop("reset")
        self.halt(self.settings.brake_rad_s2)
        self.mode = self._power_goal = RobotMode.RUNNING
        self.safety = SafetyMode.NORMAL
        self.freedrive = False
        self.remote = True
        self.registers = Registers()

    def place(self, joints_rad: Array) -> None:
        """Be somewhere else at once, at rest, as a simulated arm can; a program that moves the arm ends.

        Args:
            joints_rad: Shape (6,), where the joints are now [rad].
        """
        if not self.motion_done:
            self.stop("the arm was put somewhere else")
        self.motion = self._make = None
        self._from_rest = False
        self.joints_rad, self.target_rad = joints_rad, joints_rad.copy()
        self.target_rad_s, self.target_rad_s2 = np.zeros(JOINTS), np.zeros(JOINTS)

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
        self._power_step()
        wanted = self.registers.speed_slider
        reach = self.settings.slider_rate * CYCLE_S
        self.scaling += min(reach, max(-reach, wanted - self.scaling))
        if self.playing and self.program is not None:
            try:
                if not self.program.step(self, CYCLE_S * self.scaling):
                    self.stop("it came to its end")
            except ProgramError as error:
                self.stop(str(error))
        before, speed = self.target_rad, self.target_rad_s
        self.target_rad = self._next_target()
        self.target_rad_s = (self.target_rad - before) / CYCLE_S
        self.target_rad_s2 = (self.target_rad_s - speed) / CYCLE_S
        return self.target_rad

    def _next_target(self) -> Array:
        if self.freedrive or self.mode is not RobotMode.RUNNING:
            self.motion = None
            return self.joints_rad.copy() if self.freedrive else self.target_rad
        apart = float(np.abs(self.target_rad - self.joints_rad).max())
        if apart > self.settings.deviation_rad and self.safety is SafetyMode.NORMAL:
            self.target_rad, self.target_rad_s = self.joints_rad.copy(), np.zeros(JOINTS)
            self.protective_stop(
                "C153", f"position deviates from path: a joint is {apart:.2f} rad from where it was sent"
            )
        if self.motion is None:
            return self.target_rad
        if isinstance(self.motion, Brake):
            if self.motion.done and self._from_rest and self._make is not None:
                self.motion, self._from_rest = self._make(self.target_rad, np.zeros(JOINTS)), False
            else:
                return self.motion.step(CYCLE_S)
        if self.scaling <= 0.0:
            return self.target_rad
        try:
            after = self.motion.step(CYCLE_S * self.scaling)
            check(self.target_rad, after, CYCLE_S, self.model.limits)
        except SanityCheck as error:
            self.protective_stop(error.code, str(error))
            self.halt(self.settings.brake_rad_s2)
            return self.motion.step(CYCLE_S)
        return after
