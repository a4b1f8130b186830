from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rosbags.rosbag2 import StoragePlugin, Writer

from deploy.errors import BadInput
from geometry import Camera
from launch.bag import BagReader, BagWriter
from perception import ros_messages as ros
from perception.frame import Frame
from robot.arm import JointCommand, RobotState

MS = 1_000_000
CAMERA = Camera(32, 24, 30.0, 30.0, 15.5, 11.5, (0.1, 0.0, 0.0, 0.0))
OFFSET_NS = 1_700_000_000 * 10**9


def frame(sequence: int, name: str, depth: bool = True) -> Frame:
    rng = np.random.default_rng(sequence)
    color = rng.integers(0, 256, (24, 32, 3), dtype=np.uint8)
    return Frame(
        name, sequence, 33 * MS * sequence, 33 * MS * sequence + 7, color,
        rng.integers(0, 65536, (24, 32), dtype=np.uint16) if depth else None, 0.00025, CAMERA,
    )  # fmt: skip


def state(sequence: int) -> RobotState:
    q = np.random.default_rng(sequence).normal(size=6)
    return RobotState(sequence, 2 * MS * sequence + 1, q, -q, 1.0 / 3.0)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    with BagWriter(tmp_path / "run", epoch_offset_ns=OFFSET_NS) as writer:
        writer.write_text("config", "name: pick\n", 0)
        for k in range(12):
            now = 33 * MS * k + 10 * MS
            writer.write_frame(frame(k, "wrist"), now)
            writer.write_bytes("ledger", f"row {k}".encode(), now)
            if k % 3 == 0:
                writer.write_frame(frame(k, "top", depth=False), now)
            writer.write_joint_state(state(100 + k), now + 1)
            writer.write_joint_command(JointCommand(now, "velocity", np.full(6, 0.1 * k), 0.25), now + 2)
    return tmp_path / "run"


def test_what_is_in_a_run(run: Path) -> None:
    with BagReader(run) as reader:
        assert reader.cameras == ("top", "wrist")
        assert reader.camera("wrist") == CAMERA
        assert (reader.streams, reader.texts) == (("ledger",), ("config",))
        assert reader.epoch_offset_ns == OFFSET_NS
        assert not reader.has_depth  # not every camera has
        assert not reader.incomplete
        assert reader.ignored == {}
        assert reader.text("config") == "name: pick\n"
        with pytest.raises(BadInput, match="no text 'rig'; it has config"):
            reader.text("rig")
        with pytest.raises(BadInput, match="no camera 'left'; it has top, wrist"):
            reader.camera("left")


def test_records_come_typed_and_in_order_on_the_run_clock(run: Path) -> None:
    with BagReader(run) as reader:
        records = list(reader.records())
    assert [r.log_ns for r in records] == sorted(r.log_ns for r in records)
    first = [(r.stream, type(r.value).__name__, r.log_ns) for r in records[:6]]
    assert first == [
        ("config", "str", 0),
        ("wrist", "Frame", 10 * MS),
        ("ledger", "bytes", 10 * MS),
        ("top", "Frame", 10 * MS),
        ("joint_states", "RobotState", 10 * MS + 1),
        ("joint_commands", "JointCommand", 10 * MS + 2),
    ]
    assert len(records) == 1 + 12 * 4 + 4


def test_values_come_back_to_the_bit(run: Path) -> None:
    with BagReader(run) as reader:
        records = list(reader.records())
    frames: list[Any] = [r.value for r in records if r.stream == "wrist"]
    for k, value in enumerate(frames):
        expected = frame(k, "wrist")
        assert (value.sequence, value.stamp_ns, value.received_ns) == (k, expected.stamp_ns, expected.received_ns)
        assert (value.depth_scale_m, value.camera) == (0.00025, CAMERA)
        assert np.array_equal(value.color, expected.color)
        assert np.array_equal(value.depth, expected.depth)
    states: list[Any] = [r.value for r in records if r.stream == "joint_states"]
    for k, value in enumerate(states):
        expected_state = state(100 + k)
        assert (value.sequence, value.stamp_ns, value.gripper_opening) == (100 + k, expected_state.stamp_ns, 1.0 / 3.0)
        assert np.array_equal(value.joint_positions_rad, expected_state.joint_positions_rad)
        assert np.array_equal(value.joint_velocities_rad_s, expected_state.joint_velocities_rad_s)
    commands: list[Any] = [r.value for r in records if r.stream == "joint_commands"]
    assert [c.mode for c in commands] == ["velocity"] * 12
    assert [float(c.joints[3]) for c in commands] == [0.1 * k for k in range(12)]
    assert [r.value for r in records if r.stream == "ledger"] == [f"row {k}".encode() for k in range(12)]


@pytest.mark.parametrize(
    ("cameras", "streams", "expected"),
    [
        (("top",), (), {"top"}),
        ((), ("ledger", "joint_states"), {"ledger", "joint_states"}),
        (None, (), {"top", "wrist"}),
        ((), None, {"config", "ledger", "joint_states", "joint_commands"}),
    ],
)
def test_a_part_of_a_run(run: Path, cameras: Any, streams: Any, expected: set[str]) -> None:
    with BagReader(run) as reader:
        assert {record.stream for record in reader.records(cameras, streams)} == expected


def test_records_are_read_one_after_the_other(run: Path) -> None:
    with BagReader(run) as reader:
        records = reader.records()
        assert next(records).stream == "config"
        assert reader.text("config") == "name: pick\n"  # another look at the file does not disturb the first
        assert next(records).stream == "wrist"
    reader.close()


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"need_depth": True}, "no depth for camera top: no depth topic"),
        ({"need_images": True}, None),
    ],
)
def test_what_is_needed_is_checked_at_once(run: Path, options: Any, error: str | None) -> None:
    if error is None:
        BagReader(run, **options).close()
        return
    with pytest.raises(BadInput, match=error):
        BagReader(run, **options)


def joints(names: list[str], values: list[float]) -> Any:
    return ros.make(
        "sensor_msgs/msg/JointState", header=ros.header(5, ""), name=names, position=np.array(values),
        velocity=np.array([]), effort=np.array([]),
    )  # fmt: skip


def test_a_foreign_bag(tmp_path: Path) -> None:
    """Topics of unknown type are counted and left out, and so are the joints of another robot."""
    with Writer(tmp_path / "bag", version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        store = ros.typestore()
        states = writer.add_connection("/joint_states", "sensor_msgs/msg/JointState", typestore=store)
        scan = writer.add_connection("/scan", "sensor_msgs/msg/LaserScan", typestore=store)
        odd = writer.add_connection("/odd", "my_msgs/msg/Odd", msgdef="int32 x\n", rihs01="RIHS01_" + "0" * 64)
        for k in range(3):
            six = joints(list("abcdef"), [0.1 * k] * 6)
            writer.write(states, 10 * k, ros.serialize(six))
            writer.write(states, 10 * k + 1, ros.serialize(joints(["x"], [0.0])))
            writer.write(scan, 10 * k + 2, b"\0\1\0\0")
            writer.write(odd, 10 * k + 3, b"\0\1\0\0\7\0\0\0")
    with BagReader(tmp_path / "bag") as reader:
        values: list[Any] = [record.value for record in reader.records()]
        assert reader.ignored == {"/scan": 3, "/odd": 3}
        assert reader.skipped == {"/joint_states": 3}
        assert (reader.cameras, reader.has_depth, reader.epoch_offset_ns) == ((), False, 0)
    assert [float(value.joint_positions_rad[5]) for value in values] == [0.0, 0.1, 0.2]
    assert np.isnan(values[0].gripper_opening)
    with pytest.raises(BadInput, match="no images in this bag, it holds my_msgs/msg/Odd, sensor_msgs/msg/JointState"):
        BagReader(tmp_path / "bag", need_images=True)


def test_real_ros1_bags(shared_data: Path) -> None:
    folder = shared_data / "ros1_bags"
    with BagReader(folder / "fetch_calibration_poses.bag") as reader:
        assert reader.ignored == {"calibration_joint_states": 61}
    with BagReader(folder / "watercan.bag") as reader:
        assert reader.cameras == ()
        assert reader.ignored["/tf"] == 3532
        assert list(reader.records()) == []
    for name in ("fetch_calibration_poses.bag", "watercan.bag"):
        with pytest.raises(BadInput, match="no images in this bag"):
            BagReader(folder / name, need_images=True)


def test_a_broken_description_of_a_run(tmp_path: Path) -> None:
    with Writer(tmp_path / "bag", version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        topic = writer.add_connection("/eyehand/recording", "std_msgs/msg/String", typestore=ros.typestore())
        writer.write(topic, 0, ros.serialize(ros.text_message("{}")))
    with pytest.raises(BadInput, match="/eyehand/recording does not say the clock of the run"):
        BagReader(tmp_path / "bag")
