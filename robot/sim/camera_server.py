"""The cameras of the simulated world as a process: it asks the world for snapshots and renders them.

A camera exposes on the grid of its rate; the exposure is the world's newest step when it asks. One thread renders, as
OpenGL's context wants it. The process ends when its standard input does: that is how it notices that the world is dead.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import numpy as np

from deploy.errors import BadInput, EyehandError
from perception.frame import Frame
from robot.sim import wire
from robot.sim.render import Renderer, make_renderer
from robot.sim.sensor import SensorParameters
from robot.sim.server import clean_up
from robot.sim.settings import WorldSettings, parse
from robot.sim.snapshot import Snapshot
from robot.sim.source import SimSource
from robot.sim.world import World

STARTUP_S: Final = 30.0


class CameraServer:
    """Renders for all cameras of one world.

    Args:
        settings: As the world's.
    """

    def __init__(self, settings: WorldSettings) -> None:
        assert settings.renderer != "none"
        self._settings, self._kind = settings, settings.renderer
        self._listener = wire.listen(wire.camera_path(settings.socket))
        self._studio = ThreadPoolExecutor(1, "eyehand-render")
        self._renderer = self._studio.submit(make_renderer, self._kind, 2)
        self._world = World(settings.seed, settings.parameters)
        self._episode = 0
        self._asking = threading.Lock()
        hello = {"op": "hello", "part_of_the_world": True}
        self._link, _ = wire.connect(settings.socket, hello, STARTUP_S)
        self._sources: list[SimSource] = []

    def run(self) -> None:
        """Let clients in, for ever."""
        while True:
            connection, _ = self._listener.accept()
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        source: SimSource | None = None
        period_ns, sequence = 1, -1
        try:
            while True:
                head = wire.receive(connection).head
                try:
                    match head.get("op"):
                        case "renderer":
                            renderer: Renderer = self._renderer.result()
                            wire.send(connection, {"name": renderer.name, "reason": renderer.reason})
                        case "prime":
                            self._prime()
                            wire.send(connection, {"op": "primed"})
                        case "camera" if source is None:
                            source = self._open(head["options"])
                            period_ns = round(1e9 / source.rate_hz)
                            self._sources.append(source)
                            wire.send(connection, {"op": "welcome"})
                        case "next" if source is not None:
                            sequence = max(sequence + 1, self._now_ns() // period_ns)
                            time.sleep(max(0.0, (sequence * period_ns - self._now_ns()) * 1e-9))
                            send_frame(connection, self._picture(source, sequence))
                        case other:
                            raise BadInput(f"the simulated cameras do not know {other!r} now")
                except wire.UNUSABLE as error:
                    wire.send(connection, wire.refusal(error))
        except wire.WireError:
            pass
        finally:
            connection.close()
            if source is not None:
                self._sources.remove(source)

    def _open(self, options: dict[str, Any]) -> SimSource:
        sensor = options.pop("sensor", None)
        return SimSource(
            self._world,
            self._renderer.result(),
            sensor=SensorParameters(**sensor) if sensor is not None else None,
            **options,
        )

    def _prime(self) -> None:
        """Take up a new scene, by one picture of each camera."""
        for source in list(self._sources):
            self._picture(source, 0)

    def _picture(self, source: SimSource, sequence: int) -> Frame:
        """Expose now, and render."""
        with self._asking:
            answer = wire.request(self._link, {"op": "snapshot"})
        return self._studio.submit(self._develop, source, answer, sequence).result()

    def _develop(self, source: SimSource, answer: wire.Message, sequence: int) -> Frame:
        head = answer.head
        if head["episode"] != self._episode:
            self._world = World(head["seed"], self._settings.parameters)
            self._episode = head["episode"]
        qpos = np.frombuffer(answer.body, dtype=np.float64)
        snapshot = Snapshot(self._world.model, qpos, head["time_ns"], self._world.scene)
        return source.picture(snapshot, head["stamp_ns"], sequence)

    def _now_ns(self) -> int:
        return time.monotonic_ns() - self._settings.epoch_ns


def send_frame(connection: socket.socket, frame: Frame) -> None:
    """Send a frame: what it is, then colour, then depth."""
    assert frame.depth is not None
    head = {
        "sequence": frame.sequence,
        "stamp_ns": frame.stamp_ns,
        "depth_scale_m": frame.depth_scale_m,
        "size": [frame.camera.height, frame.camera.width],
    }
    color, depth = np.ascontiguousarray(frame.color), np.ascontiguousarray(frame.depth)
    wire.send(connection, head, color.data.cast("B"), depth.data.cast("B"))


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve cameras until standard input ends; the exit status."""
    settings = parse(arguments, "python -m robot.sim.camera_server")
    try:
        server = CameraServer(settings)
    except EyehandError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    threading.Thread(target=server.run, daemon=True).start()
    sys.stdin.buffer.read()
    clean_up(settings)
    # no tidying of threads that wait for a world which is gone
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
