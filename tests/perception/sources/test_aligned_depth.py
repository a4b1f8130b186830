from __future__ import annotations

import numpy as np
import pytest

from geometry import Camera, Pose
from perception.sources.aligned_depth import AlignedDepth

CAMERA = Camera(640, 480, 600.0, 600.0, 319.5, 239.5)
TURNED = Pose.from_rotvec(np.array([0.02, 0.05, 0.1]), np.array([0.015, -0.002, 0.01]))


def test_a_plane_seen_by_a_turned_depth_camera() -> None:
    """A wall at 1 m from the colour camera: what the depth camera measures of it, and what comes out."""
    v, u = np.mgrid[:480, :640]
    rays = np.stack([(u - CAMERA.cx) / CAMERA.fx, (v - CAMERA.cy) / CAMERA.fy, np.ones_like(u)], axis=-1)
    measured_m = TURNED.inverse().apply(rays.reshape(-1, 3))[:, 2].reshape(480, 640)
    depth = np.rint(measured_m * 1000.0).astype(np.uint16)
    assert np.ptp(depth) > 40  # mm, what the turn makes of a flat wall
    result = AlignedDepth(CAMERA, TURNED).distances(depth, 0.001)
    assert result.dtype == np.uint16
    assert np.abs(result.astype(int) - 1000).max() <= 1


@pytest.mark.parametrize("scale_m", [0.001, 0.0001])
def test_the_scale_counts(scale_m: float) -> None:
    shifted = Pose.from_rotvec(np.zeros(3), np.array([0.0, 0.0, 0.02]))
    depth = np.full((480, 640), round(0.5 / scale_m), dtype=np.uint16)
    assert np.unique(AlignedDepth(CAMERA, shifted).distances(depth, scale_m)).tolist() == [round(0.52 / scale_m)]


def test_unmeasured_stays_unmeasured_and_far_does_not_wrap() -> None:
    away = Pose.from_rotvec(np.zeros(3), np.array([0.0, 0.0, 0.5]))
    depth = np.zeros((480, 640), dtype=np.uint16)
    depth[0, 0] = 65535
    result = AlignedDepth(CAMERA, away).distances(depth, 0.001)
    assert result[0, 0] == 65535
    assert result.sum() == 65535
    towards = Pose.from_rotvec(np.zeros(3), np.array([0.0, 0.0, -0.5]))
    near = np.full((480, 640), 300, dtype=np.uint16)
    assert AlignedDepth(CAMERA, towards).distances(near, 0.001).max() == 0  # behind the colour camera


def test_cameras_side_by_side_need_no_work_but_the_image_is_new() -> None:
    aligned = AlignedDepth(CAMERA, Pose.from_rotvec(np.zeros(3), np.array([0.059, 0.0, 0.0])))
    assert aligned.is_exact
    depth = np.full((480, 640), 700, dtype=np.uint16)
    result = aligned.distances(depth, 0.001)
    assert np.array_equal(result, depth)
    assert not np.shares_memory(result, depth)
