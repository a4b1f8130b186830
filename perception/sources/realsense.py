"""RealSense cameras, and their recordings, through `pyrealsense2`."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np

from deploy.errors import BadInput
from geometry.camera import Camera
from perception.frame import Frame
from perception.source import SourceStalled
from perception.sources.aligned_depth import AlignedDepth
from perception.sources.clock_map import ClockMap, ClockReading
from perception.sources.realsense_device import (
    depth_units_m,
    describe,
    find_serial,
    import_pyrealsense2,
    middle_of_exposure_ns,
)

MILLISECOND_NS = 1_000_000
# Framesets that may wait while the reader is late; older ones are dropped, which leaves a gap in the numbers.
QUEUE = 2
# How often the end of a recording is looked for [ms].
PLAYBACK_WAIT_MS = 100


class RealSenseSource:
    """A RealSense camera, with depth aligned to colour and stamps on the run clock.

    Colour is bgr8 and depth z16 as the camera gives it; `rs.align` moves depth into the colour image and
    `AlignedDepth` makes it the distance from the colour camera, which `rs.align` leaves undone. The sequence is the
    frame number of the colour stream, so a dropped frame is a gap.

    Stamps: times that librealsense has already brought to the host's clock (global time, or arrival at the host) are
    moved to the run clock by the difference between these two; times of the camera's own clock are mapped by the frames
    that come fastest (`ClockMap`). Where the camera reports it, the stamp is moved to the middle of the exposure.

    Args:
        serial: Serial number; None takes the only camera, or the first.
        name: Name that frames carry.
        width: Width of both streams [px].
        height: Height of both streams [px].
        fps: Frames a second.
        depth: Whether to stream depth.
        file: A recording (`.db3`, `.bag`) to read through librealsense instead of a camera. Frames then keep their
            recorded times and come as fast as they are read.
        timeout_s: How long to wait for a frame before the camera counts as gone [s].
        latency_s: Least time from the middle of the exposure to the host [s], subtracted from times of the camera's own
            clock, and from arrival times; from calibration.
        context: `rs.context` to find cameras in; for cameras made of software.
        clock: Run clock [ns].
        epoch_clock: Clock of librealsense's host times, the Unix epoch [ns].

    Raises:
        Missing: If `pyrealsense2` or the camera is not there.
        BadInput: If the camera or recording does not offer the streams, or its lens model is not supported.
    """

    def __init__(
        self,
        serial: str | None = None,
        *,
        name: str = "camera",
        width: int = 640,
        height: int = 480,
        fps: int = 30,
        depth: bool = True,
        file: str | None = None,
        timeout_s: float = 2.0,
        latency_s: float = 0.0,
        context: Any = None,
        clock: Callable[[], int] = time.monotonic_ns,
        epoch_clock: Callable[[], int] = time.time_ns,
    ) -> None:
        if not timeout_s > 0.0:
            raise BadInput(f"timeout_s {timeout_s}: expected > 0 seconds")
        self._rs = rs = import_pyrealsense2()
        self._name, self._timeout_s, self._depth = name, timeout_s, depth
        self._latency_ns = round(latency_s * 1e9)
        self._clock, self._epoch_clock = clock, epoch_clock
        self._clock_map = ClockMap()
        self._context = rs.context() if context is None else context
        config = rs.config()
        if file is None:
            self._serial = find_serial(rs, self._context, serial)
            config.enable_device(self._serial)
            config.enable_stream(rs.stream.color, width, height, rs.format.bgr8, fps)
            if depth:
                config.enable_stream(rs.stream.depth, width, height, rs.format.z16, fps)
        else:
            self._serial = file
            config.enable_device_from_file(file, False)
        # A pipeline that is asked for frames tries for seconds to find a lost camera again; a queue does not.
        self._queue: Any = rs.frame_queue(QUEUE) if file is None else None
        self._pipeline: Any = rs.pipeline(self._context)
        try:
            profile = self._pipeline.start(config) if self._queue is None else self._pipeline.start(config, self._queue)
        except RuntimeError as error:
            self._pipeline = None
            what = (
                f"{width}x{height} at {fps} frames/s{' with depth' if depth else ''}" if file is None else "recording"
            )
            raise BadInput(f"RealSense {self._serial}: {what} cannot be streamed: {error}") from error
        try:
            self._playback: Any = None if file is None else profile.get_device().as_playback()
            if self._playback is not None:
                self._playback.set_real_time(False)
            self._camera, color_T_depth = describe(rs, profile, self._serial, depth)
        except BaseException:
            self.close()
            raise
        self._aligned = AlignedDepth(self._camera, color_T_depth)
        self._align = rs.align(rs.stream.color) if depth else None
        self._number = -1
        self._sequence_shift = 0

    @property
    def name(self) -> str:
        """Name that frames carry."""
        return self._name

    @property
    def camera(self) -> Camera:
        """Intrinsics of the colour images."""
        return self._camera

    @property
    def serial(self) -> str:
        """Serial number of the camera."""
        return self._serial

    @property
    def clock_reading(self) -> ClockReading | None:
        """Run clock minus the clock of the camera's stamps, and drift; None before the first frame and for files."""
        return self._clock_map.reading

    def read(self) -> Frame | None:
        """Block until the next frame.

        Returns:
            The frame; None at the end of a recording.

        Raises:
            SourceStalled: If none came within the timeout, or the source was closed.
        """
        deadline = time.monotonic() + self._timeout_s
        while self._pipeline is not None and (left_s := deadline - time.monotonic()) > 0.0:
            frames = self._wait(left_s)
            received_ns = self._clock()
            if frames is None:
                if self._is_over():
                    return None
                continue
            color = frames.get_color_frame()
            has_depth = not self._depth or bool(frames.get_depth_frame())
            # A set of frames may lack one of them, or bring a colour image again with newer depth.
            if color and has_depth and color.get_frame_number() != self._number:
                return self._frame(frames, received_ns)
        raise SourceStalled(
            self._name, self._timeout_s, f"RealSense {self._serial}: check its cable and power, then start again"
        )

    def close(self) -> None:
        """Stop the streams; calling it again does nothing."""
        pipeline, self._pipeline = self._pipeline, None
        if pipeline is not None:
            with suppress(RuntimeError):  # a camera that is gone cannot be told to stop
                pipeline.stop()

    def _wait(self, left_s: float) -> Any | None:
        left_ms = max(1, round(left_s * 1000))
        if self._queue is None:
            found, frames = self._pipeline.try_wait_for_frames(min(left_ms, PLAYBACK_WAIT_MS))
            return frames if found else None
        found, frame = self._queue.try_wait_for_frame(left_ms)
        return frame.as_frameset() if found else None

    def _is_over(self) -> bool:
        """Whether a recording has been read to its end."""
        stopped = self._rs.playback_status.stopped
        return self._playback is not None and bool(self._playback.current_status() == stopped)

    def _frame(self, frames: Any, received_ns: int) -> Frame:
        if self._align is not None:
            frames = self._align.process(frames)
        color, depth = frames.get_color_frame(), frames.get_depth_frame() if self._depth else None
        number = int(color.get_frame_number())
        if number < self._number:
            self._sequence_shift += self._number + 1 - number  # the camera was reset and counts again
        self._number = number
        stamp_ns = self._stamp_ns(color, received_ns)
        scale_m = 1.0 if depth is None else depth_units_m(depth, self._name)
        return Frame(
            camera_name=self._name,
            sequence=number + self._sequence_shift,
            stamp_ns=stamp_ns,
            received_ns=received_ns if self._playback is None else stamp_ns,
            color=np.array(color.get_data(), dtype=np.uint8),  # a copy: the buffer goes back to librealsense
            depth=None if depth is None else self._aligned.distances(np.asarray(depth.get_data()), scale_m),
            depth_scale_m=scale_m,
            camera=self._camera,
        )

    def _stamp_ns(self, color: Any, received_ns: int) -> int:
        rs = self._rs
        device_ns = round(float(color.get_timestamp()) * MILLISECOND_NS)
        if self._playback is not None:
            return device_ns
        middle_ns = middle_of_exposure_ns(rs, color)
        domain = color.get_frame_timestamp_domain()
        if domain == rs.timestamp_domain.hardware_clock:
            return self._clock_map.to_run_ns(device_ns, received_ns) + middle_ns - self._latency_ns
        run_ns = min(device_ns + self._clock() - self._epoch_clock(), received_ns)
        if domain == rs.timestamp_domain.global_time:
            return run_ns + middle_ns
        return run_ns - self._latency_ns
