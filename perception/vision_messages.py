"""Boxes with classes as `vision_msgs/Detection2DArray`, which RViz and Foxglove draw over an image.

`rosbags` does not bring the package `vision_msgs`; its definitions (4.x: Humble, Jazzy) are given to the type store
that all our bags use.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from rosbags.typesys import get_types_from_msg

from perception import ros_messages

DETECTION_ARRAY = "vision_msgs/msg/Detection2DArray"
_DEFINITIONS = {
    "Point2D": "float64 x\nfloat64 y",
    "Pose2D": "vision_msgs/Point2D position\nfloat64 theta",
    "BoundingBox2D": "vision_msgs/Pose2D center\nfloat64 size_x\nfloat64 size_y",
    "ObjectHypothesis": "string class_id\nfloat64 score",
    "ObjectHypothesisWithPose": "vision_msgs/ObjectHypothesis hypothesis\ngeometry_msgs/PoseWithCovariance pose",
    "Detection2D": (
        "std_msgs/Header header\nvision_msgs/ObjectHypothesisWithPose[] results\n"
        "vision_msgs/BoundingBox2D bbox\nstring id"
    ),
    "Detection2DArray": "std_msgs/Header header\nvision_msgs/Detection2D[] detections",
}


@lru_cache(maxsize=1)
def register() -> None:
    """Let the type store that our bags use know these messages."""
    types: dict[str, Any] = {}
    for name, definition in _DEFINITIONS.items():
        types.update(get_types_from_msg(definition, f"vision_msgs/msg/{name}"))
    ros_messages.typestore().register(types)


def labels_message(
    stamp_ns: int,
    camera_name: str,
    boxes: npt.NDArray[np.floating],
    class_names: list[str],
    scores: npt.NDArray[np.floating] | None = None,
) -> Any:
    """`vision_msgs/Detection2DArray` of labelled boxes.

    Args:
        stamp_ns: Of the image, which is how they find each other [ns].
        camera_name: Camera of the image.
        boxes: Shape (N, 4): x1, y1, x2, y2 between the edges of the image [px]; the message holds centre and size in
            the same coordinates.
        class_names: Class of each box.
        scores: Shape (N,), 0 for an object that is neither demanded nor held against; 1 each if left out.
    """
    register()
    make = ros_messages.make
    header = ros_messages.header(stamp_ns, ros_messages.optical_frame(camera_name))
    pose = make(
        "geometry_msgs/msg/PoseWithCovariance",
        pose=make(
            "geometry_msgs/msg/Pose",
            position=make("geometry_msgs/msg/Point", x=0.0, y=0.0, z=0.0),
            orientation=make("geometry_msgs/msg/Quaternion", x=0.0, y=0.0, z=0.0, w=1.0),
        ),
        covariance=np.zeros(36),
    )
    detections = []
    sure = np.ones(len(boxes)) if scores is None else scores
    for (x1, y1, x2, y2), name, score in zip(boxes.tolist(), class_names, sure.tolist(), strict=True):
        hypothesis = make("vision_msgs/msg/ObjectHypothesis", class_id=name, score=float(score))
        point = make("vision_msgs/msg/Point2D", x=(x1 + x2) / 2, y=(y1 + y2) / 2)
        center = make("vision_msgs/msg/Pose2D", position=point, theta=0.0)
        detections.append(
            make(
                "vision_msgs/msg/Detection2D",
                header=header,
                results=[make("vision_msgs/msg/ObjectHypothesisWithPose", hypothesis=hypothesis, pose=pose)],
                bbox=make("vision_msgs/msg/BoundingBox2D", center=center, size_x=x2 - x1, size_y=y2 - y1),
                id="",
            )
        )
    return make(DETECTION_ARRAY, header=header, detections=detections)
