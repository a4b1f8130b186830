"""Rotation conversions against scipy, which is too slow for the control path but right."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from geometry import rotation as so3

ANGLES = [0.0, 1e-12, 1e-7, 9e-7, 1e-6, 1e-5, 1e-3, 0.5, 1.5, 3.0, np.pi - 1e-4, np.pi - 1e-8]
AXES = [[1.0, 0.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, 1.0], [0.48, -0.6, 0.64], [-2.0 / 3.0, 1.0 / 3.0, 2.0 / 3.0]]


@pytest.mark.parametrize("angle", ANGLES)
@pytest.mark.parametrize("axis", AXES)
def test_against_scipy(axis: list[float], angle: float) -> None:
    rotvec = angle * np.array(axis)
    reference = Rotation.from_rotvec(rotvec)
    matrix = so3.rotation_from_rotvec(rotvec)
    np.testing.assert_allclose(matrix, reference.as_matrix(), atol=1e-15)
    quaternion = so3.quaternion_from_rotation(matrix)
    np.testing.assert_allclose(quaternion, reference.as_quat(canonical=True), atol=1e-15)
    np.testing.assert_allclose(so3.rotation_from_quaternion(quaternion), matrix, atol=2e-15)
    np.testing.assert_allclose(so3.rotvec_from_rotation(matrix), rotvec, atol=1e-14)
    assert so3.rotation_angle(matrix) == pytest.approx(angle, abs=1e-14)


@pytest.mark.parametrize("angle", ANGLES)
@pytest.mark.parametrize("axis", AXES)
def test_left_jacobian(axis: list[float], angle: float) -> None:
    rotvec = angle * np.array(axis)
    jacobian = so3.left_jacobian(rotvec)
    np.testing.assert_allclose(jacobian @ so3.left_jacobian_inverse(rotvec), np.eye(3), atol=5e-15)
    # The mean rotation along the way, by Gauss-Legendre quadrature.
    nodes, weights = np.polynomial.legendre.leggauss(20)
    mean = (
        sum(w * so3.rotation_from_rotvec(0.5 * (x + 1.0) * rotvec) for x, w in zip(nodes, weights, strict=True)) / 2.0
    )
    np.testing.assert_allclose(jacobian, mean, atol=1e-13)


def test_skew_is_the_cross_product() -> None:
    a, b = np.array([1.0, -2.0, 3.0]), np.array([0.5, 4.0, -1.0])
    np.testing.assert_array_equal(so3.skew(a) @ b, np.cross(a, b))
