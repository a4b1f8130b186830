"""What a policy is shown: one instant of the robot, and the object as it was then or will be when the plan begins."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from geometry.pose import Pose
from geometry.types import Array, Image

NO_PREFIX = np.empty((0, 7))


def read_only(values: Array, shape: tuple[int, ...], name: str) -> Array:
    """Copy values into a read-only float64 array of a known shape.

    Raises:
        ValueError: If the shape differs, naming both.
    """
    array = np.array(values, dtype=np.float64)
    if array.shape != shape:
        raise ValueError(f"{name} has shape {array.shape}: expected {shape}")
    array.flags.writeable = False
    return array


@dataclass(frozen=True, slots=True, eq=False)
class Observation:
    """The state that a plan starts from.

    Attributes:
        stamp_ns: Capture time of the newest photons that were used, on the run clock [ns].
        joint_positions_rad: Shape (6,), base to wrist, at `stamp_ns` [rad].
        gripper_opening: Measured opening: 0 = closed, 1 = open.
        base_T_tcp: Pose of the point between the finger tips, z out of the flange, in the controller's base.
        object_position_m: Shape (3,), centre of the object in the base at `object_stamp_ns` [m]; NaN while it is not
            seen.
        object_covariance_m2: Shape (3, 3), covariance of that centre [m^2].
        object_visible_age_s: Time since the object was last seen [s]; infinite if never.
        object_velocity_m_s: Shape (3,), its velocity in the base [m/s].
        object_velocity_covariance: Shape (3, 3), covariance of that velocity [m^2/s^2].
        object_ahead_ns: How far beyond `stamp_ns` the object's position was predicted [ns].
        prefix: Shape (n, 7), the first actions of the plan, which are executed whatever is planned; in the policy's
            action space. Empty for a policy that was not trained with one.
        images: Pictures by the names of their cameras, BGR; for a policy that reads them.
    """

    stamp_ns: int
    joint_positions_rad: Array
    gripper_opening: float
    base_T_tcp: Pose
    object_position_m: Array
    object_covariance_m2: Array
    object_visible_age_s: float
    object_velocity_m_s: Array = field(default_factory=lambda: np.zeros(3))
    object_velocity_covariance: Array = field(default_factory=lambda: np.zeros((3, 3)))
    object_ahead_ns: int = 0
    prefix: Array = field(default_factory=lambda: NO_PREFIX)
    images: Mapping[str, Image] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, shape in (
            ("joint_positions_rad", (6,)),
            ("object_position_m", (3,)),
            ("object_covariance_m2", (3, 3)),
            ("object_velocity_m_s", (3,)),
            ("object_velocity_covariance", (3, 3)),
            ("prefix", (len(self.prefix), 7)),
        ):
            object.__setattr__(self, name, read_only(getattr(self, name), shape, name))

    @property
    def sees_object(self) -> bool:
        """Whether the object's position is known at all."""
        return all(math.isfinite(value) for value in self.object_position_m)

    @property
    def object_stamp_ns(self) -> int:
        """The instant that the object's position is of, on the run clock [ns]."""
        return self.stamp_ns + self.object_ahead_ns
