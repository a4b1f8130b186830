"""A loopback controller in a process of its own: ur_rtde holds the interpreter's lock while it connects."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from robot.ur.loopback import CONTROL_PORT

ROOT = Path(__file__).parents[3]


def until(condition: Callable[[], bool], limit_s: float = 15.0) -> bool:
    """Whether a condition comes true within a time."""
    end = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.005)
    return True


class LoopbackProcess:
    """`python -m robot.ur.loopback` and its control socket."""

    def __init__(self, address: str, *options: str) -> None:
        self.address = address
        # it ends by itself: a test session that is killed leaves nothing behind for long
        command = [sys.executable, "-m", "robot.ur.loopback", "--address", address, "--seconds", "1800", *options]
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline(), f"no controller at {address}"
        self._control = socket.create_connection((address, CONTROL_PORT), timeout=10.0).makefile("rw")

    def inject(self, line: str) -> str:
        """Send one line of the faults' vocabulary; its answer."""
        self._control.write(line + "\n")
        self._control.flush()
        answer = self._control.readline().strip()
        assert not answer.startswith("error"), answer
        return answer

    def status(self) -> dict[str, Any]:
        """State of the controller."""
        state = json.loads(self.inject("status"))
        assert isinstance(state, dict)
        return state

    def close(self) -> None:
        """End it."""
        self._control.close()
        self._process.terminate()
        self._process.wait(10.0)
        if self._process.stdout is not None:
            self._process.stdout.close()
