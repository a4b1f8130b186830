"""A control loop for targets that somebody else thinks of: jerk-limited trajectory, safety governor, arm."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable

import numpy as np

from deploy.errors import BadInput, EyehandError
from deploy.pacer import Pacer
from geometry.types import Array
from robot.arm import Arm, ArmFault, BufferedArm, JointCommand, RobotState
from robot.governor import SafetyGovernor
from robot.kinematics import JointLimits
from robot.trajectory import JointTrajectory

_FIRST_STATE_S = 10.0


class TargetLoop:
    """Moves an arm to the newest target, in a thread of its own at the control rate.

    Nothing reaches the arm but what the governor lets through. Targets that are not renewed for longer than the
    governor allows commands to age make the arm hold where it is.

    Args:
        arm: The arm, connected; only this loop reads and commands it.
        trajectory: Makes the motion.
        governor: Judges it.
        limits: Ranges of the joints.
        clock: The run clock [ns].
        period_ns: Control period [ns].
    """

    def __init__(
        self,
        arm: Arm,
        trajectory: JointTrajectory,
        governor: SafetyGovernor,
        limits: JointLimits,
        clock: Callable[[], int],
        period_ns: int,
    ) -> None:
        self._arm, self._trajectory, self._governor = arm, trajectory, governor
        self._limits, self._clock, self._period_ns = limits, clock, period_ns
        self._aim: tuple[Array, float, int] | None = None
        self._state: RobotState | None = None
        self._fault: ArmFault | None = None
        self._begun = threading.Event()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lerobot-control", daemon=True)
        self._thread.start()

    def state(self) -> RobotState:
        """The newest state of the arm.

        Raises:
            ArmFault: If the arm cannot be commanded, or the governor stopped it for good.
        """
        self._begun.wait(_FIRST_STATE_S)
        if self._fault is not None:
            raise self._fault
        if self._state is None:
            raise ArmFault("disconnected", f"arm {self._arm.name}: no state within {_FIRST_STATE_S:g} s")
        return self._state

    def aim(self, joints_rad: Array, opening: float, photon_ns: int) -> tuple[Array, float]:
        """Set the target.

        Args:
            joints_rad: Shape (6,) [rad].
            opening: Of the gripper, 0 = closed, 1 = open.
            photon_ns: Capture stamp of what the target was thought of from [ns].

        Returns:
            The target as taken, within the ranges of the joints and of the gripper.

        Raises:
            BadInput: If a value is not finite; the target stays.
            ArmFault: As `state`.
        """
        if self._fault is not None:
            raise self._fault
        if not (np.isfinite(joints_rad).all() and math.isfinite(opening)):
            raise BadInput(f"target {joints_rad.tolist()} rad, gripper {opening}: expected finite values")
        joints, opening = self._limits.clamp(joints_rad), min(1.0, max(0.0, opening))
        self._aim = (joints, opening, photon_ns)
        return joints, opening

    def close(self) -> None:
        """End the loop and have the arm stop."""
        self._end.set()
        self._thread.join(2.0)
        self._arm.stop()

    def _run(self) -> None:
        pacer, dt_s = Pacer(self._clock, self._period_ns), self._period_ns * 1e-9
        try:
            self._state = state = self._newest()
            self._trajectory.reset(state.joint_positions_rad)
            self._governor.reset(state.joint_positions_rad, state.gripper_opening)
            while not self._end.is_set():
                self._state = state = self._newest()
                self._begun.set()
                self._tick(state, dt_s)
                pacer.wait()
        except ArmFault as fault:
            self._stop_for_good(fault)
        except EyehandError as error:
            self._stop_for_good(ArmFault("driver", str(error)))
        except Exception as error:  # the thread must not end in silence
            self._stop_for_good(ArmFault("driver", f"control loop failed: {type(error).__name__}: {error}"))

    def _tick(self, state: RobotState, dt_s: float) -> None:
        now_ns = self._clock()
        target = self._aim
        if target is None:
            joints, opening, photon_ns = self._trajectory.step_hold(dt_s)[0], state.gripper_opening, now_ns
        else:
            aim, opening, photon_ns = target
            joints = self._trajectory.step(aim, np.zeros_like(aim), dt_s)[0]
        wanted = JointCommand(now_ns, "position", joints, opening)
        verdict = self._governor.check(wanted, state, now_ns, photon_ns)
        if verdict.stopped or (verdict.command.joints != wanted.joints).any():
            # what comes next goes on from what was sent, not from what was asked for
            self._trajectory.reset(*self._governor.start_over())
        self._arm.send(verdict.command)
        cause = self._governor.cause
        if cause is not None and not self._governor.velocity_rad_s.any():
            raise ArmFault("driver", f"the governor stopped the arm: {cause.describe()}; see to it, then connect anew")

    def _newest(self) -> RobotState:
        return self._arm.read_states()[-1] if isinstance(self._arm, BufferedArm) else self._arm.read_state()

    def _stop_for_good(self, fault: ArmFault) -> None:
        self._arm.stop()
        self._fault = fault
        self._begun.set()
