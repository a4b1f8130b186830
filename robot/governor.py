"""The last guard before the arm: clips a command where that is safe, and stops where it is not.

The guard rests on one invariant: from the position and velocity that were sent last, braking at the allowed
acceleration stays inside the joint ranges and the workspace. A command that would break it is replaced by one tick of
that braking.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from deploy.errors import BadInput
from geometry.types import Array
from robot.arm import JOINTS, JointCommand, RobotState
from robot.brake import braked, braking_distance, fastest_towards, ticks_to_stop
from robot.kinematics.limits import UR10E_LIMITS, JointLimits
from robot.kinematics.tool import Kinematics
from robot.verdict import Intervention, InterventionKind, Verdict

# a deviation this small is rounding, not a wish [rad]
_ROUNDING: Final = 1e-10
_AXES: Final[tuple[InterventionKind, ...]] = ("workspace_x", "workspace_y", "workspace_z")


@dataclass(frozen=True, slots=True)
class Workspace:
    """Where the tool and the arm may be, in the controller's base.

    Attributes:
        lower_m: Lowest x, y, z of the tool point [m]; z is the table plus the clearance that the finger tips need.
        upper_m: Highest x, y, z of the tool point [m].
        arm_floor_m: Least height of the axis of elbow, wrist and flange [m]: the table plus the arm's radius.
    """

    lower_m: tuple[float, float, float] = (-1.2, -1.2, 0.005)
    upper_m: tuple[float, float, float] = (1.2, 1.2, 1.2)
    arm_floor_m: float = 0.07


@dataclass(frozen=True, slots=True)
class GovernorLimits:
    """What the governor allows.

    Attributes:
        joints: Ranges, speeds and accelerations of the joints.
        workspace: Where the tool and the arm may be.
        command_age_ns: Oldest photons that may be behind a command [ns]: 16 actions of 100 ms and 500 ms.
        jump_rad: Largest difference between a command and the one that was sent before [rad]; where the control loop is
            so slow that a joint moves further in two ticks at its highest speed, that counts instead.
        following_rad: Largest difference between the measured joints and what was sent last [rad].
    """

    joints: JointLimits = UR10E_LIMITS
    workspace: Workspace = Workspace()
    command_age_ns: int = 2_100_000_000
    jump_rad: float = 0.15
    following_rad: float = 0.5


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
        self._kinematics = kinematics
        self._dt = period_s
        self._per_tick = [a * period_s for a in limits.joints.acceleration_rad_s2]
        self._jump = [max(limits.jump_rad, 2.0 * v * period_s) for v in limits.joints.velocity_rad_s]
        self._sent: list[float] | None = None
        self._velocity = [0.0] * JOINTS
        self._wanted = [0.0] * JOINTS
        self._gripper = 0.0
        self._cause: Intervention | None = None

    @property
    def cause(self) -> Intervention | None:
        """Why the governor is stopped until `reset`; None while it is not."""
        return self._cause

    @property
    def velocity_rad_s(self) -> Array:
        """Shape (6,): the velocity of the last command that was allowed [rad/s]."""
        return np.array(self._velocity)

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
        self._sent, self._wanted, self._velocity = joints, list(joints), [0.0] * JOINTS
        self._gripper, self._cause = float(gripper_opening), None

    def check(self, command: JointCommand, state: RobotState, now_ns: int, photon_stamp_ns: int) -> Verdict:
        """Judge a command; to be called once per control tick, with the command that would be sent.

        Joint positions, velocities, accelerations and the gripper are clipped. Old photons, the workspace and the
        arm's height make a hold that ends by itself. Values that are not finite, jumps, and an arm that is not where it
        was sent make a hold that lasts until `reset`.

        Args:
            command: What is wanted, positions [rad] or velocities [rad/s].
            state: The newest state of the arm.
            now_ns: Time of this tick [ns].
            photon_stamp_ns: Capture time of the image behind the command [ns].

        Returns:
            The command that may be sent, in the same mode and with the same stamp.
        """
        if self._sent is None:
            self.reset(state.joint_positions_rad, state.gripper_opening)
        assert self._sent is not None
        wanted = command.joints.tolist()
        if self._cause is not None:
            known = self._cause
            return self._hold(command, Intervention("latched", known.joint, known.requested, known.allowed))
        stop = self._reason_to_stop(command, wanted, state.joint_positions_rad.tolist(), self._sent)
        if stop is not None:
            self._cause = stop
            return self._hold(command, stop)
        age_ns = now_ns - photon_stamp_ns
        if not 0 <= age_ns <= self._limits.command_age_ns:
            return self._hold(command, Intervention("stale", -1, age_ns * 1e-9, self._limits.command_age_ns * 1e-9))

        interventions: list[Intervention] = []
        joints, velocity = self._clip(command.mode == "velocity", wanted, self._sent, interventions)
        outside = self._leaves_workspace(joints, velocity, self._sent)
        if outside is not None:
            return self._hold(command, outside)
        gripper = min(max(command.gripper_opening, 0.0), 1.0)
        if gripper != command.gripper_opening:
            interventions.append(Intervention("gripper", -1, command.gripper_opening, gripper))
        self._sent, self._velocity, self._gripper = joints, velocity, gripper
        if not interventions:
            return Verdict(command, (), stopped=False)
        return Verdict(self._allowed(command), tuple(interventions), stopped=False)

    def _reason_to_stop(
        self, command: JointCommand, wanted: list[float], measured: list[float], sent: list[float]
    ) -> Intervention | None:
        if not math.isfinite(command.gripper_opening):
            return Intervention("non_finite", -1, command.gripper_opening, 1.0)
        for joint, (value, at, last) in enumerate(zip(wanted, measured, sent, strict=True)):
            if not math.isfinite(value):
                return Intervention("non_finite", joint, value, self._limits.joints.upper_rad[joint])
            if not abs(at - last) <= self._limits.following_rad:
                return Intervention("following", joint, at - last, self._limits.following_rad)
            if command.mode == "position" and abs(value - last) > self._jump[joint]:
                return Intervention("jump", joint, value - last, self._jump[joint])
        return None

    def _clip(
        self, is_velocity: bool, wanted: list[float], sent: list[float], interventions: list[Intervention]
    ) -> tuple[list[float], list[float]]:
        """Nearest joint positions and velocities that keep the invariant of the joint ranges."""
        limits, dt = self._limits.joints, self._dt
        joints, velocities = [0.0] * JOINTS, [0.0] * JOINTS
        for joint in range(JOINTS):
            low, high, fastest = limits.lower_rad[joint], limits.upper_rad[joint], limits.velocity_rad_s[joint]
            per_tick, last, speed = self._per_tick[joint], sent[joint], self._velocity[joint]
            asked = wanted[joint] * dt + last if is_velocity else wanted[joint]
            goal = min(max(asked, low), high)
            backlog = 0.0 if is_velocity else self._wanted[joint] - last
            if abs(backlog) <= _ROUNDING:
                desired = (goal - last) / dt
            else:
                # behind an earlier command: go with the target, and catch up no faster than can be braked away again
                behind = min(abs(backlog) / dt, fastest_towards(abs(backlog), per_tick, dt))
                desired = (goal - self._wanted[joint]) / dt + math.copysign(behind, backlog)
            upper = min(fastest, speed + per_tick, max(fastest_towards(high - last, per_tick, dt), speed - per_tick))
            lower = -min(fastest, per_tick - speed, max(fastest_towards(last - low, per_tick, dt), -speed - per_tick))
            allowed = min(max(desired, lower), upper)
            at = last + allowed * dt
            if abs(at - goal) <= _ROUNDING:
                at = goal
            joints[joint], velocities[joint], self._wanted[joint] = at, allowed, at if is_velocity else goal
            if goal != asked:
                interventions.append(Intervention("position", joint, asked, goal))
            if abs(at - goal) > _ROUNDING:
                request = (goal - last) / dt
                if abs(request) > fastest:
                    interventions.append(Intervention("velocity", joint, request, allowed))
                else:
                    change = (request - speed) / dt
                    interventions.append(Intervention("acceleration", joint, change, (allowed - speed) / dt))
        return joints, velocities

    def _leaves_workspace(self, joints: list[float], velocity: list[float], sent: list[float]) -> Intervention | None:
        """The wall that is crossed by a position, or by braking from it; None while it stays inside or comes back."""
        brake = list(zip(joints, velocity, self._per_tick, strict=True))
        ticks = max(ticks_to_stop(v, w) for _, v, w in brake)
        before: float | None = None
        # the joints stop one after the other, so the tool's way bends: its end alone does not tell
        for after in sorted({0, ticks // 4, ticks // 2, 3 * ticks // 4, ticks}):
            crossed, depth = self._crossed([q + braking_distance(v, w, self._dt, after) for q, v, w in brake])
            if crossed is not None:
                before = self._crossed(sent)[1] if before is None else before
                # an arm that starts outside may come back, but not go further out
                if depth > before + _ROUNDING:
                    return crossed
        return None

    def _crossed(self, joints: list[float]) -> tuple[Intervention | None, float]:
        """The wall that is crossed furthest, and by how much [m]."""
        workspace = self._limits.workspace
        tcp, height = self._kinematics.points(joints)
        crossed, depth = None, 0.0
        if workspace.arm_floor_m - height > depth:
            crossed, depth = (
                Intervention("arm_height", -1, height, workspace.arm_floor_m),
                workspace.arm_floor_m - height,
            )
        for kind, at, low, high in zip(_AXES, tcp, workspace.lower_m, workspace.upper_m, strict=True):
            wall = low if at < low else high
            beyond = max(low - at, at - high)
            if beyond > depth:
                crossed, depth = Intervention(kind, -1, at, wall), beyond
        return crossed, depth

    def _hold(self, command: JointCommand, why: Intervention) -> Verdict:
        """One tick of braking from what was sent last."""
        assert self._sent is not None
        self._velocity = [braked(v, w) for v, w in zip(self._velocity, self._per_tick, strict=True)]
        self._sent = [q + v * self._dt for q, v in zip(self._sent, self._velocity, strict=True)]
        self._wanted = list(self._sent)
        return Verdict(self._allowed(command), (why,), stopped=True)

    def _allowed(self, command: JointCommand) -> JointCommand:
        joints = self._velocity if command.mode == "velocity" else self._sent
        return JointCommand(command.stamp_ns, command.mode, np.array(joints), self._gripper)
