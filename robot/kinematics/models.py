"""The UR arms by name: Denavit-Hartenberg figures, ranges and speeds of the joints as the manufacturer publishes them.

Every arm of the family has the same build (three parallel axes, then two right angles), so one closed form solves all.
The figures are nominal: each arm's controller holds its own calibration, which places the flange a little elsewhere.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Final

from deploy.errors import BadInput
from robot.kinematics.dh import PARALLEL_TWISTS, UR10E, DhModel, Six
from robot.kinematics.limits import UR10E_LIMITS, JointLimits

# The manufacturer's support article, and its own description packages, where the files are of the form
# `<arm>/default_kinematics.yaml` and `<arm>/joint_limits.yaml`.
_ARTICLE: Final = (
    "Universal Robots, DH parameters for calculations of kinematics and dynamics (nominal, not calibrated)"
)
_ROS: Final = "ros-industrial/universal_robot, ur_description/config"
_ROS2: Final = "UniversalRobots/Universal_Robots_ROS2_Description, config"


def _arm(name: str, d1: float, a2: float, a3: float, d4: float, d5: float, d6: float, source: str) -> DhModel:
    return DhModel(name, (0.0, a2, a3, 0.0, 0.0, 0.0), (d1, 0.0, 0.0, d4, d5, d6), PARALLEL_TWISTS, source)


def _limits(base: float, shoulder: float, elbow: float, wrist: float, acceleration: float = 10.0) -> JointLimits:
    """Ranges of `UR10E_LIMITS` at other speeds [deg/s]; acceleration [rad/s^2] and 25 times as much jerk."""
    speeds: Six = (
        math.radians(base),
        math.radians(shoulder),
        math.radians(elbow),
        math.radians(wrist),
        math.radians(wrist),
        math.radians(wrist),
    )
    a, j = acceleration, 25.0 * acceleration
    return replace(
        UR10E_LIMITS,
        velocity_rad_s=speeds,
        acceleration_rad_s2=(a, a, a, a, a, a),
        jerk_rad_s3=(j, j, j, j, j, j),
    )


UR3E: Final = _arm("UR3e", 0.15185, -0.24355, -0.2132, 0.13105, 0.08535, 0.0921, _ARTICLE)
UR5E: Final = _arm("UR5e", 0.1625, -0.425, -0.3922, 0.1333, 0.0997, 0.0996, _ARTICLE)
# "basically a UR5e and UR10e with updated internals": the manufacturer, ros-industrial/universal_robot#692
UR7E: Final = replace(UR5E, name="UR7e", source=f"{_ROS}/ur7e, a link to ur5e, commit 3be8136")
UR12E: Final = replace(UR10E, name="UR12e", source=f"{_ROS}/ur12e/default_kinematics.yaml, commit 2f33925")
UR15: Final = _arm(
    "UR15", 0.2186, -0.6475, -0.5164, 0.1824, 0.1361, 0.1434, f"{_ROS}/ur15/default_kinematics.yaml, commit 499e728"
)
UR16E: Final = _arm(
    "UR16e", 0.1807, -0.4784, -0.36, 0.17415, 0.11985, 0.11655, f"{_ROS}/ur16e/default_kinematics.yaml, commit 2f185ee"
)
UR20: Final = _arm("UR20", 0.2363, -0.862, -0.7287, 0.201, 0.1593, 0.1543, _ARTICLE)
UR30: Final = _arm(
    "UR30", 0.2363, -0.637, -0.5037, 0.201, 0.1593, 0.1543, f"{_ROS2}/ur30/default_kinematics.yaml, commit 6727275"
)

# Speeds: the files `joint_limits.yaml` of the description packages, which quote each arm's user manual. Accelerations
# and jerks are not published: 10 rad/s^2 is about half of what the shoulder's torque leaves after gravity with the arm
# stretched out without load; on the UR20, whose reach asks for more, half is 6.
_ARMS: Final[dict[str, tuple[DhModel, JointLimits]]] = {
    "ur3e": (UR3E, _limits(180.0, 180.0, 180.0, 360.0)),  # user manual UR3e 5.8
    "ur5e": (UR5E, _limits(180.0, 180.0, 180.0, 180.0)),  # user manual UR5e 5.8
    "ur7e": (UR7E, _limits(180.0, 180.0, 180.0, 180.0)),  # as the UR5e
    "ur10e": (UR10E, UR10E_LIMITS),  # user manual UR10e 5.8
    "ur12e": (UR12E, UR10E_LIMITS),  # ur12e/joint_limits.yaml: as the UR10e
    "ur15": (UR15, _limits(180.0, 180.0, 240.0, 300.0)),  # ur15/joint_limits.yaml, commit 499e728
    "ur16e": (UR16E, _limits(120.0, 120.0, 180.0, 180.0)),  # user manual UR16e 5.8
    "ur20": (UR20, _limits(120.0, 120.0, 150.0, 210.0, acceleration=6.0)),  # user manual UR20 5.14
    "ur30": (UR30, _limits(120.0, 120.0, 150.0, 210.0)),  # ur30/joint_limits.yaml
}

MODELS: Final = tuple(_ARMS)
"""Names that `model_named` and `limits_named` know."""


def model_named(name: str) -> DhModel:
    """The nominal figures of an arm.

    Args:
        name: One of `MODELS`; upper or lower case, with or without a space, hyphen or underscore.

    Raises:
        deploy.errors.BadInput: If there is no such arm, naming those there are.

    Example:
        >>> model_named("UR10e").d_m[0]
        0.1807
    """
    return _find(name)[0]


def limits_named(name: str) -> JointLimits:
    """The joint limits of an arm.

    Ranges and speeds are the manufacturer's (the elbow's range is cut to half a turn each way, beyond which the arm
    meets itself); accelerations and jerks are not published and are ours.

    Args:
        name: As for `model_named`.

    Raises:
        deploy.errors.BadInput: If there is no such arm, naming those there are.
    """
    return _find(name)[1]


def _find(name: str) -> tuple[DhModel, JointLimits]:
    key = "".join(c for c in str(name).lower() if c not in " -_")
    if key not in _ARMS:
        raise BadInput(f"arm model {name!r} is not known: name one of {', '.join(MODELS)}")
    return _ARMS[key]
