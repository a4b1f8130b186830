"""Conversions between rotation matrices, rotation vectors and quaternions, in plain float arithmetic.

They run inside the control path, where building a ``scipy`` rotation object costs more than the conversion itself.
Nothing here validates its input: the ``Pose.from_*`` constructors do.
"""

from __future__ import annotations

import math

import numpy as np

from .types import Array

# Below this angle [rad] the series to second order is exact in float64, and the closed forms divide by almost zero.
SMALL_ANGLE = 1e-6


def rotation_from_rotvec(rotvec: Array) -> Array:
    """Rotation matrix (3, 3) of a rotation vector (3,) [rad], by Rodrigues' formula."""
    x, y, z = rotvec.tolist()
    angle = math.sqrt(x * x + y * y + z * z)
    if angle < SMALL_ANGLE:
        a, b = 1.0, 0.5
    else:
        a = math.sin(angle) / angle
        half = math.sin(0.5 * angle) / angle
        b = 2.0 * half * half
    return np.array(
        [
            [1.0 - b * (y * y + z * z), b * x * y - a * z, b * x * z + a * y],
            [b * x * y + a * z, 1.0 - b * (x * x + z * z), b * y * z - a * x],
            [b * x * z - a * y, b * y * z + a * x, 1.0 - b * (x * x + y * y)],
        ]
    )


def rotation_from_quaternion(quaternion: Array) -> Array:
    """Rotation matrix (3, 3) of a unit quaternion (4,), order x, y, z, w."""
    x, y, z, w = quaternion.tolist()
    return np.array(
        [
            [1.0 - 2.0 * (y * y + z * z), 2.0 * (x * y - z * w), 2.0 * (x * z + y * w)],
            [2.0 * (x * y + z * w), 1.0 - 2.0 * (x * x + z * z), 2.0 * (y * z - x * w)],
            [2.0 * (x * z - y * w), 2.0 * (y * z + x * w), 1.0 - 2.0 * (x * x + y * y)],
        ]
    )


def quaternion_from_rotation(rotation: Array) -> Array:
    """Unit quaternion (4,), order x, y, z, w, of a rotation matrix (3, 3).

    Shepperd's method: the largest component is found first, so that nothing is divided by a small number. Of the two
    quaternions of a rotation the one with w > 0 is returned; where w = 0, the one whose first non-zero component is
    positive.
    """
    (r00, r01, r02), (r10, r11, r12), (r20, r21, r22) = rotation.tolist()
    trace = r00 + r11 + r22
    if trace > max(r00, r11, r22):
        x, y, z, w = r21 - r12, r02 - r20, r10 - r01, 1.0 + trace
    elif r00 >= r11 and r00 >= r22:
        x, y, z, w = 1.0 + r00 - r11 - r22, r01 + r10, r02 + r20, r21 - r12
    elif r11 >= r22:
        x, y, z, w = r01 + r10, 1.0 + r11 - r00 - r22, r12 + r21, r02 - r20
    else:
        x, y, z, w = r02 + r20, r12 + r21, 1.0 + r22 - r00 - r11, r10 - r01
    norm = math.sqrt(x * x + y * y + z * z + w * w)
    first = next((value for value in (w, x, y, z) if value != 0.0), 1.0)
    scale = math.copysign(1.0 / norm, first)
    return np.array([x * scale, y * scale, z * scale, w * scale])


def rotvec_from_rotation(rotation: Array) -> Array:
    """Rotation vector (3,) [rad] of a rotation matrix (3, 3); its length is in [0, pi].

    Goes through the quaternion, which keeps full precision near 0 and near pi, where the trace formula loses half.
    """
    x, y, z, w = quaternion_from_rotation(rotation).tolist()
    sine = math.sqrt(x * x + y * y + z * z)
    scale = 2.0 if sine < SMALL_ANGLE else 2.0 * math.atan2(sine, w) / sine
    return np.array([x * scale, y * scale, z * scale])


def rotation_angle(rotation: Array) -> float:
    """Angle of a rotation matrix (3, 3) [rad], in [0, pi]."""
    (r00, r01, r02), (r10, r11, r12), (r20, r21, r22) = rotation.tolist()
    sine2 = math.sqrt((r21 - r12) ** 2 + (r02 - r20) ** 2 + (r10 - r01) ** 2)
    return math.atan2(sine2, r00 + r11 + r22 - 1.0)


def skew(vector: Array) -> Array:
    """Matrix (3, 3) whose product with p is the cross product of ``vector`` (3,) with p."""
    x, y, z = vector.tolist()
    return np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])


def left_jacobian(rotvec: Array) -> Array:
    """Left Jacobian (3, 3) of SO(3): it maps the linear part of a twist to the translation of its exponential."""
    angle = math.sqrt(float(rotvec @ rotvec))
    if angle < SMALL_ANGLE:
        b, c = 0.5, 1.0 / 6.0
    else:
        half = math.sin(0.5 * angle) / angle
        b = 2.0 * half * half
        c = (1.0 - math.sin(angle) / angle) / (angle * angle)
    k = skew(rotvec)
    return np.eye(3) + b * k + c * (k @ k)


def left_jacobian_inverse(rotvec: Array) -> Array:
    """Inverse (3, 3) of ``left_jacobian``, for a rotation vector no longer than pi [rad]."""
    angle = math.sqrt(float(rotvec @ rotvec))
    if angle < SMALL_ANGLE:
        d = 1.0 / 12.0
    else:
        half = 0.5 * angle
        d = (1.0 - half * math.cos(half) / math.sin(half)) / (angle * angle)
    k = skew(rotvec)
    return np.eye(3) - 0.5 * k + d * (k @ k)
