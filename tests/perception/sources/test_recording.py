from __future__ import annotations

import gc
import itertools
import tracemalloc
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from deploy.errors import BadInput
from geometry import Pose, register_depth
from launch.bag import BagWriter
from perception import ros_messages as ros
from perception.source import Source
from perception.sources.recording import RecordingSource
from tests.perception.sources.bag_builders import (
    MS,
    SMALL,
    assert_same,
    driver_messages,
    read_all,
    small_frame,
    write_realsense_ros1,
    write_ros2,
)


def run_with(folder: Path, frames: list[Any]) -> Path:
    with BagWriter(folder) as writer:
        for frame in frames:
            writer.write_frame(frame, frame.received_ns)
    return folder


def test_a_run_comes_back_equal(tmp_path: Path) -> None:
    frames = [small_frame(k) for k in (3, 4, 7)]
    source = RecordingSource(run_with(tmp_path / "run", frames))
    assert isinstance(source, Source)
    assert (source.name, source.camera, source.has_depth) == ("wrist", SMALL, True)
    for frame, other in zip(read_all(source), frames, strict=True):
        assert_same(frame, other)
    assert source.read() is None
    source.close()
    source.close()
    assert source.read() is None


def test_frames_without_depth_among_others(tmp_path: Path) -> None:
    frames = [small_frame(0), small_frame(1, depth=False), small_frame(2)]
    read = read_all(RecordingSource(run_with(tmp_path / "run", frames)))
    assert [frame.depth is None for frame in read] == [False, True, False]


@pytest.mark.parametrize(("camera", "expected"), [("left", [0, 2]), ("right", [1, 3])])
def test_one_camera_of_two(tmp_path: Path, camera: str, expected: list[int]) -> None:
    names = itertools.cycle(("left", "right"))
    run = run_with(tmp_path / "run", [small_frame(k, name=next(names)) for k in range(4)])
    assert [frame.sequence for frame in read_all(RecordingSource(run, camera))] == expected
    with pytest.raises(BadInput, match=r"2 cameras \(left, right\); say which one"):
        RecordingSource(run)
    with pytest.raises(BadInput, match="no camera 'top'; it has left, right"):
        RecordingSource(run, "top")


@pytest.mark.parametrize(
    ("recorded", "expected"),
    [
        ((5, 6, 7), [5, 6, 7, 8, 9, 10, 11, 12]),
        ((5, 6, 8), [5, 6, 8, 9, 10, 12, 13, 14]),
        ((5, 7, 8), [5, 7, 8, 9, 11, 12, 13, 15]),
    ],
)
def test_looping_goes_on_one_period_after_the_last_frame(
    tmp_path: Path, recorded: tuple[int, ...], expected: list[int]
) -> None:
    source = RecordingSource(run_with(tmp_path / "run", [small_frame(k) for k in recorded]), loop=True)
    frames = [source.read() for _ in expected]
    assert [f.sequence for f in frames if f] == expected
    for stamps in ([f.stamp_ns for f in frames if f], [f.received_ns for f in frames if f]):
        assert np.diff(stamps).tolist() == (33 * MS * np.diff(expected)).tolist()


def test_looping_keeps_the_pictures_and_their_pace(tmp_path: Path) -> None:
    now_ns = [0]
    frames = [small_frame(k) for k in (5, 6)]
    run = run_with(tmp_path / "run", frames)
    source = RecordingSource(run, loop=True, pace=True, clock=lambda: now_ns[0])
    for turn in range(6):
        now_ns[0] = turn * 33 * MS
        frame = source.read()
        assert frame is not None
        assert frame.received_ns == now_ns[0]
        assert np.array_equal(frame.color, frames[turn % 2].color)


def test_a_single_frame_loops_like_a_camera(tmp_path: Path) -> None:
    source = RecordingSource(run_with(tmp_path / "run", [small_frame(5)]), loop=True)
    frames = [source.read() for _ in range(3)]
    assert [f.sequence for f in frames if f] == [5, 6, 7]
    assert np.diff([f.stamp_ns for f in frames if f]) == pytest.approx(1e9 / 30, rel=1e-6)


def test_looping_forever_takes_no_more_memory(tmp_path: Path) -> None:
    source = RecordingSource(run_with(tmp_path / "run", [small_frame(k) for k in range(8)]), loop=True)

    def held(frames: int) -> int:
        for _ in range(frames):
            assert source.read() is not None
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        before = held(80)
        assert held(800) - before < 50_000
    finally:
        tracemalloc.stop()


def test_another_name(tmp_path: Path) -> None:
    source = RecordingSource(run_with(tmp_path / "run", [small_frame(0)]), name="top")
    frame = source.read()
    assert frame is not None
    assert (source.name, frame.camera_name) == ("top", "top")


@pytest.mark.parametrize("plugin", ["SQLITE3", "MCAP"])
@pytest.mark.parametrize("base", ["/camera/camera", "/camera", "/robot/cell/wrist"])
def test_bags_of_drivers(tmp_path: Path, plugin: str, base: str) -> None:
    frames = [small_frame(k) for k in range(4)]
    bag = write_ros2(tmp_path / "bag", driver_messages(frames, base), plugin)
    file = next(file for file in bag.iterdir() if file.suffix in (".mcap", ".db3"))
    for path in (bag, file):
        source = RecordingSource(path, need_depth=True)
        assert source.name == base.rsplit("/", 1)[-1]
        for frame, other in zip(read_all(source), frames, strict=True):
            assert (frame.stamp_ns, frame.received_ns) == (other.stamp_ns, other.received_ns)
            assert np.array_equal(frame.color, other.color)
            assert np.array_equal(frame.depth, other.depth)


@pytest.mark.parametrize(
    ("lag_ms", "expected", "unpaired"),
    [(0, [0, 1, 2, 3], 0), (5, [0, 1, 2, 3], 0), (-5, [0, 1, 2, 3], 0), (12, [], 4), (33, [1, 2, 3], 1)],
)
def test_depth_belongs_to_the_colour_of_its_time(
    tmp_path: Path, lag_ms: int, expected: list[int], unpaired: int
) -> None:
    frames = [small_frame(k) for k in range(4)]
    source = RecordingSource(write_ros2(tmp_path / "bag", driver_messages(frames, depth_lag_ns=lag_ms * MS)))
    read = read_all(source)
    assert [frame.sequence for frame in read] == expected
    assert source.unpaired == unpaired
    for frame in read:
        index = frame.sequence - (1 if lag_ms == 33 else 0)
        assert np.array_equal(frame.depth, frames[index].depth)


def test_compressed_images_of_drivers(tmp_path: Path) -> None:
    frame = small_frame(0)
    head = ros.header(frame.stamp_ns, "c")

    def packed(form: str, pixels: Any, lead: bytes = b"") -> Any:
        data = lead + bytes(cv2.imencode(".png", pixels)[1])
        return ros.make(ros.COMPRESSED_IMAGE, header=head, format=form, data=np.frombuffer(data, np.uint8))

    base = "/camera/camera"
    bag = write_ros2(
        tmp_path / "bag",
        [
            (f"{base}/color/camera_info", 1, ros.camera_info_message(SMALL, frame.stamp_ns, "c")),
            (f"{base}/color/image_raw/compressed", 2, packed("bgr8; png compressed bgr8", frame.color)),
            (f"{base}/aligned_depth_to_color/image_raw/compressedDepth", 3, packed("16UC1", frame.depth, bytes(12))),
        ],
    )
    (read,) = read_all(RecordingSource(bag))
    assert np.array_equal(read.color, frame.color)
    assert np.array_equal(read.depth, frame.depth)


def test_depth_in_its_own_lens_is_refused_where_it_is_needed(tmp_path: Path) -> None:
    messages = driver_messages([small_frame(k) for k in range(3)], depth_topic="depth/image_rect_raw")
    bag = write_ros2(tmp_path / "bag", messages)
    with pytest.raises(BadInput, match="depth/image_rect_raw is not aligned to colour; record aligned_depth_to_color"):
        RecordingSource(bag, need_depth=True)
    assert [frame.depth for frame in read_all(RecordingSource(bag))] == [None] * 3


def test_depth_through_the_colour_lens_under_another_name(tmp_path: Path) -> None:
    frames = [small_frame(k) for k in range(3)]
    messages = driver_messages(frames, depth_topic="depth/image_raw")
    info = ("/camera/camera/depth/camera_info", 0, ros.camera_info_message(SMALL, 0, "c"))
    read = read_all(RecordingSource(write_ros2(tmp_path / "bag", [info, *messages]), need_depth=True))
    assert [np.array_equal(f.depth, g.depth) for f, g in zip(read, frames, strict=True)] == [True] * 3


def test_realsense_ros1_bags_with_their_four_extra_bytes(tmp_path: Path) -> None:
    frames = [small_frame(k) for k in (10, 11, 13)]
    source = RecordingSource(write_realsense_ros1(tmp_path / "d435.bag", frames), need_depth=True)
    assert (source.name, source.camera) == ("0123", SMALL)
    color_T_depth = Pose.from_rotvec(np.zeros(3), np.array([0.015, 0.0, 0.0]))
    for frame, other in zip(read_all(source), frames, strict=True):
        assert other.depth is not None
        assert (frame.sequence, frame.stamp_ns, frame.depth_scale_m) == (other.sequence, other.stamp_ns, 0.001)
        assert np.array_equal(frame.color, other.color[..., ::-1])  # written as rgb8
        assert np.array_equal(frame.depth, register_depth(other.depth, 0.001, SMALL, SMALL, color_T_depth))


@pytest.mark.parametrize(
    ("messages", "error"),
    [
        ([("/chatter", 1, ros.text_message("hello"))], "no images in this bag, it holds std_msgs/msg/String"),
        (
            driver_messages([small_frame(0)])[1:],
            "color/image_raw has no intrinsics; record /camera/camera/color/camera_",
        ),
    ],
)
def test_bags_that_are_refused(tmp_path: Path, messages: list[Any], error: str) -> None:
    with pytest.raises(BadInput, match=error):
        RecordingSource(write_ros2(tmp_path / "bag", messages))


def test_no_depth_topic(tmp_path: Path) -> None:
    bag = write_ros2(tmp_path / "bag", driver_messages([small_frame(0, depth=False)]))
    assert RecordingSource(bag).has_depth is False
    with pytest.raises(BadInput, match="no depth for camera camera: no depth topic"):
        RecordingSource(bag, need_depth=True)


@pytest.mark.parametrize("name", ["watercan.bag", "fetch_calibration_poses.bag"])
def test_real_bags_without_images(shared_data: Path, name: str) -> None:
    with pytest.raises(BadInput, match=rf"{name}: no images in this bag, it holds .*_msgs/msg/"):
        RecordingSource(shared_data / "ros1_bags" / name)
