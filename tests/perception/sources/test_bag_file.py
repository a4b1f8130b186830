from __future__ import annotations

import shutil
import tracemalloc
from collections import deque
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.errors import BadInput
from launch.bag import BagWriter
from perception import ros_messages as ros
from perception.sources.bag_file import BagFile
from tests.perception.sources.bag_builders import MS, driver_messages, small_frame, write_realsense_ros1, write_ros2


def a_run(folder: Path, frames: int = 700) -> Path:
    with BagWriter(folder, compression="none") as writer:
        for k in range(frames):
            writer.write_frame(small_frame(k), 33 * MS * k)
    return folder / f"{folder.name}.mcap"


def empty(tmp_path: Path) -> Path:
    (tmp_path / "run.mcap").touch()
    return tmp_path / "run.mcap"


def text(tmp_path: Path) -> Path:
    (tmp_path / "run.bag").write_text("hello, I am not a bag\n")
    return tmp_path / "run.bag"


def short(tmp_path: Path) -> Path:
    (tmp_path / "run.db3").write_bytes(b"SQLite format 3\0" + bytes(4))
    return tmp_path / "run.db3"


def no_bag_in_folder(tmp_path: Path) -> Path:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "notes.txt").write_text("x")
    return tmp_path / "run"


def two_bags_in_folder(tmp_path: Path) -> Path:
    folder = no_bag_in_folder(tmp_path)
    for name in ("a.mcap", "b.db3"):
        (folder / name).write_bytes(b"x")
    return folder


def wrong_suffix(tmp_path: Path) -> Path:
    return a_run(tmp_path / "run", 2).rename(tmp_path / "run.db3")


def cut(source: Path, share: float) -> Path:
    data = source.read_bytes()
    source.write_bytes(data[: int(len(data) * share)])
    return source


def cut_mcap(tmp_path: Path) -> Path:
    return cut(a_run(tmp_path / "run"), 0.6)


def cut_run(tmp_path: Path) -> Path:
    return cut_mcap(tmp_path).parent


def cut_db3(tmp_path: Path) -> Path:
    folder = write_ros2(tmp_path / "bag", driver_messages([small_frame(k) for k in range(50)]))
    return cut(folder / "bag.db3", 0.5)


def cut_ros1(tmp_path: Path) -> Path:
    return cut(write_realsense_ros1(tmp_path / "a.bag", [small_frame(k) for k in range(20)]), 0.5)


def not_closed_ros1(tmp_path: Path) -> Path:
    path = write_realsense_ros1(tmp_path / "a.bag", [small_frame(0)])
    data = bytearray(path.read_bytes())
    at = data.index(b"index_pos=") + 10
    data[at : at + 8] = bytes(8)
    path.write_bytes(data)
    return path


def lost_file(tmp_path: Path) -> Path:
    run = a_run(tmp_path / "run", 2)
    run.unlink()
    return run.parent


def broken_metadata(tmp_path: Path) -> Path:
    run = a_run(tmp_path / "run", 2)
    (run.parent / "metadata.yaml").write_text("a: [1\n")
    return run.parent


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda path: path / "nothing.mcap", "nothing.mcap: no such file or folder"),
        (empty, "run.mcap: empty file, nothing was recorded"),
        (text, "run.bag: not a bag, it starts with b'hello, I'"),
        (short, "run.db3: cut short, 20 bytes"),
        (no_bag_in_folder, "run: not a bag, 0 bag files and no metadata.yaml"),
        (two_bags_in_folder, "run: not a bag, 2 bag files and no metadata.yaml"),
        (wrong_suffix, r"run.db3: holds a .mcap bag; rename it to end in .mcap"),
        (cut_mcap, "run.mcap: cut short, the index at its end is missing; .*eyehand repair"),
        (cut_run, "run.mcap: cut short, the index at its end is missing; .*eyehand repair"),
        (cut_db3, r"bag.db3: cut short, \d+ of \d+ bytes"),
        (cut_ros1, "a.bag: cut short or not closed, its index is missing; run 'rosbag reindex'"),
        (not_closed_ros1, "a.bag: cut short or not closed, its index is missing"),
        (lost_file, "run: cannot be opened, the bag is cut short or broken: Some database files are missing"),
        (broken_metadata, "run: cannot be opened, the bag is cut short or broken: Could not load YAML"),
    ],
)
def test_what_cannot_be_opened_says_why_in_one_line(tmp_path: Path, make: Callable[[Path], Path], error: str) -> None:
    with pytest.raises(BadInput, match=error) as caught:
        BagFile(make(tmp_path))
    assert "\n" not in str(caught.value)


def test_a_run_folder_without_metadata_is_read_by_its_mcap(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", 3)
    (run.parent / "metadata.yaml").unlink()
    bag = BagFile(run.parent)
    assert bag.topics["/camera/wrist/color/image_raw"].count == 3
    assert not bag.incomplete


def test_damage_in_the_middle_is_reported_where_it_is_met(tmp_path: Path) -> None:
    path = a_run(tmp_path / "run")
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 200_000] = b"\xff" * 200_000
    path.write_bytes(data)
    bag = BagFile(path)
    with pytest.raises(BadInput, match=r"run.mcap: damaged after \d+ messages|is not a sensor_msgs|is not a std_msgs"):
        deque(map(bag.decode, bag.messages()), maxlen=0)


def test_messages_come_in_log_order_and_of_equal_time_as_written(tmp_path: Path) -> None:
    texts = [("/a", 5, "1"), ("/b", 3, "2"), ("/a", 5, "3"), ("/b", 5, "4"), ("/a", 4, "5")]
    bag = write_ros2(tmp_path / "bag", [(t, at, ros.text_message(x)) for t, at, x in texts], "MCAP")
    read = [(m.topic, m.log_ns, BagFile(bag).decode(m).data) for m in BagFile(bag).messages()]
    assert read == [("/b", 3, "2"), ("/a", 4, "5"), ("/a", 5, "1"), ("/a", 5, "3"), ("/b", 5, "4")]


def test_only_the_wanted_topics(tmp_path: Path) -> None:
    bag = BagFile(write_ros2(tmp_path / "bag", [(f"/t{k}", k, ros.text_message(str(k))) for k in range(4)]))
    assert [m.topic for m in bag.messages(("/t1", "/t3", "/none"))] == ["/t1", "/t3"]
    assert list(bag.messages(())) == []
    assert bag.first("/t2").data == "2"  # type: ignore[union-attr]


def test_bytes_of_another_type_are_refused(tmp_path: Path) -> None:
    folder = write_ros2(tmp_path / "bag", [("/a", 1, ros.text_message("hello"))])
    bag = BagFile(folder)
    (message,) = bag.messages()
    wrong = type(message)(message.topic, "sensor_msgs/msg/Image", message.log_ns, message.raw)
    with pytest.raises(BadInput, match="message of /a at 1 ns is not a sensor_msgs/msg/Image"):
        bag.decode(wrong)


def test_memory_does_not_grow_with_the_bag(tmp_path: Path) -> None:
    """A bag of 40 MB is read with a few MB of Python objects."""
    with BagWriter(tmp_path / "run", compression="none") as writer:
        for k in range(400):
            writer.write_bytes("rows", bytes(100_000), k * MS)
    bag = BagFile(writer.path)
    tracemalloc.start()
    read = sum(len(message.raw) for message in bag.messages())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert read > 40e6
    assert peak < 8e6


def test_a_copy_elsewhere_is_the_same_bag(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", 3)
    shutil.copytree(run.parent, tmp_path / "copy")
    assert BagFile(tmp_path / "copy").topics == BagFile(run).topics
