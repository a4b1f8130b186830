"""Frames as standard ROS 2 messages, and back: Image, CameraInfo, std_msgs.

ROS is not needed: `rosbags` brings the definitions and the serialisation. The messages are those that Foxglove, Rerun,
RViz and `ros2 bag` know: colour `bgr8`, depth `16UC1`, `CameraInfo` with the plumb_bob model.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from rosbags.typesys import Stores, get_typestore

from deploy.errors import BadInput
from geometry.camera import Camera
from perception.frame import Frame
from perception.ros_images import decode_color, decode_depth, is_compressed

__all__ = [
    "bytes_message", "camera_from_info", "camera_info_message", "color_message", "decode_color", "decode_depth",
    "depth_message", "deserialize", "header", "is_compressed", "make", "serialize", "stamp_ns_of", "text_message",
    "typestore",
]  # fmt: skip

SECOND_NS = 1_000_000_000
CAMERA_INFO = "sensor_msgs/msg/CameraInfo"
IMAGE = "sensor_msgs/msg/Image"
COMPRESSED_IMAGE = "sensor_msgs/msg/CompressedImage"
STRING = "std_msgs/msg/String"
BYTES = "std_msgs/msg/UInt8MultiArray"
# Names under which drivers write the Brown-Conrady model.
BROWN_CONRADY = ("plumb_bob", "none", "")


@lru_cache(maxsize=1)
def typestore() -> Any:
    """The ROS 2 message definitions (Jazzy; the types used here are the same since Humble)."""
    return get_typestore(Stores.ROS2_JAZZY)


def make(message_type: str, **fields: Any) -> Any:
    """A message object of a type such as `std_msgs/msg/String`."""
    return typestore().types[message_type](**fields)


def serialize(message: Any) -> memoryview:
    """CDR bytes of a message, with the header of little-endian encapsulation."""
    raw: memoryview = typestore().serialize_cdr(message, message.__msgtype__)
    return raw


def deserialize(raw: bytes | memoryview, message_type: str) -> Any:
    """Message of CDR bytes; arrays are views of them."""
    return typestore().deserialize_cdr(raw, message_type)


def header(stamp_ns: int, frame_id: str) -> Any:
    """`std_msgs/Header` with a stamp in nanoseconds.

    Raises:
        BadInput: If the stamp does not fit the 32 bits of whole seconds.
    """
    seconds, nanoseconds = divmod(int(stamp_ns), SECOND_NS)
    if not -(2**31) <= seconds < 2**31:
        raise BadInput(f"stamp {stamp_ns} ns: ROS times end at {2**31} s; use the run clock or the Unix epoch")
    time = make("builtin_interfaces/msg/Time", sec=seconds, nanosec=nanoseconds)
    return make("std_msgs/msg/Header", stamp=time, frame_id=frame_id)


def stamp_ns_of(message: Any) -> int:
    """Header stamp of a message [ns]."""
    stamp = message.header.stamp
    return int(stamp.sec) * SECOND_NS + int(stamp.nanosec)


def color_message(frame: Frame) -> Any:
    """`sensor_msgs/Image` in bgr8 of a frame's colour; it shares the pixels."""
    height, width = frame.color.shape[:2]
    return make(
        IMAGE,
        header=header(frame.stamp_ns, optical_frame(frame.camera_name)),
        height=height,
        width=width,
        encoding="bgr8",
        is_bigendian=0,
        step=3 * width,
        data=np.ascontiguousarray(frame.color).reshape(-1),
    )


def depth_message(frame: Frame) -> Any:
    """`sensor_msgs/Image` in 16UC1 of a frame's depth; it shares the pixels.

    Raises:
        BadInput: If the frame has no depth.
    """
    if frame.depth is None:
        raise BadInput(f"frame {frame.sequence} of camera {frame.camera_name} has no depth to write")
    height, width = frame.depth.shape
    return make(
        IMAGE,
        header=header(frame.stamp_ns, optical_frame(frame.camera_name)),
        height=height,
        width=width,
        encoding="16UC1",
        is_bigendian=0,
        step=2 * width,
        data=np.ascontiguousarray(frame.depth, dtype="<u2").view(np.uint8).reshape(-1),
    )


def camera_info_message(camera: Camera, stamp_ns: int, camera_name: str) -> Any:
    """`sensor_msgs/CameraInfo` of a camera whose images are not rectified: K, D (plumb_bob), P = [K | 0], R = I."""
    k = camera.matrix
    projection = np.hstack([k, np.zeros((3, 1))])
    region = make("sensor_msgs/msg/RegionOfInterest", x_offset=0, y_offset=0, height=0, width=0, do_rectify=False)
    return make(
        CAMERA_INFO,
        header=header(stamp_ns, optical_frame(camera_name)),
        height=camera.height,
        width=camera.width,
        distortion_model="plumb_bob",
        d=np.array(camera.distortion or (0.0,) * 5, dtype=np.float64),
        k=k.reshape(-1),
        r=np.eye(3).reshape(-1),
        p=projection.reshape(-1),
        binning_x=0,
        binning_y=0,
        roi=region,
    )


def camera_from_info(message: Any, topic: str) -> Camera:
    """Intrinsics of a `sensor_msgs/CameraInfo` of ROS 2 or ROS 1.

    Raises:
        BadInput: If the camera is not calibrated, or its lens model is not Brown-Conrady with up to five coefficients.
    """
    # ROS 1 spells the fields in capitals.
    k = np.asarray(message.k if hasattr(message, "k") else message.K, dtype=np.float64)
    d = [float(value) for value in (message.d if hasattr(message, "d") else message.D)]
    model = str(message.distortion_model)
    if k[0] <= 0.0 or k[4] <= 0.0:
        raise BadInput(f"{topic}: focal lengths {k[0]:g} and {k[4]:g} px, the camera is not calibrated; expected > 0")
    if model == "rational_polynomial" and not any(d[5:]):
        d, model = d[:5], "plumb_bob"
    if any(d) and (model not in BROWN_CONRADY or len(d) > 5):
        raise BadInput(
            f"{topic}: distortion model {model!r} with {len(d)} coefficients is not supported; expected plumb_bob with "
            "4 or 5, rectify the images or calibrate again with that model"
        )
    try:
        return Camera.from_matrix(k.reshape(3, 3), int(message.width), int(message.height), d if any(d) else ())
    except ValueError as error:
        raise BadInput(f"{topic}: {error}") from error


def text_message(text: str) -> Any:
    """`std_msgs/String`."""
    return make(STRING, data=text)


def bytes_message(payload: bytes) -> Any:
    """`std_msgs/UInt8MultiArray` that holds bytes as they are."""
    layout = make("std_msgs/msg/MultiArrayLayout", dim=[], data_offset=0)
    return make(BYTES, layout=layout, data=np.frombuffer(payload, dtype=np.uint8))


def optical_frame(camera_name: str) -> str:
    """Frame id of a camera's optical frame (x right, y down, z forward)."""
    return f"{camera_name}_color_optical_frame"
