"""A simulated world that runs in another process, seen from the one that runs the pipeline."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import numpy as np

from deploy.errors import Missing
from robot.sim import wire
from robot.sim.motion_trace import COLUMNS, MotionTrace

# importing the simulator and compiling a scene on a slow, busy machine; EGL's probe comes on top
START_S: Final = 60.0
REQUEST_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class WorldStatus:
    """How the world's process does.

    Attributes:
        pid: The process of the world.
        epoch_ns: `time.monotonic_ns()` at 0 of the run clock that its stamps are on [ns].
        cameras_pid: The process of its cameras; None without cameras.
        scheduler: Scheduling class of the physics thread.
        notes: What the system refused the world, a line each, with the remedy.
        slips: How often the world was more than 100 ms behind and let time pass.
        slipped_ns: How much time that was [ns].
        refused_commands: Commands that the arm did not follow: older than the scene, or not finite.
    """

    pid: int
    epoch_ns: int
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


class RunningWorld:
    """A world that runs, with its cameras, whoever started it.

    Args:
        socket: Path of the world's socket.

    Attributes:
        client: For everything that is asked of the world.
        renderer: Name of the renderer; `none` without cameras.
        renderer_reason: Why it was chosen.

    Raises:
        Missing: If no world answers there.
    """

    def __init__(self, socket: Path) -> None:
        self.client = WorldClient(socket)
        self.renderer, self.renderer_reason = "none", "no cameras were asked for"
        self._cameras: Any = None

    @property
    def socket(self) -> Path:
        """Where the world is served, for `RemoteArm` and `RemoteCamera`."""
        return self.client.socket

    def open_cameras(self) -> None:
        """Connect to the world's cameras.

        Raises:
            Missing: If it has none, or they do not answer.
        """
        self._cameras, found = wire.connect(wire.camera_path(self.socket), {"op": "renderer"}, 2 * START_S)
        self.renderer, self.renderer_reason = found["name"], found["reason"]

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
        """See `WorldClient.truth`."""
        return self.client.truth()

    def close(self) -> None:
        """Let the world go on by itself."""
        self.client.close()
        if self._cameras is not None:
            self._cameras.close()

    def __enter__(self) -> RunningWorld:  # noqa: PYI034 - typing.Self came with Python 3.11
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
