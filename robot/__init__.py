"""The arm and what keeps it safe.

Owns: the `Arm` protocol, `RobotState`, kinematics, trajectory, safety governor, the MuJoCo world with its simulated arm
and cameras. The simulated arm is the only one yet; a driver of a real arm belongs here when it comes.

Does not own: policies.
"""

from __future__ import annotations

from robot.arm import Arm, ArmFault, BufferedArm, CommandMode, FaultKind, JointCommand, RobotState
from robot.governor import GovernorLimits, SafetyGovernor, Workspace
from robot.kinematics import UR10E_LIMITS, JointLimits, Kinematics, Unreachable
from robot.trajectory import JointTrajectory
from robot.verdict import INTERVENTION_KINDS, Intervention, InterventionKind, Verdict

__all__ = [
    "INTERVENTION_KINDS",
    "UR10E_LIMITS",
    "Arm",
    "ArmFault",
    "BufferedArm",
    "CommandMode",
    "FaultKind",
    "GovernorLimits",
    "Intervention",
    "InterventionKind",
    "JointCommand",
    "JointLimits",
    "JointTrajectory",
    "Kinematics",
    "RobotState",
    "SafetyGovernor",
    "Unreachable",
    "Verdict",
    "Workspace",
]
