"""What the expert wanted, as actions of each space."""

from __future__ import annotations

from typing import Final

import numpy as np

from geometry.types import Array
from policy.action_chunk import ActionSpace, near_rotvec

# An offset from the path is taken back at this rate by actions that are increments: in half a second, as fast as the
# noise comes and goes, so that increments which follow one another take it back once.
RETURN_S: Final = 0.5


def label(space: ActionSpace, poses: Array, joints: Array, measured: Array, dt_s: float) -> Array:
    """Actions of an episode in a space.

    `ee_pose` and `joint_position` say where the expert wanted to be, whatever the noise had done. Increments and speeds
    say how to go on from where the arm was: the path's own increment, and a share of the way back to the path.

    Args:
        space: The action space.
        poses: Shape (T, 7), the expert's path as `ee_pose` actions.
        joints: Shape (T, 6), the same path in joints [rad].
        measured: Shape (T, 6), the joints as they were [rad].
        dt_s: Time between frames [s].

    Returns:
        Shape (T, 7).
    """
    if space == "ee_pose":
        return np.hstack((poses[:, :3], continuous(poses[:, 3:6]), poses[:, 6:]))
    gripper = poses[:, 6:]
    if space == "joint_position":
        return np.hstack((joints, gripper))
    along = np.diff(joints, axis=0, prepend=joints[:1])
    back = joints - along - measured
    increments = along + min(1.0, dt_s / RETURN_S) * back
    return np.hstack((increments if space == "joint_delta" else increments / dt_s, gripper))


def continuous(rotvecs: Array) -> Array:
    """The same rotations with no jumps from vector to vector, counted from the last one back.

    A tool that points down is turned by about pi, where a rotation vector and one of nearly the opposite direction are
    the same turn; a mean of both, which a policy would learn, is none.

    Args:
        rotvecs: Shape (T, 3) [rad].
    """
    out = np.array(rotvecs)
    for t in range(len(out) - 2, -1, -1):
        out[t] = near_rotvec(out[t], out[t + 1])
    return out
