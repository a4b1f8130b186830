"""A UR controller on this machine: its ports, its protocols and its behaviour, in front of any arm with joint servos.

Unmodified clients (ur_rtde, UR's own RTDE library, a Robotiq client) cannot tell it from a controller by what they are
sent, as far as it is modelled. What is and what is not modelled stands in the modules: `motion` (trajectories),
`controller` (modes and stops), `rtde_program` and `answers` (ur_rtde's script), `script_server` (other scripts),
`outputs` (published values), `robotiq` (gripper), `primary` (kinematics). Not played: what else ports 30001 to 30003
stream, RTDE versions 1 and 3, forces, contacts and dynamics.

Try it with `python -m robot.ur.loopback`.
"""

from __future__ import annotations

from robot.ur.loopback.faults import CONTROL_PORT, Faults
from robot.ur.loopback.front import UrFront, run_front
from robot.ur.loopback.plant import IdealPlant, Plant
from robot.ur.loopback.settings import ControllerSettings

__all__ = ["CONTROL_PORT", "ControllerSettings", "Faults", "IdealPlant", "Plant", "UrFront", "run_front"]
