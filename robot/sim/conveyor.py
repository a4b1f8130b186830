"""A slow conveyor belt that carries the cube through the region in which the arm picks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from deploy.errors import BadInput

# the time that the cube keeps within its region: an arm needs less than that to find it and to close on it
RESERVE_S: Final = 5.0
FASTEST_M_S: Final = 0.25
HALF_WIDTH_M: Final = 0.05
HALF_HEIGHT_M: Final = 0.001
_BEHIND_M: Final = 0.06
_BEYOND_M: Final = 0.03
# of the region, what is left to start in when the cube is too fast to keep within it for so long
_LEAST_SHARE: Final = 0.1

Range = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Conveyor:
    """A belt on the table; it ends on the table too, and what it carries then lies still there.

    Attributes:
        velocity_m_s: World x and y of the speed of its surface [m/s].
        center_m: World x and y of its middle [m].
        half_length_m: Half of its length, along the velocity [m].
        rgb: Colour.
    """

    velocity_m_s: tuple[float, float]
    center_m: tuple[float, float]
    half_length_m: float
    rgb: tuple[float, float, float]

    @property
    def speed_m_s(self) -> float:
        """Speed of the surface [m/s]."""
        return math.hypot(*self.velocity_m_s)

    @property
    def yaw_rad(self) -> float:
        """Direction of the velocity about world z [rad]."""
        return math.atan2(self.velocity_m_s[1], self.velocity_m_s[0])

    @property
    def surface_m(self) -> float:
        """Height of the surface above the table [m]."""
        return 2 * HALF_HEIGHT_M

    def distance_m(self, x: float, y: float) -> float:
        """Distance of a world point from the belt's outline [m]; 0 on it."""
        c, s = math.cos(self.yaw_rad), math.sin(self.yaw_rad)
        dx, dy = x - self.center_m[0], y - self.center_m[1]
        along, across = abs(c * dx + s * dy) - self.half_length_m, abs(c * dy - s * dx) - HALF_WIDTH_M
        return math.hypot(max(along, 0.0), max(across, 0.0))


def check_velocity(velocity_m_s: tuple[float, float]) -> None:
    """See that a belt can run so.

    Raises:
        BadInput: If it stands still, or is faster than 0.25 m/s.
    """
    speed = math.hypot(*velocity_m_s)
    if not 0.0 < speed <= FASTEST_M_S:
        raise BadInput(
            f"conveyor_m_s: a speed of {speed:.3g} m/s, expected more than 0, at most {FASTEST_M_S:g}; "
            "leave it out for a table without a conveyor"
        )


def upstream(place: float, region: Range, velocity_m_s: float) -> float:
    """Where the cube starts on one axis, so that it is within its region for `RESERVE_S`.

    Args:
        place: Where it would lie if it lay still [m].
        region: The region on this axis [m].
        velocity_m_s: Of the belt on this axis [m/s].
    """
    low, high = region
    share = max(1.0 - abs(velocity_m_s) * RESERVE_S / (high - low), _LEAST_SHARE)
    return low + share * (place - low) if velocity_m_s > 0.0 else high - share * (high - place)


def lay(start_m: tuple[float, float], x_m: Range, y_m: Range, velocity_m_s: tuple[float, float], seed: int) -> Conveyor:
    """The belt under a cube: from a little behind where it starts to a little beyond the region.

    Args:
        start_m: World x and y of the cube [m].
        x_m: Region of the cube, world x [m].
        y_m: Region of the cube, world y [m].
        velocity_m_s: World x and y [m/s].
        seed: Of the scene, for the belt's grey.
    """
    speed = math.hypot(*velocity_m_s)
    ahead_m = math.inf
    for place, (low, high), v in zip(start_m, (x_m, y_m), velocity_m_s, strict=True):
        if v:
            end = high + _BEYOND_M if v > 0.0 else low - _BEYOND_M
            ahead_m = min(ahead_m, (end - place) * speed / v)
    middle = (ahead_m - _BEHIND_M) / 2 / speed
    grey = float(np.random.default_rng([seed, 0xBE17]).uniform(0.08, 0.4))
    center = (start_m[0] + middle * velocity_m_s[0], start_m[1] + middle * velocity_m_s[1])
    return Conveyor(velocity_m_s, center, (ahead_m + _BEHIND_M) / 2, (grey, grey, grey))
