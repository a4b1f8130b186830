"""Six joints in radians, and the motors of a LeRobot robot in the units that it was set up with."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

import numpy as np

from deploy.errors import BadInput
from geometry.types import Array
from robot.arm import JOINTS, CommandMode

Units = Literal["degrees", "radians", "normalised"]
# LeRobot's RANGE_M100_100 and RANGE_0_100
_NORMALISED: Final = (-100.0, 100.0)
GRIPPER_VALUES: Final = (0.0, 100.0)
# a joint that the arm lacks stands at 0; what rounding makes of that is not refused [rad]
_STILL_RAD: Final = 1e-3
# how far a command may be beyond a joint's end before it is refused; up to that it is clipped [rad]
_BEYOND_RAD: Final = 0.02


@dataclass(frozen=True, slots=True)
class _Joint:
    """`q = offset + scale * value`; `motor` is None where the arm has no such joint."""

    index: int
    motor: str | None
    scale: float
    offset: float
    low: float
    high: float


class JointMap:
    """Turns what a robot observes into joint angles, and joint angles into an action.

    `q = sign * value + offset` with the value in radians; with `normalised` units -100 is the first and 100 the second
    angle of the joint's range.

    Args:
        motors: Motor of each joint, base to wrist, at most six; None for a joint that the arm lacks.
        gripper: The gripper's motor; None for none.
        units: What the robot's values of the joints are.
        signs: 1 or -1 for each joint; all 1 by default.
        offsets_rad: Added to each joint [rad]; all 0 by default.
        ranges_rad: Ends of each joint [rad]; None where only the governor's limits hold.
        gripper_values: The gripper's value when it is closed and when it is open.

    Raises:
        BadInput: If an option cannot be used, naming it.
    """

    def __init__(
        self,
        motors: Sequence[str | None],
        gripper: str | None = "gripper",
        units: Units = "degrees",
        signs: Sequence[float] | None = None,
        offsets_rad: Sequence[float] | None = None,
        ranges_rad: Sequence[Sequence[float] | None] | None = None,
        gripper_values: Sequence[float] = GRIPPER_VALUES,
    ) -> None:
        count = len(motors)
        named = [motor for motor in motors if motor is not None]
        if isinstance(motors, str) or not 1 <= count <= JOINTS or not named:
            raise BadInput(f"joints {motors}: expected one to {JOINTS} names of motors, base to wrist, null between")
        if len(set(named)) < len(named) or gripper in named:
            raise BadInput(f"joints {motors}, gripper {gripper}: a motor is named twice")
        if units not in get_args(Units):
            raise BadInput(f"units {units!r}: expected {', '.join(get_args(Units))}")
        if units == "normalised" and (signs is not None or offsets_rad is not None):
            raise BadInput("units normalised: ranges_rad say it all; leave signs and offsets_rad out")
        turned = _row("signs", [1.0] * count if signs is None else signs, count)
        if any(abs(sign) != 1.0 for sign in turned):
            raise BadInput(f"signs {signs}: expected 1 or -1 for each joint")
        shifts = _row("offsets_rad", [0.0] * count if offsets_rad is None else offsets_rad, count)
        ranges = [None] * count if ranges_rad is None else list(ranges_rad)
        if len(ranges) != count:
            raise BadInput(f"ranges_rad has {len(ranges)} entries, joints {count}: expected as many")
        missing = JOINTS - count
        self._joints = tuple(
            _joint(*row)
            for row in zip(
                range(JOINTS),
                [*motors, *[None] * missing],
                [units] * JOINTS,
                [*turned, *[1.0] * missing],
                [*shifts, *[0.0] * missing],
                [*ranges, *[None] * missing],
                strict=True,
            )
        )
        closed, opened = _row("gripper_values", gripper_values, 2)
        if closed == opened:
            raise BadInput(f"gripper_values {list(gripper_values)}: closed and open are the same")
        self._gripper, self._closed, self._open = gripper, closed, opened
        self._keys: dict[str, str] = {
            motor: f"{motor}.pos" for motor in [*named, *([] if gripper is None else [gripper])]
        }

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the six joints; those that the arm lacks are `none_K`."""
        return tuple(joint.motor or f"none_{joint.index + 1}" for joint in self._joints)

    def find(self, observed: Collection[str], commanded: Collection[str]) -> None:
        """Find the motors among the features of a robot: `NAME`, or `NAME.pos`.

        Raises:
            BadInput: If one is not observed or cannot be commanded, listing what there is.
        """
        for motor in self._keys:
            key = motor if motor in commanded else f"{motor}.pos"
            for what, features in (("observed", observed), ("commanded", commanded)):
                if key not in features:
                    there = ", ".join(sorted(features)) or "nothing"
                    raise BadInput(f"motor {motor!r}: {key} is not {what} by this robot; it has {there}")
            self._keys[motor] = key

    @property
    def keys(self) -> tuple[str, ...]:
        """The features that are read and written."""
        return tuple(self._keys.values())

    def positions(self, observation: Mapping[str, Any]) -> Array:
        """Shape (6,): joint angles [rad]; 0 where the arm has no joint.

        Raises:
            KeyError: If the observation lacks a motor.
        """
        return np.array(
            [
                joint.offset + joint.scale * float(observation[self._keys[joint.motor]]) if joint.motor else 0.0
                for joint in self._joints
            ]
        )

    def opening(self, observation: Mapping[str, Any]) -> float | None:
        """The gripper's opening, 0 = closed, 1 = open; None without a gripper."""
        if self._gripper is None:
            return None
        value = float(observation[self._keys[self._gripper]])
        return min(1.0, max(0.0, (value - self._closed) / (self._open - self._closed)))

    def action(self, joints_rad: Array, opening: float) -> dict[str, float]:
        """The robot's action for joint angles [rad] and an opening of the gripper, which is clipped to 0 to 1."""
        action = {
            self._keys[joint.motor]: (float(q) - joint.offset) / joint.scale
            for joint, q in zip(self._joints, joints_rad, strict=True)
            if joint.motor is not None
        }
        if self._gripper is not None:
            action[self._keys[self._gripper]] = self._closed + min(1.0, max(0.0, opening)) * (self._open - self._closed)
        return action

    def check(self, joints_rad: Array, mode: CommandMode) -> None:
        """See whether a command can be followed.

        Args:
            joints_rad: Shape (6,), joint angles [rad] or velocities [rad/s].
            mode: Which of them.

        Raises:
            BadInput: If a value is not finite, clearly beyond its joint's end, or moves a joint that the arm lacks.
        """
        for joint, q in zip(self._joints, joints_rad.tolist(), strict=True):
            if not math.isfinite(q):
                raise BadInput(f"joint {joint.index + 1} is commanded to {q}: expected finite values")
            if joint.motor is None and abs(q) > _STILL_RAD:
                raise BadInput(
                    f"joint {joint.index + 1} is commanded to {q:.3f} rad, but the arm has no such joint: it stands at "
                    "0; plan for the joints that the arm has"
                )
            if mode == "position" and not joint.low - _BEYOND_RAD <= q <= joint.high + _BEYOND_RAD:
                raise BadInput(
                    f"joint {joint.motor} is commanded to {q:.3f} rad: it goes from {joint.low:.3f} to "
                    f"{joint.high:.3f} rad (ranges_rad)"
                )

    def clipped(self, joints_rad: Array) -> Array:
        """Shape (6,): joint angles within the joints' ends [rad]."""
        return np.clip(joints_rad, [joint.low for joint in self._joints], [joint.high for joint in self._joints])


def _joint(
    index: int, motor: str | None, units: Units, sign: float, shift: float, ends: Sequence[float] | None
) -> _Joint:
    low, high = (-math.inf, math.inf) if ends is None else _row(f"ranges_rad of joint {index + 1}", ends, 2)
    if low == high:
        raise BadInput(f"ranges_rad of joint {index + 1} is {low} to {high} rad: expected two different angles")
    if units == "normalised" and motor is not None:
        if ends is None:
            raise BadInput(f"ranges_rad of joint {motor} is missing: give the angles at -100 and at 100 [rad]")
        least, most = _NORMALISED
        scale = (high - low) / (most - least)
        return _Joint(index, motor, scale, low - scale * least, min(low, high), max(low, high))
    scale = sign * (math.radians(1.0) if units == "degrees" else 1.0)
    return _Joint(index, motor, scale, shift, min(low, high), max(low, high))


def _row(name: str, values: Sequence[float], count: int) -> list[float]:
    try:
        row = [float(value) for value in values]
    except (TypeError, ValueError) as error:
        raise BadInput(f"{name} {values!r}: expected {count} numbers") from error
    if len(row) != count or not all(map(math.isfinite, row)):
        raise BadInput(f"{name} {list(values)}: expected {count} finite numbers")
    return row
