"""Pose: the axioms of the group, its maps, and what its constructors refuse."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geometry import Pose

PROPERTY = settings(max_examples=60, deadline=None, derandomize=True)

coordinate = st.floats(-3.0, 3.0, allow_nan=False)
vectors = st.tuples(coordinate, coordinate, coordinate).map(np.array)
# Including exact half turns and angles at which closed forms divide by almost zero.
axes = vectors.filter(lambda v: np.linalg.norm(v) > 1e-3).map(lambda v: v / np.linalg.norm(v))
angles = st.one_of(st.floats(0.0, np.pi), st.sampled_from([0.0, 1e-12, 1e-8, 1e-6, 1e-3, np.pi - 1e-7, np.pi]))
rotvecs = st.builds(lambda axis, angle: axis * angle, axes, angles)
poses = st.builds(Pose.from_rotvec, rotvecs, vectors)


def assert_same(a: Pose, b: Pose, atol: float = 1e-9) -> None:
    np.testing.assert_allclose(a.matrix, b.matrix, atol=atol)


@PROPERTY
@given(poses, poses, poses)
def test_composition_is_associative(a: Pose, b: Pose, c: Pose) -> None:
    assert_same((a @ b) @ c, a @ (b @ c))


@PROPERTY
@given(poses)
def test_identity_and_inverse(a: Pose) -> None:
    assert_same(a @ Pose.identity(), a)
    assert_same(Pose.identity() @ a, a)
    assert_same(a @ a.inverse(), Pose.identity())
    assert_same(a.inverse() @ a, Pose.identity())


@PROPERTY
@given(poses, poses, vectors)
def test_composition_applies_in_turn(a: Pose, b: Pose, point: np.ndarray) -> None:
    np.testing.assert_allclose((a @ b).apply(point), a.apply(b.apply(point)), atol=1e-9)
    np.testing.assert_allclose((a @ b).matrix, a.matrix @ b.matrix, atol=1e-9)
    np.testing.assert_allclose(a.inverse().apply(a.apply(point)), point, atol=1e-9)


@PROPERTY
@given(poses)
def test_exp_of_log_is_the_pose(a: Pose) -> None:
    assert_same(Pose.exp(a.log()), a, atol=1e-8)


@PROPERTY
@given(axes, st.floats(0.0, np.pi - 1e-3), vectors)
def test_log_of_exp_is_the_twist(axis: np.ndarray, angle: float, linear: np.ndarray) -> None:
    twist = np.concatenate((linear, axis * angle))
    np.testing.assert_allclose(Pose.exp(twist).log(), twist, atol=1e-8)


def test_exp_is_the_limit_of_many_small_motions() -> None:
    twist = np.array([0.3, -0.2, 0.5, 1.0, -0.7, 0.4])
    steps = 1000
    small = Pose.exp(twist / steps)
    pose = Pose.identity()
    for _ in range(steps):
        pose = pose @ small
    assert_same(pose, Pose.exp(twist), atol=1e-12)


@PROPERTY
@given(poses)
def test_all_forms_round_trip(a: Pose) -> None:
    assert_same(Pose.from_matrix(a.matrix), a)
    assert_same(Pose.from_quaternion(a.quaternion, a.translation), a)
    assert_same(Pose.from_rotvec(a.rotvec, a.translation), a)
    assert np.linalg.norm(a.rotvec) <= np.pi + 1e-12


@PROPERTY
@given(poses)
def test_quaternion_sign(a: Pose) -> None:
    quaternion = a.quaternion
    assert quaternion[3] >= 0.0
    assert np.linalg.norm(quaternion) == pytest.approx(1.0, abs=1e-12)
    np.testing.assert_allclose(Pose.from_quaternion(-quaternion, a.translation).quaternion, quaternion, atol=1e-9)


@pytest.mark.parametrize(
    ("rotvec", "quaternion"),
    [
        ([0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]),
        ([0.0, 0.0, np.pi / 2], [0.0, 0.0, np.sqrt(0.5), np.sqrt(0.5)]),
        ([-np.pi / 2, 0.0, 0.0], [-np.sqrt(0.5), 0.0, 0.0, np.sqrt(0.5)]),
        ([0.0, 1.5 * np.pi, 0.0], [0.0, -np.sqrt(0.5), 0.0, np.sqrt(0.5)]),
        ([0.0, np.pi, 0.0], [0.0, 1.0, 0.0, 0.0]),
    ],
)
def test_quaternion_order_is_x_y_z_w(rotvec: list[float], quaternion: list[float]) -> None:
    np.testing.assert_allclose(Pose.from_rotvec(rotvec, np.zeros(3)).quaternion, quaternion, atol=1e-12)


@pytest.mark.parametrize("axis", [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.6, 0.0, -0.8]])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_half_turn_has_one_quaternion(axis: list[float], sign: float) -> None:
    matrix = np.eye(4)
    matrix[:3, :3] = 2.0 * np.outer(axis, axis) - np.eye(3)
    np.testing.assert_allclose(Pose.from_matrix(matrix).quaternion, [*axis, 0.0], atol=1e-12)
    np.testing.assert_allclose(
        Pose.from_quaternion([*(sign * np.array(axis)), 0.0], np.zeros(3)).matrix, matrix, atol=1e-12
    )


@PROPERTY
@given(poses, poses)
def test_interpolation_ends(a: Pose, b: Pose) -> None:
    assert a.interpolate(b, 0.0) is a
    assert a.interpolate(b, 1.0) is b
    assert_same(a.interpolate(b, 1.0 - 1e-12), b, atol=1e-8)


@PROPERTY
@given(poses, axes, st.floats(0.0, 3.0), vectors, st.floats(-1.0, 2.0).filter(lambda u: abs(u) > 1e-6))
def test_interpolation_moves_at_constant_velocity(
    a: Pose, axis: np.ndarray, angle: float, shift: np.ndarray, u: float
) -> None:
    b = Pose(a.rotation @ Pose.from_rotvec(axis * angle, np.zeros(3)).rotation, a.translation + shift)
    middle = a.interpolate(b, u)
    np.testing.assert_allclose(middle.translation, a.translation + u * shift, atol=1e-9)
    expected = a.rotation @ Pose.from_rotvec(axis * angle * u, np.zeros(3)).rotation
    np.testing.assert_allclose(middle.rotation, expected, atol=1e-8)


@pytest.mark.parametrize("u", [float("nan"), float("inf")])
def test_interpolation_refuses_a_fraction_that_is_not_finite(u: float) -> None:
    with pytest.raises(ValueError, match="interpolation fraction"):
        Pose.identity().interpolate(Pose.exp(np.ones(6)), u)


@PROPERTY
@given(poses, axes, angles, vectors)
def test_distance(a: Pose, axis: np.ndarray, angle: float, shift: np.ndarray) -> None:
    b = Pose(a.rotation @ Pose.from_rotvec(axis * angle, np.zeros(3)).rotation, a.translation + shift)
    metres, radians = a.distance_to(b)
    assert metres == pytest.approx(np.linalg.norm(shift), abs=1e-12)
    assert radians == pytest.approx(angle, abs=1e-9)
    assert b.distance_to(a) == pytest.approx((metres, radians), abs=1e-9)


def test_composition_of_many_stays_a_rotation() -> None:
    step, pose = Pose.exp([0.001, 0.0, 0.0, 0.1, 0.2, -0.3]), Pose.identity()
    for _ in range(10_000):
        pose = pose @ step
    np.testing.assert_allclose(pose.rotation @ pose.rotation.T, np.eye(3), atol=1e-11)


def test_camera_to_robot_worked_example() -> None:
    """Equations 30.9 and 30.10. The text prints (-0.058, 0.333, 0.7), an erratum: its own matrix gives this."""
    base_T_camera = Pose([[1, 0, 0], [0, 0, -1], [0, 1, 0]], [0.0, 0.3, 0.2])
    point = base_T_camera.apply([-0.058333, -0.033333, 0.5])
    np.testing.assert_allclose(point, [-0.058333, -0.2, 0.166667], atol=1e-6)


@pytest.mark.parametrize("shape", [(3,), (0, 3), (1, 3), (7, 3)])
def test_apply_keeps_the_shape(shape: tuple[int, ...]) -> None:
    pose = Pose.exp([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    points = np.arange(np.prod(shape), dtype=float).reshape(shape)
    moved = pose.apply(points)
    assert moved.shape == shape
    for point, result in zip(points.reshape(-1, 3), moved.reshape(-1, 3), strict=True):
        np.testing.assert_allclose(result, pose.rotation @ point + pose.translation, atol=1e-12)


@pytest.mark.parametrize("shape", [(4,), (3, 4), (2, 2, 3), (), (0,)])
def test_apply_refuses_other_shapes(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"expected \(N, 3\) or \(3,\)"):
        Pose.identity().apply(np.zeros(shape))


def test_apply_keeps_missing_points_missing() -> None:
    moved = Pose.exp(np.ones(6)).apply([[np.nan, np.nan, np.nan], [0.0, 0.0, 0.0]])
    assert np.isnan(moved[0]).all()
    assert np.isfinite(moved[1]).all()


def matrix_with(rotation: object = None, last: object = (0, 0, 0, 1), translation: object = (0, 0, 0)) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, :3] = np.eye(3) if rotation is None else rotation
    matrix[:3, 3] = translation
    matrix[3] = last
    return matrix


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (np.eye(3), r"shape \(3, 3\): expected \(4, 4\)"),
        (matrix_with(last=(0, 0, 1, 1)), "last row"),
        (matrix_with(rotation=2.0 * np.eye(3)), "differs from orthonormal by 3"),
        (matrix_with(rotation=np.diag([1.0, 1.0, -1.0])), "determinant -1.000"),
        (matrix_with(rotation=np.full((3, 3), np.nan)), "differs from orthonormal by nan"),
        (matrix_with(rotation=np.eye(3) + np.eye(3, k=1) * 0.01), "remove scale and shear"),
        (matrix_with(translation=(0, np.inf, 0)), "expected finite values"),
    ],
)
def test_from_matrix_refuses(matrix: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Pose.from_matrix(matrix)


def test_from_matrix_repairs_rounded_entries() -> None:
    exact = Pose.exp([0.1, 0.2, 0.3, 0.4, -0.5, 0.6])
    repaired = Pose.from_matrix(exact.matrix.round(4))
    np.testing.assert_allclose(repaired.rotation @ repaired.rotation.T, np.eye(3), atol=1e-14)
    assert repaired.distance_to(exact)[1] < 2e-4


def test_from_matrix_keeps_the_bits_of_a_rotation() -> None:
    exact = Pose.exp([0.1, 0.2, 0.3, 0.4, -0.5, 0.6])
    assert (Pose.from_matrix(exact.matrix).matrix == exact.matrix).all()


@pytest.mark.parametrize(
    ("quaternion", "translation", "message"),
    [
        ([0, 0, 0, 0], [0, 0, 0], "length 0: expected 1"),
        ([0, 0, 0, 1.1], [0, 0, 0], "length 1.1"),
        ([0, 0, np.nan, 1], [0, 0, 0], "length nan"),
        ([0, 0, 1], [0, 0, 0], r"shape \(3,\): expected \(4,\)"),
        ([0, 0, 0, 1], [0, 0], r"translation of shape \(2,\)"),
        ([0, 0, 0, 1], [0, 0, np.nan], "translation .* expected finite"),
    ],
)
def test_from_quaternion_refuses(quaternion: list[float], translation: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Pose.from_quaternion(quaternion, translation)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Pose.from_rotvec([0, 0], [0, 0, 0]), r"rotation vector of shape \(2,\)"),
        (lambda: Pose.from_rotvec([0, 0, np.inf], [0, 0, 0]), "rotation vector .* finite"),
        (lambda: Pose.exp([0, 0, 0]), r"twist of shape \(3,\): expected \(6,\)"),
        (lambda: Pose(np.eye(4), np.zeros(3)), r"expected \(3, 3\) and \(3,\)"),
        (lambda: Pose(np.eye(3), np.zeros((3, 1))), r"expected \(3, 3\) and \(3,\)"),
    ],
)
def test_other_constructors_refuse(make: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    "make",
    [
        Pose.identity,
        lambda: Pose(np.eye(3), np.zeros(3)),
        lambda: Pose.from_matrix(np.eye(4)),
        lambda: Pose.exp(np.ones(6)),
        lambda: Pose.exp(np.ones(6)).inverse(),
        lambda: Pose.exp(np.ones(6)) @ Pose.exp(np.ones(6)),
        lambda: Pose.identity().interpolate(Pose.exp(np.ones(6)), 0.5),
    ],
)
def test_arrays_are_read_only(make: object) -> None:
    pose = make()
    for array in (pose.rotation, pose.translation):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 5.0


def test_a_pose_does_not_share_its_callers_arrays() -> None:
    rotation, translation = np.eye(3), np.zeros(3)
    pose = Pose(rotation, translation)
    rotation[0, 0], translation[0] = 7.0, 7.0
    assert pose.rotation[0, 0] == 1.0
    assert pose.translation[0] == 0.0
    assert pose.translation.dtype == np.float64


def test_an_array_is_not_a_pose() -> None:
    with pytest.raises(TypeError):
        Pose.identity() @ np.eye(4)
    with pytest.raises(TypeError):
        np.eye(4) @ Pose.identity()


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda pose: pickle.loads(pickle.dumps(pose))])
def test_copies(duplicate: object) -> None:
    pose = Pose.exp(np.ones(6))
    assert (duplicate(pose).matrix == pose.matrix).all()
    assert "translation=[" in repr(pose)
