"""The stage that places objects: the error of the camera's pose is part of how unsure their places are."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import numpy as np
import pytest

from geometry import Pose, pose_spread
from geometry.types import Array
from launch.config.rig import CameraConfig, PoseSigmaConfig
from launch.graph import Graph, LocateStage, Mount
from launch.wiring import mount_of
from perception.detector import Detector
from perception.localize import LocalizeParameters
from robot.arm import RobotState
from robot.kinematics import UR10E_HOME_RAD, Kinematics
from tests.perception.synthetic import Solid, box_around, detections_of, frame_of, looking_at, measure, render
from tracking import BaseFrameTracker

KNOWN = LocalizeParameters(size_m={"red_cube": 0.04})
SIGMA = PoseSigmaConfig(translation_m=0.004, rotation_rad=0.015).covariance()
CUBE = Solid((0.0, 0.0, 0.02))


def surprises(told: tuple[Array | None, ...], count: int = 30) -> Array:
    """Squared errors in units of the covariance said, of a cube placed by poses with an error of `SIGMA`.

    A row a draw, a column for each covariance of the pose that the stage is told.
    """
    rng = np.random.default_rng(3)
    found = []
    for _ in range(count):
        away = np.append(rng.uniform(-0.12, 0.12, 2), rng.uniform(0.3, 0.5))
        true = looking_at(np.array(CUBE.center) + away, np.array(CUBE.center), rng.uniform(0.0, 6.0))
        depth_m, shown = render(true, [CUBE])
        frame, detections = frame_of(measure(depth_m, rng, 0.001)), detections_of(box_around(shown, 1))
        believed = true @ Pose.exp(rng.multivariate_normal(np.zeros(6), SIGMA))
        row = []
        for covariance in told:
            mount = Mount(base_T_camera=believed, pose_covariance=covariance)
            placed = LocateStage({frame.camera_name: mount}, None, KNOWN)(detections, frame, ()).localized
            error = placed.points_m[0] - CUBE.center
            row.append(error @ np.linalg.solve(placed.covariances_m2[0], error))
        found.append(row)
    return np.array(found)


def test_places_are_as_wrong_as_they_say_if_the_pose_is() -> None:
    # Of three coordinates the mean is 3; the standard deviation of the mean of 30 is 0.45.
    told, untold = surprises((SIGMA, None)).mean(axis=0)
    assert 1.7 < told < 4.3
    assert untold > 9.0


def test_the_pose_of_a_camera_on_the_gripper_is_that_at_exposure() -> None:
    arm = Kinematics()
    gripper_T_camera = Pose.from_rotvec([0.0, 0.1, 0.0], [0.0, 0.05, 0.0])
    base_T_camera = arm.tcp(UR10E_HOME_RAD) @ gripper_T_camera
    depth_m = np.full((480, 640), 0.5)
    frame = frame_of(measure(depth_m, np.random.default_rng(0)))
    detections = detections_of([[300, 200, 340, 240]])
    state = RobotState(0, frame.stamp_ns, UR10E_HOME_RAD, np.zeros(6), 1.0)
    exact = Mount(gripper_T_camera=gripper_T_camera)
    stages = [
        LocateStage({frame.camera_name: mount}, arm, LocalizeParameters())
        for mount in (exact, replace(exact, pose_covariance=SIGMA))
    ]
    sure, unsure = (stage(detections, frame, [state]).localized for stage in stages)
    assert np.isfinite(sure.points_m).all()
    assert np.array_equal(sure.points_m, unsure.points_m)
    assert np.allclose(
        unsure.covariances_m2, sure.covariances_m2 + pose_spread(base_T_camera, sure.points_m, SIGMA), atol=1e-15
    )


@pytest.mark.parametrize("covariance", [None, SIGMA])
def test_no_number_of_frames_takes_the_error_of_the_pose_away(covariance: Array | None) -> None:
    base_T_camera = looking_at(np.array([0.1, 0.0, 0.5]), np.array(CUBE.center), 0.0)
    depth_m, shown = render(base_T_camera, [CUBE])
    frame, detections = frame_of(measure(depth_m, np.random.default_rng(0))), detections_of(box_around(shown, 1))
    mount = Mount(base_T_camera=base_T_camera, pose_covariance=covariance)
    locate = LocateStage({frame.camera_name: mount}, None, KNOWN)
    graph = Graph([frame.camera_name], cast("Detector", None), locate, BaseFrameTracker(), None, None)
    for k in range(60):
        placed = graph.locate(replace(detections, stamp_ns=frame.stamp_ns + k * 33_000_000), frame, ())
        tracks = graph.track(placed)
    doubt = tracks.covariance[0, :3, :3].diagonal()
    spread = pose_spread(base_T_camera, placed.localized.points_m, SIGMA)[0].diagonal()
    assert ((doubt > 0.9 * spread) == (covariance is not None)).all()


@pytest.mark.parametrize("said", [{}, {"pose_sigma": {"translation_m": 0.002, "rotation_rad": 0.01}}])
def test_the_rig_says_how_well_the_pose_is_known(said: dict[str, object]) -> None:
    camera = {"name": "a", "source": {"type": "own"}, "base_T_camera": {"translation_m": [0, 0, 1]}, **said}
    covariance = mount_of(CameraConfig.model_validate(camera)).pose_covariance
    if not said:
        assert covariance is None
    else:
        assert covariance is not None
        assert np.allclose(np.sqrt(covariance.diagonal()), [0.002] * 3 + [0.01] * 3)
