from __future__ import annotations

import threading
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from rosbags.rosbag2 import Reader

from deploy.errors import BadInput
from geometry import Camera
from launch.bag import BagReader, BagWriter
from launch.bag.topics import camera_prefix
from perception import ros_messages as ros
from perception.frame import Frame
from robot.arm import JointCommand, RobotState

MS = 1_000_000
CAMERA = Camera(640, 480, 608.0, 608.0, 319.5, 239.5)


@lru_cache(maxsize=4)
def frame(sequence: int, name: str = "wrist", **changes: Any) -> Frame:
    rng = np.random.default_rng(sequence)
    smooth = np.cumsum(rng.integers(-1, 2, (480, 640, 3)), axis=1) + 128
    return replace(
        Frame(
            camera_name=name, sequence=sequence, stamp_ns=33 * MS * sequence, received_ns=33 * MS * sequence + 5,
            color=smooth.astype(np.uint8), depth=rng.integers(500, 510, (480, 640), dtype=np.uint16),
            depth_scale_m=0.001, camera=CAMERA,
        ),
        **changes,
    )  # fmt: skip


def state(sequence: int) -> RobotState:
    q = np.random.default_rng(sequence).normal(size=6)
    return RobotState(sequence, 10 * MS * sequence, q, q / 3.0, 0.1 * (sequence % 10))


@pytest.fixture(scope="module")
def frames() -> list[Frame]:
    return [frame(k) for k in range(3)]


@pytest.mark.parametrize("compression", ["zstd", "lz4", "none"])
def test_a_run_is_a_rosbag2_folder_of_standard_messages(tmp_path: Path, compression: Any, frames: list[Frame]) -> None:
    with BagWriter(tmp_path / "run", compression=compression, epoch_offset_ns=1_700_000_000 * 10**9) as writer:
        writer.write_text("config", "a: 1\n", 0)
        for f in frames:
            writer.write_frame(f, f.received_ns)
            writer.write_joint_state(state(f.sequence), f.received_ns)
        writer.write_joint_command(JointCommand(7, "position", np.arange(6.0), 0.5), 7)
        writer.write_bytes("ledger", b"\x00\x01\x02", 8)
    assert sorted(file.name for file in (tmp_path / "run").iterdir()) == ["metadata.yaml", "run.mcap"]
    about = yaml.safe_load((tmp_path / "run" / "metadata.yaml").read_text())["rosbag2_bagfile_information"]
    assert (about["storage_identifier"], about["relative_file_paths"]) == ("mcap", ["run.mcap"])
    # A stranger's reader: topics, types, log times on the epoch, header stamps on the run clock, pixels to the byte.
    with Reader(tmp_path / "run") as reader:
        types = {connection.topic: connection.msgtype for connection in reader.connections}
        messages = [(c.topic, t, ros.deserialize(raw, c.msgtype)) for c, t, raw in reader.messages()]
    assert types == {
        "/eyehand/recording": "std_msgs/msg/String",
        "/eyehand/config": "std_msgs/msg/String",
        "/eyehand/ledger": "std_msgs/msg/UInt8MultiArray",
        "/camera/wrist/eyehand_info": "std_msgs/msg/String",
        "/camera/wrist/eyehand_frame": "std_msgs/msg/UInt8MultiArray",
        "/camera/wrist/color/camera_info": "sensor_msgs/msg/CameraInfo",
        "/camera/wrist/color/image_raw": "sensor_msgs/msg/Image",
        "/camera/wrist/aligned_depth_to_color/image_raw": "sensor_msgs/msg/Image",
        "/joint_states": "sensor_msgs/msg/JointState",
        "/joint_commands": "sensor_msgs/msg/JointState",
    }
    colors = [(t, m) for topic, t, m in messages if topic.endswith("color/image_raw") and m.encoding == "bgr8"]
    assert [t - 1_700_000_000 * 10**9 for t, _ in colors] == [f.received_ns for f in frames]
    assert [ros.stamp_ns_of(m) for _, m in colors] == [f.stamp_ns for f in frames]
    assert all(m.data.tobytes() == f.color.tobytes() for (_, m), f in zip(colors, frames, strict=True))
    states = [m for topic, _, m in messages if topic == "/joint_states"]
    assert states[1].name[0] == "shoulder_pan_joint"
    assert states[1].position[:6].tolist() == state(1).joint_positions_rad.tolist()


@pytest.mark.parametrize(("compression", "share"), [("zstd", 0.6), ("lz4", 0.8), ("none", 1.01)])
def test_chunks_are_compressed(tmp_path: Path, compression: Any, share: float, frames: list[Frame]) -> None:
    with BagWriter(tmp_path / "run", compression=compression) as writer:
        for f in frames:
            writer.write_frame(f, f.received_ns)
    assert writer.path.stat().st_size < share * 3 * 640 * 480 * 5


def test_the_folder_must_be_new_or_empty(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    BagWriter(tmp_path / "empty").close()
    with pytest.raises(BadInput, match=r"run folder .*empty: exists and is not an empty folder; name a new one"):
        BagWriter(tmp_path / "empty")
    (tmp_path / "file").write_text("x")
    with pytest.raises(BadInput, match="exists and is not an empty folder"):
        BagWriter(tmp_path / "file")
    with pytest.raises(BadInput, match="cannot be made"):
        BagWriter(tmp_path / "file" / "run")


def test_closing_twice_and_writing_after(tmp_path: Path) -> None:
    writer = BagWriter(tmp_path / "run")
    writer.write_bytes("rows", b"x", 0)
    writer.close()
    writer.close()
    with pytest.raises(BadInput, match="run: the bag is closed"):
        writer.write_bytes("rows", b"x", 1)


def test_an_exception_in_the_run_leaves_a_whole_bag(tmp_path: Path) -> None:
    def fail() -> None:
        with BagWriter(tmp_path / "run") as writer:
            writer.write_bytes("rows", b"abc", 5)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with BagReader(tmp_path / "run") as reader:
        assert [record.value for record in reader.records()] == [b"abc"]


def test_an_empty_run_can_be_read(tmp_path: Path) -> None:
    BagWriter(tmp_path / "run").close()
    with BagReader(tmp_path / "run") as reader:
        assert list(reader.records()) == []
        assert reader.cameras == ()


@pytest.mark.parametrize(
    ("write", "error"),
    [
        (lambda w: w.write_frame(frame(1, depth_scale_m=0.01), 1), "depth scale of camera wrist changed from 0.001 to"),
        (lambda w: w.write_bytes("Ledger!", b"", 1), "stream name 'Ledger!'"),
        (lambda w: w.write_text("rows", "text", 1), "/eyehand/rows: holds std_msgs/msg/UInt8MultiArray, not std_msgs"),
        (lambda w: w.write_bytes("rows", b"", -11), "log time -11 ns is before the epoch by 1 ns"),
        (lambda w: w.write_frame(frame(1, name="w!rist"), 1), None),
        (lambda w: w.write_frame(frame(1, name="w?rist"), 1), "cameras 'w!rist' and 'w[?]rist' share the topic"),
    ],
)
def test_what_cannot_be_written(tmp_path: Path, write: Any, error: str | None) -> None:
    with BagWriter(tmp_path / "run", epoch_offset_ns=10) as writer:
        writer.write_frame(frame(0), 0)
        writer.write_frame(frame(0, name="w!rist"), 0)
        writer.write_bytes("rows", b"x", 0)
        if error is None:
            write(writer)
            return
        with pytest.raises(BadInput, match=error):
            write(writer)


@pytest.mark.parametrize(
    ("name", "prefix"),
    [
        ("wrist", "/camera/wrist"),
        ("0123", "/camera/camera_0123"),
        ("a-b c", "/camera/a_b_c"),
        ("_x", "/camera/camera__x"),
    ],
)
def test_names_that_ros_does_not_know(tmp_path: Path, name: str, prefix: str) -> None:
    assert camera_prefix(name) == prefix
    with BagWriter(tmp_path / "run") as writer:
        writer.write_frame(frame(0, name=name), 0)
    with BagReader(tmp_path / "run") as reader:
        assert reader.cameras == (name,)


def test_several_threads_write_one_bag(tmp_path: Path) -> None:
    with BagWriter(tmp_path / "run") as writer:

        def work(stream: str) -> None:
            for k in range(300):
                writer.write_bytes(stream, bytes([k % 256]) * 1000, k)

        threads = [threading.Thread(target=work, args=(f"s{n}",)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    with BagReader(tmp_path / "run") as reader:
        for name in reader.streams:
            assert [r.value[0] for r in reader.records(streams=(name,))] == [k % 256 for k in range(300)]  # type: ignore[index]


def test_a_slow_stream_reaches_the_disk_within_a_second_of_run_time(tmp_path: Path) -> None:
    writer = BagWriter(tmp_path / "run")
    for k in range(30):
        writer.write_bytes("rows", b"x" * 100, k * 100 * MS)
    on_disk = writer.path.stat().st_size
    with BagReader(writer.path, allow_incomplete=True) as reader:
        read = [record.log_ns for record in reader.records()]
    writer.close()
    assert on_disk > 1000
    assert read[-1] >= 1800 * MS


def test_a_finished_chunk_is_on_the_disk_with_its_index(tmp_path: Path) -> None:
    writer = BagWriter(tmp_path / "run")
    for k in range(5):
        writer.write_bytes("rows", np.random.default_rng(k).bytes(1_100_000), k)
    with BagReader(writer.path, allow_incomplete=True) as reader:
        read = [record.log_ns for record in reader.records()]
    writer.close()
    assert read == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("compression", ["zstd", "lz4"])
def test_bytes_that_changed_on_the_disk_are_noticed(tmp_path: Path, compression: Any) -> None:
    with BagWriter(tmp_path / "run", compression=compression) as writer:
        for k in range(3):
            writer.write_bytes("rows", np.random.default_rng(k).bytes(1_100_000), k)
    data = bytearray(writer.path.read_bytes())
    data[len(data) // 2] ^= 0x10  # one bit, in the middle of bytes that cannot be compressed
    writer.path.write_bytes(data)
    with BagReader(tmp_path / "run") as reader, pytest.raises(BadInput, match=r"run: damaged after \d+ messages"):
        list(reader.records())
