"""Ports 30001 to 30003: URScript is uploaded here. What those ports stream to clients is not played.

A script is a program (`def name():` to a line `end`) or single statements, one per line. ur_rtde's program is run by
`RtdeProgram`. Of any other program the statements with constant arguments that move the arm, write output registers or
set digital outputs are done one after the other, without branches and loops, and it ends; one with nothing that is
understood plays under its name until it is stopped. The same statements, stopj and stopl are done when they come alone;
others are accepted and named in the log. As on a real controller, a program or
a statement that moves the arm ends the program before it, and nothing is taken while the robot is in local control.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Sequence
from typing import Final

from robot.ur.loopback.controller import Controller
from robot.ur.loopback.net import Connection
from robot.ur.loopback.program import Program
from robot.ur.loopback.rtde_program import RtdeProgram, is_rtde_program
from robot.ur.loopback.script_lines import Move, Write, begin_move, statements, write

SCRIPT_PORTS: Final = (30001, 30002, 30003)
_LIMIT: Final = 1 << 20
_HEAD = re.compile(rb"\s*(?:def|sec)\s")
_NAME = re.compile(rb"(?:def|sec)\s+(\w+)\s*\(")
_STOP = re.compile(r"^stop([jl])\s*\(\s*(?:a\s*=\s*)?([\d.eE+-]+)?")


class StatementsProgram:
    """A program of statements, one after the other; without any it plays until it is stopped.

    Args:
        name: Of the program.
        body: Its statements.
    """

    def __init__(self, name: str, body: Sequence[Move | Write]) -> None:
        self.name = name
        self._endless = not body
        self._left = deque(body)
        self._moves = False

    def step(self, arm: Controller, dt: float) -> bool:  # noqa: ARG002  # a program's signature
        """Do the next statements, until one takes time."""
        if self._endless:
            return True
        while not (self._moves and not arm.targets.done):
            self._moves = False
            if not self._left:
                return False
            statement = self._left.popleft()
            if isinstance(statement, Move):
                begin_move(arm, statement)
                self._moves = True
            else:
                write(arm, statement)
        return True


class ScriptSession:
    """One client of a script port.

    Args:
        connection: To the client.
        arm: The controller.
    """

    def __init__(self, connection: Connection, arm: Controller) -> None:
        self._connection = connection
        self._arm = arm
        self._rest = bytearray()

    def closed(self) -> None:
        """The program goes on without its uploader."""

    def received(self, data: bytes) -> None:
        """Take whole programs and whole lines out of what came."""
        self._rest += data
        while self._rest:
            program = _HEAD.match(self._rest) is not None
            mark = b"\nend\n" if program else b"\n"
            end = self._rest.find(mark)
            if end < 0:
                break
            whole = bytes(self._rest[: end + len(mark)])
            del self._rest[: len(whole)]
            if program:
                self._program(whole)
            else:
                self._statement(whole.decode("utf-8", "replace").strip())
        if len(self._rest) > _LIMIT:
            self._connection.close(f"a script of more than {_LIMIT} bytes")

    def _program(self, script: bytes) -> None:
        found = _NAME.search(script)
        name = found.group(1).decode() if found else "unnamed"
        if not self._arm.remote:
            self._arm.say(f"program {name} not taken: the robot is in local control")
            return
        program: Program
        if is_rtde_program(script):
            program = RtdeProgram(script)
        else:
            program = StatementsProgram(name, statements(script.decode("utf-8", "replace")))
        self._arm.play(program)

    def _statement(self, line: str) -> None:
        if not line or line.startswith("#"):
            return
        arm = self._arm
        if not arm.remote:
            arm.say(f"statement not taken, the robot is in local control: {line[:100]}")
            return
        stop, found = _STOP.match(line), statements(line)
        if stop is not None:
            arm.stop(f"statement {line[:100]}")
        elif any(isinstance(statement, Move) for statement in found):
            arm.play(StatementsProgram(line[:40], found))
        elif found:
            for statement in found:
                if isinstance(statement, Write):
                    write(arm, statement)
        else:
            arm.say(f"statement accepted, it does nothing here: {line[:100]}")
