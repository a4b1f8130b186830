"""Pixels of ROS image messages: raw and compressed, checked against what the message declares."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from deploy.errors import BadInput
from geometry.types import DepthImage, Image

# Encoding: (channels, conversion to blue-green-red).
COLOR_ENCODINGS: dict[str, tuple[int, int | None]] = {
    "bgr8": (3, None),
    "8UC3": (3, None),
    "rgb8": (3, cv2.COLOR_RGB2BGR),
    "bgra8": (4, cv2.COLOR_BGRA2BGR),
    "rgba8": (4, cv2.COLOR_RGBA2BGR),
    "mono8": (1, cv2.COLOR_GRAY2BGR),
    "8UC1": (1, cv2.COLOR_GRAY2BGR),
}
DEPTH_ENCODINGS = ("16UC1", "mono16")
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# compressed_depth_image_transport puts an enum and two floats in front of the PNG.
DEPTH_HEADER_BYTES = 12


def is_compressed(message: Any) -> bool:
    """Whether a message is a `sensor_msgs/CompressedImage`."""
    return bool(message.__msgtype__ == "sensor_msgs/msg/CompressedImage")


def decode_color(message: Any, topic: str) -> Image:
    """Pixels of a colour image.

    Args:
        message: `sensor_msgs/Image` (bgr8, rgb8, bgra8, rgba8, mono8) or `sensor_msgs/CompressedImage` (JPEG, PNG).
        topic: Where it came from, for errors.

    Returns:
        Shape (H, W, 3), uint8, blue-green-red. A view of the message where it is bgr8 already.

    Raises:
        BadInput: If the encoding is not one of these, or the data do not fill the declared size.
    """
    if is_compressed(message):
        return _imdecode(message.data, topic, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION).astype(
            np.uint8, copy=False
        )
    if message.encoding not in COLOR_ENCODINGS:
        raise BadInput(
            f"{topic}: colour encoding {message.encoding!r} is not supported; record one of "
            f"{', '.join(COLOR_ENCODINGS)} or a compressed image"
        )
    channels, conversion = COLOR_ENCODINGS[message.encoding]
    rows = _rows(message, topic, channels)
    if conversion is None:
        pixels: Image = rows.reshape(message.height, message.width, 3)
        return pixels
    shape = (message.height, message.width) if channels == 1 else (message.height, message.width, channels)
    converted: Image = cv2.cvtColor(rows.reshape(shape), conversion)
    return converted


def decode_depth(message: Any, topic: str) -> DepthImage:
    """Units of a depth image.

    Args:
        message: `sensor_msgs/Image` (16UC1, mono16) or `sensor_msgs/CompressedImage` (PNG of 16 bits, with or without
            the header of compressedDepth).
        topic: Where it came from, for errors.

    Returns:
        Shape (H, W), uint16; 0 = not measured.

    Raises:
        BadInput: If the encoding is not one of these, or the data do not fill the declared size.
    """
    if is_compressed(message):
        return _decode_compressed_depth(message, topic)
    if message.encoding not in DEPTH_ENCODINGS:
        raise BadInput(
            f"{topic}: depth encoding {message.encoding!r} is not supported; record {' or '.join(DEPTH_ENCODINGS)} "
            "(unsigned 16 bits with a scale)"
        )
    rows = _rows(message, topic, 2)
    units = np.ascontiguousarray(rows).view(">u2" if message.is_bigendian else "<u2")
    return units.astype(np.uint16, copy=False).reshape(message.height, message.width)


def _rows(message: Any, topic: str, pixel_bytes: int) -> npt.NDArray[np.uint8]:
    """Bytes of the pixels, shape (H, W * pixel_bytes), without the padding at the end of rows."""
    height, width, step, size = int(message.height), int(message.width), int(message.step), len(message.data)
    if height < 1 or width < 1:
        raise BadInput(f"{topic}: image of {width}x{height} pixels; expected at least one pixel")
    if step < width * pixel_bytes:
        raise BadInput(
            f"{topic}: row step {step} bytes; expected at least {width * pixel_bytes} for {width} pixels of "
            f"{message.encoding}"
        )
    if size < step * height:
        raise BadInput(f"{topic}: {size} bytes of pixels; expected {step * height} for {height} rows of {step} bytes")
    data = np.asarray(message.data, dtype=np.uint8)
    return data[: step * height].reshape(height, step)[:, : width * pixel_bytes]


def _decode_compressed_depth(message: Any, topic: str) -> DepthImage:
    data = np.asarray(message.data, dtype=np.uint8)
    head = data[: DEPTH_HEADER_BYTES + len(PNG_SIGNATURE)].tobytes()
    start = head.find(PNG_SIGNATURE)
    if start not in (0, DEPTH_HEADER_BYTES):
        raise BadInput(
            f"{topic}: compressed depth in format {message.format!r} is not a PNG; record raw depth or PNG compression"
        )
    depth = _imdecode(data[start:], topic, cv2.IMREAD_UNCHANGED)
    if depth.dtype != np.uint16 or depth.ndim != 2:
        raise BadInput(f"{topic}: depth PNG holds {depth.dtype}{list(depth.shape)}; expected 16 bits, one channel")
    return depth.astype(np.uint16, copy=False)


def _imdecode(data: Any, topic: str, flags: int) -> npt.NDArray[Any]:
    image = cv2.imdecode(np.asarray(data, dtype=np.uint8), flags) if len(data) else None
    if image is None:
        raise BadInput(f"{topic}: {len(data)} bytes of compressed image cannot be decoded; the message is damaged")
    return np.asarray(image)
