"""The first words of port 30001: which kinematic figures the controller computes with. Nothing more is streamed."""

from __future__ import annotations

import zlib

from robot.kinematics import DhModel
from robot.ur.primary import PRIMARY_PORT, KinematicFigures, pack_kinematics

__all__ = ["PRIMARY_PORT", "kinematics_message"]


def kinematics_message(model: DhModel) -> bytes:
    """The message of a controller whose arm is exactly nominal."""
    zero = (0.0,) * 6
    rows = zip(model.a_m, model.d_m, model.alpha_rad, strict=True)
    checksums = tuple(zlib.crc32(repr(row).encode()) for row in rows)
    return pack_kinematics(KinematicFigures(zero, model.a_m, model.d_m, model.alpha_rad, checksums))
