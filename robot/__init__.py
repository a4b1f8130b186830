"""The arm and what keeps it safe.

Owns: the `Arm` protocol, `RobotState`, kinematics, trajectory, safety governor, drivers (`ur`, `lerobot`, `sim`), the
MuJoCo world with its simulated arm and camera.

Does not own: policies.
"""

from __future__ import annotations

from robot.arm import Arm, CommandMode, JointCommand, RobotState

__all__ = ["Arm", "CommandMode", "JointCommand", "RobotState"]
