"""Denavit-Hartenberg figures of arms whose joints 2, 3 and 4 are parallel."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from deploy.errors import BadInput

Six = tuple[float, float, float, float, float, float]

# Shape of the arm that the closed forms rest on: shoulder, three parallel axes, then two right angles.
PARALLEL_TWISTS: Final[Six] = (math.pi / 2, 0.0, 0.0, math.pi / 2, -math.pi / 2, 0.0)


@dataclass(frozen=True, slots=True)
class DhModel:
    """An arm in the standard convention: T_i = Rz(q_i) Tz(d_i) Tx(a_i) Rx(alpha_i).

    Attributes:
        name: Name of the arm, for errors.
        a_m: Link lengths along x [m]; only the second and third may differ from zero.
        d_m: Link offsets along z [m]; the second and third are zero.
        alpha_rad: Link twists about x [rad]; must be `PARALLEL_TWISTS`.
        source: Where the figures were published.

    Raises:
        deploy.errors.BadInput: If the arm is not of the kind that the closed forms solve, naming the figure.
    """

    name: str
    a_m: Six
    d_m: Six
    alpha_rad: Six
    source: str

    def __post_init__(self) -> None:
        for i in (0, 3, 4, 5):
            if self.a_m[i] != 0.0:
                raise BadInput(f"{self.name}: a[{i + 1}] is {self.a_m[i]} m: the closed form expects 0 there")
        for i in (1, 2):
            if self.a_m[i] == 0.0 or self.d_m[i] != 0.0:
                raise BadInput(
                    f"{self.name}: link {i + 1} has a = {self.a_m[i]} m, d = {self.d_m[i]} m: expected d = 0"
                )
        if max(abs(a - b) for a, b in zip(self.alpha_rad, PARALLEL_TWISTS, strict=True)) > 1e-9:
            raise BadInput(f"{self.name}: twists are {self.alpha_rad}: expected {PARALLEL_TWISTS}")

    @property
    def reach_m(self) -> float:
        """Longest distance from the shoulder to the wrist in the arm's plane [m]: upper arm plus forearm."""
        return abs(self.a_m[1]) + abs(self.a_m[2])


UR10E: Final = DhModel(
    name="UR10e",
    a_m=(0.0, -0.6127, -0.57155, 0.0, 0.0, 0.0),
    d_m=(0.1807, 0.0, 0.0, 0.17415, 0.11985, 0.11655),
    alpha_rad=PARALLEL_TWISTS,
    source="Universal Robots, DH parameters for calculations of kinematics and dynamics (nominal, not calibrated)",
)
