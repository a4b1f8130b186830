"""The cameras of the world's process, by ray casting."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from deploy.errors import BadInput, Missing
from perception.source import Source, SourceStalled
from robot.sim import CAMERA, SceneParameters, SensorParameters, SimSource, World
from robot.sim.remote import RemoteCamera
from robot.sim.render import Renderer
from robot.sim.settings import WorldSettings
from robot.sim.world_process import WorldProcess

EPOCH_NS = time.monotonic_ns()
BARE = SceneParameters(distractors=(0, 0))


def clock() -> int:
    return time.monotonic_ns() - EPOCH_NS


@pytest.fixture(scope="module")
def world() -> Iterator[WorldProcess]:
    settings = WorldSettings(
        Path(), EPOCH_NS, renderer="raycast", parameters=BARE, cube_render_offset_m=(0.0, 0.05, 0.0)
    )
    with WorldProcess(settings) as process:
        yield process


@pytest.fixture
def camera(world: WorldProcess) -> Iterator[RemoteCamera]:
    camera = RemoteCamera(world.socket, clock, name="wrist", rate_hz=30.0, seed=9)
    yield camera
    camera.close()


def test_a_picture_is_the_one_that_the_world_shows(
    world: WorldProcess, camera: RemoteCamera, raycast: Renderer
) -> None:
    assert isinstance(camera, Source)
    assert (world.renderer, world.renderer_reason) == ("raycast", "asked for")
    world.client.reset(6, hold=True)
    before_ns = clock()
    frame = camera.read()
    assert frame is not None
    assert before_ns - 50_000_000 < frame.stamp_ns < frame.received_ns <= clock()
    same = World(6, BARE)
    same.cube_render_offset_m = (0.0, 0.05, 0.0)
    expected = SimSource(same, raycast, seed=9).capture(frame.stamp_ns, frame.sequence)
    assert np.array_equal(frame.color, expected.color)
    assert expected.depth is not None
    assert frame.depth is not None
    assert np.array_equal(frame.depth, expected.depth)
    assert (frame.camera_name, frame.depth_scale_m, frame.camera) == ("wrist", 0.001, CAMERA)


def test_exposures_are_numbered_by_the_clock_and_left_out_where_rendering_is_slow(
    world: WorldProcess, camera: RemoteCamera
) -> None:
    began_ns = world.reset(7)
    frames = [camera.read() for _ in range(3)]
    for frame in frames:
        assert frame is not None
        assert frame.stamp_ns >= began_ns
        assert abs(frame.sequence - frame.stamp_ns * 30e-9) < 30.0, "the number is that of the grid"
    numbers = [frame.sequence for frame in frames if frame is not None]
    assert numbers == sorted(set(numbers))


def test_several_cameras_see_the_same_scene_from_their_places(world: WorldProcess, camera: RemoteCamera) -> None:
    fixed = RemoteCamera(world.socket, name="table", view="fixed", noise=False, frames=1)
    world.reset(8)
    first, second = camera.read(), fixed.read()
    assert first is not None
    assert second is not None
    assert (first.camera_name, second.camera_name) == ("wrist", "table")
    assert second.received_ns == second.stamp_ns
    assert not np.array_equal(first.color, second.color)
    assert fixed.read() is None
    fixed.close()


def test_small_pictures(world: WorldProcess) -> None:
    camera = RemoteCamera(world.socket, size_px=[320, 240])
    frame = camera.read()
    assert frame is not None
    assert frame.depth is not None
    assert (frame.color.shape, frame.depth.shape) == ((240, 320, 3), (240, 320))
    assert frame.camera == camera.camera == CAMERA.scaled(0.5)
    camera.close()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"view": "moon"}, "expected wrist or fixed"),
        ({"rate_hz": -1.0}, "expected > 0"),
        ({"size_px": [320, 200]}, "size_px of camera wrist"),
        ({"sensor": SensorParameters(noise_per_m=0.0), "camera": CAMERA.scaled(320, 240)}, "leave them out"),
    ],
)
def test_wrong_options_are_refused(world: WorldProcess, options: dict[str, object], sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence):
        RemoteCamera(world.socket, **options)  # type: ignore[arg-type]


def test_no_world_no_camera(tmp_path: Path) -> None:
    with pytest.raises(Missing, match="no simulated world answers"):
        RemoteCamera(tmp_path / "world")


def test_lost_cameras_are_a_stalled_source_and_the_world_goes_on() -> None:
    with WorldProcess(WorldSettings(Path(), EPOCH_NS, renderer="raycast", parameters=BARE)) as world:
        camera = RemoteCamera(world.socket)
        pid = world.client.status().cameras_pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(SourceStalled, match="camera process of the simulated world is lost") as lost:
            camera.read()
        assert "no frame for" not in str(lost.value)  # it was seen at once
        with pytest.raises(Missing, match="cameras of the simulated world are lost"):
            world.reset(3)
        assert world.client.reset(4)["detail"]["seed"] == 4
        camera.close()
    assert not world.socket.parent.exists()


def test_the_cameras_end_with_their_world(tmp_path: Path) -> None:
    with WorldProcess(WorldSettings(tmp_path / "world", EPOCH_NS, renderer="raycast", parameters=BARE)) as world:
        cameras = Path(f"/proc/{world.client.status().cameras_pid}")
        assert cameras.exists()
        os.kill(world.pid, signal.SIGKILL)
        end = time.monotonic() + 10.0
        while (cameras / "cmdline").exists() and (cameras / "cmdline").read_bytes():
            assert time.monotonic() < end, "they live on"
            time.sleep(0.01)
        assert not list(tmp_path.iterdir()), "no socket is left"
