"""Kinematics of UR arms in closed form, in the controller's (DH) base, which is ROS `base_link` turned by 180 deg."""

from __future__ import annotations

from robot.kinematics.dh import UR10E, DhModel
from robot.kinematics.forward import Links, chain, forward, links
from robot.kinematics.inverse import Unreachable, inverse, nearest
from robot.kinematics.limits import UR10E_HOME_RAD, UR10E_LIMITS, JointLimits
from robot.kinematics.models import MODELS, limits_named, model_named
from robot.kinematics.tool import Kinematics

__all__ = [
    "MODELS",
    "UR10E",
    "UR10E_HOME_RAD",
    "UR10E_LIMITS",
    "DhModel",
    "JointLimits",
    "Kinematics",
    "Links",
    "Unreachable",
    "chain",
    "forward",
    "inverse",
    "limits_named",
    "links",
    "model_named",
    "nearest",
]
