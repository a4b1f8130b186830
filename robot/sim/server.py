"""The simulated world as a process: `python -m robot.sim.server --socket PATH`.

One thread moves the world in real time and serves its arm (`clockwork`, `stations`); the main thread lets clients in; a
thread per client answers what may take a while. Cameras are rendered in a process of their own (`camera_server`), a
client of this one, so that no picture ever delays a step. The process ends on SIGTERM, or ten seconds after its last
client has gone and its parent is dead.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from deploy.errors import BadInput, EyehandError, Missing
from deploy.realtime import Realtime
from robot.sim import wire
from robot.sim.clockwork import Clockwork
from robot.sim.motion_trace import COLUMNS, MotionTrace
from robot.sim.settings import WorldSettings, parse
from robot.sim.spawn import command
from robot.sim.stations import ArmStation, TruthStation, truth_head
from robot.sim.world import World

# a client that takes longer than this to say who it is, or to take an answer, is let go
PATIENCE_S: Final = 5.0


class WorldServer:
    """The world, and everybody who is connected to it.

    Args:
        settings: What to serve.

    Raises:
        BadInput: If the socket cannot be served.
        Missing: If the simulator is not installed.
    """

    def __init__(self, settings: WorldSettings) -> None:
        self._settings = settings
        self._listener = wire.listen(settings.socket)
        self._realtime = Realtime(settings)
        self._clockwork = Clockwork(
            self._world(settings.seed), settings.seed, settings.epoch_ns, self._realtime.enter_control_thread
        )
        self._arm = ArmStation()
        self._front: Any = None
        self._clients = 0
        self._counting = threading.Lock()
        self._scene_changes = threading.Lock()
        self._stop = threading.Event()
        self._cameras: subprocess.Popen[bytes] | None = None

    def run(self) -> None:
        """Serve until told to stop, or until nobody is left."""
        parent = os.getppid()
        try:
            self._cameras = self._start_cameras()
            self._start_front()
            self._clockwork.serve(self._arm)
            with self._realtime:
                self._clockwork.start()
                self._clockwork.begin()
                self._let_in(parent)
        finally:
            self._close()
        if self._clockwork.error is not None:
            raise self._clockwork.error

    def _let_in(self, parent: int) -> None:
        """Let clients in for as long as anybody needs the world."""
        alone_since = time.monotonic()
        self._listener.settimeout(0.2)
        while not self._stop.is_set() and self._clockwork.alive:
            with contextlib.suppress(TimeoutError):
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()
            if self._clients > 0 or self._arm.taken or os.getppid() == parent:
                alone_since = time.monotonic()
            elif time.monotonic() - alone_since > self._settings.linger_s:
                break

    def stop(self, *_: object) -> None:
        """End `run`; may be called from a signal handler."""
        self._stop.set()

    def _close(self) -> None:
        self._clockwork.stop()
        if self._front is not None:
            self._front.close()
        if self._settings.trace is not None:
            self._motion().save(self._settings.trace)
        self._listener.close()
        if self._cameras is not None:
            if self._cameras.stdin is not None:
                self._cameras.stdin.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._cameras.wait(2.0)
            self._cameras.kill()
            self._cameras.wait()
        clean_up(self._settings)

    def _world(self, seed: int) -> World:
        world = World(seed, self._settings.parameters)
        world.cube_render_offset_m = self._settings.cube_render_offset_m
        return world

    def _start_cameras(self) -> subprocess.Popen[bytes] | None:
        """Start the process that renders; it ends when its standard input does."""
        if self._settings.renderer == "none":
            return None
        return subprocess.Popen(command("robot.sim.camera_server", self._settings.arguments()), stdin=subprocess.PIPE)

    def _start_front(self) -> None:
        settings = self._settings
        if settings.ur_address is None:
            return
        from robot.sim.ur_station import UrStation

        self._front = UrStation(self._clockwork, settings.ur_address, settings.ur_model, settings.ur_gripper)
        self._clockwork.serve(self._front)

    # -- clients ----------------------------------------------------------------------------------------------------

    def _serve(self, connection: socket.socket) -> None:
        """One client, until it goes away or says what nobody understands."""
        counted = handed_over = False
        try:
            connection.settimeout(PATIENCE_S)
            hello = wire.receive(connection)
            counted = not hello.head.get("part_of_the_world", False)
            self._count(counted)
            handed_over = self._welcome(connection, hello.head)
            while not handed_over and hello.head.get("op") == "hello":
                connection.settimeout(None)
                message = wire.receive(connection)
                connection.settimeout(PATIENCE_S)
                self._answer(connection, message.head)
        except wire.WireError:
            pass
        finally:
            if not handed_over:
                self._count(-counted)
                connection.close()

    def _count(self, more: int) -> None:
        with self._counting:
            self._clients += more

    def _welcome(self, connection: socket.socket, hello: dict[str, Any]) -> bool:
        """Let a client in; whether the physics thread serves it from now on."""
        match hello.get("op"):
            case "hello":
                wire.send(connection, {"op": "welcome", "pid": os.getpid()})
                return False
            case "arm":
                try:
                    if self._front is not None:
                        raise BadInput(
                            f"the simulated arm is behind a UR controller at {self._settings.ur_address}: "
                            "use the arm driver ur with that host"
                        )
                    self._clockwork.post(lambda: self._arm.admit(connection, self._clockwork)).result(PATIENCE_S)
                except EyehandError as error:
                    wire.send(connection, wire.refusal(error))
                    return False
                self._count(-1)  # the station knows whether it is there
                return True
            case "watch":
                wire.send(connection, truth_head(self._clockwork.moment))
                self._clockwork.serve(TruthStation(connection, gone=lambda: self._count(-1)))
                return True
            case other:
                wire.send(connection, wire.refusal(BadInput(f"{other!r}: expected hello, arm or watch")))
                return False

    def _answer(self, connection: socket.socket, head: dict[str, Any]) -> None:
        try:
            match head.get("op"):
                case "reset":
                    wire.send(connection, self._reset(int(head["seed"]), **flags(head, "hold", "keep_arm")))
                case "begin":
                    wire.send(connection, {"began_ns": self._clockwork.begin()})
                case "truth":
                    wire.send(connection, truth_head(self._clockwork.moment))
                case "snapshot":
                    moment = self._clockwork.moment
                    stamp = {"stamp_ns": moment.state.stamp_ns, "time_ns": moment.snapshot.stamp_ns}
                    about = {"episode": moment.episode, "seed": moment.seed, **stamp}
                    wire.send(connection, about, moment.snapshot.qpos.tobytes())
                case "status":
                    wire.send(connection, self._status())
                case "trace":
                    views = self._clockwork.trace.newest()
                    wire.send(connection, {"op": "trace"}, *(view.data.cast("B") for view in views))
                case other:
                    raise BadInput(f"the simulated world does not know {other!r}")
        except wire.UNUSABLE as error:
            wire.send(connection, wire.refusal(error))

    def _reset(self, seed: int, *, hold: bool, keep_arm: bool) -> dict[str, Any]:
        """Put a new scene in place; the old one lives on while it is made."""
        with self._scene_changes:
            episode = self._clockwork.change_scene(self._world(seed), seed, keep_arm=keep_arm)
            if not hold:
                self._clockwork.begin()
        return {"episode": episode, **self._clockwork.truth}

    def _status(self) -> dict[str, Any]:
        clockwork = self._clockwork
        return {
            "pid": os.getpid(),
            "epoch_ns": self._settings.epoch_ns,
            "scheduler": self._realtime.achieved["scheduler"],
            "notes": [f"simulated world: {note}" for note in self._realtime.notes],
            "slips": clockwork.slips,
            "slipped_ns": clockwork.slipped_ns,
            "refused_commands": self._arm.refused,
            "cameras_pid": self._cameras.pid if self._cameras is not None else None,
        }

    def _motion(self) -> MotionTrace:
        views = self._clockwork.trace.newest()
        return MotionTrace.from_rows(np.concatenate(views) if views else np.zeros((0, COLUMNS)))


def flags(head: dict[str, Any], *names: str) -> dict[str, bool]:
    """The options of a request that are on or off."""
    return {name: bool(head.get(name, False)) for name in names}


def clean_up(settings: WorldSettings) -> None:
    """Leave no socket behind, and no folder that was made for them."""
    settings.socket.unlink(missing_ok=True)
    wire.camera_path(settings.socket).unlink(missing_ok=True)
    if settings.owns_folder:
        with contextlib.suppress(OSError):
            settings.socket.parent.rmdir()


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve a world; the exit status."""
    settings = parse(arguments, "python -m robot.sim.server")
    try:
        server = WorldServer(settings)
        signal.signal(signal.SIGTERM, server.stop)
        signal.signal(signal.SIGINT, server.stop)
        server.run()
    except (BadInput, Missing) as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
