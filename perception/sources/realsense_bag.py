"""RealSense's own recordings: `.db3` (librealsense from 2.58) and ROS 1 `.bag` (before).

Both put what is fixed at the start: intrinsics, extrinsics to one reference stream, depth units. They differ in types
and in where a frame's number and time are: a `.bag` has them in the image's header, a `.db3` in a text beside it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

import numpy as np

from deploy.errors import BadInput
from geometry.camera import Camera
from geometry.pose import Pose
from perception.sources.bag_file import BagFile
from perception.sources.lens import brown_conrady_camera

_IMAGE = re.compile(r"^/device_(\d+)/sensor_\d+/(?P<stream>Color|Depth)_0/image/data(/compressed|/compressedDepth)?$")
MILLISECOND_NS = 1_000_000


@dataclass(frozen=True, slots=True)
class RealSenseDevice:
    """One camera of a RealSense recording; see `BagCamera` for the fields."""

    serial: str
    camera: Camera
    color_topic: str
    color_metadata_topic: str | None
    depth_topic: str | None
    depth_metadata_topic: str | None
    depth_camera: Camera | None
    depth_scale_m: float
    color_T_depth: Pose | None


def find_devices(bag: BagFile) -> list[RealSenseDevice]:
    """Devices with a colour stream.

    Raises:
        BadInput: If the recording lacks the intrinsics, or they make no sense.
    """
    streams: dict[str, dict[str, str]] = {}
    for name, topic in bag.topics.items():
        match = _IMAGE.match(name)
        if match is not None and topic.count:
            streams.setdefault(match[1], {})[match["stream"]] = name
    devices = []
    for number, topics in sorted(streams.items()):
        if "Color" not in topics:
            continue
        color, depth = topics["Color"], topics.get("Depth")
        devices.append(
            RealSenseDevice(
                serial=_serial(bag, f"/device_{number}/info") or f"device_{number}",
                camera=_intrinsics(bag, color),
                color_topic=color,
                color_metadata_topic=_metadata(bag, color),
                depth_topic=depth,
                depth_metadata_topic=None if depth is None else _metadata(bag, depth),
                depth_camera=None if depth is None else _intrinsics(bag, depth),
                depth_scale_m=1.0 if depth is None else _depth_units(bag, depth),
                color_T_depth=None if depth is None else _depth_pose(bag, color, depth),
            )
        )
    return devices


def frame_number_and_stamp(metadata: str, topic: str) -> tuple[int, int]:
    """Number and time [ns] of a frame from the text beside it in a `.db3`.

    Raises:
        BadInput: If they are not in it.

    Example:
        >>> frame_number_and_stamp("Frame number=7;timestamp_domain=Hardware Clock;timestamp=1033.333333;", "/t")
        (7, 1033333333)
    """
    fields = dict(part.split("=", 1) for part in metadata.split(";") if "=" in part)
    try:
        return int(fields["Frame number"]), int(Decimal(fields["timestamp"]) * MILLISECOND_NS)
    except (KeyError, ValueError, InvalidOperation) as error:
        raise BadInput(f"{topic}: {metadata!r} has no frame number and timestamp") from error


def _base(image_topic: str) -> str:
    return image_topic.split("/image/data")[0]


def _metadata(bag: BagFile, image_topic: str) -> str | None:
    topic = f"{_base(image_topic)}/image/metadata"
    return topic if not bag.is_ros1 and topic in bag.topics else None


def _serial(bag: BagFile, topic: str) -> str:
    """Serial number among the device's properties: one text, or one key and value a message."""
    if topic not in bag.topics:
        return ""
    for message in bag.messages((topic,)):
        about = bag.decode(message)
        pairs = {about.key: about.value} if hasattr(about, "key") else _fields(about.data)
        if "Serial Number" in pairs:
            return str(pairs["Serial Number"])
    return ""


def _intrinsics(bag: BagFile, image_topic: str) -> Camera:
    base = _base(image_topic)
    text, message = f"{base}/camera_info", f"{base}/info/camera_info"
    try:
        if text in bag.topics:
            about = _fields(_first(bag, text).data)
            fx, fy, cx, cy = (float(about[key]) for key in ("fx", "fy", "ppx", "ppy"))
            pinhole = Camera(int(about["width"]), int(about["height"]), fx, fy, cx, cy)
            return brown_conrady_camera(about["model"], _numbers(about["coeffs"]), pinhole, image_topic)
        info = _first(bag, message)
        pinhole = Camera.from_matrix(np.reshape(info.K, (3, 3)), int(info.width), int(info.height))
        return brown_conrady_camera(str(info.distortion_model), list(info.D), pinhole, image_topic)
    except (KeyError, ValueError, AttributeError) as error:
        raise BadInput(f"{bag.path}: intrinsics of {image_topic} cannot be read: {error}") from error


def _depth_units(bag: BagFile, depth_topic: str) -> float:
    topic = f"{_base(depth_topic).rsplit('/', 1)[0]}/option/Depth_Units/value"
    try:
        units = float(_first(bag, topic).data)
    except (KeyError, ValueError) as error:
        raise BadInput(f"{bag.path}: {topic}: the depth units cannot be read: {error}") from error
    if not units > 0.0:
        raise BadInput(f"{bag.path}: {topic}: depth units {units}; expected > 0")
    # A .bag holds 0.001 as a 32-bit number; seven digits are all that it has.
    return float(f"{units:.7g}")


def _depth_pose(bag: BagFile, color_topic: str, depth_topic: str) -> Pose | None:
    color, depth = _extrinsics(bag, color_topic), _extrinsics(bag, depth_topic)
    return None if color is None or depth is None else color @ depth.inverse()


def _extrinsics(bag: BagFile, image_topic: str) -> Pose | None:
    """Pose of the recording's reference stream in this one; None if it was not recorded."""
    prefix = f"{_base(image_topic)}/tf/"
    topic = next((name for name in bag.topics if name.startswith(prefix) and bag.topics[name].count), None)
    if topic is None:
        return None
    about = _first(bag, topic)
    if hasattr(about, "data"):
        fields = _fields(about.data)
        matrix = np.eye(4)
        # librealsense stores rotations column by column.
        matrix[:3, :3] = np.reshape(_numbers(fields["rotation"]), (3, 3)).T
        matrix[:3, 3] = _numbers(fields["translation"])
        return Pose.from_matrix(matrix)
    q, t = about.rotation, about.translation
    return Pose.from_quaternion(np.array([q.x, q.y, q.z, q.w]), np.array([t.x, t.y, t.z]))


def _first(bag: BagFile, topic: str) -> Any:
    message = bag.first(topic) if topic in bag.topics else None
    if message is None:
        raise KeyError(f"no message on {topic}")
    return message


def _fields(text: str) -> dict[str, str]:
    return dict(part.split("=", 1) for part in text.split(";") if "=" in part)


def _numbers(text: str) -> list[float]:
    return [float(part) for part in text.split(",")]
