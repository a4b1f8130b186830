from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from deploy.errors import BadInput
from geometry import Camera, Pose
from perception.sources.options import camera_option, pose_option

CAMERA = {"width": 640, "height": 480, "fx": 600.0, "fy": 600.0, "cx": 320.0, "cy": 240.0}
HALF = float(np.sqrt(0.5))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (CAMERA, Camera(640, 480, 600.0, 600.0, 320.0, 240.0)),
        (
            {**CAMERA, "distortion": [0.1, 0.2, 0.0, 0.0]},
            Camera(640, 480, 600.0, 600.0, 320.0, 240.0, (0.1, 0.2, 0, 0)),
        ),
        (Camera(2, 2, 1.0, 1.0, 0.5, 0.5), Camera(2, 2, 1.0, 1.0, 0.5, 0.5)),
    ],
)
def test_cameras(value: Any, expected: Camera) -> None:
    assert camera_option(value, "c") == expected


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ({"width": 640}, "intrinsics of wrist: .*missing"),
        ({**CAMERA, "focal": 1.0}, "focal"),
        ({**CAMERA, "fx": -1.0}, "camera fx -1.0: expected a finite focal length"),
        ([640, 480], "expected width, height, fx"),
    ],
)
def test_cameras_that_are_refused(value: Any, error: str) -> None:
    with pytest.raises(BadInput, match=error):
        camera_option(value, "intrinsics of wrist")


@pytest.mark.parametrize(
    ("value", "point"),
    [
        ({"translation_m": [1.0, 2.0, 3.0]}, [2.0, 2.0, 3.0]),
        ({"translation_m": [0.0, 0.0, 0.0], "rotation_vector_rad": [0.0, 0.0, np.pi / 2]}, [0.0, 1.0, 0.0]),
        ({"translation_m": [0.0, 0.0, 0.0], "quaternion_xyzw": [0.0, 0.0, HALF, HALF]}, [0.0, 1.0, 0.0]),
        ({"translation_m": [0, 0, 1], "rotation_matrix": [[0, -1, 0], [1, 0, 0], [0, 0, 1]]}, [0.0, 1.0, 1.0]),
        (Pose.identity(), [1.0, 0.0, 0.0]),
    ],
)
def test_poses(value: Any, point: list[float]) -> None:
    assert np.allclose(pose_option(value, "p").apply(np.array([1.0, 0.0, 0.0])), point)


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ({"rotation_vector_rad": [0, 0, 0]}, "expected translation_m and one of"),
        (
            {"translation_m": [0, 0, 0], "rotation_vector_rad": [0, 0, 0], "quaternion_xyzw": [0, 0, 0, 1]},
            "expected tr",
        ),
        ({"translation_m": [0, 0, 0], "euler_deg": [0, 0, 0]}, "unknown key euler_deg"),
        ({"translation_m": [0, 0]}, "color_T_depth: "),
        ({"translation_m": [0, 0, 0], "quaternion_xyzw": [0, 0, 0, 0]}, "color_T_depth: "),
        (3.0, "expected a mapping"),
    ],
)
def test_poses_that_are_refused(value: Any, error: str) -> None:
    with pytest.raises(BadInput, match=error):
        pose_option(value, "color_T_depth")
