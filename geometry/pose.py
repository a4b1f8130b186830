"""Rigid transforms, SE(3)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from . import rotation as so3
from .types import Array

# A rotation written by hand or in a file has a few digits: nearer than this it is repaired, further off it is refused.
ROUNDING_LIMIT = 1e-3
# A rotation that came out of our own arithmetic is nearer than this and keeps its bits.
EXACT_LIMIT = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Pose:
    """Pose of frame b in frame a, written ``a_T_b``: it takes coordinates in b to coordinates in a.

    The constructor copies and checks shapes only, since poses are made in the control path; the ``from_*``
    constructors also check that what they are given is a rotation. Poses compare by identity: use ``distance_to``.

    Attributes:
        rotation: Shape (3, 3), float64, read-only; its columns are the axes of b in a.
        translation: Shape (3,), float64, read-only; the origin of b in a [m].

    Example:
        >>> base_T_camera = Pose.from_rotvec([0.0, 0.0, np.pi / 2], [0.5, 0.0, 0.2])
        >>> base_T_camera.apply([0.1, 0.0, 0.0]).round(3).tolist()
        [0.5, 0.1, 0.2]
    """

    rotation: Array
    translation: Array

    # numpy would otherwise take ``pose @ array`` apart element by element.
    __array_ufunc__: ClassVar[None] = None

    def __post_init__(self) -> None:
        """Copy the arrays, so that nobody else holds a writable view of them."""
        rotation = np.array(self.rotation, dtype=np.float64)
        translation = np.array(self.translation, dtype=np.float64)
        if rotation.shape != (3, 3) or translation.shape != (3,):
            raise ValueError(
                f"pose from rotation of shape {rotation.shape} and translation of shape {translation.shape}: "
                "expected (3, 3) and (3,); for other forms use Pose.from_matrix, from_quaternion or from_rotvec"
            )
        rotation.flags.writeable = False
        translation.flags.writeable = False
        object.__setattr__(self, "rotation", rotation)
        object.__setattr__(self, "translation", translation)

    @staticmethod
    def identity() -> Pose:
        """The pose that changes nothing."""
        return _wrap(np.eye(3), np.zeros(3))

    @staticmethod
    def from_matrix(matrix: npt.ArrayLike) -> Pose:
        """Pose of a homogeneous matrix.

        Args:
            matrix: Shape (4, 4), translation [m]. A rotation with entries rounded to three or more digits is replaced
                by the nearest rotation (polar decomposition); one that is exact to 1e-9 keeps its bits.

        Raises:
            ValueError: If the shape, the last row or the rotation is wrong, naming the entry and the limit.
        """
        m = np.array(matrix, dtype=np.float64)
        if m.shape != (4, 4):
            raise ValueError(
                f"pose matrix of shape {m.shape}: expected (4, 4); append the row 0 0 0 1 to a (3, 4) matrix"
            )
        if not np.array_equal(m[3], (0.0, 0.0, 0.0, 1.0)):
            raise ValueError(f"last row of the pose matrix is {m[3].tolist()}: expected 0 0 0 1; is it transposed?")
        _check_translation(m[:3, 3])
        return _wrap(_valid_rotation(m[:3, :3]), m[:3, 3])

    @staticmethod
    def from_quaternion(quaternion: npt.ArrayLike, translation: npt.ArrayLike) -> Pose:
        """Pose of a quaternion and a translation.

        Args:
            quaternion: Shape (4,), order x, y, z, w (as in ROS; not w first); unit length to 1e-3, then normalised.
            translation: Shape (3,) [m].

        Raises:
            ValueError: If a shape is wrong, a value is not finite, or the quaternion is not of unit length.
        """
        q = np.array(quaternion, dtype=np.float64)
        if q.shape != (4,):
            raise ValueError(f"quaternion of shape {q.shape}: expected (4,), order x, y, z, w")
        norm = math.sqrt(float(q @ q))
        if not abs(norm - 1.0) <= ROUNDING_LIMIT:
            raise ValueError(
                f"quaternion {q.tolist()} has length {norm:.6g}: expected 1 within {ROUNDING_LIMIT:g}; "
                "normalise it (a length of 0 is a message whose orientation was never set)"
            )
        return _wrap(so3.rotation_from_quaternion(q / norm), _check_translation(translation))

    @staticmethod
    def from_rotvec(rotvec: npt.ArrayLike, translation: npt.ArrayLike) -> Pose:
        """Pose of a rotation vector and a translation.

        Args:
            rotvec: Shape (3,), axis times angle [rad]; any length.
            translation: Shape (3,) [m].

        Raises:
            ValueError: If a shape is wrong or a value is not finite.
        """
        return _wrap(
            so3.rotation_from_rotvec(_check_vector(rotvec, "rotation vector", 3)), _check_translation(translation)
        )

    @staticmethod
    def exp(twist: npt.ArrayLike) -> Pose:
        """Exponential map of SE(3): the pose reached after moving with a constant twist for one second.

        Args:
            twist: Shape (6,), linear part [m] then angular part [rad], both in the moving frame's starting axes.

        Raises:
            ValueError: If the shape is wrong or a value is not finite.
        """
        xi = _check_vector(twist, "twist", 6)
        return _wrap(so3.rotation_from_rotvec(xi[3:]), so3.left_jacobian(xi[3:]) @ xi[:3])

    @property
    def matrix(self) -> Array:
        """Homogeneous matrix, shape (4, 4)."""
        m = np.eye(4)
        m[:3, :3] = self.rotation
        m[:3, 3] = self.translation
        return m

    @property
    def quaternion(self) -> Array:
        """Unit quaternion of the rotation, shape (4,), order x, y, z, w, with w >= 0."""
        return so3.quaternion_from_rotation(self.rotation)

    @property
    def rotvec(self) -> Array:
        """Rotation vector, shape (3,) [rad], no longer than pi."""
        return so3.rotvec_from_rotation(self.rotation)

    def log(self) -> Array:
        """Logarithm of SE(3), the inverse of ``exp``: shape (6,), linear part [m] then angular part [rad]."""
        rotvec = so3.rotvec_from_rotation(self.rotation)
        return np.concatenate((so3.left_jacobian_inverse(rotvec) @ self.translation, rotvec))

    def inverse(self) -> Pose:
        """The pose of a in b: ``a_T_b.inverse()`` is ``b_T_a``."""
        transposed = self.rotation.T
        return _wrap(transposed, -(transposed @ self.translation))

    def __matmul__(self, other: Pose) -> Pose:
        """Composition: ``a_T_b @ b_T_c`` is ``a_T_c``."""
        if not isinstance(other, Pose):
            return NotImplemented
        return _wrap(self.rotation @ other.rotation, self.rotation @ other.translation + self.translation)

    def apply(self, points: npt.ArrayLike) -> Array:
        """Take points from frame b to frame a.

        Args:
            points: Shape (N, 3) or (3,), coordinates in b [m]. NaN rows stay NaN.

        Returns:
            The same shape, coordinates in a [m].

        Raises:
            ValueError: If the last axis does not have three entries.
        """
        p = np.asarray(points, dtype=np.float64)
        if p.ndim not in (1, 2) or p.shape[-1] != 3:
            raise ValueError(f"points of shape {p.shape}: expected (N, 3) or (3,)")
        moved: Array = p @ self.rotation.T + self.translation
        return moved

    def interpolate(self, other: Pose, u: float) -> Pose:
        """Pose a fraction of the way to another: slerp of the rotation (the shorter way), lerp of the translation.

        Args:
            other: The pose at ``u = 1``, in the same frames.
            u: Fraction; 0 and 1 give the end points exactly, values outside [0, 1] go on at the same velocity.

        Raises:
            ValueError: If ``u`` is not finite.
        """
        if u == 0.0:
            return self
        if u == 1.0:
            return other
        if not math.isfinite(u):
            raise ValueError(
                f"interpolation fraction {u}: expected a finite number; check the stamps that it came from"
            )
        step = so3.rotvec_from_rotation(self.rotation.T @ other.rotation)
        rotation = self.rotation @ so3.rotation_from_rotvec(u * step)
        return _wrap(rotation, (1.0 - u) * self.translation + u * other.translation)

    def distance_to(self, other: Pose) -> tuple[float, float]:
        """Distance between the origins [m] and angle between the orientations [rad, in 0..pi] of two poses."""
        d = other.translation - self.translation
        return math.sqrt(float(d @ d)), so3.rotation_angle(self.rotation.T @ other.rotation)

    def __repr__(self) -> str:
        return f"Pose(rotvec={self.rotvec.round(6).tolist()}, translation={self.translation.round(6).tolist()})"


def _wrap(rotation: Array, translation: Array) -> Pose:
    """Pose around arrays that nobody else writes to: no copy, no check."""
    rotation.flags.writeable = False
    translation.flags.writeable = False
    pose = object.__new__(Pose)
    object.__setattr__(pose, "rotation", rotation)
    object.__setattr__(pose, "translation", translation)
    return pose


def _check_vector(values: npt.ArrayLike, what: str, length: int) -> Array:
    """Copy of a vector, after its shape and values were checked."""
    vector: Array = np.array(values, dtype=np.float64)
    if vector.shape != (length,):
        raise ValueError(f"{what} of shape {vector.shape}: expected ({length},)")
    if not np.isfinite(vector).all():
        raise ValueError(f"{what} {vector.tolist()}: expected finite values; drop the sample that it came from")
    return vector


def _check_translation(translation: npt.ArrayLike) -> Array:
    """Copy of a translation (3,) [m], after its shape and values were checked."""
    return _check_vector(translation, "translation", 3)


def _valid_rotation(matrix: Array) -> Array:
    """The rotation (3, 3) that a matrix stands for, or ValueError."""
    error = float(np.abs(matrix @ matrix.T - np.eye(3)).max())
    if not error <= ROUNDING_LIMIT:
        raise ValueError(
            f"rotation matrix differs from orthonormal by {error:.3g}: expected at most {ROUNDING_LIMIT:g}; "
            "remove scale and shear, or give more digits"
        )
    determinant = float(np.linalg.det(matrix))
    if determinant < 0.0:
        raise ValueError(f"rotation matrix has determinant {determinant:.3f}: expected +1; one axis is mirrored")
    if error <= EXACT_LIMIT:
        return matrix
    u, _, vt = np.linalg.svd(matrix)
    return np.asarray(u @ vt, dtype=np.float64)
