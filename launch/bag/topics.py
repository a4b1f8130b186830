"""Names of the topics of a run, and the messages of the arm."""

from __future__ import annotations

import re
from typing import Any, Final

import numpy as np

from deploy.errors import BadInput
from geometry.types import Array
from perception.ros_messages import header, make, stamp_ns_of
from robot.arm import JOINTS, JointCommand, RobotState

JOINT_STATES: Final = "/joint_states"
JOINT_COMMANDS: Final = "/joint_commands"
STREAMS: Final = "/eyehand/"
# A text of ours that says how the bag is to be read.
RECORDING: Final = "/eyehand/recording"
JOINT_STATE: Final = "sensor_msgs/msg/JointState"
GRIPPER: Final = "gripper_opening"
UR_JOINTS: Final = (
    "shoulder_pan_joint", "shoulder_lift_joint", "elbow_joint", "wrist_1_joint", "wrist_2_joint", "wrist_3_joint",
)  # fmt: skip
_STREAM = re.compile(r"^[a-z][a-z0-9_]*(/[a-z][a-z0-9_]*)*$")


def camera_prefix(camera_name: str) -> str:
    """Where a camera's topics are; a name that ROS does not allow, such as a serial number, is changed.

    Example:
        >>> camera_prefix("wrist"), camera_prefix("0123-45")
        ('/camera/wrist', '/camera/camera_0123_45')
    """
    token = re.sub(r"[^A-Za-z0-9_]", "_", camera_name)
    return f"/camera/{token if token[:1].isalpha() else 'camera_' + token}"


def stream_topic(stream: str) -> str:
    """Topic of a stream or text of ours.

    Raises:
        BadInput: If the name is not lower-case words, digits and underscores.
    """
    if not _STREAM.match(stream):
        raise BadInput(f"stream name {stream!r}: expected lower-case letters, digits and underscores, such as 'ledger'")
    return STREAMS + stream


def state_message(state: RobotState, joint_names: tuple[str, ...]) -> Any:
    """`JointState` of the six joints and the gripper; the frame id, which joints do not have, holds the number."""
    return make(
        JOINT_STATE,
        header=header(state.stamp_ns, f"sequence {state.sequence}"),
        name=[*joint_names, GRIPPER],
        position=np.append(state.joint_positions_rad, state.gripper_opening),
        velocity=np.append(state.joint_velocities_rad_s, 0.0),
        effort=np.empty(0),
    )


def command_message(command: JointCommand, joint_names: tuple[str, ...]) -> Any:
    """`JointState` of what is asked for; the frame id holds the mode, and what the mode does not set is NaN."""
    unset = np.full(JOINTS, np.nan)
    position, velocity = (command.joints, unset) if command.mode == "position" else (unset, command.joints)
    return make(
        JOINT_STATE,
        header=header(command.stamp_ns, command.mode),
        name=[*joint_names, GRIPPER],
        position=np.append(position, command.gripper_opening),
        velocity=np.append(velocity, np.nan),
        effort=np.empty(0),
    )


def state_of(message: Any, count: int) -> RobotState:
    """Robot state of a `JointState`; `count` is its number where the message does not say.

    Raises:
        BadInput: If it does not describe six joints.
    """
    positions, gripper = _joints(message.position, "positions")
    velocities = _joints(message.velocity, "velocities")[0] if len(message.velocity) else np.zeros(JOINTS)
    word, _, number = str(message.header.frame_id).partition(" ")
    sequence = int(number) if word == "sequence" and number.isdigit() else count
    return RobotState(sequence, stamp_ns_of(message), positions, velocities, gripper)


def command_of(message: Any) -> JointCommand:
    """Command of a `JointState`.

    Raises:
        BadInput: If it does not describe six joints.
    """
    positions, gripper = _joints(message.position, "positions")
    if message.header.frame_id == "velocity":
        return JointCommand(stamp_ns_of(message), "velocity", _joints(message.velocity, "velocities")[0], gripper)
    return JointCommand(stamp_ns_of(message), "position", positions, gripper)


def _joints(values: Any, what: str) -> tuple[Array, float]:
    row = np.asarray(values, dtype=np.float64)
    if len(row) not in (JOINTS, JOINTS + 1):
        raise BadInput(f"JointState with {len(row)} {what}; expected {JOINTS} joints and optionally the gripper")
    return row[:JOINTS], float(row[JOINTS]) if len(row) > JOINTS else float("nan")
