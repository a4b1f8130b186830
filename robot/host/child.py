"""Starting the arm host's process."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO, Any

from deploy.errors import BadInput, Missing
from robot.arm import ArmFault
from robot.host.settings import HostSettings

# The child gets this process's module path instead of its own working folder, and our packages come before others of
# the same names. It ends without taking the interpreter down: libraries would print what they find there (nanobind's
# leaks), and nothing is left to be done by then.
_BOOT = (
    "import os, sys; sys.path[:] = sys.argv.pop(1).split('\\n'); import eyehand; "
    "sys.meta_path.insert(0, eyehand.OwnPackages); from robot.host.process import main; code = main(sys.argv[1:]); "
    "sys.stdout.flush(); sys.stderr.flush(); os._exit(code)"
)


class Child:
    """The process, from its start to its end. It has a session of its own: signals of the terminal do not reach it.

    Args:
        settings: What to tell it.
        memory: Descriptor of the shared memory.

    Attributes:
        answer: What it said when it was ready.

    Raises:
        deploy.errors.BadInput: If its driver says so.
        deploy.errors.Missing: If the driver says so, or the process does not get ready.
        ArmFault: If the arm is there and cannot be commanded.
    """

    def __init__(self, settings: HostSettings, memory: int) -> None:
        told = settings.to_json().encode() + b"\n"
        self._epitaph = ""
        self._log = settings.log_path.with_suffix(".log") if settings.log_path is not None else None
        self._output: IO[bytes] = self._log.open("ab") if self._log is not None else tempfile.TemporaryFile()  # noqa: SIM115
        self._channel, theirs = socket.socketpair()
        self.process = subprocess.Popen(
            [sys.executable, "-c", _BOOT, "\n".join(sys.path), str(memory), str(theirs.fileno())],
            stdin=subprocess.DEVNULL, stdout=self._output, stderr=self._output,
            pass_fds=(memory, theirs.fileno()), start_new_session=True,
        )  # fmt: skip
        theirs.close()
        try:
            self._channel.sendall(told)
            self.answer = self._receive(settings)
        except BaseException:
            self.end(0.0)
            raise

    def _receive(self, settings: HostSettings) -> dict[str, Any]:
        """Wait until the driver is connected."""
        deadline, line = time.monotonic() + settings.connect_timeout_s, b""
        while not line.endswith(b"\n"):
            ready, _, _ = select.select([self._channel], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise Missing(
                    f"arm host: {settings.driver} did not connect within {settings.connect_timeout_s:g} s: see whether "
                    "the arm answers"
                )
            piece = self._channel.recv(65536)
            if not piece:
                self.process.wait()
                raise Missing(f"arm host: {self.epitaph()}")
            line += piece
        answer: dict[str, Any] = json.loads(line)
        error, sentence = answer.get("error"), answer.get("sentence", "")
        if error == "BadInput":
            raise BadInput(sentence)
        if error == "ArmFault":
            raise ArmFault(answer["fault"], sentence)
        if error is not None:
            raise Missing(sentence)
        return answer

    def epitaph(self) -> str:
        """How the process ended, in words: exit code or signal, and the last line that it printed."""
        code = self.process.poll()
        if code is None:
            return "it runs"
        if self._epitaph:  # what it printed is not there any more
            return self._epitaph
        how = f"exit code {code}" if code >= 0 else f"{signal.Signals(-code).name}"
        last = self._last_line()
        return f"its process ended with {how}" + (f"; it last said: {last}" if last else "")

    def _last_line(self) -> str:
        self._output.flush()
        size = os.fstat(self._output.fileno()).st_size
        tail = os.pread(self._output.fileno(), 4096, max(0, size - 4096)) if self._log is None else _tail(self._log)
        lines = [line.strip() for line in tail.decode("utf-8", "replace").splitlines() if line.strip()]
        return lines[-1] if lines else ""

    def end(self, patience_s: float) -> str:
        """Let go of the process: wait for its end, and end it if that does not come. Returns what went wrong, if so."""
        with contextlib.suppress(OSError):
            self._channel.shutdown(socket.SHUT_WR)  # should its loop hang, its watchdog sees this
        try:
            self.process.wait(patience_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._epitaph = self.epitaph()
        self._channel.close()
        self._output.close()
        if self._log is not None and self._log.exists() and self._log.stat().st_size == 0:
            self._log.unlink()
        return self._epitaph if self.process.returncode else ""


def _tail(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(0, os.SEEK_END)
        file.seek(max(0, file.tell() - 4096))
        return file.read()
