"""Visibility: outside the view, visible, or behind a nearer surface."""

from __future__ import annotations

import numpy as np
import pytest

from geometry import Camera, Pose, deproject
from geometry.types import DepthImage
from perception.visibility import Sight, Visibility
from tests.perception.synthetic import CAMERA, Solid, frame_of, looking_at, measure, render

POSE = looking_at(np.array([0.3, -0.4, 0.6]), np.array([0.1, 0.1, 0.0]), 0.4)


def _flat(distance_mm: int) -> DepthImage:
    return np.full((480, 640), distance_mm, np.uint16)


def _at(u: float, v: float, depth_m: float) -> np.ndarray:
    """Base-frame point at a pixel and depth."""
    return POSE.apply(deproject([[u, v]], [depth_m], CAMERA))


@pytest.mark.parametrize(
    ("u", "v", "depth_m", "surface_mm", "expected"),
    [
        (320.0, 240.0, 0.5, 500, Sight.VISIBLE),
        (320.0, 240.0, 0.5, 900, Sight.VISIBLE),  # the object has gone: its place is in view
        (320.0, 240.0, 0.52, 500, Sight.VISIBLE),  # the centre of an object lies behind its own surface
        (320.0, 240.0, 0.7, 500, Sight.HIDDEN),
        (320.0, 240.0, 0.7, 0, Sight.VISIBLE),  # nothing was measured
        (-5.0, 240.0, 0.5, 500, Sight.OUTSIDE),
        (3.0, 240.0, 0.5, 500, Sight.OUTSIDE),  # on the border only a part of an object is seen
        (12.0, 240.0, 0.5, 500, Sight.VISIBLE),
        (320.0, 476.0, 0.5, 500, Sight.OUTSIDE),
        (636.0, 240.0, 0.7, 500, Sight.OUTSIDE),
    ],
)
def test_one_point(u: float, v: float, depth_m: float, surface_mm: int, expected: Sight) -> None:
    found = Visibility(frame_of(_flat(surface_mm)), POSE)(_at(u, v, depth_m))
    assert found.dtype == np.uint8
    assert found.tolist() == [expected]


def test_points_behind_the_camera_and_nan_are_outside() -> None:
    behind = POSE.apply(np.array([[0.0, 0.0, -0.5]]))
    points = np.concatenate((behind, np.full((1, 3), np.nan), _at(320, 240, 0.5)))
    assert Visibility(frame_of(_flat(500)), POSE)(points).tolist() == [Sight.OUTSIDE, Sight.OUTSIDE, Sight.VISIBLE]


@pytest.mark.parametrize("points", [np.empty((0, 3)), []])
def test_no_points(points: object) -> None:
    assert Visibility(frame_of(_flat(500)), POSE)(points).shape == (0,)  # type: ignore[arg-type]


def test_without_depth_nothing_is_hidden() -> None:
    points = np.concatenate((_at(320, 240, 5.0), _at(-50, 240, 5.0)))
    assert Visibility(frame_of(None), POSE)(points).tolist() == [Sight.VISIBLE, Sight.OUTSIDE]


@pytest.mark.parametrize(
    ("nearer", "missing", "expected"),
    [(5, 0, Sight.HIDDEN), (3, 0, Sight.HIDDEN), (2, 0, Sight.VISIBLE), (2, 2, Sight.HIDDEN), (1, 3, Sight.VISIBLE)],
)
def test_most_of_the_measured_pixels_decide(nearer: int, missing: int, expected: Sight) -> None:
    depth = _flat(700)
    cross = [(240, 320), (243, 320), (237, 320), (240, 323), (240, 317)]
    for pixel in cross[:nearer]:
        depth[pixel] = 400
    for pixel in cross[5 - missing :]:
        depth[pixel] = 0
    assert Visibility(frame_of(depth), POSE)(_at(320, 240, 0.7)).tolist() == [expected]


def test_parameters_move_the_limits() -> None:
    frame = frame_of(_flat(500))
    point = _at(320, 240, 0.56)
    assert Visibility(frame, POSE)(point).tolist() == [Sight.HIDDEN]
    assert Visibility(frame, POSE, margin_m=0.1)(point).tolist() == [Sight.VISIBLE]
    assert Visibility(frame, POSE, border_px=0.0)(_at(1, 1, 0.5)).tolist() == [Sight.VISIBLE]


def test_a_cube_behind_a_tower() -> None:
    tower = Solid((0.0, 0.0, 0.1), (0.05, 0.05, 0.1))
    pose = looking_at(np.array([0.0, -0.5, 0.25]), np.array([0.0, 0.05, 0.05]))
    depth_m, _ = render(pose, [tower])
    sees = Visibility(frame_of(measure(depth_m, np.random.default_rng(0), 0.001)), pose)
    places = [[0.0, 0.11, 0.02], [0.15, 0.1, 0.02], [0.0, -0.1, 0.02], [3.0, 0.0, 0.02]]
    assert sees(places).tolist() == [Sight.HIDDEN, Sight.VISIBLE, Sight.VISIBLE, Sight.OUTSIDE]


def test_depth_in_other_units() -> None:
    frame = frame_of(_flat(5000), scale_m=0.0001)
    assert Visibility(frame, POSE)(_at(320, 240, 0.7)).tolist() == [Sight.HIDDEN]


def test_a_distorting_lens() -> None:
    camera = Camera(640, 480, 608.0, 608.0, 319.5, 239.5, (-0.3, 0.1, 0.0, 0.0))
    frame = frame_of(_flat(500), camera)
    points = Pose.identity().apply(deproject([[15.0, 15.0], [320.0, 240.0]], [0.5, 0.5], camera))
    assert Visibility(frame, Pose.identity())(points).tolist() == [Sight.VISIBLE, Sight.VISIBLE]
