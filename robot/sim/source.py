"""The simulated camera as a source of frames."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from deploy.errors import BadInput
from geometry.camera import Camera
from perception.frame import Frame
from robot.sim.layout import CAMERA_NAME, FIXED_NAME
from robot.sim.picture_size import camera_of, picture_size
from robot.sim.render import Renderer, make_renderer
from robot.sim.sensor import Sensor, SensorParameters
from robot.sim.snapshot import Snapshot
from robot.sim.world import World


class SimSource:
    """RGB-D frames of the world's wrist camera.

    A scheduler that owns the world's time calls `start` and `capture`. On its own the source is a camera that `read`
    polls: it then moves the world itself, frame by frame, and waits for the clock if it was given one.

    Args:
        world: The world to look at; None makes one of its own.
        renderer: Who renders; None takes the best that this machine has.
        name: Name of the camera in the rig.
        rate_hz: Frames per second of `read`.
        seed: Seed of the sensor's noise, and of the world if that is made here.
        sensor: Figures of the sensor; None for the defaults.
        noise: False takes an ideal sensor instead.
        frames: Frames after which `read` ends; None never ends.
        clock: Run clock [ns] that `read` keeps pace with; None reads as fast as it renders.
        camera: Intrinsics that the rig states; they must be the simulator's.
        view: Which camera of the world it is: `wrist`, or `fixed`, which stands still behind the table.
        size_px: Width and height of the pictures [px]; None for 640 x 480. A smaller one shows the same view.
    """

    def __init__(
        self,
        world: World | None = None,
        renderer: Renderer | None = None,
        *,
        name: str = CAMERA_NAME,
        rate_hz: float = 10.0,
        seed: int = 0,
        sensor: SensorParameters | None = None,
        noise: bool = True,
        frames: int | None = None,
        clock: Callable[[], int] | None = None,
        camera: Camera | None = None,
        view: str = CAMERA_NAME,
        size_px: Sequence[int] | None = None,
    ) -> None:
        if view not in (CAMERA_NAME, FIXED_NAME):
            raise BadInput(f"view {view!r} of camera {name}: expected {CAMERA_NAME} or {FIXED_NAME}")
        if not rate_hz > 0.0:
            raise BadInput(f"rate of camera {name} is {rate_hz} Hz: expected > 0")
        self._size = picture_size(size_px, name)
        self._camera = camera_of(self._size)
        if camera is not None and camera != self._camera:
            raise BadInput(
                f"intrinsics of camera {name} are {camera}: the simulated camera's are {self._camera}; leave them out"
            )
        self._world = world if world is not None else World(seed)
        self._owns_renderer = renderer is None
        self._renderer = renderer if renderer is not None else make_renderer()
        self._name = name
        self._view = view
        self._sensor = Sensor(sensor if noise else SensorParameters.ideal(), seed)
        self._period_ns = round(1e9 / rate_hz)
        self._frames = frames
        self._clock = clock
        self._epoch_ns = clock() if clock is not None else 0
        self._sequence = 0

    @property
    def name(self) -> str:
        """Name of the camera in the rig."""
        return self._name

    @property
    def camera(self) -> Camera:
        """Intrinsics of the colour images, and of the depth."""
        return self._camera

    @property
    def renderer(self) -> Renderer:
        """Who renders."""
        return self._renderer

    @property
    def rate_hz(self) -> float:
        """Frames per second."""
        return 1e9 / self._period_ns

    def start(self, epoch_ns: int) -> None:
        """Tell the source which time of the run clock is the world's time 0 [ns]."""
        self._epoch_ns = epoch_ns

    def capture(self, stamp_ns: int, sequence: int) -> Frame:
        """Take a picture of the world as it is now.

        Args:
            stamp_ns: The present time on the run clock [ns]; whoever calls has moved the world there.
            sequence: Number of the frame, which also selects the sensor's noise.

        Returns:
            The frame, received at the instant that it shows: what the transfer takes is the caller's to add.
        """
        return self.picture(self._world.snapshot(), stamp_ns, sequence)

    def picture(self, snapshot: Snapshot, stamp_ns: int, sequence: int) -> Frame:
        """The frame of a snapshot; as `capture`, while the world may move on."""
        view = self._renderer.render(snapshot, self._view, size_px=self._size)
        return Frame(
            camera_name=self._name,
            sequence=sequence,
            stamp_ns=stamp_ns,
            received_ns=stamp_ns,
            color=self._sensor.color(view.color, sequence),
            depth=self._sensor.depth(view.depth_m, sequence),
            depth_scale_m=self._sensor.parameters.depth_scale_m,
            camera=self._camera,
        )

    def read(self) -> Frame | None:
        """Move the world to the next frame's time and take it; None after the last frame."""
        if self._frames is not None and self._sequence >= self._frames:
            return None
        due_ns = (self._sequence + 1) * self._period_ns
        if self._clock is not None:
            time.sleep(max(0.0, (self._epoch_ns + due_ns - self._clock()) * 1e-9))
        self._world.advance(due_ns)
        frame = self.capture(self._epoch_ns + due_ns, self._sequence)
        self._sequence += 1
        return frame

    def close(self) -> None:
        """Free the renderer if the source made it."""
        if self._owns_renderer:
            self._renderer.close()
