"""Arm and camera of a simulated world that is another process."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np

from deploy.errors import BadInput, EyehandError
from geometry.camera import Camera
from perception.frame import Frame
from perception.source import SourceStalled
from robot.arm import ArmFault, JointCommand, RobotState
from robot.sim import wire
from robot.sim.layout import CAMERA_NAME, JOINT_NAMES
from robot.sim.picture_size import camera_of, picture_size
from robot.sim.sensor import SensorParameters
from robot.sim.stations import command_bytes, state_from

# the world sends a state every 2 ms; without one for this long something is wrong with it
SILENCE_S: Final = 0.5
CONNECT_S: Final = 5.0
FRAME_S: Final = 10.0


class RemoteArm:
    """The arm of a simulated world, by its socket: states are pushed here every 2 ms, commands are not waited for.

    A command that was made before the world's scene was changed is not followed. An arm whose driver vanishes stays
    with its position target; a velocity runs out after 200 ms.

    Args:
        socket: Path of the world's socket.
        clock: Run clock [ns]; the world knows it already, and stamps the states with it.
        name: Name for logs.
    """

    def __init__(self, socket: str | Path, clock: Callable[[], int] | None = None, name: str = "sim") -> None:
        self._path, self._name, self._clock = Path(socket), name, clock
        self._connection: _Connection | None = None
        self._newest: RobotState | None = None
        self._heard_s = 0.0
        self._fault: ArmFault | None = None
        self._sending = threading.Lock()

    @property
    def name(self) -> str:
        """Name for logs and errors."""
        return self._name

    @property
    def joint_names(self) -> tuple[str, ...]:
        """Names of the six joints, base to wrist."""
        return JOINT_NAMES

    def connect(self) -> None:
        """Connect and wait for the first state.

        Raises:
            BadInput: If another driver has the arm, or it is behind a UR controller.
            deploy.errors.Missing: If no world answers.
        """
        connection, _ = wire.connect(self._path, {"op": "arm"}, CONNECT_S)
        self._connection, self._fault = _Connection(connection), None
        self._heard_s = time.monotonic()
        self.read_state()

    def read_state(self) -> RobotState:
        """The newest state; it is up to 2 ms old.

        Raises:
            ArmFault: `disconnected`, if the world is gone or silent.
        """
        came = self._take()
        while not came and (self._newest is None or time.monotonic() - self._heard_s > SILENCE_S):
            self._await()
            came = self._take()
        if came:
            self._newest = self._parsed(came[-1])
        assert self._newest is not None
        return self._newest

    def read_states(self) -> list[RobotState]:
        """All states since the last call, oldest first.

        Raises:
            ArmFault: As `read_state`.
        """
        states = [self._parsed(body) for body in self._take()]
        if states:
            self._newest = states[-1]
        return states

    def send(self, command: JointCommand) -> None:
        """Set the servos' targets before the world's next step.

        Raises:
            BadInput: If a value is not finite; the servos keep what they had.
            ArmFault: As `read_state`.
        """
        if not (np.isfinite(command.joints).all() and np.isfinite(command.gripper_opening)):
            raise BadInput(
                f"joint command {command.joints.tolist()}, gripper {command.gripper_opening}: expected finite values; "
                "the arm keeps its last target"
            )
        self._tell({"op": "command"}, command_bytes(command))

    def stop(self) -> None:
        """Hold the position where the present speed runs out at the arm's acceleration limits."""
        with contextlib.suppress(ArmFault):
            self._tell({"op": "stop"})

    def limp(self) -> None:
        """The servos cannot be switched off: hold."""
        with contextlib.suppress(ArmFault):
            self._tell({"op": "limp"})

    def recover(self) -> None:
        """Connect again if the connection was lost.

        Raises:
            ArmFault: If no world answers.
        """
        if self._fault is None:
            return
        self.close()
        try:
            self.connect()
        except EyehandError as error:
            raise self._lost(str(error)) from error

    def close(self) -> None:
        """Release the connection; the arm goes to its last position target and holds."""
        if self._connection is not None:
            self._connection.socket.close()
            self._connection = None

    def _ready(self) -> _Connection:
        if self._fault is not None:
            raise self._fault
        if self._connection is None:
            raise self._lost("not connected")
        return self._connection

    def _take(self) -> list[bytes | bytearray]:
        """The states that came since the last call, unread."""
        connection = self._ready()
        try:
            came = [message.body for message in connection.inbox.take()]
        except wire.WireError as error:
            raise self._lost(str(error)) from error
        if came:
            self._heard_s = time.monotonic()
        return came

    def _parsed(self, body: bytes | bytearray) -> RobotState:
        try:
            return state_from(body)
        except wire.WireError as error:
            raise self._lost(str(error)) from error

    def _tell(self, head: Mapping[str, Any], body: bytes = b"") -> None:
        connection = self._ready()
        try:
            with self._sending:
                connection.socket.sendall(wire.pack(head, body))
        except OSError as error:
            raise self._lost(str(error)) from error

    def _await(self) -> None:
        """Wait for the next state."""
        ready, _, _ = select.select([self._ready().socket], [], [], SILENCE_S)
        if not ready:
            raise self._lost(f"no state for {SILENCE_S:g} s")

    def _lost(self, why: str) -> ArmFault:
        self._fault = ArmFault(
            "disconnected", f"arm {self._name}: the simulated world at {self._path} is lost ({why}); start it again"
        )
        return self._fault


class _Connection:
    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self.inbox = wire.Inbox(connection)


class CameraLost(SourceStalled):
    """The process that takes a camera's pictures is gone, or silent."""

    def __init__(self, camera_name: str, why: str) -> None:
        """Say which camera, and what was seen of its end."""
        super().__init__(camera_name, FRAME_S)
        lost = f"the camera process of the simulated world is lost ({why})"
        self.args = (f"camera {camera_name}: {lost}; start the run again",)


class RemoteCamera:
    """A camera of a simulated world, by the world's socket.

    It exposes on the grid of its rate on the run clock, and numbers the frames by it: an exposure that rendering is too
    slow for is left out, as a sensor would.

    Args:
        socket: Path of the world's socket.
        clock: Run clock [ns], for when a frame was received; without it that is when it was exposed.
        name: Name of the camera in the rig.
        rate_hz: Frames per second.
        seed: Seed of the sensor's noise.
        sensor: Figures of the sensor; None for the defaults.
        noise: False takes an ideal sensor instead.
        frames: Frames after which `read` ends; None never ends.
        camera: Intrinsics that the rig states; they must be the simulator's.
        view: `wrist`, or `fixed`, which stands still behind the table.
        size_px: Width and height of the pictures [px]; None for 640 x 480.

    Raises:
        BadInput: If the world's cameras refuse an option.
        deploy.errors.Missing: If no world answers.
    """

    def __init__(
        self,
        socket: str | Path,
        clock: Callable[[], int] | None = None,
        *,
        name: str = CAMERA_NAME,
        rate_hz: float = 10.0,
        seed: int = 0,
        sensor: SensorParameters | None = None,
        noise: bool = True,
        frames: int | None = None,
        camera: Camera | None = None,
        view: str = CAMERA_NAME,
        size_px: Sequence[int] | None = None,
    ) -> None:
        size = picture_size(size_px, name)
        self._camera = camera_of(size)
        if camera is not None and camera != self._camera:
            raise BadInput(
                f"intrinsics of camera {name} are {camera}: the simulated camera's are {self._camera}; leave them out"
            )
        options = {
            "name": name, "rate_hz": rate_hz, "seed": seed, "noise": noise, "view": view, "size_px": size,
            "sensor": asdict(sensor) if sensor is not None else None,
        }  # fmt: skip
        self._name, self._clock, self._left = name, clock, frames
        hello = {"op": "camera", "options": options}
        self._connection, _ = wire.connect(wire.camera_path(socket), hello, 60.0)
        self._connection.settimeout(FRAME_S + 1.0 / rate_hz)

    @property
    def name(self) -> str:
        """Name of the camera in the rig."""
        return self._name

    @property
    def camera(self) -> Camera:
        """Intrinsics of the colour images, and of the depth."""
        return self._camera

    def read(self) -> Frame | None:
        """Wait for the next exposure and its picture; None after the last one.

        Raises:
            CameraLost: If the world's camera process is gone or silent.
        """
        if self._left is not None:
            if self._left <= 0:
                return None
            self._left -= 1
        try:
            answer = wire.request(self._connection, {"op": "next"})
        except wire.WireError as error:
            raise CameraLost(self._name, str(error)) from error
        return self._frame(answer)

    def _frame(self, answer: wire.Message) -> Frame:
        head = answer.head
        height, width = head["size"]
        color = np.frombuffer(answer.body, dtype=np.uint8, count=height * width * 3).reshape(height, width, 3)
        depth = np.frombuffer(answer.body, dtype=np.uint16, offset=color.nbytes).reshape(height, width)
        return Frame(
            camera_name=self._name,
            sequence=head["sequence"],
            stamp_ns=head["stamp_ns"],
            received_ns=self._clock() if self._clock is not None else head["stamp_ns"],
            color=color,
            depth=depth,
            depth_scale_m=head["depth_scale_m"],
            camera=self._camera,
        )

    def close(self) -> None:
        """Release the camera."""
        self._connection.close()
