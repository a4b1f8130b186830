"""The simulated world as a process of its own, started, reset and watched from the one that runs the pipeline."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from deploy.errors import BadInput, Missing
from robot.sim import wire
from robot.sim.settings import WorldSettings
from robot.sim.spawn import command
from robot.sim.world_client import START_S, RunningWorld


class WorldProcess(RunningWorld):
    """Starts a world in a session of its own: what ends this process does not end the world at once.

    Use it as a context; leaving it ends the world. A world whose parent was killed ends by itself ten seconds after its
    last client has gone.

    Args:
        settings: What to start; `socket` may be empty (`Path()`) for one in a private temporary folder.

    Attributes:
        settings: What was started, with the socket.

    Raises:
        BadInput: If the world refuses its settings.
        Missing: If it does not come up, with the last line that it wrote.
    """

    def __init__(self, settings: WorldSettings) -> None:
        if settings.socket == Path():
            folder = Path(tempfile.mkdtemp(prefix="eyehand-world-"))
            settings = replace(settings, socket=folder / "world", owns_folder=True)
        self.settings = settings
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        self._process = subprocess.Popen(
            command("robot.sim.server", settings.arguments()),
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
        )
        try:
            self._await_world()
            if settings.renderer != "none":
                self._await_cameras()
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        """The world's process."""
        return self._process.pid

    def truth(self) -> dict[str, Any]:
        """See `WorldClient.truth`.

        Raises:
            Missing: If the world is gone, with the last line that it wrote.
        """
        try:
            return super().truth()
        except Missing as error:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(1.0)
            raise Missing(f"{error}; it last said: {self._last_line()}") from error

    def close(self) -> None:
        """End the world."""
        if hasattr(self, "client"):
            super().close()
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(10.0)
            self._process.kill()
            self._process.wait()
        self._log.close()
        if self.settings.owns_folder:
            shutil.rmtree(self.settings.socket.parent, ignore_errors=True)

    def _await_world(self) -> None:
        deadline = time.monotonic() + START_S
        while True:
            try:
                super().__init__(self.settings.socket)
            except Missing as error:
                status = self._process.poll()
                if status is not None:
                    kind = BadInput if status == BadInput.exit_code else Missing
                    raise kind(f"the simulated world did not start: {self._last_line()}") from error
                if time.monotonic() > deadline:
                    raise Missing(f"the simulated world did not start within {START_S:g} s") from error
            else:
                return
            time.sleep(0.02)

    def _await_cameras(self) -> None:
        deadline = time.monotonic() + START_S
        path = wire.camera_path(self.settings.socket)
        while True:
            try:
                self.open_cameras()
            except Missing:
                if path.exists() or time.monotonic() > deadline or self._process.poll() is not None:
                    raise
            else:
                return
            time.sleep(0.02)

    def _last_line(self) -> str:
        # pread: the position in the file is the child's
        text = os.pread(self._log.fileno(), 1 << 20, 0).decode(errors="replace")
        lines = text.strip().splitlines()
        return lines[-1] if lines else f"it ended with status {self._process.returncode}"
