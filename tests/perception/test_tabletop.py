"""The packaged detector and localization on the simulated wrist camera: from its noisy frames to millimetres."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from deploy.model_store import ModelStore
from deploy.onnxruntime_backend import OnnxRuntimeBackend
from geometry import project
from perception.detector import NetworkDetector
from perception.localize import LocalizeParameters, localize
from perception.visibility import Sight, Visibility

MODEL = "tabletop-yolov8n"
pytest.importorskip("mujoco", reason="mujoco is not installed: pip install 'eyehand[sim]'")

from robot.sim.layout import CAMERA, GRIPPER_T_CAMERA, WORLD_T_BASE, joints_for, tool_down  # noqa: E402
from robot.sim.render import Renderer, make_renderer  # noqa: E402
from robot.sim.source import SimSource  # noqa: E402
from robot.sim.world import World  # noqa: E402

SIZES = LocalizeParameters(size_m={"red_cube": 0.04})


@pytest.fixture(scope="module")
def renderer() -> Iterator[Renderer]:
    made = make_renderer()
    yield made
    made.close()


@pytest.fixture(scope="module")
def detector() -> NetworkDetector:
    store = ModelStore()
    if MODEL not in store.names():
        pytest.skip(f"the packaged model {MODEL} is not in this checkout")
    return NetworkDetector(OnnxRuntimeBackend(store.find(MODEL).onnx_path), confidence=0.35)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [11, 12, 13, 14])
@pytest.mark.parametrize("height_m", [0.18, 0.35])
def test_the_cube_is_found_to_millimetres(
    renderer: Renderer, detector: NetworkDetector, seed: int, height_m: float
) -> None:
    world = World(seed)
    x, y, _ = world.cube_position_world_m
    aim = tool_down([x - 0.05, y + 0.02, height_m], 0.3 * seed)
    world.set_configuration(joints_for(aim), 1.0)
    base_T_camera = WORLD_T_BASE.inverse() @ world.world_T_gripper @ GRIPPER_T_CAMERA
    truth = world.cube_position_base_m
    u, v = project(base_T_camera.inverse().apply(truth[None]), CAMERA)[0]
    if not (60 < u < 580 and 60 < v < 420):
        pytest.skip(f"the cube is at ({u:.0f}, {v:.0f}) px, not wholly in view")
    frame = SimSource(world, renderer, seed=seed).capture(5, 7)
    detections = detector.detect(frame)
    cubes = np.flatnonzero(detections.class_ids == detector.class_names.index("red_cube"))
    assert len(cubes)
    found = localize(detections.select(cubes[:1]), frame, base_T_camera, SIZES)
    error = found.points_m[0] - truth
    assert np.linalg.norm(error) < 0.004
    assert error @ np.linalg.solve(found.covariances_m2[0], error) < 16.0
    assert Visibility(frame, base_T_camera)(truth[None]).tolist() == [Sight.VISIBLE]


def test_names_agree_with_the_simulated_cell(detector: NetworkDetector) -> None:
    from robot.sim.layout import CLASS_NAMES

    assert detector.class_names == CLASS_NAMES
