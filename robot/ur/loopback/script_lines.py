"""Single URScript statements that can be told apart without an interpreter."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

import numpy as np

from geometry.types import Array
from robot.ur.loopback.arguments import LARGEST
from robot.ur.loopback.controller import Controller
from robot.ur.loopback.motion import joint_line, tool_line
from robot.ur.loopback.program import ProgramError
from robot.ur.loopback.tool_space import to_pose

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_MOVE = re.compile(
    rf"\bmove(?P<kind>[jl])\s*\(\s*(?P<pose>p?)\[(?P<six>\s*{_NUMBER}(?:\s*,\s*{_NUMBER}){{5}}\s*)\](?P<rest>[^)]*)\)"
)
_OPTION: Final = re.compile(rf"\b([avr])\s*=\s*({_NUMBER})")


@dataclass(frozen=True, slots=True)
class Move:
    """movej or movel with constant arguments.

    Attributes:
        line: Straight in tool space (movel) instead of joint space (movej).
        pose: The target is a pose instead of joint angles.
        target: Six figures: joint angles [rad], or position [m] and rotation vector [rad].
        speed: [rad/s], or [m/s] for a line.
        acceleration: [rad/s^2], or [m/s^2] for a line.
    """

    line: bool
    pose: bool
    target: tuple[float, ...]
    speed: float
    acceleration: float


def moves(text: str) -> list[Move]:
    """The moves in a piece of script, in order. Blend radii are not kept: the arm rests at each target."""
    found = []
    for match in _MOVE.finditer(text):
        line = match["kind"] == "l"
        options = {name: float(value) for name, value in _OPTION.findall(match["rest"])}
        target = tuple(float(value) for value in match["six"].split(","))
        speed, acceleration = options.get("v", 0.25 if line else 1.05), options.get("a", 1.2 if line else 1.4)
        if max(map(abs, (*target, speed, acceleration))) > LARGEST:
            continue
        found.append(Move(line, bool(match["pose"]), target, speed, acceleration))
    return found


def begin_move(arm: Controller, move: Move) -> None:
    """Start a move, from rest.

    Raises:
        ProgramError: If no joint angles reach its pose.
    """
    tools = arm.tools
    if move.line:
        goal = to_pose(move.target) if move.pose else tools.pose(move.target)
        arm.targets.begin(lambda q, _: tool_line(q, goal, tools, move.speed, move.acceleration), from_rest=True)
        return
    end: Array | None = np.array(move.target)
    if move.pose:
        end = tools.joints(to_pose(move.target), arm.targets.rad)
    if end is None:
        raise ProgramError(f"runtime error: no joint angles for the pose {list(move.target)}")
    joints = end
    arm.targets.begin(lambda q, _: joint_line(q, joints, move.speed, move.acceleration), from_rest=True)
