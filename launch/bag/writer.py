"""Writing a run: one MCAP bag that ROS 2, Foxglove and Rerun open, with images lossless in compressed chunks."""

from __future__ import annotations

import atexit
import json
import threading
from pathlib import Path
from typing import Any

from deploy.errors import BadInput
from launch.bag import topics
from launch.bag.storage import Compression, McapStorage
from perception import ros_messages
from perception.frame import Frame
from perception.sources.bag_cameras import CAMERA_JSON, COLOR, COLOR_INFO, DEPTH, FRAME_ROW
from perception.sources.bag_frames import FRAME_ROW as ROW
from robot.arm import JointCommand, RobotState

VERSION = 1


class BagWriter:
    """Writes a run's bag. Calls from several threads are taken one after the other.

    The folder becomes a rosbag2 folder: `metadata.yaml` and one `.mcap`. Topics: `/camera/<name>/color/image_raw`
    (bgr8), `.../aligned_depth_to_color/image_raw` (16UC1), `.../color/camera_info`, `/joint_states`, `/joint_commands`,
    `/eyehand/<stream>` (rows as bytes, or texts), and per camera `eyehand_info` (JSON) and `eyehand_frame` (numbers).

    The index and `metadata.yaml` are written by `close`, which also runs on the way out of a `with` block, whatever
    happened in it, and at the exit of the interpreter. A process that is killed leaves the finished chunks: all but the
    last MiB or second of the run. `BagReader(..., allow_incomplete=True)` reads them and
    `perception.sources.mcap_tail.repair` completes the file.

    In memory are one chunk and about 200 bytes of index per chunk, tens of MB for an hour of one 30 Hz camera.

    Attributes:
        run_dir: The folder.
        path: The `.mcap` file in it.

    Args:
        run_dir: Folder to make; it must not exist, or be empty.
        epoch_offset_ns: Unix epoch minus run clock [ns]; added to log times, so that viewers show the time of day.
            Header stamps stay on the run clock.
        compression: Of chunks: `zstd`, `lz4` (less work, larger) or `none`.
        joint_names: Names of the arm's six joints.

    Raises:
        BadInput: If the folder holds something, or cannot be made.
    """

    def __init__(
        self,
        run_dir: str | Path,
        *,
        epoch_offset_ns: int = 0,
        compression: Compression = "zstd",
        joint_names: tuple[str, ...] = topics.UR_JOINTS,
    ) -> None:
        self.run_dir = Path(run_dir)
        self._epoch_offset_ns = epoch_offset_ns
        self._joint_names = tuple(joint_names)
        self._lock = threading.Lock()
        self._cameras: dict[str, tuple[str, float]] = {}
        self._storage: McapStorage | None = McapStorage(self.run_dir, compression)
        self.path = self._storage.path
        atexit.register(self.close)

    def write_frame(self, frame: Frame, log_ns: int) -> None:
        """Write a frame: numbers, intrinsics, colour and, if it has one, depth.

        Args:
            frame: Its depth scale must be the camera's first one.
            log_ns: When it was consumed, on the run clock [ns].

        Raises:
            BadInput: If the camera's depth scale has changed, or a time is out of range.
        """
        prefix = topics.camera_prefix(frame.camera_name)
        info = ros_messages.camera_info_message(frame.camera, frame.stamp_ns, frame.camera_name)
        row = ROW.pack(frame.sequence, frame.stamp_ns, frame.received_ns, frame.depth is not None)
        messages = [
            (FRAME_ROW, ros_messages.bytes_message(row)),
            (COLOR_INFO, info),
            (COLOR, ros_messages.color_message(frame)),
        ]
        if frame.depth is not None:
            messages.append((DEPTH, ros_messages.depth_message(frame)))
        with self._lock:
            if self._known(frame, prefix):
                about = {"name": frame.camera_name, "depth_scale_m": float(frame.depth_scale_m)}
                self._write(f"{prefix}/{CAMERA_JSON}", ros_messages.text_message(json.dumps(about)), log_ns)
            for name, message in messages:
                self._write(f"{prefix}/{name}", message, log_ns)

    def write_joint_state(self, state: RobotState, log_ns: int) -> None:
        """Write a reading of the arm to `/joint_states`."""
        with self._lock:
            self._write(topics.JOINT_STATES, topics.state_message(state, self._joint_names), log_ns)

    def write_joint_command(self, command: JointCommand, log_ns: int) -> None:
        """Write a command to `/joint_commands`."""
        with self._lock:
            self._write(topics.JOINT_COMMANDS, topics.command_message(command, self._joint_names), log_ns)

    def write_bytes(self, stream: str, payload: bytes, log_ns: int) -> None:
        """Write rows, as they are, to `/eyehand/<stream>`."""
        topic = topics.stream_topic(stream)
        with self._lock:
            self._write(topic, ros_messages.bytes_message(payload), log_ns)

    def write_text(self, name: str, text: str, log_ns: int) -> None:
        """Write a text to `/eyehand/<name>`, for example the resolved configuration to `config`."""
        topic = topics.stream_topic(name)
        with self._lock:
            self._write(topic, ros_messages.text_message(text), log_ns)

    def write_message(self, topic: str, message: Any, log_ns: int) -> None:
        """Write a ROS message to a topic of its own, for example labels beside a camera's images.

        Args:
            topic: Its name, from the slash on.
            message: Of a type that the type store knows (`perception.ros_messages.typestore`).
            log_ns: When it belongs, on the run clock [ns].
        """
        with self._lock:
            self._write(topic, message, log_ns)

    def close(self) -> None:
        """Write the index and `metadata.yaml`; calling it again does nothing.

        Raises:
            OSError: If the disk is full.
        """
        with self._lock:
            storage, self._storage = self._storage, None
        if storage is not None:
            atexit.unregister(self.close)
            storage.close()

    def __enter__(self) -> BagWriter:  # noqa: PYI034 - typing.Self came with Python 3.11
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _known(self, frame: Frame, prefix: str) -> bool:
        """Remember a camera; returns whether it is new."""
        about = self._cameras.setdefault(prefix, (frame.camera_name, float("nan")))
        if about[0] != frame.camera_name:
            raise BadInput(f"cameras {about[0]!r} and {frame.camera_name!r} share the topic {prefix}; rename one")
        scale = about[1]
        if scale == scale and frame.depth is not None and scale != frame.depth_scale_m:
            raise BadInput(
                f"depth scale of camera {frame.camera_name} changed from {scale} to {frame.depth_scale_m} m within a "
                "run; start a new run"
            )
        self._cameras[prefix] = (frame.camera_name, float(frame.depth_scale_m) if scale != scale else scale)
        return scale != scale

    def _write(self, topic: str, message: Any, log_ns: int) -> None:
        """Serialise and append; the caller holds the lock."""
        if self._storage is None:
            raise BadInput(f"{self.run_dir}: the bag is closed; nothing can be written to it")
        time_ns = log_ns + self._epoch_offset_ns
        if time_ns < 0:
            raise BadInput(f"{topic}: log time {log_ns} ns is before the epoch by {-time_ns} ns; expected >= 0")
        if self._storage.is_empty:
            about = json.dumps({"version": VERSION, "epoch_offset_ns": self._epoch_offset_ns})
            raw = ros_messages.serialize(ros_messages.text_message(about))
            self._storage.append(topics.RECORDING, ros_messages.STRING, time_ns, raw)
        self._storage.append(topic, message.__msgtype__, time_ns, ros_messages.serialize(message))
