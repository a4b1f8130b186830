"""Frames through OpenCV: a webcam or stream, a video file, or pictures in a folder with depth beside them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import cv2

from deploy.errors import BadInput
from geometry.camera import Camera
from geometry.pose import Pose
from geometry.registration import register_depth
from geometry.types import DepthImage, Image
from perception.frame import Frame
from perception.source import SourceStalled
from perception.sources.opencv_device import OpenCvDevice
from perception.sources.opencv_files import DEFAULT_FPS, Pictures, Video
from perception.sources.options import camera_option, pose_option
from perception.sources.pacing import Pacer


class OpenCvSource:
    """A camera or files that OpenCV reads.

    Files are stamped `start_ns + k / fps` and their receive time is their stamp: no clock is read, and two readings are
    equal. A device is stamped when its image arrives, less `latency_s`.

    Args:
        source: Index of a device (`0`), address of a stream (`rtsp://...`), a video file, a folder of pictures, or a
            pattern (`images/color_*.png`).
        name: Name that frames carry.
        intrinsics: Of the colour image: `{width, height, fx, fy, cx, cy, distortion}`. None assumes a pinhole with a
            focal length of one image width: good for looking at, not for measuring; with depth they are needed.
        depth: Folder or pattern of depth pictures, one for each colour picture in the order of names: 16-bit PNG or
            `.bin` (height and width as uint32, then uint16).
        depth_scale_m: Metres per unit of depth.
        depth_intrinsics: Of the depth image, where it is not registered to colour.
        color_T_depth: Pose of the depth camera in the colour camera, as above: `{translation_m, quaternion_xyzw |
            rotation_vector_rad | rotation_matrix}`.
        fps: Pictures a second; None takes the video's own rate, 30 for pictures and the camera's own for a device.
        width: Wanted width of a device's image [px].
        height: Wanted height of a device's image [px].
        loop: Start again at the end of files; stamps and numbers go on.
        start_ns: Stamp of the first picture of files [ns].
        pace: Deliver files at their rate with times on the run clock, as a camera would; the clock is then read.
        timeout_s: How long to wait for a device's image before it counts as gone [s].
        latency_s: From the middle of the exposure of a device to its arrival [s]; from calibration.
        clock: Run clock [ns].

    Raises:
        BadInput: If files are missing or do not fit each other.
        Missing: If a device cannot be opened.
    """

    def __init__(
        self,
        source: int | str,
        *,
        name: str = "camera",
        intrinsics: Camera | Mapping[str, Any] | None = None,
        depth: str | None = None,
        depth_scale_m: float = 0.001,
        depth_intrinsics: Camera | Mapping[str, Any] | None = None,
        color_T_depth: Pose | Mapping[str, Any] | None = None,
        fps: float | None = None,
        width: int | None = None,
        height: int | None = None,
        loop: bool = False,
        start_ns: int = 0,
        pace: bool = False,
        timeout_s: float = 2.0,
        latency_s: float = 0.0,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        if fps is not None and not fps > 0.0:
            raise BadInput(f"fps {fps} of camera {name}: expected > 0")
        self._name, self._loop, self._start_ns = name, loop, start_ns
        self._timeout_s, self._latency_ns = timeout_s, round(latency_s * 1e9)
        self._depth_scale_m = depth_scale_m
        self._registration = _registration(name, depth, depth_intrinsics, color_T_depth)
        self._count = 0
        self._pacer = Pacer(clock) if pace else None
        self._device: OpenCvDevice | None = None
        self._reader: Pictures | Video | None = None
        text = str(source)
        if text.isdigit() or "://" in text:
            self._reject_depth(depth, text)
            self._device = OpenCvDevice(int(text) if text.isdigit() else text, width, height, fps, clock)
            size = self._device.width, self._device.height
        elif Path(text).is_file() and not cv2.haveImageReader(text):
            self._reject_depth(depth, text)
            self._reader = Video(text)
            size = self._reader.size
        else:
            self._reader = Pictures(text, depth)
            size = self._reader.size
        self._fps = fps or (self._reader.fps if self._reader is not None else DEFAULT_FPS)
        if intrinsics is None and depth is not None:
            raise BadInput(
                f"camera {name} has depth and no intrinsics; give intrinsics={{width, height, fx, fy, cx, cy}}"
            )
        self.intrinsics_assumed = intrinsics is None
        self._camera = (
            Camera(*size, float(size[0]), float(size[0]), (size[0] - 1) / 2, (size[1] - 1) / 2)
            if intrinsics is None
            else camera_option(intrinsics, f"intrinsics of camera {name}")
        )

    @property
    def name(self) -> str:
        """Name that frames carry."""
        return self._name

    @property
    def camera(self) -> Camera:
        """Intrinsics of the colour images."""
        return self._camera

    def read(self) -> Frame | None:
        """The next picture; None at the end of files.

        Raises:
            SourceStalled: If a device sends none within the timeout, or was closed.
            BadInput: If a file cannot be read or does not fit the intrinsics.
        """
        if self._device is not None:
            taken = self._device.take(self._timeout_s)
            if taken is None:
                raise SourceStalled(self._name, self._timeout_s)
            number, received_ns, image = taken
            return self._frame(number, received_ns - self._latency_ns, received_ns, image, None)
        if self._reader is None:
            return None
        item = self._reader.next()
        if item is None and self._loop:
            self._reader.rewind()
            item = self._reader.next()
        if item is None:
            return None
        stamp_ns = self._start_ns + round(self._count * 1e9 / self._fps)
        frame = self._frame(self._count, stamp_ns, stamp_ns, *item)
        self._count += 1
        return frame if self._pacer is None else self._pacer.wait(frame)

    def close(self) -> None:
        """Free the device or file; calling it again does nothing."""
        device, self._device = self._device, None
        if device is not None:
            device.close()
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.close()

    def _frame(self, sequence: int, stamp_ns: int, received_ns: int, color: Image, depth: DepthImage | None) -> Frame:
        if depth is not None and self._registration is not None:
            depth_camera, color_T_depth = self._registration
            try:
                depth = register_depth(depth, self._depth_scale_m, depth_camera, self._camera, color_T_depth)
            except ValueError as error:
                raise BadInput(f"depth of camera {self._name}: {error}") from error
        return Frame(self._name, sequence, stamp_ns, received_ns, color, depth, self._depth_scale_m, self._camera)

    def _reject_depth(self, depth: str | None, source: str) -> None:
        if depth is not None:
            raise BadInput(
                f"camera {self._name}: depth files go with a folder or pattern of pictures, not with {source}"
            )


def _registration(
    name: str,
    depth: str | None,
    depth_intrinsics: Camera | Mapping[str, Any] | None,
    color_T_depth: Pose | Mapping[str, Any] | None,
) -> tuple[Camera, Pose] | None:
    """Depth camera and its pose, both or neither."""
    given = depth_intrinsics is not None, color_T_depth is not None
    if given == (False, False):
        return None
    if depth is None or not all(given):
        raise BadInput(
            f"camera {name}: depth, depth_intrinsics and color_T_depth belong together; give all three, or only depth "
            "where it is registered to colour already"
        )
    assert depth_intrinsics is not None
    assert color_T_depth is not None
    camera = camera_option(depth_intrinsics, f"depth_intrinsics of camera {name}")
    return camera, pose_option(color_T_depth, f"color_T_depth of camera {name}")
