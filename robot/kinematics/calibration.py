"""Calibrated arms: what the factory measured of one arm, against the nominal figures of its model.

Every UR arm is measured once; its controller adds small corrections to all 24 Denavit-Hartenberg figures. The closed
form needs the nominal twists, so it is used as the approximation that it is: the pose asked of the nominal arm is moved
by what the calibrated one would miss, until it misses nothing. As the corrections are thousandths, a round takes the
error down about a thousandfold.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from deploy.errors import BadInput
from geometry.pose import Pose
from geometry.types import Array
from robot.kinematics.dh import DhModel, Six
from robot.kinematics.follow import damped_step, miss
from robot.kinematics.forward import forward
from robot.kinematics.limits import UR10E_LIMITS
from robot.kinematics.nearest import Unreachable

_NONE: Final[Six] = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
# the pose is met when both fall below [m, rad]
_MET: Final = 1e-11
_ROUNDS: Final = 12
# how far from where the arm is joint angles are looked for that the closed form does not find [rad]
_NEAR: Final = np.full(6, 0.2)
_POSES: Final = 2000


@dataclass(frozen=True, slots=True)
class Calibration:
    """Corrections of one arm to the figures of its model, as the controller holds them in `calibration.conf`.

    The offsets along the second and third axis may be metres with opposite signs: these axes are parallel, and where a
    parallel figure starts is free.

    Attributes:
        theta_rad: Added to the joint angles [rad].
        a_m: Added to the link lengths [m].
        d_m: Added to the link offsets [m].
        alpha_rad: Added to the link twists [rad].

    Raises:
        deploy.errors.BadInput: If a correction is not finite.
    """

    theta_rad: Six = _NONE
    a_m: Six = _NONE
    d_m: Six = _NONE
    alpha_rad: Six = _NONE

    def __post_init__(self) -> None:
        for name in ("theta_rad", "a_m", "d_m", "alpha_rad"):
            values = getattr(self, name)
            if len(values) != 6 or not all(math.isfinite(value) for value in values):
                raise BadInput(f"calibration: {name} is {values}: expected 6 finite values; read it from the arm again")

    @staticmethod
    def of_figures(
        model: DhModel,
        theta_rad: Sequence[float],
        a_m: Sequence[float],
        d_m: Sequence[float],
        alpha_rad: Sequence[float],
    ) -> Calibration:
        """Corrections that lead to the whole figures, as the controller's primary interface sends them."""
        return Calibration(
            _difference(theta_rad, _NONE),
            _difference(a_m, model.a_m),
            _difference(d_m, model.d_m),
            _difference(alpha_rad, model.alpha_rad),
        )

    def forward(self, joint_positions_rad: Sequence[float] | Array, model: DhModel) -> Pose:
        """Return base_T_flange of the calibrated arm: the product of its link transforms.

        Args:
            joint_positions_rad: Shape (6,) [rad].
            model: Nominal figures of the arm.
        """
        x, y, z = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)
        px = py = pz = 0.0
        for i in range(6):
            angle = float(joint_positions_rad[i]) + self.theta_rad[i]
            twist = model.alpha_rad[i] + self.alpha_rad[i]
            a, d = model.a_m[i] + self.a_m[i], model.d_m[i] + self.d_m[i]
            c, s, ca, sa = math.cos(angle), math.sin(angle), math.cos(twist), math.sin(twist)
            turned = (c * x[0] + s * y[0], c * x[1] + s * y[1], c * x[2] + s * y[2])
            side = (c * y[0] - s * x[0], c * y[1] - s * x[1], c * y[2] - s * x[2])
            px, py, pz = px + d * z[0] + a * turned[0], py + d * z[1] + a * turned[1], pz + d * z[2] + a * turned[2]
            x, y, z = (
                turned,
                (ca * side[0] + sa * z[0], ca * side[1] + sa * z[1], ca * side[2] + sa * z[2]),
                (ca * z[0] - sa * side[0], ca * z[1] - sa * side[1], ca * z[2] - sa * side[2]),
            )
        return Pose(np.array((x, y, z)).T, np.array((px, py, pz)))

    def solve(
        self,
        base_T_flange: Pose,
        reference_q: Sequence[float] | Array,
        model: DhModel,
        nominal: Callable[[Pose, Sequence[float] | Array], Array],
    ) -> Array:
        """Return joint angles of the calibrated arm.

        Args:
            base_T_flange: Where the flange should be.
            reference_q: Shape (6,), where the joints are [rad].
            model: Nominal figures of the arm.
            nominal: Inverse kinematics of the nominal arm: flange pose and reference to joint angles.

        Returns:
            Shape (6,) [rad]; the flange is off by less than 1e-9 m and 1e-9 rad.

        Raises:
            robot.kinematics.Unreachable: If the nominal arm cannot get there, nor the calibrated one from near by.
        """
        asked, near = base_T_flange, reference_q
        try:
            for _ in range(_ROUNDS):
                joints = nominal(asked, near)
                error = self.forward(joints, model).inverse() @ base_T_flange
                if np.abs(error.translation).max() < _MET and np.abs(error.rotation - np.eye(3)).max() < _MET:
                    return joints
                asked, near = _orthonormal(forward(joints, model) @ error), joints
        except Unreachable as error:
            refusal = error
        else:
            x, y, z = base_T_flange.translation.tolist()
            refusal = Unreachable(
                f"{model.name} as calibrated cannot put its flange at ({x:.3f}, {y:.3f}, {z:.3f}) m in the base: it is "
                "too close to a singularity; move the target"
            )
        # next to full stretch a thousandth decides whether the nominal arm gets there: from where the arm is, then
        found = self._newton(base_T_flange, np.array(reference_q, dtype=np.float64), model)
        if found is None:
            raise refusal
        return found

    def _newton(self, base_T_flange: Pose, joints: Array, model: DhModel) -> Array | None:
        """Joint angles near by, by Newton's method with the nominal arm's Jacobian; None if it does not end near by."""
        start = joints
        for _ in range(2 * _ROUNDS):
            left = miss(self.forward(joints, model), base_T_flange)
            if left.size < _MET:
                return joints
            joints = joints + damped_step(joints, left.twist, -_NEAR, _NEAR, (0.0, 0.0, 0.0), model)
            if np.abs(joints - start).max() > _NEAR[0]:
                return None
        return None


def calibration_difference(
    nominal: DhModel, measured: Calibration, joint_positions_rad: Sequence[Sequence[float]] | Array | None = None
) -> float:
    """Return how far the flange of a calibrated arm is from where the nominal figures say, at most [m].

    Args:
        nominal: Figures of the arm's model.
        measured: The arm's corrections.
        joint_positions_rad: Shape (N, 6), where to compare [rad]; 2000 poses all over the joints' ranges if not given.
    """
    if joint_positions_rad is None:
        joint_positions_rad = np.random.default_rng(0).uniform(
            UR10E_LIMITS.lower_rad, UR10E_LIMITS.upper_rad, (_POSES, 6)
        )
    return max(
        (forward(q, nominal).distance_to(measured.forward(q, nominal))[0] for q in joint_positions_rad), default=0.0
    )


def _difference(figures: Sequence[float], nominal: Six) -> Six:
    if len(figures) != 6:
        raise BadInput(f"calibration: {len(figures)} figures {list(figures)}: expected 6; read them from the arm again")
    a, b, c, d, e, f = (float(x) - y for x, y in zip(figures, nominal, strict=True))
    return a, b, c, d, e, f


def _orthonormal(pose: Pose) -> Pose:
    """The pose with the rounding of a few products taken out of its rotation (one step of Newton's)."""
    r = pose.rotation
    return Pose(r @ (1.5 * np.eye(3) - 0.5 * (r.T @ r)), pose.translation)
