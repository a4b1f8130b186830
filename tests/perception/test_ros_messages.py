from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from deploy.errors import BadInput
from geometry import Camera
from perception import ros_messages as ros
from perception.frame import Frame

RNG = np.random.default_rng(0)
COLOR = RNG.integers(0, 256, (6, 8, 3), dtype=np.uint8)
DEPTH = RNG.integers(0, 65536, (6, 8), dtype=np.uint16)
CAMERA = Camera(8, 6, 7.25, 7.5, 3.5, 2.25, (0.1, -0.2, 0.001, 0.002, 0.05))


def frame(**changes: Any) -> Frame:
    fields: dict[str, Any] = {
        "camera_name": "wrist", "sequence": 4, "stamp_ns": 1_234_567_890_123, "received_ns": 5, "color": COLOR,
        "depth": DEPTH, "depth_scale_m": 0.001, "camera": CAMERA,
    }  # fmt: skip
    return Frame(**{**fields, **changes})


def through_cdr(message: Any) -> Any:
    return ros.deserialize(bytes(ros.serialize(message)), message.__msgtype__)


def image(encoding: str, data: bytes, **changes: Any) -> Any:
    fields = {"height": 6, "width": 8, "step": len(data) // 6, "is_bigendian": 0}
    return ros.make(
        ros.IMAGE,
        header=ros.header(0, ""),
        encoding=encoding,
        data=np.frombuffer(data, np.uint8),
        **{**fields, **changes},
    )


def compressed(form: str, data: bytes) -> Any:
    return ros.make(ros.COMPRESSED_IMAGE, header=ros.header(0, ""), format=form, data=np.frombuffer(data, np.uint8))


def png(pixels: np.ndarray, suffix: str = ".png") -> bytes:
    return bytes(cv2.imencode(suffix, pixels)[1])


def test_a_frame_comes_back_to_the_byte() -> None:
    f = frame()
    color, depth = through_cdr(ros.color_message(f)), through_cdr(ros.depth_message(f))
    info = through_cdr(ros.camera_info_message(f.camera, f.stamp_ns, f.camera_name))
    assert np.array_equal(ros.decode_color(color, "t"), COLOR)
    assert np.array_equal(ros.decode_depth(depth, "t"), DEPTH)
    assert ros.camera_from_info(info, "t") == CAMERA
    assert {ros.stamp_ns_of(m) for m in (color, depth, info)} == {f.stamp_ns}
    assert (color.encoding, depth.encoding, info.distortion_model) == ("bgr8", "16UC1", "plumb_bob")
    assert color.header.frame_id == "wrist_color_optical_frame"
    assert info.p.reshape(3, 4)[:, :3].tolist() == CAMERA.matrix.tolist()


def test_pixels_that_are_not_contiguous_are_written_as_seen() -> None:
    f = frame(color=np.ascontiguousarray(COLOR[:, ::-1])[:, ::-1], depth=DEPTH.T.copy().T)
    assert np.array_equal(ros.decode_color(through_cdr(ros.color_message(f)), "t"), COLOR)
    assert np.array_equal(ros.decode_depth(through_cdr(ros.depth_message(f)), "t"), DEPTH)


@pytest.mark.parametrize("distortion", [(), (0.1, 0.2, 0.0, 0.0), (0.1, 0.0, 0.0, 0.0, 0.3)])
def test_intrinsics_come_back_equal(distortion: tuple[float, ...]) -> None:
    camera = Camera(640, 480, 614.96, 614.93, 320.2, 241.46, distortion)
    assert ros.camera_from_info(through_cdr(ros.camera_info_message(camera, 0, "c")), "t") == camera


@pytest.mark.parametrize("stamp_ns", [0, 1, 999_999_999, 1_700_000_000_123_456_789, -1])
def test_stamps_keep_their_nanoseconds(stamp_ns: int) -> None:
    assert ros.stamp_ns_of(SimpleNamespace(header=ros.header(stamp_ns, ""))) == stamp_ns


def test_a_stamp_beyond_32_bits_of_seconds_is_refused() -> None:
    with pytest.raises(BadInput, match="ROS times end"):
        ros.header(2**31 * 1_000_000_000, "")


GRAY = cv2.cvtColor(COLOR, cv2.COLOR_BGR2GRAY)
PADDED = np.pad(COLOR.reshape(6, 24), ((0, 0), (0, 8))).tobytes()


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (image("bgr8", COLOR.tobytes()), COLOR),
        (image("rgb8", COLOR[..., ::-1].tobytes()), COLOR),
        (image("bgra8", cv2.cvtColor(COLOR, cv2.COLOR_BGR2BGRA).tobytes()), COLOR),
        (image("rgba8", cv2.cvtColor(COLOR, cv2.COLOR_BGR2RGBA).tobytes()), COLOR),
        (image("mono8", GRAY.tobytes()), cv2.cvtColor(GRAY, cv2.COLOR_GRAY2BGR)),
        (image("bgr8", PADDED, step=32), COLOR),
        (compressed("bgr8; png compressed bgr8", png(COLOR)), COLOR),
        (compressed("png", png(GRAY)), cv2.cvtColor(GRAY, cv2.COLOR_GRAY2BGR)),
        (compressed("jpeg", png(COLOR, ".jpg")), cv2.imdecode(cv2.imencode(".jpg", COLOR)[1], cv2.IMREAD_COLOR)),
    ],
)
def test_colour_encodings(message: Any, expected: np.ndarray) -> None:
    decoded = ros.decode_color(through_cdr(message), "t")
    assert decoded.dtype == np.uint8
    assert np.array_equal(decoded, expected)


@pytest.mark.parametrize(
    "message",
    [
        image("16UC1", DEPTH.tobytes()),
        image("mono16", DEPTH.tobytes()),
        image("16UC1", DEPTH.astype(">u2").tobytes(), is_bigendian=1),
        image("16UC1", np.pad(DEPTH, ((0, 0), (0, 3))).tobytes(), step=22),
        compressed("16UC1; compressedDepth png", bytes(12) + png(DEPTH)),
        compressed("16UC1; png compressed", png(DEPTH)),
    ],
)
def test_depth_encodings(message: Any) -> None:
    decoded = ros.decode_depth(through_cdr(message), "t")
    assert decoded.dtype == np.uint16
    assert np.array_equal(decoded, DEPTH)


@pytest.mark.parametrize(
    ("decode", "message", "error"),
    [
        (ros.decode_color, image("bayer_rggb8", bytes(48)), "t: colour encoding 'bayer_rggb8' is not supported"),
        (ros.decode_color, image("bgr8", bytes(48)), "row step 8 bytes; expected at least 24"),
        (ros.decode_color, image("bgr8", bytes(120), step=24), "120 bytes of pixels; expected 144"),
        (ros.decode_color, image("bgr8", b"", height=0), "image of 8x0 pixels"),
        (ros.decode_color, compressed("jpeg", b"\xff\xd8 cut"), "cannot be decoded; the message is damaged"),
        (ros.decode_color, compressed("jpeg", b""), "0 bytes of compressed image cannot be decoded"),
        (ros.decode_depth, image("32FC1", bytes(192)), "t: depth encoding '32FC1' is not supported"),
        (ros.decode_depth, compressed("16UC1; compressedDepth rvl", bytes(40)), "is not a PNG"),
        (ros.decode_depth, compressed("16UC1; compressedDepth png", bytes(12) + png(GRAY)), r"holds uint8\[6, 8\]"),
    ],
)
def test_images_that_are_refused(decode: Any, message: Any, error: str) -> None:
    with pytest.raises(BadInput, match=error):
        decode(message, "t")


def info(**changes: Any) -> Any:
    message = ros.camera_info_message(Camera(640, 480, 600.0, 600.0, 320.0, 240.0), 0, "c")
    for key, value in changes.items():
        setattr(message, key, value)
    return message


@pytest.mark.parametrize(
    ("message", "error"),
    [
        (info(k=np.zeros(9)), "not calibrated"),
        (info(distortion_model="equidistant", d=np.array([0.1, 0.0, 0.0, 0.0])), "'equidistant' with 4 coefficients"),
        (info(distortion_model="rational_polynomial", d=np.full(8, 0.1)), "'rational_polynomial' with 8 coefficients"),
        (info(k=np.array([600.0, 3.0, 320.0, 0.0, 600.0, 240.0, 0.0, 0.0, 1.0])), "without skew"),
    ],
)
def test_intrinsics_that_are_refused(message: Any, error: str) -> None:
    with pytest.raises(BadInput, match=re.escape(error)):
        ros.camera_from_info(message, "t")


@pytest.mark.parametrize(
    "message",
    [
        info(distortion_model="equidistant"),  # all zero: the model does not matter
        info(distortion_model="rational_polynomial", d=np.zeros(8)),
        SimpleNamespace(
            width=640, height=480, distortion_model="plumb_bob", D=[0.0] * 5, K=info().k, R=None, P=None
        ),  # ROS 1
    ],
)
def test_intrinsics_without_distortion(message: Any) -> None:
    assert ros.camera_from_info(message, "t") == Camera(640, 480, 600.0, 600.0, 320.0, 240.0)


def test_rational_model_without_its_denominator_is_brown_conrady() -> None:
    d = np.array([0.1, 0.2, 0.01, 0.02, 0.3, 0.0, 0.0, 0.0])
    assert ros.camera_from_info(info(distortion_model="rational_polynomial", d=d), "t").distortion == tuple(d[:5])


def test_a_frame_without_depth_has_no_depth_message() -> None:
    with pytest.raises(BadInput, match="frame 4 of camera wrist has no depth"):
        ros.depth_message(frame(depth=None))


@pytest.mark.parametrize("payload", [b"", b"\x00\xff" * 1000])
def test_bytes_and_texts_come_back(payload: bytes) -> None:
    assert through_cdr(ros.bytes_message(payload)).data.tobytes() == payload
    assert through_cdr(ros.text_message("größe: 1\n")).data == "größe: 1\n"
