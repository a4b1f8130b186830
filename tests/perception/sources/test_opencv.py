from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from deploy.errors import BadInput, Missing
from geometry import Camera, Pose, register_depth
from perception.source import Source, SourceStalled
from perception.sources.image_files import find_files
from perception.sources.opencv import OpenCvSource
from tests.perception.sources.bag_builders import SMALL, assert_same, read_all

INTRINSICS = {"width": 32, "height": 24, "fx": 30.0, "fy": 30.0, "cx": 15.5, "cy": 11.5}
RNG = np.random.default_rng(0)
COLORS = [RNG.integers(0, 256, (24, 32, 3), dtype=np.uint8) for _ in range(11)]
DEPTHS = [RNG.integers(0, 65536, (24, 32), dtype=np.uint16) for _ in range(11)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for k, (color, depth) in enumerate(zip(COLORS, DEPTHS, strict=True)):
        cv2.imwrite(str(tmp_path / f"color_{k}.png"), color)
        cv2.imwrite(str(tmp_path / f"depth_{k}.png"), depth)
        head = np.array([24, 32], dtype="<u4").tobytes()
        (tmp_path / f"depth_{k}.bin").write_bytes(head + depth.astype("<u2").tobytes())
    return tmp_path


@pytest.mark.parametrize("depth", [None, "depth_*.png", "depth_*.bin"])
def test_pictures_in_the_order_of_their_numbers(folder: Path, depth: str | None) -> None:
    source = OpenCvSource(
        str(folder / "color_*.png"),
        name="desk",
        intrinsics=INTRINSICS,
        depth=None if depth is None else str(folder / depth),
        depth_scale_m=0.0005,
        fps=20.0,
        start_ns=1000,
    )
    assert isinstance(source, Source)
    frames = read_all(source)
    assert [f.sequence for f in frames] == list(range(11))
    assert [f.stamp_ns for f in frames] == [1000 + 50_000_000 * k for k in range(11)]
    assert all(f.received_ns == f.stamp_ns and f.camera == SMALL and f.depth_scale_m == 0.0005 for f in frames)
    assert all(np.array_equal(f.color, color) for f, color in zip(frames, COLORS, strict=True))
    if depth is None:
        assert all(f.depth is None for f in frames)
    else:
        assert all(np.array_equal(f.depth, units) for f, units in zip(frames, DEPTHS, strict=True))
    source.close()
    source.close()
    assert source.read() is None


def test_two_readings_are_equal(folder: Path) -> None:
    def once() -> list[Any]:
        return read_all(OpenCvSource(str(folder / "color_*.png"), intrinsics=INTRINSICS))

    for frame, other in zip(once(), once(), strict=True):
        assert_same(frame, other)


def test_looping(folder: Path) -> None:
    source = OpenCvSource(str(folder / "color_*.png"), intrinsics=INTRINSICS, loop=True)
    frames = [source.read() for _ in range(25)]
    assert [f.sequence for f in frames if f] == list(range(25))
    assert np.array_equal(frames[23].color, COLORS[1])  # type: ignore[union-attr]
    assert (np.diff([f.stamp_ns for f in frames if f]) > 0).all()


def test_depth_of_another_lens_is_registered(folder: Path) -> None:
    pose = {"translation_m": [0.01, 0.0, 0.0], "rotation_vector_rad": [0.0, 0.02, 0.0]}
    depth_camera = {**INTRINSICS, "fx": 25.0, "fy": 25.0}
    source = OpenCvSource(
        str(folder / "color_*.png"), intrinsics=INTRINSICS, depth=str(folder / "depth_*.bin"),
        depth_intrinsics=depth_camera, color_T_depth=pose,
    )  # fmt: skip
    frame = source.read()
    assert frame is not None
    color_T_depth = Pose.from_rotvec(np.array([0.0, 0.02, 0.0]), np.array([0.01, 0.0, 0.0]))
    expected = register_depth(DEPTHS[0], 0.001, Camera(32, 24, 25.0, 25.0, 15.5, 11.5), SMALL, color_T_depth)
    assert np.array_equal(frame.depth, expected)


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25.0, (64, 48))
    if not writer.isOpened():
        pytest.skip("this OpenCV writes no MJPG video")
    for k in range(5):
        writer.write(np.full((48, 64, 3), 40 * k, dtype=np.uint8))
    writer.release()
    return path


@pytest.mark.parametrize(("fps", "period_ns"), [(None, 40_000_000), (10.0, 100_000_000)])
def test_a_video_file(video: Path, fps: float | None, period_ns: int) -> None:
    source = OpenCvSource(str(video), fps=fps)
    frames = read_all(source)
    assert [f.stamp_ns for f in frames] == [period_ns * k for k in range(5)]
    assert [abs(int(f.color[20, 20, 1]) - 40 * k) <= 3 for k, f in enumerate(frames)] == [True] * 5
    # Nobody said what lens it was: good for looking at, and the source says so.
    assert source.intrinsics_assumed
    assert source.camera == Camera(64, 48, 64.0, 64.0, 31.5, 23.5)


def test_a_video_loops(video: Path) -> None:
    source = OpenCvSource(str(video), loop=True)
    frames = [source.read() for _ in range(8)]
    assert [f.sequence for f in frames if f] == list(range(8))
    source.close()


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"source": "nothing/*.png"}, "no .jpg, .jpeg, .png"),
        ({"source": "nothing.mp4"}, "'nothing.mp4': no such file or folder"),
        ({"source": "{folder}/text.mp4"}, "text.mp4: not a video that OpenCV reads"),
        ({"source": "{folder}/cut.png"}, "cut.png: not an image that OpenCV reads"),
        ({"depth": "{folder}/depth_1*.png"}, "11 pictures in .* but 2 in "),
        ({"depth": "{folder}/color_*.png"}, r"color_0.png: depth of uint8\[24, 32, 3\]; expected 16 bits"),
        ({"depth": "{folder}/depth_*.png", "intrinsics": None}, "camera desk has depth and no intrinsics"),
        ({"depth": "{folder}/depth_*.png", "depth_intrinsics": INTRINSICS}, "belong together; give all three"),
        ({"depth": "{folder}/depth_*.png", "depth_scale_m": 0.0}, "depth scale 0.0 from camera desk: expected > 0"),
        ({"depth": "{folder}/short/*.bin", "source": "{folder}/color_0.png"}, "x.bin: 20 bytes; expected 1544"),
        ({"intrinsics": {**INTRINSICS, "width": 640}}, "colour image 32x24 from camera desk: expected 640x24"),
        ({"fps": 0.0}, "fps 0.0 of camera desk: expected > 0"),
        ({"source": "{folder}/text.mp4", "depth": "{folder}/depth_*.png"}, "go with a folder or pattern of pictures"),
    ],
)
def test_files_that_are_refused(folder: Path, options: dict[str, Any], error: str) -> None:
    (folder / "text.mp4").write_text("hello")
    (folder / "cut.png").write_bytes((folder / "color_0.png").read_bytes()[:40])
    (folder / "short").mkdir()
    (folder / "short" / "x.bin").write_bytes(np.array([24, 32], dtype="<u4").tobytes() + bytes(12))
    given = {"source": "{folder}/color_[0-9]*.png", "intrinsics": INTRINSICS, "name": "desk", **options}
    given = {key: v.format(folder=folder) if isinstance(v, str) else v for key, v in given.items()}

    def read() -> None:
        OpenCvSource(**given).read()

    with pytest.raises(BadInput, match=error):
        read()


def test_numbers_in_names_count_as_numbers(tmp_path: Path) -> None:
    names = ["a_1.png", "a_2.png", "a_10.png", "a_10b.png", "b.png", "b_0.png"]
    for name in reversed(names):
        (tmp_path / name).touch()
    assert [file.name for file in find_files(str(tmp_path), "pictures")] == names


class FakeCapture:
    """Stands for `cv2.VideoCapture` of a device that the test plays."""

    def __init__(self, opened: bool = True) -> None:
        self.opened = opened
        self.pending: list[np.ndarray] = []
        self.mode = "plays"
        self.released = threading.Event()
        self.unblock = threading.Event()

    def isOpened(self) -> bool:  # noqa: N802
        return self.opened

    def set(self, key: int, value: float) -> bool:
        return True

    def get(self, key: int) -> float:
        return {cv2.CAP_PROP_FRAME_WIDTH: 32.0, cv2.CAP_PROP_FRAME_HEIGHT: 24.0}[key]

    def read(self) -> tuple[bool, np.ndarray | None]:
        if self.mode == "blocks":
            self.unblock.wait(20.0)
        if self.pending:
            return True, self.pending.pop(0)
        time.sleep(0.001)
        return False, None

    def release(self) -> None:
        self.released.set()


@pytest.fixture
def capture(monkeypatch: pytest.MonkeyPatch) -> FakeCapture:
    fake = FakeCapture()
    monkeypatch.setattr(cv2, "VideoCapture", lambda _: fake)
    return fake


def test_a_device_is_stamped_when_its_image_arrives(capture: FakeCapture) -> None:
    source = OpenCvSource(0, intrinsics=INTRINSICS, latency_s=0.025, clock=lambda: 1_000_000_000)
    for k in range(3):
        capture.pending.append(COLORS[k])
        frame = source.read()
        assert frame is not None
        assert (frame.sequence, frame.received_ns, frame.stamp_ns) == (k, 1_000_000_000, 975_000_000)
        assert np.array_equal(frame.color, COLORS[k])
    source.close()
    assert capture.released.is_set()


def test_images_that_nobody_takes_are_gaps_in_the_numbers(capture: FakeCapture) -> None:
    capture.pending = list(COLORS[:5])
    source = OpenCvSource("0", intrinsics=INTRINSICS)
    while capture.pending:
        time.sleep(0.001)
    time.sleep(0.02)
    frame = source.read()
    assert frame is not None
    assert frame.sequence == 4
    assert np.array_equal(frame.color, COLORS[4])
    source.close()


@pytest.mark.parametrize("mode", ["plays", "blocks"])
def test_a_device_that_stops_is_an_error_in_time(capture: FakeCapture, mode: str) -> None:
    """It gives no image any more, or its driver never comes back."""
    capture.pending = [COLORS[0]]
    source = OpenCvSource(0, name="desk", intrinsics=INTRINSICS, timeout_s=0.2)
    assert source.read() is not None
    capture.mode = mode
    begin = time.monotonic()
    with pytest.raises(SourceStalled, match=r"camera desk sent no frame for 0.2 s"):
        source.read()
    assert time.monotonic() - begin < 1.0
    source.close()
    assert time.monotonic() - begin < 3.0
    capture.unblock.set()


def test_a_device_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "VideoCapture", lambda _: FakeCapture(opened=False))
    with pytest.raises(Missing, match="camera 3 cannot be opened: check that it is plugged in"):
        OpenCvSource(3)
