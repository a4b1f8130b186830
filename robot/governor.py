"""The last guard before the arm: clips a command where that is safe, and stops where it is not.

The guard rests on one invariant: from the position, velocity and acceleration that were sent last, the quickest
jerk-limited stop stays inside the joints' ranges and speeds, the workspace and the tool's speed, and keeps the arm's
body clear of table, boxes and itself. A command goes out only if that is so after it too; else one tick of that stop
goes out, which is always possible (the scheme of M. Althoff's fail-safe planning: a motion is taken only with a checked
stop behind it).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from deploy.errors import BadInput
from geometry.types import Array
from robot.arm import JOINTS, JointCommand, RobotState
from robot.kinematics.tool import Kinematics
from robot.safety.body import Capsule
from robot.safety.cell import Box, Workspace
from robot.safety.clipping import ROUNDING, Clipped, Motion, clip
from robot.safety.guard import MotionGuard
from robot.safety.limits import GovernorLimits
from robot.verdict import Intervention, Verdict

__all__ = ["Box", "Capsule", "GovernorLimits", "SafetyGovernor", "Workspace"]

# power of the tick's length that turns a figure counted in ticks into one in seconds
_PER_S: Final = {"velocity": 1, "acceleration": 2, "jerk": 3}


class SafetyGovernor:
    """Guards one arm. It reads no clock: `now_ns` and the photons' stamp are given."""

    def __init__(self, limits: GovernorLimits, kinematics: Kinematics, period_s: float) -> None:
        """Prepare the guard; its first check starts from the measured joints unless `reset` came before.

        Args:
            limits: What is allowed.
            kinematics: The arm and its tool.
            period_s: Nominal length of a control tick [s]; a tick that comes late only makes the arm slower.

        Raises:
            deploy.errors.BadInput: If the period is not positive.
        """
        if not period_s > 0.0:
            raise BadInput(f"control period is {period_s} s: expected > 0, for example 0.01")
        self._limits = limits
        self._dt = period_s
        self._jump = [max(limits.jump_rad, 2.0 * v * period_s) for v in limits.joints.velocity_rad_s]
        self._guard = MotionGuard(limits, kinematics, period_s)
        self._motions: list[Motion] | None = None
        self._gripper = 0.0
        self._cause: Intervention | None = None

    @property
    def cause(self) -> Intervention | None:
        """Why the governor is stopped until `reset`; None while it is not."""
        return self._cause

    @property
    def velocity_rad_s(self) -> Array:
        """Shape (6,): the velocity of the last command that was allowed, over its tick [rad/s]."""
        return np.array([m.step for m in self._motions or ()]) / self._dt if self._motions else np.zeros(JOINTS)

    def start_over(self) -> tuple[Array, Array, Array]:
        """Let what makes the commands go on from what was sent, and forget what the arm owes to earlier commands.

        Returns:
            Position [rad], velocity [rad/s] and acceleration [rad/s^2] of the joints at the last command, each of shape
            (6,), as `JointTrajectory.reset` takes them. A tick's step is the mean velocity over it, so half a tick of
            acceleration is added.
        """
        motions = self._motions or [Motion(0.0)] * JOINTS
        for motion in motions:
            motion.wanted = motion.at
        at, step, change = np.array([(m.at, m.step, m.change) for m in motions]).T
        return at, (step + 0.5 * change) / self._dt, change / self._dt**2

    def reset(self, joint_positions_rad: Sequence[float] | Array, gripper_opening: float = 1.0) -> None:
        """Forget what was sent and why it stopped: the arm is at rest at these joints.

        Raises:
            deploy.errors.BadInput: If a value is missing or not finite.
        """
        joints = [float(q) for q in joint_positions_rad]
        if len(joints) != JOINTS or not math.isfinite(sum(joints) + gripper_opening):
            raise BadInput(
                f"governor cannot start at {joints} rad: expected {JOINTS} finite values from the arm's state"
            )
        self._motions = [Motion(q, wanted=q) for q in joints]
        self._gripper, self._cause = float(gripper_opening), None
        self._guard.learn(joints)

    def check(self, command: JointCommand, state: RobotState, now_ns: int, photon_stamp_ns: int) -> Verdict:
        """Judge a command; to be called once per control tick, with the command that would be sent.

        Joint positions, velocities, accelerations and jerks, the tool's speed and the gripper are clipped. Old photons,
        the workspace, boxes and the arm itself make a hold that ends by itself. Values that are not finite, jumps, and
        an arm that is not where it was sent make a hold that lasts until `reset`.

        Args:
            command: What is wanted, positions [rad] or velocities [rad/s].
            state: The newest state of the arm.
            now_ns: Time of this tick [ns].
            photon_stamp_ns: Capture time of the image behind the command [ns].

        Returns:
            The command that may be sent, in the same mode and with the same stamp.
        """
        if self._motions is None:
            self.reset(state.joint_positions_rad, state.gripper_opening)
        assert self._motions is not None
        motions, wanted = self._motions, command.joints.tolist()
        if self._cause is not None:
            known = self._cause
            return self._hold(command, Intervention("latched", known.joint, known.requested, known.allowed))
        stop = self._reason_to_stop(command, wanted, state.joint_positions_rad.tolist(), motions)
        if stop is not None:
            self._cause = stop
            return self._hold(command, stop)
        age_ns = now_ns - photon_stamp_ns
        if not 0 <= age_ns <= self._limits.command_age_ns:
            return self._hold(command, Intervention("stale", -1, age_ns * 1e-9, self._limits.command_age_ns * 1e-9))

        follows = command.mode == "position"
        asked = wanted if follows else [w * self._dt + m.at for w, m in zip(wanted, motions, strict=True)]
        clipped = [
            clip(m, q, follows, strength, ends)
            for m, q, strength, ends in zip(motions, asked, self._guard.strengths, self._guard.ends, strict=True)
        ]
        interventions = self._told(asked, clipped)
        allowed = self._moved(motions, clipped, follows)
        slowed, why = self._guard.checked(motions, allowed)
        if slowed is None:
            assert why is not None
            return self._hold(command, why)
        if why is not None:
            interventions.append(why)
        gripper = min(max(command.gripper_opening, 0.0), 1.0)
        if gripper != command.gripper_opening:
            interventions.append(Intervention("gripper", -1, command.gripper_opening, gripper))
        self._motions, self._gripper = slowed, gripper
        if not interventions:
            return Verdict(command, (), stopped=False)
        return Verdict(self._allowed(command), tuple(interventions), stopped=False)

    def _reason_to_stop(
        self, command: JointCommand, wanted: list[float], measured: list[float], motions: list[Motion]
    ) -> Intervention | None:
        if not math.isfinite(command.gripper_opening):
            return Intervention("non_finite", -1, command.gripper_opening, 1.0)
        for joint, (value, at, motion) in enumerate(zip(wanted, measured, motions, strict=True)):
            if not math.isfinite(value):
                return Intervention("non_finite", joint, value, self._limits.joints.upper_rad[joint])
            if not abs(at - motion.at) <= self._limits.following_rad:
                return Intervention("following", joint, at - motion.at, self._limits.following_rad)
            if command.mode == "position" and abs(value - motion.at) > self._jump[joint]:
                return Intervention("jump", joint, value - motion.at, self._jump[joint])
        return None

    def _told(self, asked: list[float], clipped: list[Clipped]) -> list[Intervention]:
        """What was clipped, in seconds."""
        told = []
        for joint, (q, c) in enumerate(zip(asked, clipped, strict=True)):
            if abs(q - c.goal) > ROUNDING:
                told.append(Intervention("position", joint, q, c.goal))
            if c.reason is not None:
                kind, request, done = c.reason
                scale = self._dt ** _PER_S.get(kind, 0)
                told.append(Intervention(kind, joint, request / scale, done / scale))
        return told

    @staticmethod
    def _moved(motions: list[Motion], clipped: list[Clipped], follows: bool) -> list[Motion]:
        moved = []
        for motion, c in zip(motions, clipped, strict=True):
            step = c.at - motion.at
            moved.append(Motion(c.at, step, step - motion.step, c.goal if follows else c.at))
        return moved

    def _hold(self, command: JointCommand, why: Intervention) -> Verdict:
        """One tick of stopping from what was sent last."""
        assert self._motions is not None
        self._motions = self._guard.stopped(self._motions)
        return Verdict(self._allowed(command), (why,), stopped=True)

    def _allowed(self, command: JointCommand) -> JointCommand:
        assert self._motions is not None
        joints = [m.step / self._dt if command.mode == "velocity" else m.at for m in self._motions]
        return JointCommand(command.stamp_ns, command.mode, np.array(joints), self._gripper)
