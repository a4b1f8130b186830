"""Ten frames of a real D435 and a cube of 42 mm: files to frames, frames to a run, the run back to frames."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from geometry import Pose, deproject
from launch.bag import BagWriter
from perception.frame import Frame
from perception.sources.opencv import OpenCvSource
from perception.sources.recording import RecordingSource
from tests.perception.sources.bag_builders import assert_same, read_all

COLOR = {"width": 640, "height": 480, "fx": 614.96, "fy": 614.93, "cx": 320.20, "cy": 241.46}
DEPTH = {"width": 640, "height": 480, "fx": 383.97, "fy": 383.97, "cx": 320.50, "cy": 235.60}
# Corners of the cube, labelled by hand in enlarged colour images; camera and cube stand still.
CORNERS = {
    "A": (328.2, 209.6), "B": (402.6, 211.0), "C": (444.6, 275.6), "D": (365.6, 277.6),
    "E": (299.0, 274.6), "F": (330.9, 343.0), "G": (405.6, 336.2),
}  # fmt: skip
FACES = {"top": "ABCD", "left": "ADFE", "front": "DCGF"}
EDGE_MM, TOLERANCE_MM = 42.0, 3.0


def cube(shared_data: Path) -> OpenCvSource:
    folder = shared_data / "visp_d435_cube"
    # The file takes colour coordinates to depth coordinates: through its inverse the depth edges fall on the colour's.
    depth_T_color = np.loadtxt(folder / "depth_M_color.txt")
    return OpenCvSource(
        str(folder / "color_image_*.jpg"),
        name="d435",
        intrinsics=COLOR,
        depth=str(folder / "depth_image_*.bin"),
        depth_intrinsics=DEPTH,
        color_T_depth=Pose.from_matrix(depth_T_color).inverse(),
        fps=30.0,
    )


@pytest.fixture(scope="module")
def frames(shared_data: Path) -> list[Frame]:
    return read_all(cube(shared_data))


@pytest.fixture(scope="module")
def recorded(frames: list[Frame], tmp_path_factory: pytest.TempPathFactory) -> list[Frame]:
    run = tmp_path_factory.mktemp("cube") / "run"
    with BagWriter(run) as writer:
        for frame in frames:
            writer.write_frame(frame, frame.received_ns + 1000)
    return read_all(RecordingSource(run, need_depth=True))


def test_the_recording_is_equal_to_the_byte(frames: list[Frame], recorded: list[Frame]) -> None:
    assert len(recorded) == 10
    for frame, other in zip(recorded, frames, strict=True):
        assert_same(frame, other)
        assert frame.color.tobytes() == other.color.tobytes()


def face_plane(frame: Frame, face: str) -> tuple[np.ndarray, np.ndarray]:
    """A point and the normal of the plane through the depth inside a face."""
    corners = np.array([CORNERS[name] for name in FACES[face]])
    inner = corners.mean(axis=0) + 0.7 * (corners - corners.mean(axis=0))
    mask = cv2.fillPoly(np.zeros((480, 640), dtype=np.uint8), [np.rint(inner).astype(np.int32)], 1) > 0
    assert frame.depth is not None
    v, u = np.nonzero(mask & (frame.depth > 0))
    points = deproject(np.stack([u, v], axis=1), frame.depth[v, u] * frame.depth_scale_m, frame.camera)
    for _ in range(5):  # leave out what lies off the plane
        center = points.mean(axis=0)
        normal = np.linalg.eigh(np.cov(points.T))[1][:, 0]
        distance = np.abs((points - center) @ normal)
        points = points[distance < max(2.5 * float(np.median(distance)), 0.001)]
    return center, normal


def face_edges_mm(frame: Frame, face: str) -> np.ndarray:
    """Edges of a face, shape (4,): its labelled corners at the depth of its plane there."""
    center, normal = face_plane(frame, face)
    corners = np.array([CORNERS[name] for name in FACES[face]])
    rays = deproject(corners, np.ones(4), frame.camera)
    on_plane = rays * ((center @ normal) / (rays @ normal))[:, None]
    edges: np.ndarray = 1000.0 * np.linalg.norm(on_plane - np.roll(on_plane, -1, axis=0), axis=1)
    return edges


@pytest.mark.parametrize("face", sorted(FACES))
def test_the_cube_measures_42_mm(recorded: list[Frame], face: str) -> None:
    edges = np.array([face_edges_mm(frame, face) for frame in recorded])
    assert edges.shape == (10, 4)
    assert np.abs(edges - EDGE_MM).max() < TOLERANCE_MM
    assert edges.std(axis=0).max() < 0.5  # from frame to frame


def test_its_faces_are_at_right_angles(recorded: list[Frame]) -> None:
    """The depth's shape is right, not only its scale."""
    normals = [face_plane(recorded[0], face)[1] for face in ("top", "left", "front")]
    angles = [np.degrees(np.arccos(abs(normals[i] @ normals[j]))) for i, j in ((0, 1), (1, 2), (0, 2))]
    assert angles == pytest.approx([90.0] * 3, abs=3.0)
