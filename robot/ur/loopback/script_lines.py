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
from robot.ur.protocol import REGISTERS

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_MOVE = re.compile(
    rf"\bmove(?P<kind>[jl])\s*\(\s*(?P<pose>p?)\[(?P<six>\s*{_NUMBER}(?:\s*,\s*{_NUMBER}){{5}}\s*)\](?P<rest>[^)]*)\)"
)
_OPTION: Final = re.compile(rf"\b([avr])\s*=\s*({_NUMBER})")
_REGISTER: Final = re.compile(
    rf"write_output_(integer|float)_register\(\s*(\d{{1,3}})\s*(?:\+\s*(\d{{1,3}}))?\s*,\s*(-?\d{{1,9}}|{_NUMBER})\s*\)"
)
_OUTPUT: Final = re.compile(r"\bset_(?:(standard|configurable|tool)_)?digital_out\(\s*(\d+)\s*,\s*(True|False)\s*\)")
_FIRST_BIT: Final = {None: 0, "standard": 0, "configurable": 8, "tool": 16}


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


@dataclass(frozen=True, slots=True)
class Write:
    """A register or a digital output is set.

    Attributes:
        target: `int` or `float` for an output register, `output` for a digital output.
        index: Its number; digital outputs count on: 0-7 standard, 8-15 configurable, 16-17 tool.
        value: What it is set to.
    """

    target: str
    index: int
    value: float


def moves(text: str) -> list[Move]:
    """The moves in a piece of script, in order. Blend radii are not kept: the arm rests at each target."""
    return [statement for statement in statements(text) if isinstance(statement, Move)]


def statements(text: str) -> list[Move | Write]:
    """What is understood of a piece of script, in order, as if nothing in it branched."""
    found: list[Move | Write] = []
    for line in text.splitlines():
        found += [move for match in _MOVE.finditer(line) if (move := _move(match)) is not None]
        register, output = _REGISTER.search(line), _OUTPUT.search(line)
        if register is not None and (index := int(register[2]) + int(register[3] or 0)) < REGISTERS:
            found.append(Write("int" if register[1] == "integer" else "float", index, float(register[4])))
        elif output is not None and int(output[2]) < 8:
            found.append(Write("output", _FIRST_BIT[output[1]] + int(output[2]), float(output[3] == "True")))
    return found


def _move(match: re.Match[str]) -> Move | None:
    line = match["kind"] == "l"
    options = {name: float(value) for name, value in _OPTION.findall(match["rest"])}
    target = tuple(float(value) for value in match["six"].split(","))
    speed, acceleration = options.get("v", 0.25 if line else 1.05), options.get("a", 1.2 if line else 1.4)
    if max(map(abs, (*target, speed, acceleration))) > LARGEST:
        return None
    return Move(line, bool(match["pose"]), target, speed, acceleration)


def write(arm: Controller, to: Write) -> None:
    """Set a register or an output."""
    if to.target == "output":
        arm.registers.set_digital_output(to.index, bool(to.value))
    elif to.target == "int":
        arm.registers.output_int(to.index, int(to.value))
    else:
        arm.registers.output_doubles(to.index, (to.value,))


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
