"""What a policy is shown: one instant of the robot and of the object, both at the time of the newest photons."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from geometry.pose import Pose
from geometry.types import Array

_SHAPES = {"joint_positions_rad": (6,), "object_position_m": (3,), "object_covariance_m2": (3, 3)}


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
        object_position_m: Shape (3,), centre of the object in the base [m]; NaN while it is not seen.
        object_covariance_m2: Shape (3, 3), covariance of that centre [m^2].
        object_visible_age_s: Time since the object was last seen [s]; infinite if never.
    """

    stamp_ns: int
    joint_positions_rad: Array
    gripper_opening: float
    base_T_tcp: Pose
    object_position_m: Array
    object_covariance_m2: Array
    object_visible_age_s: float

    def __post_init__(self) -> None:
        for name, shape in (
            ("joint_positions_rad", (6,)),
            ("object_position_m", (3,)),
            ("object_covariance_m2", (3, 3)),
        ):
            object.__setattr__(self, name, read_only(getattr(self, name), shape, name))

    @property
    def sees_object(self) -> bool:
        """Whether the object's position is known at all."""
        return all(math.isfinite(value) for value in self.object_position_m)

    @property
    def state(self) -> Array:
        """Shape (10,): six joint angles [rad], gripper opening, object x, y, z [m], as a learned policy reads it."""
        return np.concatenate((self.joint_positions_rad, (self.gripper_opening,), self.object_position_m))
