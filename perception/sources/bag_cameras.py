"""Which topics of a bag belong to one camera, and what is fixed about that camera: lens, depth scale, extrinsics."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Final, Literal

from deploy.errors import BadInput
from geometry.camera import Camera
from geometry.pose import Pose
from perception.ros_messages import CAMERA_INFO, COMPRESSED_IMAGE, IMAGE, camera_from_info
from perception.sources import realsense_bag
from perception.sources.bag_file import BagFile

Layout = Literal["eyehand", "ros", "realsense"]
IMAGES: Final = (IMAGE, COMPRESSED_IMAGE)
MILLIMETRE: Final = 0.001
# Topics of a camera in our bags, below /camera/<name>.
COLOR: Final = "color/image_raw"
DEPTH: Final = "aligned_depth_to_color/image_raw"
COLOR_INFO: Final = "color/camera_info"
CAMERA_JSON: Final = "eyehand_info"
FRAME_ROW: Final = "eyehand_frame"
# Colour topics of drivers: realsense2_camera, Gazebo, OpenNI, usb_cam, with the transports of image_transport.
_COLOR_TOPIC = re.compile(
    r"^(?P<base>.*?)(?P<stream>/(color|rgb))?/image(_raw|_color|_rect_raw|_rect_color)?(/compressed)?$"
)
# Depth topics that are registered to colour, and then those that are not.
_ALIGNED = ("aligned_depth_to_color/image_raw", "depth_registered/image_raw", "depth_registered/image_rect")
_SEPARATE = ("depth/image_rect_raw", "depth/image_raw")


@dataclass(frozen=True, slots=True)
class BagCamera:
    """One camera of a bag.

    Attributes:
        name: Its name in the rig, or what the topics suggest.
        layout: Who wrote the bag: `eyehand`, a driver that follows ROS conventions, or RealSense's own recorder.
        camera: Intrinsics of the colour image.
        color_topic: Colour images.
        depth_topic: Depth images; None if there are none.
        info_topic: `CameraInfo` of the colour images that can change; None if it is fixed.
        row_topic: Numbers and times of each frame in our bags.
        color_metadata_topic: The same for colour images in RealSense's `.db3`.
        depth_metadata_topic: The same for depth images.
        depth_scale_m: Metres per unit of depth.
        depth_camera: Intrinsics of the depth image where it is not registered to colour.
        color_T_depth: Pose of the depth camera in the colour camera, as above.
        problem: Why the depth cannot be used, though there is a topic; empty if it can.
    """

    name: str
    layout: Layout
    camera: Camera
    color_topic: str
    depth_topic: str | None = None
    info_topic: str | None = None
    row_topic: str | None = None
    color_metadata_topic: str | None = None
    depth_metadata_topic: str | None = None
    depth_scale_m: float = MILLIMETRE
    depth_camera: Camera | None = None
    color_T_depth: Pose | None = None
    problem: str = ""

    @property
    def has_depth(self) -> bool:
        """Whether frames come with depth."""
        return self.depth_topic is not None and not self.problem

    @property
    def topics(self) -> tuple[str, ...]:
        """Topics to read for its frames."""
        found = [self.color_topic, self.info_topic, self.row_topic, self.color_metadata_topic]
        if self.has_depth:
            found += [self.depth_topic, self.depth_metadata_topic]
        return tuple(topic for topic in found if topic is not None)

    @property
    def metadata_topics(self) -> tuple[str, ...]:
        """Topics of RealSense's metadata among them."""
        found = (self.color_metadata_topic, self.depth_metadata_topic)
        return tuple(topic for topic in found if topic is not None)


def find_cameras(bag: BagFile) -> tuple[BagCamera, ...]:
    """Cameras of a bag, by name. Reads the first message of each topic that describes them.

    Raises:
        BadInput: If what describes a camera makes no sense.
    """
    cameras = [*_eyehand(bag), *_realsense(bag)] or _drivers(bag)
    return tuple(sorted(cameras, key=lambda camera: camera.name))


def choose_camera(bag: BagFile, cameras: tuple[BagCamera, ...], name: str | None, need_depth: bool) -> BagCamera:
    """The camera with a name, or the only one.

    Raises:
        BadInput: If there is no such camera, the bag has no images, or no depth where it is needed.
    """
    if not cameras:
        held = ", ".join(sorted({topic.message_type for topic in bag.topics.values()})) or "nothing"
        raise BadInput(f"{bag.path}: no images in this bag, it holds {held}; record the camera's colour topic too")
    known = ", ".join(camera.name for camera in cameras)
    if name is None and len(cameras) > 1:
        raise BadInput(f"{bag.path}: {len(cameras)} cameras ({known}); say which one with camera=<name>")
    found = [camera for camera in cameras if name in (None, camera.name)]
    if not found:
        raise BadInput(f"{bag.path}: no camera {name!r}; it has {known}")
    if need_depth and not found[0].has_depth:
        why = found[0].problem or "no depth topic; record the depth aligned to colour too"
        raise BadInput(f"{bag.path}: no depth for camera {found[0].name}: {why}")
    return found[0]


def _eyehand(bag: BagFile) -> list[BagCamera]:
    cameras = []
    for topic in bag.topics.values():
        prefix, _, last = topic.name.rpartition("/")
        if last != CAMERA_JSON or not topic.count or not bag.topics.get(f"{prefix}/{COLOR}"):
            continue
        try:
            about = json.loads(bag.first(topic.name).data)  # type: ignore[union-attr]
            name, scale = str(about["name"]), float(about["depth_scale_m"])
        except (ValueError, KeyError, TypeError) as error:
            raise BadInput(f"{bag.path}: {topic.name} is not the JSON of a camera: {error!r}") from error
        cameras.append(
            BagCamera(
                name=name,
                layout="eyehand",
                camera=_camera(bag, f"{prefix}/{COLOR_INFO}"),
                color_topic=f"{prefix}/{COLOR}",
                depth_topic=f"{prefix}/{DEPTH}" if f"{prefix}/{DEPTH}" in bag.topics else None,
                info_topic=f"{prefix}/{COLOR_INFO}",
                row_topic=f"{prefix}/{FRAME_ROW}",
                depth_scale_m=scale,
            )
        )
    return cameras


def _realsense(bag: BagFile) -> list[BagCamera]:
    cameras = []
    for device in realsense_bag.find_devices(bag):
        problem = "" if device.color_T_depth is not None else "the recording has no extrinsics of it"
        cameras.append(
            BagCamera(
                name=device.serial,
                layout="realsense",
                camera=device.camera,
                color_topic=device.color_topic,
                depth_topic=device.depth_topic,
                color_metadata_topic=device.color_metadata_topic,
                depth_metadata_topic=device.depth_metadata_topic,
                depth_scale_m=device.depth_scale_m,
                depth_camera=device.depth_camera,
                color_T_depth=device.color_T_depth,
                problem=problem,
            )
        )
    return cameras


def _drivers(bag: BagFile) -> list[BagCamera]:
    cameras: dict[str, BagCamera] = {}
    for topic in sorted(bag.topics.values(), key=lambda topic: (topic.message_type, topic.name)):
        match = _COLOR_TOPIC.match(topic.name)
        if topic.message_type not in IMAGES or not topic.count or match is None:
            continue
        base, stream = match["base"], match["stream"] or ""
        info = f"{base}{stream}/camera_info"
        depth = {f"{base}/{name}{suffix}" for name in _ALIGNED for suffix in ("", "/compressedDepth")}
        separate = {f"{base}/{name}{suffix}" for name in _SEPARATE for suffix in ("", "/compressedDepth")}
        if topic.name in depth | separate or base.endswith(("depth", "infra1", "infra2", "_to_color", "registered")):
            continue
        name = base.strip("/").rsplit("/", 1)[-1] or "camera"
        if name in cameras:
            continue  # raw images come before compressed ones of the same camera
        if info not in bag.topics:
            raise BadInput(f"{bag.path}: {topic.name} has no intrinsics; record {info} too")
        camera = _camera(bag, info)
        aligned_topic = next((t for t in sorted(depth) if t in bag.topics), None)
        separate_topic = next((t for t in sorted(separate) if t in bag.topics), None)
        problem = ""
        if aligned_topic is None and separate_topic is not None and not _same_camera(bag, separate_topic, camera):
            problem = (
                f"{separate_topic} is not aligned to colour; record aligned_depth_to_color (align_depth.enable:=true)"
            )
        cameras[name] = BagCamera(
            name, "ros", camera, topic.name, aligned_topic or separate_topic, info_topic=info, problem=problem
        )
    return list(cameras.values())


def _same_camera(bag: BagFile, depth_topic: str, camera: Camera) -> bool:
    """Whether a depth image is taken through the colour lens: some drivers register without saying so in the name."""
    info = depth_topic.split("/image")[0] + "/camera_info"
    return info in bag.topics and _camera(bag, info) == camera


def _camera(bag: BagFile, topic: str) -> Camera:
    info = bag.first(topic) if topic in bag.topics and bag.topics[topic].message_type == CAMERA_INFO else None
    if info is None:
        raise BadInput(f"{bag.path}: no CameraInfo on {topic}; record it too")
    return camera_from_info(info, f"{bag.path}: {topic}")
