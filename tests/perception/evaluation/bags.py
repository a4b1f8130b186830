"""Bags with images and labels, written as any ROS 2 recorder would."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from rosbags.rosbag2 import StoragePlugin, Writer

from geometry.camera import Camera
from perception import ros_messages
from perception.frame import Frame
from perception.vision_messages import labels_message, register

CAMERA = Camera(64, 48, 60.0, 60.0, 31.5, 23.5)
CUBE = [4.0, 6.0, 20.0, 30.0]
Label = tuple[list[list[float]], list[str]]


def frame(number: int, name: str = "wrist") -> Frame:
    color = np.full((48, 64, 3), number, np.uint8)
    return Frame(name, number, 1000 * (number + 1), 1000 * (number + 1), color, None, 0.001, CAMERA)


def write_bag(
    folder: Path, labels: dict[int, Label], *, topic: str = "/camera/wrist/labels", also: str = "",
    cameras: tuple[str, ...] = ("wrist",), images: int = 3, scores: list[float] | None = None,
) -> Path:  # fmt: skip
    """Three images of each camera, and labels by the number of the image."""
    register()
    store = ros_messages.typestore()
    with Writer(folder, version=9, storage_plugin=StoragePlugin.MCAP) as bag:

        def put(name: str, message: object, time_ns: int) -> None:
            known = [one for one in bag.connections if one.topic == name]
            connection = known[0] if known else bag.add_connection(name, message.__msgtype__, typestore=store)
            bag.write(connection, time_ns, ros_messages.serialize(message))

        for number in range(images):
            for camera in cameras:
                one = frame(number, camera)
                info = ros_messages.camera_info_message(CAMERA, one.stamp_ns, camera)
                put(f"/camera/{camera}/color/camera_info", info, one.stamp_ns)
                put(f"/camera/{camera}/color/image_raw", ros_messages.color_message(one), one.stamp_ns)
        for number, (boxes, names) in labels.items():
            given = None if scores is None else np.array(scores)
            array = np.array(boxes, np.float64).reshape(-1, 4)
            message = labels_message(1000 * (number + 1), "wrist", array, names, given)
            for name in (topic, also) if also else (topic,):
                put(name, message, 1000 * (number + 1))
    return folder
