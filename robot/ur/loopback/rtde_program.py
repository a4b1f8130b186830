"""The program that ur_rtde uploads: a loop that takes commands out of input registers and answers in output registers.

The uploaded URScript is not interpreted: what it does is done here. Handshake (register numbers after the offset that
the script was uploaded with, 0 or 24): input_int_register_0 holds the command, the input doubles and the other input
integers its arguments. output_int_register_0 is 1 when the program is ready, 2 when the command is done; the client
then writes command 0 and the program is ready again. Streaming commands (servoj, speedj and such) are taken every
cycle and leave the register at 1. output_int_register_2 tells how far an asynchronous move is.

As in the script, servoj and speedj run in threads of their own which repeat the last target: a client that falls silent
leaves the arm servoing to it, and a speed stays until speedStop, the watchdog or the end of the program.

Source: the script inside ur_rtde 1.6.5 (MIT), "RTDE Control Script (14.02.2024-12:23)".
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import numpy as np

from geometry.types import Array
from robot.ur.loopback import answers
from robot.ur.loopback.arguments import Arguments
from robot.ur.loopback.controller import Controller
from robot.ur.loopback.motion import Motion, Servo
from robot.ur.loopback.program import ProgramError
from robot.ur.loopback.script_lines import Move, begin_move, moves
from robot.ur.loopback.speed import JointSpeed, ToolSpeed
from robot.ur.loopback.tool_space import to_pose

READY: Final = 1
DONE: Final = 2
# Streamed every cycle, and queries that the script treats alike: taken at once, with no "done".
_STREAMED: Final = frozenset({6, 9, 10, 11, 24, 25, 26, 27, 38, 58, 66, 67, 68, 69, 70, 71})
_STOP_SCRIPT: Final = 255
_OFFSET = re.compile(rb"# int register offset\s+(\d+)")
_PATH = re.compile(rb"def exec_move_path\(\):(.*?)\n    end", re.DOTALL)
_OCCUPIED: Final = "runtime error: another thread is already controlling the robot"


def is_rtde_program(script: bytes) -> bool:
    """Whether an uploaded program is ur_rtde's."""
    return b"# int register offset" in script and b"read_input_integer_reg" in script


class RtdeProgram:
    """ur_rtde's control script at work.

    Args:
        script: The program as it was uploaded.
    """

    name = "rtde_control"

    def __init__(self, script: bytes) -> None:
        found = _OFFSET.search(script)
        self._offset = int(found.group(1)) if found else 0
        path = _PATH.search(script)
        self._path = moves(path.group(1).decode("ascii", "replace")) if path else []
        self._executed = 0
        self._waits: Callable[[], None] | None = None
        self._streams: str | None = None
        self._servo = (np.zeros(6), 0.1, 300.0, 0.002)
        self._servo_left_s = 0.0
        self._queue: list[Move] = []
        self._async = False
        self._async_writes = -1
        self._async_number = 0
        self._watchdog_s = 0.0
        self._watchdog_seen = (0, 0.0)

    def step(self, arm: Controller, dt: float) -> bool:
        """One turn of the script's loop and of its threads."""
        args = Arguments(arm.registers, self._offset)
        if self._async_writes < 0:
            self._progress(args, -1)
            args.answer_int(READY, 0)
        self._watch(arm)
        self._thread(arm, dt)
        if self._waits is not None:
            if not self._moved(arm, args):
                return True
            self._waits()
            self._waits = None
        command = args.integer(0)
        if command == _STOP_SCRIPT:
            return False
        if command in _STREAMED:
            self._do(command, arm, args)
            args.answer_int(READY, 0)
        elif command == 0:
            self._executed = 0
            args.answer_int(READY, 0)
        elif not self._executed:
            self._executed = command
            self._do(command, arm, args)
            if self._waits is None:
                args.answer_int(DONE, 0)
        return True

    def _thread(self, arm: Controller, dt: float) -> None:
        if self._streams == "servo" and isinstance(arm.targets.motion, Servo):
            self._servo_left_s -= dt
            if self._servo_left_s <= 0.0:
                target, lookahead_s, gain, period_s = self._servo
                arm.targets.motion.aim(target, lookahead_s, gain)
                self._servo_left_s = period_s
        if self._async and self._moved(arm, Arguments(arm.registers, self._offset)):
            self._end_async(arm)

    def _moved(self, arm: Controller, args: Arguments) -> bool:
        """Whether the moves that were asked for have all come to their end; starts the next one."""
        if not arm.targets.done:
            return False
        if not self._queue:
            return True
        if self._async:
            self._progress(args, len(self._path) - len(self._queue))
        begin_move(arm, self._queue.pop(0))
        return False

    def _move(self, arm: Controller, args: Arguments, path: list[Move], asynchronous: bool) -> None:
        if self._streams is not None:
            raise ProgramError(_OCCUPIED)
        self._end_async(arm)
        self._queue = list(path)
        if asynchronous:
            self._async = True
            self._progress(args, 0)
        else:
            self._waits = lambda: args.answer_int(DONE, 0)
        if self._queue:
            begin_move(arm, self._queue.pop(0))

    def _stream(self, kind: str, arm: Controller, make: Callable[[Array, Array], Motion]) -> None:
        if self._streams == kind:
            return
        if self._streams is not None or self._async:
            raise ProgramError(_OCCUPIED)
        self._streams = kind
        self._servo_left_s = 0.0
        arm.targets.begin(make)

    def _stop(self, arm: Controller, args: Arguments, deceleration: float, in_tool_space: bool) -> None:
        """Kill the threads that move the arm and bring it to rest, as stopj or stopl."""
        self._streams = None
        self._queue = []
        self._end_async(arm)
        arm.targets.end(answers.joint_deceleration(arm, deceleration) if in_tool_space else deceleration)
        self._waits = lambda: args.answer_int(DONE, 0)

    def _do(self, command: int, arm: Controller, args: Arguments) -> None:
        if command in (1, 2, 3, 4):
            target = tuple(args.six(0).tolist())
            move = Move(command in (3, 4), command in (2, 3), target, args.number(6), args.number(7))
            self._move(arm, args, [move], args.integer(1) == 1)
        elif command == 45:
            self._move(arm, args, self._path, args.integer(1) == 1)
        elif command in (11, 24):
            self._servoj(command, arm, args)
        elif command in (9, 10, 41, 51):
            self._speed(command, arm, args)
            if command == 51:  # until contact, and there is none: only the end of the program ends it
                self._waits = lambda: None
        elif command in (15, 16, 33, 34, 42):
            in_tool_space = command in (16, 33, 42) or self._streams == "speedl"
            self._stop(arm, args, 1.2 if command == 42 else args.number(0), in_tool_space)
        elif command in (18, 52):
            arm.freedrive = True
        elif command in (19, 53):
            arm.freedrive = False
        elif command == 35:
            frequency = args.number(0)
            self._watchdog_s = 1.0 / frequency if frequency > 0.0 else 0.0
            self._watchdog_seen = (self._written(arm), arm.time_s)
        else:
            answers.answer(command, arm, args)

    def _servoj(self, command: int, arm: Controller, args: Arguments) -> None:
        target: Array | None = args.six(0)
        if command == 24:
            target = arm.tools.joints(to_pose(args.six(0).tolist()), arm.targets.rad)
            if target is None:
                raise ProgramError("runtime error: no joint angles for the pose of servoL")
        assert target is not None
        self._servo = (target, args.number(9), args.number(10), max(args.number(8), 0.002))
        most = arm.settings.servo_acceleration_rad_s2
        self._stream("servo", arm, lambda q, v: Servo(q, v, most))

    def _speed(self, command: int, arm: Controller, args: Arguments) -> None:
        wanted, tools = args.six(0), arm.tools
        acceleration = args.number({41: 7, 51: 12}.get(command, 6))
        if command == 9:
            self._stream("speedj", arm, JointSpeed)
        else:
            self._stream("speedl", arm, lambda q, v: ToolSpeed(q, v, tools))
        if isinstance(arm.targets.motion, (JointSpeed, ToolSpeed)):
            arm.targets.motion.aim(wanted, acceleration)

    def _written(self, arm: Controller) -> int:
        return arm.registers.writes.get(f"input_int_register_{self._offset}", 0)

    def _watch(self, arm: Controller) -> None:
        writes, since_s = self._watchdog_seen
        if self._watchdog_s <= 0.0:
            return
        if self._written(arm) != writes:
            self._watchdog_seen = (self._written(arm), arm.time_s)
        elif arm.time_s - since_s > self._watchdog_s:
            raise ProgramError(f"watchdog: command register not written for {arm.time_s - since_s:.3f} s")

    def _end_async(self, arm: Controller) -> None:
        if self._async:
            self._async = False
            self._progress(Arguments(arm.registers, self._offset), -1)

    def _progress(self, args: Arguments, value: int) -> None:
        """Write the progress register: bits 24-30 number of the move, 16-22 count of writes, 15 running, 0-14 value."""
        self._async_writes = (self._async_writes + 1) % 128
        if value == 0:
            self._async_number = (self._async_number + 1) % 128
        running = 1 << 15 | min(value, 0x7FFF) if value >= 0 else 0
        args.answer_int(self._async_number << 24 | self._async_writes << 16 | running, 2)
