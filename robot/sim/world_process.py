"""The simulated world as a process of its own, started, reset and watched from the one that runs the pipeline."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final

import numpy as np

from deploy.errors import BadInput, Missing
from robot.sim import wire
from robot.sim.motion_trace import COLUMNS, MotionTrace
from robot.sim.settings import WorldSettings
from robot.sim.spawn import command

# importing the simulator and compiling a scene on a slow, busy machine; EGL's probe comes on top
START_S: Final = 60.0
REQUEST_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class WorldStatus:
    """How the world's process does.

    Attributes:
        pid: The process of the world.
        cameras_pid: The process of its cameras; None without cameras.
        scheduler: Scheduling class of the physics thread.
        notes: What the system refused the world, a line each, with the remedy.
        slips: How often the world was more than 100 ms behind and let time pass.
        slipped_ns: How much time that was [ns].
        refused_commands: Commands that the arm did not follow: older than the scene, or not finite.
    """

    pid: int
    cameras_pid: int | None
    scheduler: str | None
    notes: list[str]
    slips: int
    slipped_ns: int
    refused_commands: int


class WorldClient:
    """Talks to a world that runs, from any process. One thread may use it.

    Args:
        socket: Path of the world's socket.

    Raises:
        Missing: If no world answers there.
    """

    def __init__(self, socket: Path | str) -> None:
        self.socket = Path(socket)
        self._control, _ = wire.connect(self.socket, {"op": "hello"}, REQUEST_S)
        self._watch, self._truth = wire.connect(self.socket, {"op": "watch"}, REQUEST_S)
        self._inbox = wire.Inbox(self._watch)

    def reset(self, seed: int, *, hold: bool = False, keep_arm: bool = False) -> dict[str, Any]:
        """Change the scene.

        Args:
            seed: Seed of the new one.
            hold: Its time stands still until `begin`.
            keep_arm: The arm stays where it is, at rest: for an arm that somebody holds there, as an arm host or a UR
                controller does. Otherwise it is at home at once.

        Returns:
            The truth about the new scene.
        """
        self._truth = self._ask("reset", seed=seed, hold=hold, keep_arm=keep_arm).head
        return self._truth

    def begin(self) -> int:
        """Let time run; the instant of the run clock that is the scene's time 0 [ns]."""
        return int(self._ask("begin").head["began_ns"])

    def truth(self) -> dict[str, Any]:
        """What the world's judge saw last, at most 10 ms ago: it is pushed here, nothing is asked.

        Returns:
            `episode`, `stamp_ns`, `finished`, and `detail` (seed, success, simulated_s, cube_at_start_in_base_m,
            first_close_tcp_in_base_m).

        Raises:
            Missing: If the world is gone.
        """
        try:
            for message in self._inbox.take():
                if message.head["episode"] >= self._truth["episode"]:
                    self._truth = message.head
        except wire.WireError as error:
            raise self._gone(error) from error
        return self._truth

    def status(self) -> WorldStatus:
        """How the world does."""
        return WorldStatus(**self._ask("status").head)

    def trace(self) -> MotionTrace:
        """The arm's motion in the last minute."""
        rows = np.frombuffer(self._ask("trace").body, dtype=np.float64).reshape(-1, COLUMNS)
        return MotionTrace.from_rows(rows)

    def close(self) -> None:
        """Let the world go on by itself."""
        self._control.close()
        self._watch.close()

    def _ask(self, what: str, **arguments: Any) -> wire.Message:
        try:
            return wire.request(self._control, {"op": what, **arguments})
        except wire.WireError as error:
            raise self._gone(error) from error

    def _gone(self, error: Exception) -> Missing:
        return Missing(f"the simulated world at {self.socket} is lost ({error}); start the run again")


class WorldProcess:
    """Starts a world in a session of its own: what ends this process does not end the world at once.

    Use it as a context; leaving it ends the world. A world whose parent was killed ends by itself ten seconds after its
    last client has gone.

    Args:
        settings: What to start; `socket` may be empty (`Path()`) for one in a private temporary folder.

    Attributes:
        settings: What was started, with the socket.
        client: For everything that is asked of the world.
        renderer: Name of the renderer; `none` without cameras.
        renderer_reason: Why it was chosen.

    Raises:
        BadInput: If the world refuses its settings.
        Missing: If it does not come up, with the last line that it wrote.
    """

    def __init__(self, settings: WorldSettings) -> None:
        if settings.socket == Path():
            folder = Path(tempfile.mkdtemp(prefix="eyehand-world-"))
            settings = replace(settings, socket=folder / "world", owns_folder=True)
        self.settings = settings
        self.client: WorldClient
        self.renderer, self.renderer_reason = "none", "no cameras were asked for"
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        self._process = subprocess.Popen(
            command("robot.sim.server", settings.arguments()),
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
        )
        self._cameras: Any = None
        try:
            self.client = self._await_world()
            if settings.renderer != "none":
                self._await_cameras()
        except BaseException:
            self.close()
            raise

    @property
    def socket(self) -> Path:
        """Where the world is served, for `RemoteArm` and `RemoteCamera`."""
        return self.settings.socket

    @property
    def pid(self) -> int:
        """The world's process."""
        return self._process.pid

    def reset(self, seed: int, *, keep_arm: bool = False) -> int:
        """Start a new scene: made, then seen once by every open camera, and only then does its time run.

        Args:
            seed: Seed of the scene.
            keep_arm: See `WorldClient.reset`.

        Returns:
            The instant of the run clock that is the scene's time 0 [ns].
        """
        self.client.reset(seed, hold=True, keep_arm=keep_arm)
        if self._cameras is not None:
            try:
                wire.request(self._cameras, {"op": "prime"})
            except wire.WireError as error:
                raise Missing(f"the cameras of the simulated world are lost ({error}); start the run again") from error
        return self.client.begin()

    def truth(self) -> dict[str, Any]:
        """See `WorldClient.truth`.

        Raises:
            Missing: If the world is gone, with the last line that it wrote.
        """
        try:
            return self.client.truth()
        except Missing as error:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(1.0)
            raise Missing(f"{error}; it last said: {self._last_line()}") from error

    def close(self) -> None:
        """End the world."""
        if hasattr(self, "client"):
            self.client.close()
        if self._cameras is not None:
            self._cameras.close()
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(10.0)
            self._process.kill()
            self._process.wait()
        self._log.close()
        if self.settings.owns_folder:
            shutil.rmtree(self.settings.socket.parent, ignore_errors=True)

    def __enter__(self) -> WorldProcess:  # noqa: PYI034 - typing.Self came with Python 3.11
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _await_world(self) -> WorldClient:
        deadline = time.monotonic() + START_S
        while True:
            try:
                return WorldClient(self.settings.socket)
            except Missing as error:
                status = self._process.poll()
                if status is not None:
                    kind = BadInput if status == BadInput.exit_code else Missing
                    raise kind(f"the simulated world did not start: {self._last_line()}") from error
                if time.monotonic() > deadline:
                    raise Missing(f"the simulated world did not start within {START_S:g} s") from error
            time.sleep(0.02)

    def _await_cameras(self) -> None:
        deadline = time.monotonic() + START_S
        path = wire.camera_path(self.settings.socket)
        while True:
            try:
                self._cameras, found = wire.connect(path, {"op": "renderer"}, 2 * START_S)
                break
            except Missing:
                if path.exists() or time.monotonic() > deadline or self._process.poll() is not None:
                    raise
            time.sleep(0.02)
        self.renderer, self.renderer_reason = found["name"], found["reason"]

    def _last_line(self) -> str:
        # pread: the position in the file is the child's
        text = os.pread(self._log.fileno(), 1 << 20, 0).decode(errors="replace")
        lines = text.strip().splitlines()
        return lines[-1] if lines else f"it ended with status {self._process.returncode}"
