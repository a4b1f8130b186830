"""Localize on a real D435: a cube of 42 mm edge that stands still on a desk, seen at 55 degrees from above."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from geometry import Camera, Pose, deproject, project, register_depth
from geometry.types import Array, DepthImage
from perception.localize import LocalizeParameters, localize
from tests.perception.synthetic import detections_of, frame_of

COLOR = Camera(640, 480, 614.96, 614.93, 320.20, 241.46)
DEPTH = Camera(640, 480, 383.97, 383.97, 320.50, 235.60)
# The outline of the cube in the colour image, read off by eye; camera and cube stand still over the ten frames.
OUTLINE = np.array([(322, 210), (405, 210), (444, 270), (405, 340), (331, 343), (299, 275)])
EDGE_M = 0.042
SIZES = LocalizeParameters(size_m={"cube": EDGE_M})


def registered(folder: Path, frame: int) -> DepthImage:
    raw = (folder / f"depth_image_{frame:04d}.bin").read_bytes()
    height, width = np.frombuffer(raw[:8], dtype="<u4")
    depth = np.frombuffer(raw[8:], dtype="<u2").reshape(height, width).astype(np.uint16)
    color_T_depth = Pose.from_matrix(np.loadtxt(folder / "depth_M_color.txt")).inverse()
    return register_depth(depth, 0.001, DEPTH, COLOR, color_T_depth)


def camera_over_desk(depth: DepthImage) -> Pose:
    """A frame on the desk around the cube, z up, from the plane of the pixels around the outline."""
    cube = cv2.fillPoly(np.zeros(depth.shape, np.uint8), [OUTLINE], 1)
    ring = cv2.dilate(cube, np.ones((101, 101))) - cv2.dilate(cube, np.ones((41, 41)))
    v, u = np.nonzero((ring > 0) & (depth > 0))
    points = deproject(np.stack((u, v), axis=1), depth[v, u] * 0.001, COLOR)
    for _ in range(4):
        center = points.mean(axis=0)
        normal = np.linalg.svd(points - center, full_matrices=False)[2][2]
        points = points[np.abs((points - center) @ normal) < 0.004]
    up = -normal * np.sign(normal @ center)
    right = np.cross((0.0, 1.0, 0.0), up)
    right /= np.linalg.norm(right)
    camera_T_desk = np.eye(4)
    camera_T_desk[:3] = np.stack((right, np.cross(up, right), up, center), axis=1)
    return Pose.from_matrix(camera_T_desk).inverse()


@pytest.fixture(scope="module")
def found(shared_data: Path) -> tuple[Array, Array, Array]:
    """Points in the desk's frame (10, 3), their covariances, and their pixels (10, 2)."""
    box = [*OUTLINE.min(axis=0), *(OUTLINE.max(axis=0) + 1)]
    points, covariances, pixels = [], [], []
    for number in range(10):
        depth = registered(shared_data / "visp_d435_cube", number)
        pose = camera_over_desk(depth)
        placed = localize(detections_of([box], ("cube",)), frame_of(depth, COLOR), pose, SIZES)
        points.append(placed.points_m[0])
        covariances.append(placed.covariances_m2[0])
        pixels.append(project(pose.inverse().apply(placed.points_m), COLOR)[0])
    return np.array(points), np.array(covariances), np.array(pixels)


def test_the_centre_lies_half_an_edge_above_the_desk(found: tuple[Array, Array, Array]) -> None:
    heights_m, sigma_m = found[0][:, 2], np.sqrt(found[1][:, 2, 2])
    assert heights_m == pytest.approx(np.full(10, EDGE_M / 2), abs=0.0025)
    assert (np.abs(heights_m - EDGE_M / 2) < 3.0 * sigma_m).all()


def test_the_centre_is_seen_in_the_middle_of_the_outline(found: tuple[Array, Array, Array]) -> None:
    # 10 px are 4.5 mm at this distance
    assert np.linalg.norm(found[2] - OUTLINE.mean(axis=0), axis=1).max() < 10.0


def test_ten_frames_agree(found: tuple[Array, Array, Array]) -> None:
    assert found[2].std(axis=0).max() < 1.5
    assert found[0][:, 2].std() < 0.0005
