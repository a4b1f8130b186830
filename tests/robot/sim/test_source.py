from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from deploy.errors import BadInput
from geometry import deproject, project
from perception.source import Source
from robot.sim import CAMERA, GRIPPER_T_CAMERA, SimSource, World
from robot.sim.layout import CUBE_EDGE_M
from robot.sim.render import Renderer


def test_frame_of_the_present_world(raycast: Renderer) -> None:
    world = World(7)
    world.advance(300_000_000)
    source = SimSource(world, raycast, name="hand", noise=False)
    assert isinstance(source, Source)
    frame = source.capture(5_300_000_000, 3)
    assert (frame.camera_name, frame.sequence, frame.stamp_ns, frame.received_ns) == (
        "hand",
        3,
        5_300_000_000,
        5_300_000_000,
    )
    assert frame.camera == source.camera == CAMERA
    assert world.time_ns == 300_000_000, "a picture takes no simulated time"
    world_T_camera = world.world_T_gripper @ GRIPPER_T_CAMERA
    top = world.cube_position_world_m + np.array([0.0, 0.0, CUBE_EDGE_M / 2])
    pixel = np.round(project(world_T_camera.inverse().apply(top[None]), CAMERA))
    column, row = pixel[0].astype(int)
    depth_m = np.array([frame.depth[row, column] * frame.depth_scale_m])
    assert world_T_camera.apply(deproject(pixel, depth_m, CAMERA))[0] == pytest.approx(top, abs=2e-3)


def test_capture_is_a_function_of_world_and_number(raycast: Renderer) -> None:
    frames = [SimSource(World(1), raycast, seed=2).capture(0, 4) for _ in range(2)]
    assert frames[0].color.tobytes() == frames[1].color.tobytes()
    assert frames[0].depth.tobytes() == frames[1].depth.tobytes()
    other = SimSource(World(1), raycast, seed=2).capture(0, 5)
    assert other.depth.tobytes() != frames[0].depth.tobytes()


def test_read_moves_the_world_and_ends(raycast: Renderer) -> None:
    world = World(1)
    source = SimSource(world, raycast, rate_hz=20, frames=2)
    first, second, end = source.read(), source.read(), source.read()
    assert (first.sequence, first.stamp_ns) == (0, 50_000_000)
    assert (second.sequence, second.stamp_ns) == (1, 100_000_000)
    assert end is None
    assert world.time_ns == 100_000_000
    source.close()


def test_read_keeps_pace_with_a_clock(raycast: Renderer) -> None:
    now = [7_000_000_000]

    def clock() -> int:
        now[0] += 60_000_000
        return now[0]

    source = SimSource(World(1), raycast, rate_hz=1000, clock=clock)
    assert source.read().stamp_ns == 7_060_000_000 + 1_000_000


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rate_hz": 0.0}, "rate of camera wrist is 0.0 Hz"),
        ({"camera": replace(CAMERA, fx=600.0)}, "intrinsics of camera wrist"),
    ],
)
def test_bad_options(raycast: Renderer, options: dict[str, object], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        SimSource(World(1), raycast, **options)
