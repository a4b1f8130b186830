"""An arm with a tool on it: the kinematics in terms of the point between the finger tips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from geometry.pose import Pose
from geometry.types import Array
from robot.kinematics.dh import UR10E, DhModel
from robot.kinematics.forward import Vector, forward, links
from robot.kinematics.inverse import nearest
from robot.kinematics.limits import UR10E_LIMITS, JointLimits


@dataclass(frozen=True, slots=True)
class Kinematics:
    """Kinematics of one arm with one tool.

    Attributes:
        flange_T_tcp: Pose of the tool point in the flange.
        model: Figures of the arm.
        limits: Ranges of its joints.
    """

    flange_T_tcp: Pose = field(default_factory=Pose.identity)
    model: DhModel = UR10E
    limits: JointLimits = UR10E_LIMITS
    _tcp_T_flange: Pose = field(init=False, repr=False)
    _offset: Vector = field(init=False, repr=False)

    def __post_init__(self) -> None:
        x, y, z = self.flange_T_tcp.translation.tolist()
        object.__setattr__(self, "_tcp_T_flange", self.flange_T_tcp.inverse())
        object.__setattr__(self, "_offset", (x, y, z))

    def tcp(self, joint_positions_rad: Sequence[float] | Array) -> Pose:
        """Return base_T_tcp of six joint angles [rad]."""
        return forward(joint_positions_rad, self.model) @ self.flange_T_tcp

    def joints(self, base_T_tcp: Pose, reference_q: Sequence[float] | Array) -> Array:
        """Return the joint angles that bring the tool point to a pose, nearest to a reference.

        Args:
            base_T_tcp: Where the tool point should be.
            reference_q: Shape (6,), where the joints are [rad].

        Returns:
            Shape (6,) [rad], inside the limits.

        Raises:
            robot.kinematics.Unreachable: If there are none.
        """
        return nearest(base_T_tcp @ self._tcp_T_flange, reference_q, self.limits, self.model)

    def points(self, joint_positions_rad: Sequence[float]) -> tuple[Vector, float]:
        """Return what the governor guards, cheaply: the tool point and the lowest point of the arm's axis.

        Args:
            joint_positions_rad: Six angles [rad] as plain floats.

        Returns:
            The tool point in the base [m], and the least height of elbow, wrist and flange [m].
        """
        at = links(joint_positions_rad, self.model)
        lowest = min(at.elbow[2], at.wrist_1[2], at.wrist_3[2], at.flange[2])
        return at.point(self._offset), lowest
