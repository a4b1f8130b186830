"""Intrinsics and poses as a configuration file writes them: mappings of plain numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from deploy.errors import BadInput
from geometry.camera import Camera
from geometry.pose import Pose


def camera_option(value: Camera | Mapping[str, Any], where: str) -> Camera:
    """A `Camera`, or one built from `{width, height, fx, fy, cx, cy, distortion}`.

    Raises:
        BadInput: If a key is missing or unknown, or a value is out of range, naming it.
    """
    if isinstance(value, Camera):
        return value
    try:
        fields: dict[str, Any] = {**value, "distortion": tuple(value.get("distortion", ()))}
        return Camera(**fields)
    except (TypeError, ValueError, AttributeError) as error:
        raise BadInput(
            f"{where}: {error}; expected width, height, fx, fy, cx, cy [px] and optionally distortion"
        ) from (error)


def pose_option(value: Pose | Mapping[str, Any], where: str) -> Pose:
    """A `Pose`, or one built from `{translation_m, quaternion_xyzw | rotation_vector_rad | rotation_matrix}`.

    Raises:
        BadInput: If a key is unknown, two rotations are given, or a value is not a rotation.
    """
    if isinstance(value, Pose):
        return value
    expected = "translation_m and one of quaternion_xyzw, rotation_vector_rad, rotation_matrix"
    if not isinstance(value, Mapping):
        raise BadInput(f"{where}: {value!r}; expected a mapping with {expected}")
    rotations = [key for key in value if key != "translation_m"]
    if "translation_m" not in value or len(rotations) > 1:
        raise BadInput(f"{where}: keys {', '.join(value)}; expected {expected}")
    try:
        translation = np.asarray(value["translation_m"], dtype=np.float64)
        if not rotations:
            return Pose.from_rotvec(np.zeros(3), translation)
        rotation = np.asarray(value[rotations[0]], dtype=np.float64)
        if rotations[0] == "quaternion_xyzw":
            return Pose.from_quaternion(rotation, translation)
        if rotations[0] == "rotation_vector_rad":
            return Pose.from_rotvec(rotation, translation)
        if rotations[0] == "rotation_matrix":
            matrix = np.eye(4)
            matrix[:3, :3], matrix[:3, 3] = rotation, translation
            return Pose.from_matrix(matrix)
    except (TypeError, ValueError) as error:
        raise BadInput(f"{where}: {error}") from error
    raise BadInput(f"{where}: unknown key {rotations[0]}; expected {expected}")
