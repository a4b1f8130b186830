"""Commands of ur_rtde's script that answer or set something without moving the arm.

Not modelled: forces, torques, contacts and dynamics. Their commands are accepted; what they answer is zero, "no
contact" or "not in freedrive".
"""

from __future__ import annotations

import numpy as np

from geometry.pose import Pose
from robot.ur.loopback.arguments import Arguments
from robot.ur.loopback.controller import Controller
from robot.ur.loopback.plant import CYCLE_S
from robot.ur.loopback.program import ProgramError
from robot.ur.loopback.tool_space import from_pose, to_pose

_STEADY_RAD_S = 1e-3


def joint_deceleration(arm: Controller, tool_m_s2: float) -> float:
    """Deceleration of the fastest joint [rad/s^2] that stops the tool at `tool_m_s2`, as stopl does."""
    velocity = arm.tools.jacobian(arm.targets.rad) @ arm.targets.rad_s
    tool_m_s = float(np.linalg.norm(velocity[:3]))
    fastest = float(np.abs(arm.targets.rad_s).max())
    if tool_m_s < 1e-3:
        return arm.settings.brake_rad_s2
    return min(arm.settings.servo_acceleration_rad_s2, fastest * tool_m_s2 / tool_m_s)


def answer(command: int, arm: Controller, args: Arguments) -> None:
    """Do one command.

    Raises:
        ProgramError: If its arguments have no answer: the real script ends there too.
    """
    tools, here = arm.tools, arm.joints_rad
    if command == 17:
        arm.payload_kg = args.number(0)
        centre = (args.number(1), args.number(2), args.number(3))
        arm.payload_centre_m = centre if any(centre) else arm.payload_centre_m
    elif command == 65:
        arm.payload_kg, arm.payload_centre_m = args.number(0), (args.number(1), args.number(2), args.number(3))
    elif command == 26:
        args.answer(CYCLE_S)
    elif command == 27:
        args.answer(*here)
    elif command == 28:
        args.answer(*from_pose(tools.pose(arm.targets.rad)))
    elif command == 29:
        tools.flange_T_tool = to_pose(args.six(0).tolist())
    elif command in (30, 46):
        near = args.six(6) if command == 30 else here
        joints = tools.joints(to_pose(args.six(0).tolist()), near)
        if joints is None:
            raise ProgramError(f"runtime error: get_inverse_kin found none for {args.six(0).tolist()}")
        args.answer(*joints)
    elif command in (60, 61):
        near = args.six(6) if command == 61 else here
        args.answer_int(int(tools.joints(to_pose(args.six(0).tolist()), near) is not None))
    elif command == 31:
        arm.protective_stop("requested", "the program asked for it")
    elif command == 36:
        args.answer_int(int(tools.joints(to_pose(args.six(0).tolist()), here) is not None))
    elif command == 37:
        args.answer_int(int(arm.model.limits.contains(args.six(0))))
    elif command == 38:
        args.answer(*[0.0] * 6)
    elif command == 39:
        args.answer(*from_pose(to_pose(args.six(0).tolist()) @ to_pose(args.six(6).tolist())))
    elif command == 40:
        args.answer(*from_pose(tools.flange_T_tool))
    elif command == 43:
        args.answer(*from_pose(tools.pose(here)))
    elif command == 44:
        args.answer(*from_pose(tools.pose(args.six(0), to_pose(args.six(6).tolist()))))
    elif command == 47:
        args.answer_int(int(np.abs(arm.velocity_rad_s).max() < _STEADY_RAD_S))
    elif command in (25, 54, 63, 64):
        args.answer_int(0)
    elif command == 58:
        args.answer(*from_pose(tools.pose(here, Pose.identity())))
    else:
        arm.say(f"command {command} of ur_rtde is accepted and does nothing here")
