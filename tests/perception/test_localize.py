"""Localize: the centre of a cube from any side, how sure it is of it, and what it does when depth says nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np
import pytest

from deploy.errors import BadInput
from geometry import Camera, Pose
from geometry.types import Array
from perception.detections import Detections
from perception.frame import Frame
from perception.localize import Localized, LocalizeParameters, localize
from perception.masks import Masks
from tests.perception.synthetic import (
    CAMERA,
    Solid,
    box_around,
    detections_of,
    frame_of,
    looking_at,
    measure,
    render,
)

KNOWN = LocalizeParameters(size_m={"red_cube": 0.04})
CUBE = Solid((0.0, 0.0, 0.02))


@dataclass(frozen=True)
class View:
    frame: Frame
    detections: Detections
    base_T_camera: Pose
    center: Array


def views(
    count: int = 20,
    distance_m: tuple[float, float] = (0.2, 0.5),
    tilt_deg: tuple[float, float] = (0.0, 35.0),
    noise_m: float | None = None,
    holes: float = 0.0,
    jitter_px: float = 1.0,
    others: str = "",
    camera: Camera = CAMERA,
) -> Iterator[View]:
    """A cube at a random yaw, seen from random places."""
    rng = np.random.default_rng(5)
    while count:
        tilt, azimuth = np.radians(rng.uniform(*tilt_deg)), rng.uniform(0.0, 2.0 * np.pi)
        cube = Solid(CUBE.center, CUBE.half, rng.uniform(0.0, np.pi / 2))
        center = np.array(cube.center)
        toward = np.array([np.sin(tilt) * np.cos(azimuth), np.sin(tilt) * np.sin(azimuth), np.cos(tilt)])
        distance = rng.uniform(*distance_m)
        aim = center + np.append(rng.uniform(-0.15, 0.15, 2) * distance, 0.0)
        base_T_camera = looking_at(center + distance * toward, aim, rng.uniform(0.0, 2.0 * np.pi))
        around = rng.uniform(0.0, 2.0 * np.pi)
        side = np.array([np.cos(around), np.sin(around), 0.0])
        solids = {
            "": [cube],
            "neighbour": [cube, Solid(tuple(center + 0.063 * side), CUBE.half, rng.uniform(0.0, 1.5))],
            "tower": [cube, Solid(tuple(center + (0.0, 0.0, 0.02) + 0.07 * side), (0.02, 0.02, 0.04))],
            "touching": [cube, _beside(cube, rng)],
            "bar": [
                cube,
                Solid(tuple(center + (0.4 * (base_T_camera.translation - center))), (0.15, 0.003, 0.003), around),
            ],
            "plate": [cube, _plate(cube, base_T_camera.translation, rng)],
        }[others]
        depth_m, shown = render(base_T_camera, solids, camera)
        if (shown == 1).sum() < 0.4 * (render(base_T_camera, [cube], camera)[1] == 1).sum():
            continue
        box = box_around(shown, 1)
        if box[:2].min() < 1 or box[2] >= camera.width or box[3] >= camera.height:
            continue
        count -= 1
        depth = measure(depth_m, rng, rng.uniform(0.001, 0.003) if noise_m is None else noise_m, holes)
        found = detections_of(box + rng.normal(0.0, jitter_px, 4))
        yield View(frame_of(depth, camera), found, base_T_camera, center)


def _beside(cube: Solid, rng: np.random.Generator) -> Solid:
    """As high as the cube, against one of its sides."""
    turn = cube.yaw + rng.integers(4) * np.pi / 2
    outward = np.array([np.cos(turn), np.sin(turn), 0.0])
    return Solid(tuple(np.array(cube.center) + 0.0405 * outward), CUBE.half, cube.yaw)


def _plate(cube: Solid, eye: Array, rng: np.random.Generator) -> Solid:
    """Between the eye and the cube, its edge across the middle of it."""
    center, turn = np.array(cube.center), rng.uniform(0.0, 2.0 * np.pi)
    middle = center + 0.3 * (eye - center) + 0.05 * np.array([np.cos(turn), np.sin(turn), 0.0])
    return Solid(tuple(middle), (0.05, 0.05, 0.002), turn)


LENS = Camera(640, 480, 608.0, 608.0, 319.5, 239.5, (0.1, -0.2, 0.001, -0.001, 0.0))


@pytest.mark.parametrize(
    ("conditions", "median_mm", "p95_mm"),
    [
        ({}, 1.5, 3.0),
        ({"noise_m": 0.0}, 1.5, 3.0),
        ({"noise_m": 0.003}, 1.5, 3.0),
        ({"tilt_deg": (30.0, 50.0)}, 2.5, 4.0),
        ({"distance_m": (0.5, 1.0)}, 2.0, 4.0),
        ({"holes": 0.4}, 1.5, 3.0),
        ({"jitter_px": 4.0}, 1.5, 3.0),
        ({"others": "neighbour"}, 1.5, 3.0),
        ({"others": "tower"}, 1.5, 3.0),
        ({"others": "touching"}, 2.5, 4.0),
        ({"others": "bar"}, 2.0, 6.0),
        ({"others": "plate"}, 2.0, 6.0),
        ({"others": "plate", "camera": LENS}, 2.0, 6.0),
        ({"camera": LENS}, 1.5, 3.0),
    ],
    ids=str,
)
def test_centre_of_a_cube(conditions: dict[str, object], median_mm: float, p95_mm: float) -> None:
    errors, surprise = [], []
    for view in views(**conditions):  # type: ignore[arg-type]
        found = localize(view.detections, view.frame, view.base_T_camera, KNOWN)
        assert found.frame_id == "base"
        error = found.points_m[0] - view.center
        errors.append(1e3 * np.linalg.norm(error))
        surprise.append(error @ np.linalg.solve(found.covariances_m2[0], error) / 3.0)
    assert np.median(errors) < median_mm
    assert np.percentile(errors, 95) < p95_mm
    # honest: neither far too sure nor so unsure that a tracker would not listen
    assert 0.03 < np.mean(surprise) < 2.0


def test_without_a_pose_points_are_in_the_camera_and_less_sure() -> None:
    for view in views(6):
        found = localize(view.detections, view.frame, None, KNOWN)
        posed = localize(view.detections, view.frame, view.base_T_camera, KNOWN)
        assert found.frame_id == "camera"
        assert np.linalg.norm(view.base_T_camera.apply(found.points_m[0]) - view.center) < 0.008
        assert np.trace(found.covariances_m2[0]) > np.trace(posed.covariances_m2[0])


def test_the_height_of_a_class_of_unknown_size_is_that_above_what_it_stands_on() -> None:
    for view in views(5):
        known = localize(view.detections, view.frame, view.base_T_camera, KNOWN)
        measured = localize(view.detections, view.frame, view.base_T_camera)
        assert np.linalg.norm(measured.points_m[0] - view.center) < 0.004
        assert np.trace(measured.covariances_m2[0]) > np.trace(known.covariances_m2[0])


def test_what_hangs_in_the_air_is_as_high_as_it_is_wide() -> None:
    base_T_camera = looking_at(np.array([0.05, -0.1, 0.55]), np.array([0.0, 0.0, 0.2]))
    cube = Solid((0.0, 0.0, 0.2))
    depth_m, shown = render(base_T_camera, [cube])
    frame = frame_of(measure(depth_m, np.random.default_rng(5), 0.001))
    guessed = localize(detections_of(box_around(shown, 1)), frame, base_T_camera)
    assert np.linalg.norm(guessed.points_m[0] - cube.center) < 0.006
    assert np.sqrt(guessed.covariances_m2[0, 2, 2]) > 0.008


def test_a_ball_is_found_too() -> None:
    base_T_camera = looking_at(np.array([0.05, -0.1, 0.35]), np.zeros(3))
    depth_m, shown = render(base_T_camera, [Solid((0.01, 0.02, 0.02), (0.02,))])
    frame = frame_of(measure(depth_m, np.random.default_rng(0), 0.001))
    found = localize(detections_of(box_around(shown, 1)), frame, base_T_camera, KNOWN)
    assert np.linalg.norm(found.points_m[0] - (0.01, 0.02, 0.02)) < 0.005


def test_an_arm_on_the_wall_has_another_upward_direction() -> None:
    view = next(views(1))
    wall_T_base = Pose.from_rotvec((0.0, np.pi / 2, 0.0), (0.1, 0.2, 0.3))
    up = tuple(wall_T_base.rotation[:, 2].tolist())
    parameters = LocalizeParameters(size_m={"red_cube": 0.04}, up_base=up)  # type: ignore[arg-type]
    straight = localize(view.detections, view.frame, view.base_T_camera, KNOWN)
    turned = localize(view.detections, view.frame, wall_T_base @ view.base_T_camera, parameters)
    np.testing.assert_allclose(turned.points_m, wall_T_base.apply(straight.points_m), atol=1e-9)
    rotated = wall_T_base.rotation @ straight.covariances_m2[0] @ wall_T_base.rotation.T
    np.testing.assert_allclose(turned.covariances_m2[0], rotated, atol=1e-12)


def _at(distance_m: float, hide: float = 0.0, holes: float = 0.0) -> tuple[View, Localized]:
    """A cube seen from above, of which a part of the width is cut off by what the sensor cannot measure."""
    base_T_camera = looking_at(np.array([0.0, 0.0, distance_m]), np.zeros(3))
    depth_m, shown = render(base_T_camera, [CUBE])
    box = box_around(shown, 1)
    depth = measure(depth_m, np.random.default_rng(1), 0.001, holes)
    edge = int(box[0] + hide * (box[2] - box[0]))
    depth[:, : edge if hide else 0] = 0
    view = View(frame_of(depth), detections_of(box), base_T_camera, np.array(CUBE.center))
    return view, localize(view.detections, view.frame, base_T_camera, KNOWN)


def _std_mm(found: Localized) -> Array:
    return 1e3 * np.sqrt(np.diagonal(found.covariances_m2[0]))


def test_covariance_grows_with_the_squared_distance() -> None:
    near, far = _std_mm(_at(0.3)[1]), _std_mm(_at(1.2)[1])
    # 0.8 of one pixel's noise stays along the ray: 0.0010 + 0.0025 z^2
    assert far[2] / near[2] == pytest.approx((1.0 + 2.5 * 1.18**2) / (1.0 + 2.5 * 0.26**2), rel=0.1)
    assert (far > near).all()


def test_covariance_grows_as_pixels_get_few() -> None:
    assert (_std_mm(_at(0.4, holes=0.9)[1]) > _std_mm(_at(0.4)[1])).all()


def test_a_half_that_the_sensor_does_not_see_is_completed() -> None:
    view, found = _at(0.35, hide=0.5)
    assert np.linalg.norm(found.points_m[0] - view.center) < 0.002
    assert _std_mm(found).max() < 3.0


def test_with_both_ends_hidden_it_is_less_sure_along_what_is_left() -> None:
    base_T_camera = looking_at(np.array([0.0, 0.0, 0.35]), np.zeros(3))
    depth_m, shown = render(base_T_camera, [CUBE])
    box = box_around(shown, 1)
    x1, x2 = box[[0, 2]].astype(int)
    depth = measure(depth_m, np.random.default_rng(1), 0.001)
    third = (x2 - x1) // 3
    depth[:, : x1 + third] = depth[:, x2 - third :] = 0
    found = localize(detections_of(box), frame_of(depth), base_T_camera, KNOWN)
    along, across = base_T_camera.rotation[:, 0], base_T_camera.rotation[:, 1]
    std = [np.sqrt(axis @ found.covariances_m2[0] @ axis) for axis in (along, across)]
    assert std[0] > 4.0 * std[1]
    assert abs(found.points_m[0] @ along) < 2.0 * std[0]
    assert abs(found.points_m[0] @ across) < 0.002


def test_a_cube_that_the_image_cuts_off_is_completed() -> None:
    errors = []
    for share in (0.3, 0.45, 0.6):
        base_T_camera = looking_at(np.array([0.0, 0.05, 0.35]), np.zeros(3))
        depth_m, shown = render(base_T_camera, [CUBE])
        x1, y1, x2, y2 = box_around(shown, 1)
        cut = int(x1 + share * (x2 - x1))
        camera = Camera(640 - cut, 480, CAMERA.fx, CAMERA.fy, CAMERA.cx - cut, CAMERA.cy)
        depth = measure(depth_m, np.random.default_rng(2), 0.001)[:, cut:]
        box = [0.0, y1, x2 - cut, y2]
        found = localize(detections_of(box), frame_of(np.ascontiguousarray(depth), camera), base_T_camera, KNOWN)
        error = found.points_m[0] - CUBE.center
        errors.append(np.linalg.norm(error))
        assert error @ np.linalg.solve(found.covariances_m2[0], error) < 16.0
    assert max(errors) < 0.003


def test_where_only_a_side_is_in_sight_the_height_is_not_sure() -> None:
    base_T_camera = looking_at(np.array([0.25, 0.0, 0.27]), np.array([0.0, 0.0, 0.02]))
    lid = Solid((0.02, 0.0, 0.075), (0.035, 0.06, 0.001))
    depth_m, shown = render(base_T_camera, [CUBE, lid])
    frame = frame_of(measure(depth_m, np.random.default_rng(3), 0.0005))
    found = localize(detections_of(box_around(shown, 1)), frame, base_T_camera, KNOWN)
    error = found.points_m[0] - CUBE.center
    assert np.linalg.norm(error) < 0.03
    assert error @ np.linalg.solve(found.covariances_m2[0], error) < 16.0


@pytest.mark.parametrize("others", ["", "touching", "bar", "plate"])
def test_covariances_are_as_large_as_the_errors(others: str) -> None:
    quiet = LocalizeParameters({"red_cube": 0.04}, depth_noise_m=0.0005, depth_noise_per_m=0.0, depth_bias=0.1)
    surprise = []
    for view in views(40, noise_m=0.0005, others=others):
        found = localize(view.detections, view.frame, view.base_T_camera, quiet)
        error = found.points_m[0] - view.center
        surprise.append(error @ np.linalg.solve(found.covariances_m2[0], error))
    # three degrees of freedom, 40 scenes: 99.9 % of such means lie between 1.9 and 4.4
    assert 1.0 < np.mean(surprise) < 5.0
    assert np.max(surprise) < 60.0


@pytest.mark.parametrize("grow", [0, 2])
def test_a_mask_tells_touching_cubes_apart(grow: int) -> None:
    """Two cubes side by side under one box: the box does not say which is meant, the mask does."""
    for yaw in (0.0, 0.4):
        cube = Solid(CUBE.center, CUBE.half, yaw)
        beside = Solid((0.0402 * np.cos(yaw), 0.0402 * np.sin(yaw), 0.02), CUBE.half, yaw)
        base_T_camera = looking_at(np.array([0.05, -0.1, 0.35]), np.zeros(3))
        depth_m, shown = render(base_T_camera, [cube, beside])
        frame = frame_of(measure(depth_m, np.random.default_rng(4), 0.001))
        mask = cv2.dilate((shown == 1).astype(np.uint8), np.ones((1 + grow, 1 + grow))) > 0
        found = detections_of(box_around(np.minimum(shown, 1), 1))
        masked = replace(found, masks=Masks.from_arrays(mask[None]))
        placed = localize(masked, frame, base_T_camera, KNOWN)
        assert np.linalg.norm(placed.points_m[0] - cube.center) < 0.003
        without = localize(found, frame, base_T_camera, KNOWN)
        assert np.trace(without.covariances_m2[0]) > 4.0 * np.trace(placed.covariances_m2[0])
        guessed = localize(masked, frame, base_T_camera)
        assert np.linalg.norm(guessed.points_m[0] - cube.center) < 0.005


def test_pixels_that_fly_at_the_edges_do_no_harm() -> None:
    """Depth at the outline is mixed with what is behind it, as smoothing and compression do."""
    errors = []
    for view in views(10, noise_m=0.0005):
        assert view.frame.depth is not None
        depth = view.frame.depth.astype(np.float32)
        mixed = np.where(np.abs(cv2.Laplacian(depth, cv2.CV_32F)) > 15.0, cv2.blur(depth, (3, 3)), depth)
        found = localize(view.detections, frame_of(mixed.astype(np.uint16)), view.base_T_camera, KNOWN)
        errors.append(1e3 * np.linalg.norm(found.points_m[0] - view.center))
    assert np.median(errors) < 1.5
    assert max(errors) < 3.0


def test_covariances_are_symmetric_and_positive() -> None:
    for view in views(5):
        covariance = localize(view.detections, view.frame, view.base_T_camera, KNOWN).covariances_m2[0]
        np.testing.assert_allclose(covariance, covariance.T, atol=1e-15)
        assert np.linalg.eigvalsh(covariance).min() > 0.0


@pytest.mark.parametrize(
    "box",
    [
        [-50.0, -50.0, -10.0, -10.0],
        [700.0, 10.0, 720.0, 30.0],
        [100.0, 100.0, 100.0, 120.0],
        [120.0, 120.0, 100.0, 100.0],
        [np.nan, 0.0, 10.0, 10.0],
        [0.0, 0.0, np.nan, np.nan],
        [300.0, 200.0, 301.0, 201.0],
    ],
)
@pytest.mark.filterwarnings("error")
def test_a_box_that_shows_nothing_gives_nan(box: list[float]) -> None:
    depth = np.zeros((480, 640), np.uint16)
    depth[150:, :] = 400
    depth[195:206, 295:306] = 0
    found = localize(detections_of(box), frame_of(depth), Pose.identity(), KNOWN)
    assert np.isnan(found.points_m).all()
    assert np.isnan(found.covariances_m2).all()
    assert found.valid.tolist() == [False]


@pytest.mark.parametrize("base_T_camera", [None, Pose.identity()])
@pytest.mark.parametrize("value", [0, 65535])
@pytest.mark.filterwarnings("error")
def test_depth_that_is_absent_or_too_far_gives_nan(base_T_camera: Pose | None, value: int) -> None:
    depth = np.full((480, 640), value, np.uint16)
    found = localize(detections_of([[100, 100, 160, 160]] * 2), frame_of(depth), base_T_camera, KNOWN)
    assert np.isnan(found.points_m).all()
    assert found.points_m.shape == (2, 3)


@pytest.mark.parametrize("count", [0, 3])
def test_a_frame_without_depth_gives_nan(count: int) -> None:
    found = localize(detections_of([[10, 10, 50, 50]] * count), frame_of(None), Pose.identity(), KNOWN)
    assert np.isnan(found.points_m).all()
    assert (len(found), found.covariances_m2.shape) == (count, (count, 3, 3))


def test_a_row_without_depth_does_not_touch_the_others() -> None:
    view = next(views(1))
    box = view.detections.boxes[0]
    nothing = [0.0, 0.0, 0.5, 0.5]
    found = localize(detections_of([nothing, box, nothing]), view.frame, view.base_T_camera, KNOWN)
    alone = localize(detections_of([box]), view.frame, view.base_T_camera, KNOWN)
    assert found.valid.tolist() == [False, True, False]
    np.testing.assert_allclose(found.points_m[1], alone.points_m[0], atol=1e-12)


def test_garbage_never_raises() -> None:
    rng = np.random.default_rng(2)
    depth = rng.integers(0, 65536, (480, 640)).astype(np.uint16)
    boxes = np.sort(rng.uniform(-100, 800, (40, 2, 2)), axis=1).reshape(40, 4)
    for pose in (None, Pose.from_rotvec((0.3, 2.0, 0.1), (1.0, 2.0, 3.0))):
        found = localize(detections_of(boxes), frame_of(depth), pose, LocalizeParameters())
        assert (np.isfinite(found.points_m).all(axis=1) == np.isfinite(found.covariances_m2).all(axis=(1, 2))).all()


def test_inputs_are_not_changed() -> None:
    view = next(views(1))
    assert view.frame.depth is not None
    before = view.frame.depth.copy()
    first = localize(view.detections, view.frame, view.base_T_camera, KNOWN)
    second = localize(view.detections, view.frame, view.base_T_camera, KNOWN)
    np.testing.assert_array_equal(view.frame.depth, before)
    assert first.points_m.tobytes() == second.points_m.tobytes()
    assert first.covariances_m2.tobytes() == second.covariances_m2.tobytes()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"size_m": {"red_cube": 0.0}}, r"size_m\[red_cube\] is 0.0"),
        ({"size_m": {"red_cube": float("nan")}}, "red_cube"),
        ({"up_base": (0.0, 0.0, 0.0)}, "up_base is 0.0"),
        ({"depth_noise_m": 0.0}, "depth_noise_m"),
        ({"depth_noise_per_m": -1.0}, "depth_noise_per_m is -1.0"),
        ({"depth_bias": -0.1}, "depth_bias is -0.1"),
        ({"correlated_px": 0.0}, "correlated_px is 0.0"),
        ({"max_depth_m": 0.0}, "max_depth_m"),
        ({"min_pixels": 0}, "min_pixels"),
        ({"max_pixels": 0}, "max_pixels"),
    ],
)
def test_parameters_out_of_range_are_named(changes: dict[str, object], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        LocalizeParameters(**changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(("points", "covariances"), [((2, 3), (1, 3, 3)), ((1, 3), (1, 3)), ((1, 2), (1, 3, 3))])
def test_localized_checks_its_rows(points: tuple[int, ...], covariances: tuple[int, ...]) -> None:
    with pytest.raises(BadInput, match=r"expected \(1, 3\) and \(1, 3, 3\)"):
        Localized(detections_of([[0, 0, 1, 1]]), "base", np.zeros(points), np.zeros(covariances))
