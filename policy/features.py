"""The names, units and values of what a learned policy reads and writes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from deploy.errors import BadInput
from geometry.types import Array
from policy.action_chunk import ACTION_SIZE, ActionChunk, ActionSpace, near_rotvec
from policy.observation import Observation

JOINTS: Final = (
    "shoulder_pan_joint",
    "shoulder_lift_joint",
    "elbow_joint",
    "wrist_1_joint",
    "wrist_2_joint",
    "wrist_3_joint",
)
GRIPPER: Final = "gripper.pos"
STATE: Final = "observation.state"
ENVIRONMENT: Final = "observation.environment_state"
IMAGES: Final = "observation.images."
ACTION: Final = "action"

STATE_NAMES: Final = (*(f"{joint}.pos" for joint in JOINTS), GRIPPER, "tcp.x", "tcp.y", "tcp.z")
ENVIRONMENT_NAMES: Final = (
    "object.x", "object.y", "object.z", "object.vx", "object.vy", "object.vz", "object.seen",
)  # fmt: skip
_SUFFIX: Final = {"joint_position": "pos", "joint_velocity": "vel", "joint_delta": "delta"}
_POSE: Final = ("tcp.x", "tcp.y", "tcp.z", "tcp.rx", "tcp.ry", "tcp.rz")
UNITS: Final[dict[str, str]] = {
    **{f"{joint}.{suffix}": unit for joint in JOINTS for suffix, unit in (("pos", "rad"), ("vel", "rad/s"))},
    **{f"{joint}.delta": "rad" for joint in JOINTS},
    **{name: "rad" if name[4] == "r" else "m" for name in _POSE},
    **{f"object.{axis}": "m" for axis in "xyz"},
    **{f"object.v{axis}": "m/s" for axis in "xyz"},
    GRIPPER: "1",
    "object.seen": "1",
}
PREFIX_LENGTH: Final = "prefix.length"


def action_names(space: ActionSpace) -> tuple[str, ...]:
    """Names of the seven numbers of an action, in their order."""
    arm = _POSE if space == "ee_pose" else tuple(f"{joint}.{_SUFFIX[space]}" for joint in JOINTS)
    return (*arm, GRIPPER)


def prefix_names(space: ActionSpace, rows: int) -> tuple[str, ...]:
    """Names of a frozen prefix of up to so many actions: its length, then its rows, one after the other."""
    if rows == 0:
        return ()
    names = action_names(space)
    return (PREFIX_LENGTH, *(f"prefix.{row}.{name}" for row in range(rows) for name in names))


def unit_of(name: str) -> str | None:
    """Unit of a feature by its name; None if there is no such feature."""
    if name == PREFIX_LENGTH:
        return "1"
    if name.startswith("prefix."):
        row, _, rest = name[len("prefix.") :].partition(".")
        return UNITS.get(rest) if row.isdigit() else None
    return UNITS.get(name)


def values(observation: Observation, names: Sequence[str]) -> Array:
    """Features of an observation by their names, in the order of the names.

    Args:
        observation: What is seen. Of an object that is not seen, and of a prefix beyond its length, all is 0.
        names: Any of `STATE_NAMES`, `ENVIRONMENT_NAMES` and `prefix_names`.

    Returns:
        Shape (len(names),), in the units of `unit_of`.

    Raises:
        BadInput: If there is no feature of a name.
    """
    known = _known(observation)
    out = np.zeros(len(names))
    for i, name in enumerate(names):
        if name in known:
            out[i] = known[name]
        elif name == PREFIX_LENGTH:
            out[i] = len(observation.prefix)
        elif not name.startswith("prefix."):
            raise BadInput(f"feature {name!r} is unknown: expected {', '.join((*STATE_NAMES, *ENVIRONMENT_NAMES))}")
        else:
            out[i] = _prefix(observation.prefix, name)
    return out


def state(observation: Observation) -> Array:
    """Shape (10,), the features `STATE_NAMES`."""
    return values(observation, STATE_NAMES)


def environment(observation: Observation) -> Array:
    """Shape (7,), the features `ENVIRONMENT_NAMES`."""
    return values(observation, ENVIRONMENT_NAMES)


def frozen(chunk: ActionChunk, stamp_ns: int, dt_ns: int, rows: int) -> Array:
    """The actions of the chunk that is executed, at the times of the first rows of the next one.

    Args:
        chunk: The present chunk, with absolute actions.
        stamp_ns: Stamp of the next one [ns].
        dt_ns: Its time step [ns].
        rows: How many; those beyond the end of the present chunk are left out.

    Returns:
        Shape (n, 7), n <= rows. Rotation vectors are as the chunk itself has them: a network does not know that two of
        them may be one turn.
    """
    times = [stamp_ns + k * dt_ns for k in range(rows)]
    held = np.array([chunk.sample(t) for t in times if t <= chunk.end_ns]).reshape(-1, ACTION_SIZE)
    if chunk.space == "ee_pose":
        for action in held:
            action[3:6] = near_rotvec(action[3:6], chunk.actions[0, 3:6])
    return held


def _known(observation: Observation) -> dict[str, float]:
    known = dict(zip(STATE_NAMES[:6], observation.joint_positions_rad.tolist(), strict=True))
    known[GRIPPER] = observation.gripper_opening
    known.update(zip(STATE_NAMES[7:], observation.base_T_tcp.translation.tolist(), strict=True))
    seen = observation.sees_object
    place = (*observation.object_position_m.tolist(), *observation.object_velocity_m_s.tolist())
    known.update(zip(ENVIRONMENT_NAMES[:6], place if seen else (0.0,) * 6, strict=True))
    known["object.seen"] = float(seen)
    return known


def _prefix(prefix: Array, name: str) -> float:
    row, _, rest = name[len("prefix.") :].partition(".")
    columns = (*_POSE, GRIPPER) if rest.startswith("tcp.") else (*(f"{joint}.pos" for joint in JOINTS), GRIPPER)
    if not row.isdigit() or rest not in columns:
        raise BadInput(f"feature {name!r} is unknown: expected prefix.ROW.NAME of an absolute action")
    return float(prefix[int(row), columns.index(rest)]) if int(row) < len(prefix) else 0.0
