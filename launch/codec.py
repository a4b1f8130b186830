"""Canonical little-endian bytes of the output values: what is recorded and what the replay hash covers."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from geometry.types import Array, IntArray
from launch.control_path import Command
from perception.detections import Detections
from policy import ActionChunk, ActionSpace
from tracking import Tracks

SPACES: tuple[ActionSpace, ...] = ("ee_pose", "joint_position", "joint_delta", "joint_velocity")
MODES = ("position", "velocity")


def _little(array: Any, kind: str) -> bytes:
    return np.ascontiguousarray(array, dtype=np.dtype(kind)).tobytes()


def encode_detections(value: Detections, camera: int) -> bytes:
    """Camera, sequence, stamp, count, then boxes, scores and classes."""
    head = struct.pack("<iqqi", camera, value.sequence, value.stamp_ns, len(value))
    return head + _little(value.boxes, "<f4") + _little(value.scores, "<f4") + _little(value.class_ids, "<i4")


def encode_tracks(value: Tracks) -> bytes:
    """Stamp, count, then ids, positions, velocities, covariances, classes, scores, states, stamps of the last sight."""
    head = struct.pack("<qi", value.stamp_ns, len(value))
    return head + b"".join((
        _little(value.ids, "<i8"), _little(value.position, "<f8"), _little(value.velocity, "<f8"),
        _little(value.covariance, "<f8"), _little(value.class_ids, "<i4"), _little(value.scores, "<f4"),
        _little(value.state, "u1"), _little(value.last_seen_ns, "<i8"), _little(value.detection_ids, "<i8"),
    ))  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class RecordedTracks:
    """What was recorded of `Tracks`, one row per live track; each field as it is there, `age_s` out of those before."""

    stamp_ns: int
    class_names: tuple[str, ...]
    ids: IntArray
    position: Array
    velocity: Array
    covariance: Array
    class_ids: npt.NDArray[np.int32]
    scores: npt.NDArray[np.float32]
    state: npt.NDArray[np.uint8]
    last_seen_ns: IntArray
    age_s: Array


def decode_tracks(
    payload: bytes, class_names: tuple[str, ...], first_seen_ns: dict[int, int] | None = None
) -> RecordedTracks:
    """Tracks in `base` as `encode_tracks` wrote them.

    Args:
        payload: The record.
        class_names: The detector's.
        first_seen_ns: When each identity of the episode was seen first [ns], from the records before this one; those
            that are new here are added. Without it all are as if they were new.
    """
    stamp_ns, count = struct.unpack_from("<qi", payload)
    at = 12
    columns: list[Any] = []
    shapes: tuple[tuple[str, tuple[int, ...]], ...] = (
        ("<i8", ()), ("<f8", (3,)), ("<f8", (3,)), ("<f8", (6, 6)), ("<i4", ()), ("<f4", ()), ("u1", ()), ("<i8", ()),
    )  # fmt: skip
    for kind, shape in shapes:
        size = count * int(np.prod(shape, dtype=np.int64))
        columns.append(np.frombuffer(payload, kind, size, at).reshape(count, *shape))
        at += columns[-1].nbytes
    born_ns = {} if first_seen_ns is None else first_seen_ns
    ids, last_seen_ns = columns[0].tolist(), columns[7].tolist()
    age_s = [(stamp_ns - born_ns.setdefault(*seen)) * 1e-9 for seen in zip(ids, last_seen_ns, strict=True)]
    columns.append(np.array(age_s, dtype=np.float64))
    return RecordedTracks(stamp_ns, class_names, *columns)


def decode_chunk(payload: bytes) -> ActionChunk:
    """A chunk as `encode_chunk` wrote it."""
    stamp_ns, dt_ns, space, rows, columns = struct.unpack_from("<qqiii", payload)
    actions = np.frombuffer(payload, "<f8", rows * columns, struct.calcsize("<qqiii")).reshape(rows, columns)
    return ActionChunk(stamp_ns, dt_ns, SPACES[space], actions)


def encode_chunk(value: ActionChunk) -> bytes:
    """Stamp, step, action space, shape, actions."""
    rows, columns = value.actions.shape
    head = struct.pack("<qqiii", value.stamp_ns, value.dt_ns, SPACES.index(value.space), rows, columns)
    return head + _little(value.actions, "<f8")


COMMAND = struct.Struct("<qqqiqqIi6d1d")
COMMAND_DTYPE = np.dtype(
    [
        ("stamp_ns", "<i8"), ("photon_ns", "<i8"), ("chunk", "<i8"), ("camera", "<i4"), ("frame", "<i8"),
        ("engine", "<i8"), ("interventions", "<u4"), ("mode", "<i4"), ("joints", "<f8", (6,)), ("gripper", "<f8"),
    ]
)  # fmt: skip


def engine_number(fingerprint: str) -> int:
    """The first eight bytes of an engine's fingerprint, hashed, as a number: what a command carries of it."""
    return int.from_bytes(hashlib.sha256(fingerprint.encode()).digest()[:8], "little", signed=True)


def encode_command(value: Command, photon_ns: int, chunk: int, camera: int, frame: int, engine: int) -> bytes:
    """Stamp, the photons, chunk and engine behind the command, what the governor changed, and the setpoint itself."""
    setpoint = value.setpoint
    return COMMAND.pack(
        setpoint.stamp_ns, photon_ns, chunk, camera, frame, engine, value.interventions,
        MODES.index(setpoint.mode), *(float(joint) for joint in setpoint.joints), setpoint.gripper_opening,
    )  # fmt: skip


def decode_command(payload: Any) -> Any:
    """One recorded command as a structured row."""
    return np.frombuffer(bytes(payload), dtype=COMMAND_DTYPE)[0]
