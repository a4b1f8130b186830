"""Bags as other people's programs write them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from rosbags.rosbag1 import Writer as Ros1Writer
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from geometry import Camera
from perception import ros_messages as ros
from perception.frame import Frame

SMALL = Camera(32, 24, 30.0, 30.0, 15.5, 11.5)
MS = 1_000_000


def small_frame(sequence: int, *, name: str = "wrist", depth: bool = True, period_ns: int = 33 * MS) -> Frame:
    rng = np.random.default_rng(sequence)
    return Frame(
        camera_name=name,
        sequence=sequence,
        stamp_ns=1000 * MS + sequence * period_ns,
        received_ns=1004 * MS + sequence * period_ns,
        color=rng.integers(0, 256, (24, 32, 3), dtype=np.uint8),
        depth=rng.integers(0, 5000, (24, 32), dtype=np.uint16) if depth else None,
        depth_scale_m=0.001,
        camera=SMALL,
    )


def write_ros2(folder: Path, messages: Iterable[tuple[str, int, Any]], plugin: str = "SQLITE3") -> Path:
    """A rosbag2 folder of (topic, log time, message)."""
    with Writer(folder, version=9, storage_plugin=StoragePlugin[plugin]) as writer:
        connections: dict[str, Any] = {}
        for topic, log_ns, message in messages:
            kind = message.__msgtype__
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, kind, typestore=ros.typestore())
            writer.write(connections[topic], log_ns, ros.serialize(message))
    return folder


def driver_messages(
    frames: Iterable[Frame],
    base: str = "/camera/camera",
    depth_lag_ns: int = 0,
    depth_topic: str = "aligned_depth_to_color/image_raw",
) -> list[tuple[str, int, Any]]:
    """What realsense2_camera publishes: intrinsics, colour and depth with its own header."""
    messages = []
    for frame in frames:
        log_ns = frame.received_ns
        info = ros.camera_info_message(frame.camera, frame.stamp_ns, frame.camera_name)
        messages.append((f"{base}/color/camera_info", log_ns, info))
        messages.append((f"{base}/color/image_raw", log_ns, ros.color_message(frame)))
        if frame.depth is not None:
            depth = ros.depth_message(frame)
            depth.header = ros.header(frame.stamp_ns + depth_lag_ns, "camera")
            messages.append((f"{base}/{depth_topic}", log_ns + 2 * MS, depth))
    return sorted(messages, key=lambda item: item[1])


def write_realsense_ros1(path: Path, frames: Iterable[Frame], trailer: bytes = b"\0\0\0\0") -> Path:
    """A `.bag` in librealsense's layout: four bytes too many after each image, numbers and times in the header."""
    store = get_typestore(Stores.ROS1_NOETIC)
    types = store.types
    header_type, time_type = types["std_msgs/msg/Header"], types["builtin_interfaces/msg/Time"]

    def header(number: int, stamp_ns: int) -> Any:
        return header_type(seq=number, stamp=time_type(sec=stamp_ns // 10**9, nanosec=stamp_ns % 10**9), frame_id="1")

    def image(frame: Frame, encoding: str, pixels: np.ndarray, size: int) -> bytes:
        message = types["sensor_msgs/msg/Image"](
            header=header(frame.sequence, frame.stamp_ns), height=24, width=32, encoding=encoding, is_bigendian=0,
            step=32 * size, data=np.frombuffer(pixels.tobytes(), np.uint8),
        )  # fmt: skip
        return bytes(store.serialize_ros1(message, message.__msgtype__)) + trailer

    def intrinsics() -> Any:
        region = types["sensor_msgs/msg/RegionOfInterest"](0, 0, 0, 0, False)
        return types["sensor_msgs/msg/CameraInfo"](
            header(0, 0), 24, 32, "Brown Conrady", np.zeros(5), SMALL.matrix.reshape(-1), np.zeros(9), np.zeros(12),
            0, 0, region,
        )  # fmt: skip

    def transform(x: float) -> Any:
        vector, quaternion = types["geometry_msgs/msg/Vector3"], types["geometry_msgs/msg/Quaternion"]
        return types["geometry_msgs/msg/Transform"](vector(x, 0.0, 0.0), quaternion(0.0, 0.0, 0.0, -1.0))

    depth, color = "/device_0/sensor_0/Depth_0", "/device_0/sensor_1/Color_0"
    pair = types["diagnostic_msgs/msg/KeyValue"]
    fixed = [
        ("/device_0/info", pair("Name", "Intel RealSense D435")),
        ("/device_0/info", pair("Serial Number", "0123")),
        (f"{depth}/info/camera_info", intrinsics()),
        (f"{color}/info/camera_info", intrinsics()),
        ("/device_0/sensor_0/option/Depth_Units/value", types["std_msgs/msg/Float32"](0.001)),
        (f"{depth}/tf/1", transform(0.0)),
        (f"{color}/tf/1", transform(0.015)),
    ]
    with Ros1Writer(path) as writer:
        connections: dict[str, Any] = {}

        def write(topic: str, kind: str, log_ns: int, raw: bytes) -> None:
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, kind, typestore=store)
            writer.write(connections[topic], log_ns, raw)

        for topic, message in fixed:
            write(topic, message.__msgtype__, 1, bytes(store.serialize_ros1(message, message.__msgtype__)))
        for log_ns, frame in enumerate(frames, start=2):
            assert frame.depth is not None
            write(f"{depth}/image/data", "sensor_msgs/msg/Image", log_ns, image(frame, "mono16", frame.depth, 2))
            write(f"{color}/image/data", "sensor_msgs/msg/Image", log_ns, image(frame, "rgb8", frame.color, 3))
    return path


def read_all(source: Any) -> list[Frame]:
    frames = []
    while (frame := source.read()) is not None:
        frames.append(frame)
    return frames


def assert_same(frame: Frame, other: Frame) -> None:
    assert (frame.camera_name, frame.sequence, frame.stamp_ns, frame.received_ns) == (
        other.camera_name, other.sequence, other.stamp_ns, other.received_ns,
    )  # fmt: skip
    assert frame.camera == other.camera
    assert frame.depth_scale_m == other.depth_scale_m
    assert np.array_equal(frame.color, other.color)
    assert (frame.depth is None) == (other.depth is None)
    if frame.depth is not None and other.depth is not None:
        assert np.array_equal(frame.depth, other.depth)
