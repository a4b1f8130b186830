"""A RealSense camera made of software: librealsense's own pipeline, synchroniser and alignment, fed by the test."""

from __future__ import annotations

import math
import time
from types import TracebackType
from typing import Any

import numpy as np

from perception.sources.realsense_device import import_pyrealsense2

WIDTH, HEIGHT = 640, 480
DEPTH_FOCAL, COLOR_FOCAL = 380.0, 608.0
SERIAL = "000000000001"


def rotation_about(axis: str, angle_rad: float) -> np.ndarray:
    c, s = math.cos(angle_rad), math.sin(angle_rad)
    return np.array({"y": [[c, 0, s], [0, 1, 0], [-s, 0, c]], "z": [[c, -s, 0], [s, c, 0], [0, 0, 1]]}[axis])


class VirtualRealSense:
    """Depth (z16) and colour (bgr8) of 640x480; `push` sends one pair of images."""

    def __init__(
        self,
        *,
        units_m: float = 0.001,
        translation_m: tuple[float, float, float] = (0.0, 0.0, 0.0),
        rotation: np.ndarray | None = None,
        color_model: str = "brown_conrady",
        coefficients: tuple[float, ...] = (0.0,) * 5,
        domain: str = "hardware_clock",
    ) -> None:
        self.rs: Any = import_pyrealsense2()
        rs = self.rs
        self.units_m = units_m
        self.domain = getattr(rs.timestamp_domain, domain)
        self.device = rs.software_device()
        self._depth_sensor = self.device.add_sensor("Stereo Module")
        self._color_sensor = self.device.add_sensor("RGB Camera")
        depth = self._stream(rs.stream.depth, 1, rs.format.z16, 2, DEPTH_FOCAL, "brown_conrady", (0.0,) * 5)
        color = self._stream(rs.stream.color, 2, rs.format.bgr8, 3, COLOR_FOCAL, color_model, coefficients)
        self._depth = self._depth_sensor.add_video_stream(depth)
        self._color = self._color_sensor.add_video_stream(color)
        self._depth_sensor.add_read_only_option(rs.option.depth_units, units_m)
        extrinsics = rs.extrinsics()
        extrinsics.rotation = list((np.eye(3) if rotation is None else rotation).T.reshape(-1))
        extrinsics.translation = list(translation_m)
        self._depth.register_extrinsics_to(self._color, extrinsics)
        for info, value in (
            (rs.camera_info.name, "Intel RealSense D455"),
            (rs.camera_info.serial_number, SERIAL),
            (rs.camera_info.product_line, "D400"),
            (rs.camera_info.usb_type_descriptor, "3.2"),
        ):
            self.device.register_info(info, value)
        self.device.create_matcher(rs.matchers.default)
        self.context = rs.context()
        self._kept: list[Any] = []  # a context holds its devices weakly
        self.context.set_devices_changed_callback(lambda event: self._kept.append(event.get_new_devices()))
        self.device.add_to(self.context)
        deadline = time.monotonic() + 5.0
        while not len(self.context.query_devices()):
            assert time.monotonic() < deadline, "the software device did not appear"
            time.sleep(0.01)

    def push(self, number: int, time_ms: float, color: np.ndarray, depth: np.ndarray) -> None:
        rs = self.rs
        for pixels, profile, size, sensor in (
            (depth, self._depth, 2, self._depth_sensor),
            (color, self._color, 3, self._color_sensor),
        ):
            frame = rs.software_video_frame()
            frame.stride, frame.bpp = WIDTH * size, size
            frame.timestamp, frame.domain, frame.frame_number = time_ms, self.domain, number
            frame.profile = profile.as_video_stream_profile()
            frame.pixels = np.ascontiguousarray(pixels)
            if size == 2:
                frame.depth_units = self.units_m
            sensor.on_video_frame(frame)

    def metadata(self, name: str, value: int) -> None:
        self._color_sensor.set_metadata(getattr(self.rs.frame_metadata_value, name), value)

    def close(self) -> None:
        self._kept.clear()

    def __enter__(self) -> VirtualRealSense:  # noqa: PYI034
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _stream(
        self, kind: Any, uid: int, form: Any, size: int, focal: float, model: str, coefficients: tuple[float, ...]
    ) -> Any:
        rs = self.rs
        intrinsics = rs.intrinsics()
        intrinsics.width, intrinsics.height = WIDTH, HEIGHT
        intrinsics.fx = intrinsics.fy = focal
        intrinsics.ppx, intrinsics.ppy = 320.0, 240.0
        intrinsics.model = getattr(rs.distortion, model)
        intrinsics.coeffs = list(coefficients)
        stream = rs.video_stream()
        stream.type, stream.index, stream.uid = kind, 0, uid
        stream.width, stream.height, stream.fps, stream.bpp, stream.fmt = WIDTH, HEIGHT, 30, size, form
        stream.intrinsics = intrinsics
        return stream


def images(value: int, depth_units: int = 1000) -> tuple[np.ndarray, np.ndarray]:
    color = np.full((HEIGHT, WIDTH, 3), value % 256, dtype=np.uint8)
    return color, np.full((HEIGHT, WIDTH), depth_units, dtype=np.uint16)
