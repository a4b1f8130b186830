"""Visibility: outside the view, visible, behind a nearer surface, or seen through."""

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
        (320.0, 240.0, 0.5, 900, Sight.FREE),
        (320.0, 240.0, 0.5, 512, Sight.FREE),
        (320.0, 240.0, 0.5, 508, Sight.VISIBLE),  # it may be the object itself
        (320.0, 240.0, 0.52, 500, Sight.VISIBLE),  # the centre of an object lies behind its own surface
        (320.0, 240.0, 0.7, 500, Sight.HIDDEN),
        (320.0, 240.0, 0.7, 0, Sight.VISIBLE),  # nothing was measured
        (-5.0, 240.0, 0.5, 500, Sight.OUTSIDE),
        (3.0, 240.0, 0.5, 500, Sight.OUTSIDE),  # on the border only a part of an object is seen
        (12.0, 240.0, 0.5, 500, Sight.VISIBLE),
        (320.0, 476.0, 0.5, 500, Sight.OUTSIDE),
        (320.0, 476.0, 0.5, 900, Sight.OUTSIDE),
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


def _nine(depths_mm: list[int]) -> DepthImage:
    """Depth that is read for a point at (320, 240) and 0.608 m, where 10 mm are 10 px."""
    depth = _flat(0)
    for k, value in enumerate(depths_mm):
        depth[230 + 10 * (k // 3), 310 + 10 * (k % 3)] = value
    return depth


@pytest.mark.parametrize(
    ("nearer", "missing", "expected"),
    [
        (9, 0, Sight.HIDDEN),
        (5, 0, Sight.HIDDEN),
        (4, 0, Sight.VISIBLE),
        (4, 2, Sight.HIDDEN),
        (1, 8, Sight.HIDDEN),
        (1, 7, Sight.VISIBLE),
        (0, 9, Sight.VISIBLE),
    ],
)
def test_hidden_by_most_of_what_was_measured(nearer: int, missing: int, expected: Sight) -> None:
    depth = _nine([400] * nearer + [608] * (9 - nearer - missing) + [0] * missing)
    assert Visibility(frame_of(depth), POSE)(_at(320, 240, 0.608)).tolist() == [expected]


@pytest.mark.parametrize(
    ("farther", "missing", "expected"),
    [
        (9, 0, Sight.FREE),
        (8, 0, Sight.FREE),
        (7, 0, Sight.VISIBLE),
        (7, 1, Sight.FREE),
        (6, 1, Sight.VISIBLE),
        (5, 4, Sight.FREE),
        (5, 3, Sight.FREE),
        (4, 5, Sight.VISIBLE),  # too little was measured
        (0, 9, Sight.VISIBLE),
    ],
)
def test_free_by_all_but_one_of_what_was_measured(farther: int, missing: int, expected: Sight) -> None:
    depth = _nine([700] * farther + [608] * (9 - farther - missing) + [0] * missing)
    assert Visibility(frame_of(depth), POSE)(_at(320, 240, 0.608)).tolist() == [expected]


CUBE = Solid((0.0, 0.0, 0.02))
VIEWS = [(0.0, 0.0, 0.5), (0.25, 0.0, 0.45), (0.0, -0.4, 0.4), (0.3, 0.3, 0.25), (-0.45, 0.0, 0.15)]


def _views(eye: tuple[float, float, float], solids: list[Solid], seeds: int, holes: float = 0.0) -> list[Visibility]:
    """Noise of 3 mm in each pixel, and every seed another turn of the camera about its axis."""
    views = []
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        pose = looking_at(np.array(eye), np.array([0.02, 0.01, 0.0]), rng.uniform(-np.pi, np.pi))
        depth_m, _ = render(pose, solids)
        views.append(Visibility(frame_of(measure(depth_m, rng, 0.003, holes)), pose))
    return views


@pytest.mark.parametrize("eye", VIEWS)
def test_a_cube_of_40_mm_that_was_taken_from_the_table_is_gone(eye: tuple[float, float, float]) -> None:
    said = [view([CUBE.center])[0] for view in _views(eye, [], 12)]
    assert set(said) <= {Sight.FREE, Sight.VISIBLE}
    assert said.count(Sight.FREE) >= 11


@pytest.mark.parametrize("eye", VIEWS)
@pytest.mark.parametrize("yaw", [0.0, 0.6])
def test_a_cube_that_stands_there_is_not_gone_though_its_place_is_wrong(
    eye: tuple[float, float, float], yaw: float
) -> None:
    cube = Solid(CUBE.center, yaw=yaw)
    around = 0.02 * np.stack((np.cos(np.arange(8) * np.pi / 4), np.sin(np.arange(8) * np.pi / 4)), axis=1)
    places = np.column_stack((np.vstack(([0.0, 0.0], around)), np.full(9, 0.02)))
    for view in _views(eye, [cube], 4, holes=0.2):
        assert set(view(places)) == {Sight.VISIBLE}


def test_a_cube_that_was_moved_by_a_few_centimetres_left_free_space() -> None:
    for view in _views((0.1, 0.0, 0.5), [Solid((0.06, 0.0, 0.02))], 10):
        assert view([CUBE.center, (0.06, 0.0, 0.02)]).tolist() == [Sight.FREE, Sight.VISIBLE]


def test_low_things_are_not_known_to_be_gone() -> None:
    for view in _views((0.0, 0.0, 0.5), [], 20):
        assert view([(0.0, 0.0, 0.004)]).tolist() == [Sight.VISIBLE]


def test_free_space_beside_a_tower_that_hides() -> None:
    tower = Solid((0.0, 0.0, 0.1), (0.05, 0.05, 0.1))
    for view in _views((0.0, -0.5, 0.25), [tower], 5):
        assert view([(0.0, 0.12, 0.02), (0.12, 0.12, 0.02)]).tolist() == [Sight.HIDDEN, Sight.FREE]


def test_parameters_move_the_limits() -> None:
    frame = frame_of(_flat(500))
    point = _at(320, 240, 0.56)
    assert Visibility(frame, POSE)(point).tolist() == [Sight.HIDDEN]
    assert Visibility(frame, POSE, margin_m=0.1)(point).tolist() == [Sight.VISIBLE]
    assert Visibility(frame, POSE, border_px=0.0)(_at(1, 1, 0.5)).tolist() == [Sight.VISIBLE]
    near = _at(320, 240, 0.48)
    assert Visibility(frame, POSE)(near).tolist() == [Sight.FREE]
    assert Visibility(frame, POSE, free_m=0.03)(near).tolist() == [Sight.VISIBLE]


def test_the_reach_grows_as_the_camera_comes_near() -> None:
    depth = _flat(900)
    depth[:, :309] = 300  # 11.5 px left of the point: 5.7 mm at 0.3 m, 15 mm at 0.8 m
    assert Visibility(frame_of(depth), POSE)(_at(320, 240, 0.3)).tolist() == [Sight.VISIBLE]
    assert Visibility(frame_of(depth), POSE)(_at(320, 240, 0.8)).tolist() == [Sight.FREE]
    assert Visibility(frame_of(depth), POSE, reach_m=0.005)(_at(320, 240, 0.3)).tolist() == [Sight.FREE]


def test_a_far_place_is_read_a_pixel_around_and_within_the_image() -> None:
    depth = _flat(60000)
    depth[240, 320] = 0
    frame = frame_of(depth)
    assert Visibility(frame, POSE)(_at(320, 240, 20.0)).tolist() == [Sight.FREE]
    assert Visibility(frame, POSE, border_px=0.0)(_at(0, 479, 0.5)).tolist() == [Sight.FREE]


def test_a_cube_behind_a_tower() -> None:
    tower = Solid((0.0, 0.0, 0.1), (0.05, 0.05, 0.1))
    pose = looking_at(np.array([0.0, -0.5, 0.25]), np.array([0.0, 0.05, 0.05]))
    depth_m, _ = render(pose, [tower])
    sees = Visibility(frame_of(measure(depth_m, np.random.default_rng(0), 0.001)), pose)
    places = [[0.0, 0.11, 0.02], [0.15, 0.1, 0.002], [0.0, -0.1, 0.002], [3.0, 0.0, 0.02]]
    assert sees(places).tolist() == [Sight.HIDDEN, Sight.VISIBLE, Sight.VISIBLE, Sight.OUTSIDE]


def test_depth_in_other_units() -> None:
    frame = frame_of(_flat(5000), scale_m=0.0001)
    assert Visibility(frame, POSE)(_at(320, 240, 0.7)).tolist() == [Sight.HIDDEN]


def test_a_distorting_lens() -> None:
    camera = Camera(640, 480, 608.0, 608.0, 319.5, 239.5, (-0.3, 0.1, 0.0, 0.0))
    frame = frame_of(_flat(500), camera)
    points = Pose.identity().apply(deproject([[15.0, 15.0], [320.0, 240.0]], [0.5, 0.5], camera))
    assert Visibility(frame, Pose.identity())(points).tolist() == [Sight.VISIBLE, Sight.VISIBLE]
