from __future__ import annotations

import re
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.errors import Missing
from robot.ur import script
from robot.ur.script import DONE, READY, Command, Handshake, control_script

pytest.importorskip("script_client")


@pytest.mark.parametrize("registers_from", [0, 24])
def test_program_is_that_of_ur_rtde(registers_from: int) -> None:
    program = control_script("127.0.0.1", 5, 12, registers_from).decode()
    assert program.startswith("def rtde_control():\n")
    assert program.endswith("end\n")
    assert re.findall(r"# (?:int|float) register offset\n(\d+)", program) == [str(registers_from)] * 2
    # Lines for newer controllers are left out, and no mark of a version is left.
    assert "$5." not in program
    assert "get_jacobian(" not in program


def test_another_script_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script, "_EXPECTED", ("elif cmd == 11:", "elif cmd == 1234:"))
    with pytest.raises(Missing, match=r"'elif cmd == 1234:': pip install 'ur_rtde>=1.6,<1.7'"):
        control_script("127.0.0.1", 5, 12, 0)


class Controller:
    """The script's loop, as far as the handshake goes: what it was asked to do, and its answer per cycle."""

    def __init__(self) -> None:
        self.register = 0
        self.state = READY
        self.executed: list[int] = []
        self._executing = False
        self._left = 0
        self.takes = 3

    def write(self, command: int, arguments: Sequence[float]) -> bool:
        self.register = int(command)
        return True

    def cycle(self) -> int:
        if self._left:
            self._left -= 1
            if not self._left:
                self.state = DONE
        elif self.register in (Command.SERVOJ, Command.SPEEDJ):
            self.executed.append(self.register)
            self.state = READY
        elif self.register == Command.NONE:
            self._executing, self.state = False, READY
        elif not self._executing:
            self._executing = True
            self.executed.append(self.register)
            self._left = self.takes
        return self.state


def test_commands_are_done_in_order_and_streaming_waits_for_them() -> None:
    controller = Controller()
    handshake = Handshake(controller.write)
    assert handshake.stream(Command.SERVOJ, (0.0,) * 11)
    handshake.tick(controller.cycle(), 0)
    handshake.call(Command.SERVO_STOP, 5.0, now_ns=10)
    handshake.call(Command.TEACH_MODE, now_ns=10)
    assert not handshake.stream(Command.SERVOJ, (0.0,) * 11)
    assert handshake.busy_ns(25) == 15
    for now in range(40):
        handshake.tick(controller.cycle(), now)
    assert controller.executed == [Command.SERVOJ, Command.SERVO_STOP, Command.TEACH_MODE]
    assert handshake.ready
    assert handshake.busy_ns(100) == 0
    assert handshake.stream(Command.SERVOJ, (0.0,) * 11)


def test_a_done_left_from_before_does_not_end_a_command() -> None:
    controller = Controller()
    handshake = Handshake(controller.write)
    handshake.call(Command.SERVO_STOP, 5.0, now_ns=0)
    handshake.tick(DONE, 1)
    handshake.tick(READY, 2)
    assert controller.register == Command.SERVO_STOP


@settings(max_examples=200, deadline=None)
@given(
    plan=st.lists(st.sampled_from(["servo", "stop", "touch", "cycle", "cycle", "cycle"]), max_size=60),
    takes=st.integers(1, 5),
    latency=st.integers(0, 4),
)
def test_every_call_is_executed_once_whatever_comes_between(plan: list[str], takes: int, latency: int) -> None:
    """Answers reach the driver some packets late; touches and streams come at any time."""
    controller = Controller()
    controller.takes = takes
    handshake = Handshake(controller.write)
    pipe = [READY] * latency
    calls = 0
    for step in [*plan, *["cycle"] * (len(plan) + 1) * (takes + 2 * latency + 6)]:
        if step == "servo":
            handshake.stream(Command.SERVOJ, (0.0,) * 11)
        elif step == "stop":
            handshake.call(Command.SERVO_STOP, 5.0, now_ns=0)
            calls += 1
        elif step == "touch":
            handshake.touch()
        else:
            pipe.append(controller.cycle())
            handshake.tick(pipe.pop(0), 0)
    assert handshake.ready
    assert controller.executed.count(Command.SERVO_STOP) == calls
