"""What the governor allows, as plain values."""

from __future__ import annotations

from dataclasses import dataclass, field

from robot.kinematics.limits import UR10E_LIMITS, JointLimits
from robot.safety.body import Capsule
from robot.safety.cell import Box, Workspace


@dataclass(frozen=True, slots=True)
class GovernorLimits:
    """What the governor allows.

    Attributes:
        joints: Ranges, speeds, accelerations and jerks of the joints.
        workspace: Where the tool and the arm may be.
        command_age_ns: Oldest photons that may be behind a command [ns]: 16 actions of 100 ms and 500 ms.
        jump_rad: Largest difference between a command and the one that was sent before [rad]; where the control loop is
            so slow that a joint moves further in two ticks at its highest speed, that counts instead.
        following_rad: Largest difference between the measured joints and what was sent last [rad].
        tool_speed_m_s: Highest speed of the tool point [m/s].
        keep_out: Boxes that no part of the arm may enter.
        self_collision: Whether the arm must keep clear of itself.
        margin_m: Clearance that the arm's body keeps from boxes and from itself [m].
        tool_radius_m: Radius of the capsule around the gripper, from the flange to the tool point [m].
        capsules: The arm's body; by default that of the kinematics' model.
    """

    joints: JointLimits = UR10E_LIMITS
    workspace: Workspace = field(default_factory=Workspace)
    command_age_ns: int = 2_100_000_000
    jump_rad: float = 0.15
    following_rad: float = 0.5
    tool_speed_m_s: float = 1.5
    keep_out: tuple[Box, ...] = ()
    self_collision: bool = True
    margin_m: float = 0.01
    tool_radius_m: float = 0.065
    capsules: tuple[Capsule, ...] | None = None
