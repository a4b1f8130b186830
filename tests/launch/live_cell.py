"""The simulated cell moved by real time: its arm and its cameras share the world under a lock."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from geometry.camera import Camera
from launch.config import Config
from launch.config.rig import CameraConfig
from launch.sim_cell import SimCell, Watcher
from perception.frame import Frame
from perception.source import Source
from robot.arm import JointCommand, RobotState
from robot.sim import CAMERA, Snapshot


class LiveCell(SimCell):
    """A simulated cell whose time is the run clock's."""

    def __init__(self, config: Config, clock: Callable[[], int]) -> None:
        super().__init__(config)
        self.clock = clock
        self.lock = threading.Lock()
        self._rendering = ThreadPoolExecutor(1, "eyehand-render")
        self.live_arm = LiveArm(self)
        self.sources: list[Source] = [LiveCamera(self, camera) for camera in config.rig.cameras]

    def reset(self, seed: int, now_ns: int) -> None:
        """Start a new scene. The renderer takes it up before time runs: that keeps the interpreter for 100 ms."""
        super().reset(seed, now_ns)
        for source in self.sources:
            self.picture(source.name, self.world.snapshot(), now_ns, 0)
        self._begin(self.clock())

    def catch_up(self) -> int:
        """Move the world to the present; the caller holds the lock. Returns the present [ns]."""
        now_ns = self.clock()
        self.advance(now_ns)
        return now_ns

    def picture(self, camera: str, snapshot: Snapshot, stamp_ns: int, sequence: int) -> Frame:
        """Render on the one thread that OpenGL's context belongs to."""
        return self._rendering.submit(self.source(camera).picture, snapshot, stamp_ns, sequence).result()

    def close(self) -> None:
        """Free the renderer where it was used."""
        self._rendering.submit(super().close).result()
        self._rendering.shutdown()

    def finished(self, watcher: Watcher | None) -> Callable[[], bool]:
        """Whether the episode is over, asked from the control loop."""
        check = super().finished(watcher)

        def locked() -> bool:
            with self.lock:
                return check()

        return locked


class LiveArm:
    """The simulated arm, read and commanded from the control loop while cameras look at the same world."""

    def __init__(self, cell: LiveCell) -> None:
        self._cell = cell
        self.name = cell.arm.name
        self.joint_names = cell.arm.joint_names

    def connect(self) -> None:
        """Nothing to do: the arm is always there."""

    def read_state(self) -> RobotState:
        """Move the world to the present and read the joints."""
        with self._cell.lock:
            self._cell.catch_up()
            return self._cell.arm.read_state()

    def send(self, command: JointCommand) -> None:
        """Set the servos' targets."""
        with self._cell.lock:
            self._cell.catch_up()
            self._cell.arm.send(command)

    def stop(self) -> None:
        """Decelerate and hold."""
        with self._cell.lock:
            self._cell.arm.stop()

    def limp(self) -> None:
        """The servos cannot be switched off: hold."""
        self.stop()

    def recover(self) -> None:
        """Nothing ever fails here."""

    def close(self) -> None:
        """Nothing to release."""


class LiveCamera:
    """A camera of the cell at its rate; a frame that rendering is too slow for is skipped, as a sensor would."""

    def __init__(self, cell: LiveCell, config: CameraConfig) -> None:
        self._cell = cell
        self.name = config.name
        self._period_ns = round(1e9 / config.rate_hz)
        self._sequence = -1

    @property
    def camera(self) -> Camera:
        """Intrinsics of the images."""
        return CAMERA

    def read(self) -> Frame:
        """Wait for the next exposure, then render it outside the lock."""
        cell = self._cell
        self._sequence = max(self._sequence + 1, cell.clock() // self._period_ns)
        time.sleep(max(0.0, (self._sequence * self._period_ns - cell.clock()) * 1e-9))
        with cell.lock:
            stamp_ns = cell.catch_up()
            snapshot = cell.world.snapshot()
        return cell.picture(self.name, snapshot, stamp_ns, self._sequence)

    def close(self) -> None:
        """The cell frees the renderer."""
