"""A short plan that is read by time: which action belongs to this instant, however late the plan arrived."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final, Literal, get_args

import numpy as np

from geometry.types import Array

ActionSpace = Literal["ee_pose", "joint_position", "joint_delta", "joint_velocity"]
ACTION_SIZE: Final = 7
RELATIVE: Final = ("joint_delta", "joint_velocity")  # to where the arm was at capture

_Quaternion = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True, eq=False)
class ActionChunk:
    """K actions at `stamp_ns + k * dt_ns`.

    Attributes:
        stamp_ns: Time of action 0 = capture time of the observation that the plan was made from [ns].
        dt_ns: Time between actions [ns].
        space: `ee_pose`: x, y, z [m], rotation vector [rad] (base_T_tcp), gripper opening. `joint_position`: six
            angles [rad], gripper opening. `joint_delta`: six increments from action to action [rad], gripper opening.
            `joint_velocity`: six speeds from each action to the next [rad/s], gripper opening.
        actions: Shape (K, 7), K >= 1, read-only.

    Raises:
        ValueError: If the shape, a number, the time step or the space cannot be used, naming it.
    """

    stamp_ns: int
    dt_ns: int
    space: ActionSpace
    actions: Array

    def __post_init__(self) -> None:
        actions = np.array(self.actions, dtype=np.float64)
        if actions.ndim != 2 or actions.shape[1] != ACTION_SIZE or len(actions) == 0:
            raise ValueError(f"actions have shape {actions.shape}: expected (K, {ACTION_SIZE}) with K >= 1")
        if not np.isfinite(actions).all():
            raise ValueError(f"action {int(np.flatnonzero(~np.isfinite(actions).all(axis=1))[0])} is not finite")
        if self.dt_ns <= 0:
            raise ValueError(f"dt_ns is {self.dt_ns}: expected > 0")
        if self.space not in get_args(ActionSpace):
            raise ValueError(f"space is {self.space!r}: expected one of {', '.join(get_args(ActionSpace))}")
        actions.flags.writeable = False
        object.__setattr__(self, "actions", actions)

    def __len__(self) -> int:
        return len(self.actions)

    @property
    def end_ns(self) -> int:
        """Time of the last action [ns]."""
        return self.stamp_ns + (len(self.actions) - 1) * self.dt_ns

    def sample(self, t_ns: int) -> Array:
        """Return the action that belongs to a time.

        Between two actions, positions, joints and the gripper are interpolated linearly and rotations along the
        shortest arc (slerp). Before the first and after the last action, that action is returned.

        Args:
            t_ns: Time on the run clock [ns].

        Returns:
            Shape (7,), in the units of `space`; an interpolated rotation vector is no longer than pi.

        Raises:
            ValueError: If the chunk holds increments or speeds: `to_absolute` must come first.
        """
        if self.space in RELATIVE:
            raise ValueError(f"a {self.space} chunk has no absolute action: call to_absolute(joints at capture) first")
        index, part = divmod(t_ns - self.stamp_ns, self.dt_ns)
        if index < 0 or index >= len(self.actions) - 1:
            edge: Array = self.actions[0 if index < 0 else -1].copy()
            return edge
        return interpolate(self.space, self.actions[index], self.actions[index + 1], part / self.dt_ns)

    def to_absolute(self, joint_positions_rad: Array) -> ActionChunk:
        """Accumulate increments or speeds from the joint angles at capture: skipping past actions then loses nothing.

        Action k becomes `joint_positions_rad + sum of increments 0..k`, or `+ dt * sum of speeds 0..k-1`. Chunks of
        other spaces are returned unchanged.

        Args:
            joint_positions_rad: Shape (6,), joint angles at `stamp_ns` [rad].
        """
        if self.space not in RELATIVE:
            return self
        actions = self.actions.copy()
        moved = np.cumsum(actions[:, :6], axis=0)
        if self.space == "joint_velocity":
            moved = np.vstack((np.zeros(6), moved[:-1])) * (self.dt_ns * 1e-9)
        actions[:, :6] = np.asarray(joint_positions_rad, dtype=np.float64) + moved
        return replace(self, space="joint_position", actions=actions)


def interpolate(space: ActionSpace, before: Array, after: Array, part: float) -> Array:
    """The action between two: positions, joints and the gripper linearly, rotations along the shortest arc (slerp).

    Args:
        space: What the actions mean; `ee_pose` or `joint_position`.
        before: Shape (7,), the action at `part` 0.
        after: Shape (7,), the action at `part` 1.
        part: From 0 to 1.

    Returns:
        Shape (7,); an interpolated rotation vector is no longer than pi.
    """
    action: Array = before + part * (after - before)
    if space == "ee_pose":
        action[3:6] = _slerp(before[3:6].tolist(), after[3:6].tolist(), part)
    return action


def near_rotvec(rotvec: Array, reference: Array) -> Array:
    """The same rotation as the vector that lies nearer to another one; it may be longer than pi.

    A tool that points down is turned by about pi, where two nearly opposite vectors are the same turn.

    Args:
        rotvec: Shape (3,) [rad].
        reference: Shape (3,) [rad].
    """
    angle = math.sqrt(float(rotvec @ rotvec))
    if angle == 0.0:
        return rotvec
    other: Array = rotvec * (1.0 - 2.0 * math.pi / angle)
    return other if math.dist(other, reference) < math.dist(rotvec, reference) else rotvec


def _quaternion(rotvec: list[float]) -> _Quaternion:
    x, y, z = rotvec
    angle = math.sqrt(x * x + y * y + z * z)
    # sin(a/2)/a tends to 1/2: the series keeps tiny rotations exact
    scale = math.sin(0.5 * angle) / angle if angle > 1e-8 else 0.5 - angle * angle / 48.0
    return x * scale, y * scale, z * scale, math.cos(0.5 * angle)


def _slerp(rotvec_a: list[float], rotvec_b: list[float], u: float) -> tuple[float, float, float]:
    """Shortest arc, by quaternions: a tool that points down is turned by pi, where rotation vectors flip their sign."""
    ax, ay, az, aw = _quaternion(rotvec_a)
    bx, by, bz, bw = _quaternion(rotvec_b)
    dot = ax * bx + ay * by + az * bz + aw * bw
    sign = -1.0 if dot < 0.0 else 1.0
    dot = min(1.0, abs(dot))
    if dot > 1.0 - 1e-10:
        wa, wb = 1.0 - u, sign * u
    else:
        theta = math.acos(dot)
        wa, wb = math.sin((1.0 - u) * theta) / math.sin(theta), sign * math.sin(u * theta) / math.sin(theta)
    x, y, z, w = wa * ax + wb * bx, wa * ay + wb * by, wa * az + wb * bz, wa * aw + wb * bw
    if w < 0.0:
        x, y, z, w = -x, -y, -z, -w
    norm = math.sqrt(x * x + y * y + z * z)
    scale = 2.0 * math.atan2(norm, w) / norm if norm > 1e-12 else 2.0
    return x * scale, y * scale, z * scale
