"""Kinematics of UR arms in closed form, in the controller's (DH) base, which is ROS `base_link` turned by 180 deg."""

from __future__ import annotations

from robot.kinematics.calibration import Calibration, calibration_difference
from robot.kinematics.dh import UR10E, DhModel
from robot.kinematics.differential import Clearances, clearances, jacobian
from robot.kinematics.follow import Followed
from robot.kinematics.follower import PoseFollower
from robot.kinematics.forward import Links, chain, forward, links
from robot.kinematics.inverse import inverse
from robot.kinematics.limits import UR10E_HOME_RAD, UR10E_LIMITS, JointLimits
from robot.kinematics.models import MODELS, limits_named, model_named
from robot.kinematics.nearest import Unreachable, continuing, nearest
from robot.kinematics.tool import Kinematics

__all__ = [
    "MODELS",
    "UR10E",
    "UR10E_HOME_RAD",
    "UR10E_LIMITS",
    "Calibration",
    "Clearances",
    "DhModel",
    "Followed",
    "JointLimits",
    "Kinematics",
    "Links",
    "PoseFollower",
    "Unreachable",
    "calibration_difference",
    "chain",
    "clearances",
    "continuing",
    "forward",
    "inverse",
    "jacobian",
    "limits_named",
    "links",
    "model_named",
    "nearest",
]
