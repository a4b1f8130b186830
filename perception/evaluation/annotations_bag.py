"""Labels in a bag, beside the images that they are of: `vision_msgs/Detection2DArray` with the stamp of the image."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from deploy.errors import BadInput
from geometry.types import Array, BoolArray
from perception import vision_messages
from perception.evaluation.image_files import check_inside
from perception.evaluation.labelled import LabelledImage
from perception.ros_messages import decode_color, stamp_ns_of
from perception.sources.bag_cameras import BagCamera, find_cameras
from perception.sources.bag_file import BagFile


@dataclass(frozen=True, slots=True, eq=False)
class _Labels:
    boxes: Array
    names: tuple[str, ...]
    ignore: BoolArray


def has_labels(path: Path) -> bool:
    """Whether a bag has labels, as its topics say; whether they can be used shows when it is opened.

    Several topics of boxes of which none is named that of labels are a detector's answers.

    Raises:
        BadInput: If it is not a bag.
    """
    bag = BagFile(path)
    try:
        topics = _box_topics(bag)
    finally:
        bag.close()
    return len(topics) == 1 or bool(_named_labels(topics))


def open_bag(path: Path) -> LabelledBag:
    """Open a bag with a labels topic beside a camera's images.

    The class of a detection is its best hypothesis; one with a score of 0 neither counts nor costs. Images without
    labels of their stamp are left out: an image that shows nothing has a message without detections.

    Raises:
        BadInput: If it is not a bag, has no labels, or none of them belongs to an image.
    """
    vision_messages.register()
    bag = BagFile(path)
    try:
        return LabelledBag(bag, _pairs(bag))
    except BaseException:
        bag.close()
        raise


class LabelledBag:
    """A labelled bag; the labels are in memory, the images are read one after the other.

    Args:
        bag: The open bag.
        pairs: Topics of labels with their cameras, one a camera.

    Attributes:
        unlabelled: Images left out for want of labels.
        without_image: Messages of labels without an image of their stamp.
    """

    def __init__(self, bag: BagFile, pairs: list[tuple[str, BagCamera]]) -> None:
        self._bag = bag
        self._labels: dict[str, dict[int, _Labels]] = {}
        images = labels = 0
        self._count = 0
        for topic, camera in pairs:
            found = self._read(topic)
            stamps = {stamp_ns_of(bag.decode(message)) for message in bag.messages((camera.color_topic,))}
            self._labels[camera.color_topic] = found
            self._count += len(found.keys() & stamps)
            images, labels = images + len(stamps), labels + len(found)
        if self._count == 0:
            raise BadInput(
                f"{bag.path}: none of {labels} messages of labels on {', '.join(t for t, _ in pairs)} has the stamp of "
                f"one of {images} images; stamp labels with their image's header"
            )
        self.unlabelled, self.without_image = images - self._count, labels - self._count
        names = {name for found in self._labels.values() for one in found.values() for name in one.names}
        self._class_names = tuple(sorted(names))

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes that occur, sorted."""
        return self._class_names

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[LabelledImage]:
        number = {name: index for index, name in enumerate(self._class_names)}
        given: set[tuple[str, int]] = set()
        for message in self._bag.messages(self._labels):
            image = self._bag.decode(message)
            stamp_ns = stamp_ns_of(image)
            labels = self._labels[message.topic].get(stamp_ns)
            if labels is None or (message.topic, stamp_ns) in given:
                continue
            given.add((message.topic, stamp_ns))
            color = decode_color(image, f"{self._bag.path}: {message.topic}")
            where = f"{self._bag.path}: labels of {stamp_ns} ns"
            boxes = check_inside(labels.boxes, color.shape[1], color.shape[0], where)
            class_ids: npt.NDArray[np.int32] = np.array([number[name] for name in labels.names], np.int32)
            yield LabelledImage(str(stamp_ns), color, boxes.astype(np.float32), class_ids, ignore=labels.ignore)

    def _read(self, topic: str) -> dict[int, _Labels]:
        found: dict[int, _Labels] = {}
        for message in self._bag.messages((topic,)):
            decoded = self._bag.decode(message)
            stamp_ns = stamp_ns_of(decoded)
            where = f"{self._bag.path}: {topic} at {stamp_ns} ns"
            if stamp_ns in found:
                raise BadInput(f"{where}: two messages of labels for one image; expected all its boxes in one")
            boxes, names, scores = [], [], []
            for detection in decoded.detections:
                if not detection.results:
                    raise BadInput(f"{where}: a detection without a hypothesis; expected its class in class_id")
                best = max((result.hypothesis for result in detection.results), key=lambda one: one.score)
                center, half_x, half_y = (
                    detection.bbox.center.position,
                    detection.bbox.size_x / 2,
                    detection.bbox.size_y / 2,
                )
                boxes.append((center.x - half_x, center.y - half_y, center.x + half_x, center.y + half_y))
                names.append(str(best.class_id))
                scores.append(float(best.score))
            ignore = np.array(scores, np.float64) == 0.0
            found[stamp_ns] = _Labels(np.array(boxes, np.float64).reshape(-1, 4), tuple(names), ignore)
        return found


def _pairs(bag: BagFile) -> list[tuple[str, BagCamera]]:
    """Topics of labels with their cameras."""
    path = bag.path
    names = _box_topics(bag)
    if not names:
        raise BadInput(
            f"{path}: no labels in this bag; record boxes as {vision_messages.DETECTION_ARRAY}, with the stamps "
            "of the images"
        )
    if bag.is_ros1:
        raise BadInput(f"{path}: labels of ROS 1 have no class names; convert the bag to ROS 2 (vision_msgs 4)")
    cameras = find_cameras(bag)
    if not cameras:
        raise BadInput(f"{path}: no images in this bag; record the camera's colour topic too")
    pairs = [(name, _camera_of(name, cameras, path)) for name in _chosen(names, path)]
    if len({camera.name for _, camera in pairs}) < len(pairs):
        raise BadInput(f"{path}: {' and '.join(name for name, _ in pairs)} label the same camera; keep one of them")
    return pairs


def _box_topics(bag: BagFile) -> list[str]:
    topics = [topic for topic in bag.topics.values() if topic.message_type == vision_messages.DETECTION_ARRAY]
    return sorted(topic.name for topic in topics if topic.count)


def _named_labels(topics: list[str]) -> list[str]:
    return [topic for topic in topics if {"labels", "label", "ground_truth", "groundtruth"} & set(topic.split("/"))]


def _chosen(topics: list[str], path: Path) -> list[str]:
    """The labels among topics of boxes: a detector's answers may lie beside them."""
    if len(topics) == 1:
        return topics
    named = _named_labels(topics)
    if not named:
        raise BadInput(
            f"{path}: {len(topics)} topics hold boxes ({', '.join(topics)}); name that of the labels .../labels"
        )
    return named


def _camera_of(topic: str, cameras: tuple[BagCamera, ...], path: Path) -> BagCamera:
    """The camera whose topic begins as that of the labels does, for most of its parts."""
    shared = [_shared(topic, camera.color_topic) for camera in cameras]
    best = [camera for camera, length in zip(cameras, shared, strict=True) if length == max(shared)]
    if len(best) > 1:
        raise BadInput(
            f"{path}: {topic} may be of {' or '.join(camera.name for camera in best)}; put it below its camera's topics"
        )
    return best[0]


def _shared(first: str, second: str) -> int:
    """Number of parts of two topics' names that are the same, from the front."""
    same = [a == b for a, b in zip(first.split("/"), second.split("/"), strict=False)]
    return (*same, False).index(False)
