"""A camera on the gripper and one behind the table, into one tracker."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("mujoco", reason="the simulator's extra is not installed: pip install '.[sim]'")
pytest.importorskip("onnxruntime", reason="no inference engine is installed: pip install '.[cpu]'")

from launch.config import load_config
from launch.executor import Executor
from launch.schedulers.profile import Durations
from launch.sim_cell import SimCell
from launch.wiring import build_graph, resolve
from tracking import Tracks, TrackState

PERIOD_NS = 100_000_000


@pytest.mark.parametrize("seed", [3, 4])
def test_what_two_cameras_see_is_one_object(seed: int) -> None:
    config = resolve(load_config("sim_pick_place", ["rig=sim_ur10e_two_cameras", f"seed={seed}"]))
    cell = SimCell(config)
    executor = Executor(build_graph(config), Durations(config.profile))
    executor.episode(0, 0)
    seen_by: set[int] = set()
    tracks: Tracks | None = None
    for number in range(1, 5):
        now_ns = number * PERIOD_NS
        cell.advance(now_ns)
        executor.input_state(cell.arm.read_state(), now_ns)
        for camera, name in enumerate(executor.graph.cameras):
            executor.input_frame(cell.capture(name)(now_ns, number), now_ns)
            found = executor.detect(now_ns, camera, number)
            placed = executor.localize(now_ns, found.sequence, executor.states.newest_sequence)
            assert placed is not None
            tracks = executor.track(now_ns, placed.sequence).value
            cubes = found.value.class_ids == 0
            if (tracks.detection_ids[cubes] >= 0).any():
                seen_by.add(camera)
    truth = cell.world.cube_position_base_m
    cell.close()
    assert tracks is not None
    confirmed = tracks.state == TrackState.CONFIRMED
    cubes = confirmed & (tracks.class_ids == tracks.class_names.index("red_cube"))
    assert np.count_nonzero(cubes) == 1
    assert np.linalg.norm(tracks.position[cubes][0] - truth) < 0.01
    assert seen_by == {0, 1}
