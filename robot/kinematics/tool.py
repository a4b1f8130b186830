"""An arm with a tool on it: the kinematics in terms of the point between the finger tips."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from geometry.pose import Pose
from geometry.types import Array
from robot.kinematics.calibration import Calibration
from robot.kinematics.dh import UR10E, DhModel
from robot.kinematics.follow import Followed, nearest_step
from robot.kinematics.forward import Vector, forward, links
from robot.kinematics.limits import UR10E_LIMITS, JointLimits
from robot.kinematics.nearest import Unreachable, continuing, nearest

_Choose = Callable[[Pose, Sequence[float] | Array, JointLimits, DhModel], Array]


@dataclass(frozen=True, slots=True)
class Kinematics:
    """Kinematics of one arm with one tool.

    Attributes:
        flange_T_tcp: Pose of the tool point in the flange.
        model: Figures of the arm.
        limits: Ranges of its joints.
        calibration: What was measured of this one arm; nominal if not given.
    """

    flange_T_tcp: Pose = field(default_factory=Pose.identity)
    model: DhModel = UR10E
    limits: JointLimits = UR10E_LIMITS
    calibration: Calibration | None = None
    _tcp_T_flange: Pose = field(init=False, repr=False)
    _offset: Vector = field(init=False, repr=False)

    def __post_init__(self) -> None:
        x, y, z = self.flange_T_tcp.translation.tolist()
        object.__setattr__(self, "_tcp_T_flange", self.flange_T_tcp.inverse())
        object.__setattr__(self, "_offset", (x, y, z))

    def tcp(self, joint_positions_rad: Sequence[float] | Array) -> Pose:
        """Return base_T_tcp of six joint angles [rad]."""
        if self.calibration is not None:
            return self.calibration.forward(joint_positions_rad, self.model) @ self.flange_T_tcp
        return forward(joint_positions_rad, self.model) @ self.flange_T_tcp

    def joints(self, base_T_tcp: Pose, reference_q: Sequence[float] | Array) -> Array:
        """Return the joint angles that bring the tool point to a pose, in the branch that the arm is in.

        What a motion goes on with, see `continuing`: nothing flips, and no joint turns back from its end. To place an
        arm in whichever branch, take `any_joints`; to bound the speed too, `follow`.

        Args:
            base_T_tcp: Where the tool point should be.
            reference_q: Shape (6,), where the joints are [rad].

        Returns:
            Shape (6,) [rad], inside the limits.

        Raises:
            robot.kinematics.Unreachable: If there are none, or only far ones: the message says which.
        """
        return self._solve(continuing, base_T_tcp, reference_q)

    def any_joints(self, base_T_tcp: Pose, reference_q: Sequence[float] | Array) -> Array:
        """Return the joint angles that bring the tool point to a pose, in the best of all branches, see `nearest`.

        Args:
            base_T_tcp: Where the tool point should be.
            reference_q: Shape (6,), where the joints are [rad].

        Returns:
            Shape (6,) [rad], inside the limits.

        Raises:
            robot.kinematics.Unreachable: If there are none.
        """
        return self._solve(nearest, base_T_tcp, reference_q)

    def follow(
        self,
        base_T_tcp: Pose,
        reference_q: Sequence[float] | Array,
        max_step_rad: Sequence[float] | Array,
        tolerance_m: float = 0.005,
        tolerance_rad: float = 0.05,
    ) -> Followed:
        """Return the next joint angles of a motion that follows a moving pose, none further than its step.

        The pose itself if the branch that the arm is in gets there within the step; else the damped step that brings
        the tool nearest, see `robot.kinematics.follow`. Where the pose is behind (a singularity asked for more speed
        than there is), the next steps catch up.

        Args:
            base_T_tcp: Where the tool point should be at the end of the step.
            reference_q: Shape (6,), what the last step returned [rad].
            max_step_rad: Shape (6,), how far each joint may turn: its speed limit times the period [rad].
            tolerance_m: How far off the tool may stay where no joints of this branch reach the pose [m].
            tolerance_rad: The same for its orientation [rad].

        Raises:
            robot.kinematics.Unreachable: If no joints of this branch reach the pose and the tool is further off than
                the tolerances.
        """
        joints = np.array(reference_q, dtype=np.float64)
        steps = np.asarray(max_step_rad, dtype=np.float64)
        goal: Array | None = None
        refusal: Unreachable | None = None
        try:
            goal = self.joints(base_T_tcp, joints)
        except Unreachable as error:
            refusal = error
        if goal is not None and (np.abs(goal - joints) <= steps).all():
            return Followed(goal, 0.0, 0.0, is_exact=True)
        moved, rest = nearest_step(self.tcp(joints), base_T_tcp, joints, goal, steps, self)
        if refusal is not None and (rest.error_m > tolerance_m or rest.error_rad > tolerance_rad):
            raise refusal
        why = "" if refusal is None else str(refusal)
        return Followed(moved, rest.error_m, rest.error_rad, is_exact=False, why=why)

    @property
    def tool_in_flange_m(self) -> Vector:
        """The tool point in the flange [m]."""
        return self._offset

    def points(self, joint_positions_rad: Sequence[float]) -> tuple[Vector, float]:
        """Return what the governor guards, cheaply: the tool point and the lowest point of the arm's axis.

        Nominal figures: a calibration moves these points by a few millimetres at most.

        Args:
            joint_positions_rad: Six angles [rad] as plain floats.

        Returns:
            The tool point in the base [m], and the least height of elbow, wrist and flange [m].
        """
        at = links(joint_positions_rad, self.model)
        lowest = min(at.elbow[2], at.wrist_1[2], at.wrist_3[2], at.flange[2])
        return at.point(self._offset), lowest

    def _solve(self, choose: _Choose, base_T_tcp: Pose, reference_q: Sequence[float] | Array) -> Array:
        """Joint angles of the nominal or the calibrated arm."""
        base_T_flange = base_T_tcp @ self._tcp_T_flange
        if self.calibration is None:
            return choose(base_T_flange, reference_q, self.limits, self.model)
        joints = self.calibration.solve(
            base_T_flange, reference_q, self.model, lambda pose, near: choose(pose, near, self.limits, self.model)
        )
        if not self.limits.contains(joints):
            raise Unreachable(
                f"{self.model.name} would leave its joint limits at {joints.round(3).tolist()} rad: move the target"
            )
        return joints
