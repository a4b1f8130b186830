"""Where frames come from: a camera, a recording, a simulator."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from deploy.errors import Missing
from geometry.camera import Camera
from perception.frame import Frame


class SourceStalled(Missing):
    """A camera that answered before has stopped sending frames.

    Args:
        camera_name: The camera.
        timeout_s: How long no frame came [s].
        remedy: What to do about it.
    """

    def __init__(
        self, camera_name: str, timeout_s: float, remedy: str = "check its cable and power, then start again"
    ) -> None:
        super().__init__(f"camera {camera_name} sent no frame for {timeout_s:g} s: {remedy}")
        self.camera_name = camera_name
        self.timeout_s = timeout_s


@runtime_checkable
class Source(Protocol):
    """A stream of frames of one camera."""

    @property
    def name(self) -> str:
        """Name of the camera in the rig; each frame carries it."""
        ...

    @property
    def camera(self) -> Camera:
        """Intrinsics of the colour images."""
        ...

    def read(self) -> Frame | None:
        """Block until the next frame.

        Returns:
            The frame, or None at the end of the stream.

        Raises:
            SourceStalled: If no frame comes in time, naming camera and timeout.
        """
        ...

    def close(self) -> None:
        """Release the camera or file; calling it again does nothing."""
        ...
