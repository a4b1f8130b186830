"""Labels beside the images of a bag, written as any ROS 2 recorder would."""

from __future__ import annotations

from pathlib import Path

import pytest
from rosbags.rosbag2 import Reader
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from deploy.errors import BadInput
from perception.evaluation import open_labelled
from perception.evaluation.annotations_bag import has_labels
from perception.vision_messages import DETECTION_ARRAY
from tests.perception.evaluation.bags import CUBE, Label, write_bag


def test_images_find_their_labels_by_the_stamp(tmp_path: Path) -> None:
    labels = {2: ([CUBE, [0, 0, 64, 48]], ["cup", "cube"]), 0: ([], []), 7: ([CUBE], ["cup"])}
    found = open_labelled(write_bag(tmp_path / "bag", labels))
    assert found.class_names == ("cube", "cup")
    assert (len(found), found.unlabelled, found.without_image) == (2, 1, 1)
    for _ in range(2):  # a set can be gone through again
        first, last = found
        assert (first.name, len(first), first.image[0, 0].tolist()) == ("1000", 0, [0, 0, 0])
        assert (last.boxes.tolist(), last.class_ids.tolist()) == ([CUBE, [0, 0, 64, 48]], [1, 0])
        assert last.image[0, 0].tolist() == [2, 2, 2]


def test_a_score_of_nothing_does_not_count(tmp_path: Path) -> None:
    (one,) = open_labelled(write_bag(tmp_path / "bag", {1: ([CUBE, CUBE], ["cup", "cup"])}, scores=[1.0, 0.0]))
    assert one.ignore.tolist() == [False, True]


def test_labels_are_told_from_answers_and_cameras_by_name(tmp_path: Path) -> None:
    labels = {1: ([CUBE], ["cup"])}
    found = open_labelled(
        write_bag(tmp_path / "bag", labels, cameras=("left", "wrist"), also="/camera/wrist/detections")
    )
    assert len(found) == 1
    with pytest.raises(BadInput, match="may be of left or wrist; put it below its camera's topics"):
        open_labelled(write_bag(tmp_path / "other", labels, cameras=("left", "wrist"), topic="/labels"))


@pytest.mark.parametrize(
    ("labels", "options", "message"),
    [
        ({}, {}, f"no labels in this bag; record boxes as {DETECTION_ARRAY}"),
        ({7: ([CUBE], ["cup"])}, {}, "none of 1 messages of labels on .* has the stamp of one of 3 images"),
        ({1: ([CUBE], ["cup"])}, {"images": 0}, "no images in this bag"),
        ({1: ([CUBE], ["cup"])}, {"topic": "/a", "also": "/b"}, r"2 topics hold boxes \(/a, /b\); name that of"),
        ({1: ([CUBE], ["cup"])}, {"also": "/camera/wrist/ground_truth"}, "label the same camera; keep one"),
    ],
)
def test_refused(tmp_path: Path, labels: dict[int, Label], options: dict, message: str) -> None:
    with pytest.raises(BadInput, match=message) as caught:
        open_labelled(write_bag(tmp_path / "bag", labels, **options))
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("box", "message"), [([40, 6, 90, 30], "reaches out of its image of 64x48"), ([9, 9, 9, 12], "has no size")]
)
def test_a_wrong_box_is_refused_with_its_stamp(tmp_path: Path, box: list[float], message: str) -> None:
    found = open_labelled(write_bag(tmp_path / "bag", {1: ([box], ["cup"])}))
    with pytest.raises(BadInput, match=f"labels of 2000 ns.*{message}"):
        list(found)


@pytest.mark.parametrize(
    ("labels", "options", "expected"),
    [
        ({}, {}, False),
        ({7: ([CUBE], ["cup"])}, {}, True),
        ({1: ([CUBE], ["cup"])}, {"topic": "/a", "also": "/b"}, False),
        ({1: ([CUBE], ["cup"])}, {"also": "/camera/wrist/detections"}, True),
    ],
)
def test_the_topics_say_whether_there_are_labels(
    tmp_path: Path, labels: dict[int, Label], options: dict, expected: bool
) -> None:
    assert has_labels(write_bag(tmp_path / "bag", labels, **options)) is expected


def test_two_messages_for_one_image(tmp_path: Path) -> None:
    write_bag(tmp_path / "bag", {1: ([CUBE], ["cup"])}, topic="/camera/wrist/labels", also="/camera/wrist/labels")
    with pytest.raises(BadInput, match="two messages of labels for one image"):
        open_labelled(tmp_path / "bag")


def test_the_bag_says_what_its_messages_are(tmp_path: Path) -> None:
    """A reader that has never heard of vision_msgs decodes them by the definition in the bag."""
    write_bag(tmp_path / "bag", {1: ([CUBE], ["cup"])})
    with Reader(tmp_path / "bag") as reader:
        (connection,) = [one for one in reader.connections if one.msgtype == DETECTION_ARRAY]
        store = get_typestore(Stores.ROS2_HUMBLE)
        store.register(get_types_from_msg(connection.msgdef.data, DETECTION_ARRAY))
        ((_, _, raw),) = reader.messages([connection])
    (detection,) = store.deserialize_cdr(raw, DETECTION_ARRAY).detections
    center = detection.bbox.center.position
    assert (center.x, center.y, detection.bbox.size_x, detection.bbox.size_y) == (12.0, 18.0, 16.0, 24.0)
    assert detection.results[0].hypothesis.class_id == "cup"
