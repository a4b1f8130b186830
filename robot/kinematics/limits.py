"""How far and how fast each joint may go, and where the joints rest."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from deploy.errors import BadInput
from geometry.types import Array
from robot.kinematics.dh import Six


@dataclass(frozen=True, slots=True)
class JointLimits:
    """Limits per joint, base to wrist; all but the positions hold in both directions.

    Attributes:
        lower_rad: Lowest joint angles [rad].
        upper_rad: Highest joint angles [rad].
        velocity_rad_s: Highest speeds [rad/s].
        acceleration_rad_s2: Highest accelerations [rad/s^2].
        jerk_rad_s3: Highest jerks [rad/s^3].

    Raises:
        deploy.errors.BadInput: If a range is empty or a limit is not finite and positive, naming joint and value.
    """

    lower_rad: Six
    upper_rad: Six
    velocity_rad_s: Six
    acceleration_rad_s2: Six
    jerk_rad_s3: Six

    def __post_init__(self) -> None:
        for joint, (low, high) in enumerate(zip(self.lower_rad, self.upper_rad, strict=True)):
            if not (math.isfinite(low) and math.isfinite(high) and low < high):
                raise BadInput(f"joint {joint}: range {low} to {high} rad is empty: expected lower < upper")
        for name in ("velocity_rad_s", "acceleration_rad_s2", "jerk_rad_s3"):
            for joint, value in enumerate(getattr(self, name)):
                if not (math.isfinite(value) and value > 0.0):
                    raise BadInput(f"joint {joint}: {name} is {value}: expected > 0")

    def clamp(self, joint_positions_rad: Sequence[float] | Array) -> Array:
        """Shape (6,): the nearest joint angles inside the limits [rad]."""
        return np.clip(np.asarray(joint_positions_rad, dtype=np.float64), self.lower_rad, self.upper_rad)

    def contains(self, joint_positions_rad: Sequence[float] | Array) -> bool:
        """Whether every joint angle is inside its range; NaN is not."""
        angles = zip(self.lower_rad, joint_positions_rad, self.upper_rad, strict=True)
        return all(low <= q <= high for low, q, high in angles)

    def scaled(self, factor: float) -> JointLimits:
        """The same ranges with velocity, acceleration and jerk multiplied by `factor`, to stay clear of a guard."""
        return JointLimits(
            self.lower_rad,
            self.upper_rad,
            _times(self.velocity_rad_s, factor),
            _times(self.acceleration_rad_s2, factor),
            _times(self.jerk_rad_s3, factor),
        )


def _times(values: Six, factor: float) -> Six:
    a, b, c, d, e, f = values
    return a * factor, b * factor, c * factor, d * factor, e * factor, f * factor


def _same(value: float) -> Six:
    return value, value, value, value, value, value


_TURN = 2.0 * math.pi

# Positions and velocities: Universal Robots, UR10e user manual. The elbow meets the shoulder beyond half a turn.
# Accelerations and jerks are not published: these are ours, about half of what the joint torques allow without load.
UR10E_LIMITS: Final = JointLimits(
    lower_rad=(-_TURN, -_TURN, -math.pi, -_TURN, -_TURN, -_TURN),
    upper_rad=(_TURN, _TURN, math.pi, _TURN, _TURN, _TURN),
    velocity_rad_s=(
        math.radians(120.0),
        math.radians(120.0),
        math.radians(180.0),
        math.radians(180.0),
        math.radians(180.0),
        math.radians(180.0),
    ),
    acceleration_rad_s2=_same(10.0),
    jerk_rad_s3=_same(250.0),
)

# Tool straight down, 0.35 m above the table at base (-0.60, 0.10) with a tool point 0.145 m from the flange: where the
# reference task begins.
UR10E_HOME_RAD: Final[Six] = (-0.45551248, -1.70280153, 2.01677836, -1.88477317, -1.57079633, 2.68608018)
