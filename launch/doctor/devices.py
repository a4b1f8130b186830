"""What is plugged in: cameras, each proved by a frame, and the drivers of arms. No arm is contacted."""

from __future__ import annotations

import array
import fcntl
import importlib.util
import os
from importlib import metadata
from pathlib import Path
from typing import Any

from deploy.errors import require
from launch.doctor.finding import Finding, one_line

DEVICES = Path("/dev")
CAMERA_REMEDY = "not needed for the simulation; plug a camera in"
GROUP_REMEDY = "allow it: sudo usermod -aG video $USER, then log in again"

# linux/videodev2.h: VIDIOC_QUERYCAP fills struct v4l2_capability (104 bytes: driver 16, card 32, bus 32, then words of
# 32 bits: version, capabilities, device_caps).
_QUERYCAP = 0x80685600
_CAPABILITY_SIZE = 104
_VIDEO_CAPTURE = 0x00000001 | 0x00001000  # single-planar, multi-planar


def video_devices() -> Finding:
    """V4L2 cameras: the node answers, it captures, and a frame comes."""
    nodes = sorted(DEVICES.glob("video[0-9]*"), key=lambda node: (len(node.name), node.name))
    seen: list[str] = []
    broken: list[str] = []
    denied = False
    for node in nodes:
        try:
            card, captures = _capability(node)
        except PermissionError:
            denied = True
            broken.append(f"{node}: permission denied")
            continue
        except OSError as error:
            broken.append(f"{node}: {error.strerror}")
            continue
        if not captures:
            continue  # one camera has further nodes, for its metadata
        size = _first_frame(node)
        (seen if size else broken).append(f"{node} {card}, {size or 'no frame came'}")
    detail = "; ".join(seen + broken)
    if broken:
        remedy = (
            GROUP_REMEDY if denied else "another program may hold it: close that program, or plug the camera in again"
        )
        return Finding("cameras", "problem", detail, remedy)
    if not seen:
        return Finding("cameras", "missing", f"no camera at {DEVICES}/video*", CAMERA_REMEDY)
    return Finding("cameras", "ok", detail)


def _capability(node: Path) -> tuple[str, bool]:
    """Name of the device behind a node, and whether this node captures video."""
    answer = array.array("B", bytes(_CAPABILITY_SIZE))
    handle = os.open(node, os.O_RDWR | os.O_NONBLOCK)
    try:
        fcntl.ioctl(handle, _QUERYCAP, answer, True)
    finally:
        os.close(handle)
    raw = answer.tobytes()
    card = raw[16:48].partition(b"\0")[0].decode("utf-8", "replace")
    device_caps = int.from_bytes(raw[88:92], "little")
    return card, bool(device_caps & _VIDEO_CAPTURE)


def _first_frame(node: Path) -> str:
    """Size of a frame; empty if none comes."""
    import cv2

    capture = cv2.VideoCapture(str(node), cv2.CAP_V4L2)
    try:
        got, image = capture.read() if capture.isOpened() else (False, None)
    finally:
        capture.release()
    return f"{image.shape[1]}x{image.shape[0]}" if got and image is not None else ""


def realsense() -> Finding:
    """RealSense cameras that answer, with their serial numbers."""
    name = "realsense"
    if importlib.util.find_spec("pyrealsense2") is None:
        return Finding(name, "missing", "pyrealsense2 is not installed", "not needed; pip install 'eyehand[realsense]'")
    from perception.sources.realsense_device import import_pyrealsense2

    rs = import_pyrealsense2()
    version = metadata.version("pyrealsense2")
    found = [_describe(rs, device) for device in rs.context().query_devices()]
    if not found:
        return Finding(name, "missing", f"pyrealsense2 {version} works; no camera answers", CAMERA_REMEDY)
    return Finding(name, "ok", f"pyrealsense2 {version}: {'; '.join(found)}")


def _describe(rs: Any, device: Any) -> str:
    fields = (rs.camera_info.name, rs.camera_info.serial_number, rs.camera_info.usb_type_descriptor)
    model, serial, usb = (device.get_info(field) if device.supports(field) else "?" for field in fields)
    return f"{model}, serial {serial}, USB {usb}"


def arms() -> Finding:
    """Drivers of real arms."""
    remedy = (
        "not needed in simulation; for Universal Robots arms: pip install 'eyehand[ur]'; a driver of your own "
        "registers under eyehand.arms"
    )
    if importlib.util.find_spec("script_client") is None:
        return Finding("arms", "missing", "ur_rtde is not installed", remedy)
    try:
        require("script_client", "ur")
    except Exception as error:  # a native module that fails to load raises whatever it likes
        return Finding(
            "arms", "problem", f"ur_rtde does not import: {one_line(error)}", "pip install --force-reinstall ur_rtde"
        )
    try:
        version = metadata.version("ur_rtde")
    except metadata.PackageNotFoundError:
        version = "of unknown version"
    return Finding("arms", "ok", f"ur_rtde {version} imports: Universal Robots arms can be driven")
