"""What `pyrealsense2` says about cameras and frames, in our terms."""

from __future__ import annotations

import ctypes
from types import ModuleType
from typing import Any

import numpy as np

from deploy.errors import BadInput, Missing, require
from geometry.camera import Camera
from geometry.pose import Pose
from perception.sources.lens import brown_conrady_camera

PLUG = "plug it into a USB 3 port; on Linux install librealsense's udev rules"
# Times of one frame on the camera's clock are within this; anything else is not a pair [us].
PAIR_LIMIT_US = 200_000


def import_pyrealsense2() -> ModuleType:
    """Import `pyrealsense2`; where the system lacks libusb, with the one that the package `libusb-package` brings.

    Raises:
        Missing: If it cannot be imported.
    """
    try:
        return require("pyrealsense2", "realsense")
    except Missing as error:
        if "libusb" not in str(error):
            raise
    libusb = require("libusb_package", "realsense")
    ctypes.CDLL(str(libusb.get_library_path()), mode=ctypes.RTLD_GLOBAL)
    return require("pyrealsense2", "realsense")


def camera_of(intrinsics: Any, where: str) -> Camera:
    """`Camera` of `rs.intrinsics`, with the lens model brought to Brown-Conrady.

    Raises:
        BadInput: If the lens model is not supported.
    """
    i = intrinsics
    pinhole = Camera(i.width, i.height, i.fx, i.fy, i.ppx, i.ppy)
    return brown_conrady_camera(str(i.model), list(i.coeffs), pinhole, where)


def depth_units_m(depth: Any, name: str) -> float:
    """Metres per unit of a depth frame.

    Raises:
        BadInput: If they are not positive.
    """
    units = float(depth.get_units())
    if not units > 0.0:
        raise BadInput(f"depth scale {units} from camera {name}: expected > 0; update its firmware")
    return float(f"{units:.7g}")  # 0.001 as a 32-bit number has seven digits


def middle_of_exposure_ns(rs: ModuleType, frame: Any) -> int:
    """From the time of a frame to the middle of its exposure [ns], where the camera says both; else 0."""
    kinds = rs.frame_metadata_value.sensor_timestamp, rs.frame_metadata_value.frame_timestamp
    if not all(frame.supports_frame_metadata(kind) for kind in kinds):
        return 0
    middle_us, frame_us = (int(frame.get_frame_metadata(kind)) for kind in kinds)
    return (middle_us - frame_us) * 1000 if abs(middle_us - frame_us) < PAIR_LIMIT_US else 0


def find_serial(rs: ModuleType, context: Any, serial: str | None) -> str:
    """Serial number of a camera that is plugged in: the wanted one, or the first.

    Raises:
        Missing: If it is not there, naming those that are.
    """
    number = rs.camera_info.serial_number
    found = [str(device.get_info(number)) for device in context.query_devices() if device.supports(number)]
    if not found:
        raise Missing(f"no RealSense camera found{f' (wanted {serial})' if serial else ''}: {PLUG}")
    if serial is not None and str(serial) not in found:
        raise Missing(f"no RealSense camera {serial}; found {', '.join(found)}: correct the serial or {PLUG}")
    return found[0] if serial is None else str(serial)


def describe(rs: ModuleType, profile: Any, serial: str, depth: bool) -> tuple[Camera, Pose]:
    """Intrinsics of the colour stream and `color_T_depth` of a pipeline that was started.

    Raises:
        BadInput: If a stream is missing, or the lens model is not supported.
    """
    try:
        color = profile.get_stream(rs.stream.color).as_video_stream_profile()
        color_T_depth = Pose.identity()
        if depth:
            extrinsics = profile.get_stream(rs.stream.depth).get_extrinsics_to(color)
            matrix = np.eye(4)
            matrix[:3, :3] = np.reshape(extrinsics.rotation, (3, 3)).T  # stored column by column
            matrix[:3, 3] = extrinsics.translation
            color_T_depth = Pose.from_matrix(matrix)
        return camera_of(color.get_intrinsics(), f"RealSense {serial}"), color_T_depth
    except RuntimeError as error:
        needed = "colour and depth are" if depth else "colour is"
        raise BadInput(f"{serial}: a stream is missing ({error}); {needed} needed") from error
