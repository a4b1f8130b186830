"""A recording that librealsense itself writes, read by our pure-Python reader and by librealsense."""

from __future__ import annotations

import gc
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deploy.errors import BadInput, Missing
from perception.frame import Frame
from perception.sources.realsense import RealSenseSource
from perception.sources.realsense_device import import_pyrealsense2
from perception.sources.recording import RecordingSource
from tests.perception.sources.bag_builders import read_all
from tests.perception.sources.virtual_realsense import SERIAL, VirtualRealSense, rotation_about

try:
    import_pyrealsense2()
except Missing as error:
    pytest.skip(str(error), allow_module_level=True)

pytestmark = [pytest.mark.realsense, pytest.mark.usefixtures("private_home")]
ROTATION = rotation_about("y", 0.02) @ rotation_about("z", 0.05)
TRANSLATION = (0.015, 0.001, -0.004)
NUMBERS = [3, 4, 5, 8, 9, 10]


def pictures(number: int) -> tuple[np.ndarray, np.ndarray]:
    color = np.zeros((480, 640, 3), dtype=np.uint8)
    color[..., 0], color[..., 2] = number, np.arange(640) % 256
    depth = np.full((480, 640), 1200, dtype=np.uint16)
    depth[150:320, 220:400] = 600 + number
    return color, depth


@pytest.fixture(scope="module")
def recording(private_home: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recording") / "d455.db3"
    with VirtualRealSense(units_m=0.0005, rotation=ROTATION, translation_m=TRANSLATION) as camera:
        rs = camera.rs
        pipeline, config = rs.pipeline(camera.context), rs.config()
        config.enable_stream(rs.stream.depth, 640, 480, rs.format.z16, 30)
        config.enable_stream(rs.stream.color, 640, 480, rs.format.bgr8, 30)
        config.enable_record_to_file(str(path))
        try:
            pipeline.start(config)
        except RuntimeError as error:
            pytest.skip(f"this librealsense does not record .db3: {error}")
        for number in NUMBERS:
            camera.push(number, 5000.0 + 33.25 * number, *pictures(number))
            assert pipeline.try_wait_for_frames(2000)[0]
            time.sleep(0.03)
        pipeline.stop()
        del pipeline, config
        gc.collect()  # the file is finished when its last holder is gone
    return path


def by_number(frames: list[Frame]) -> dict[int, Frame]:
    return {frame.sequence: frame for frame in frames}


@pytest.mark.parametrize(
    "options", [{"reader": RecordingSource}, {"reader": RealSenseSource, "file": True, "timeout_s": 3.0}]
)
def test_numbers_times_scale_and_pixels(recording: Path, options: dict[str, Any]) -> None:
    options = dict(options)
    reader = options.pop("reader")
    source = reader(file=str(recording), timeout_s=3.0) if "file" in options else reader(recording, need_depth=True)
    frames = by_number(read_all(source))
    source.close()
    # librealsense's own player leaves out frames at the start that its synchroniser cannot pair.
    assert set(frames) == set(NUMBERS) if reader is RecordingSource else set(frames) >= {5, 8, 9}
    for number, frame in frames.items():
        assert frame.stamp_ns == round((5000.0 + 33.25 * number) * 1e6)
        assert frame.received_ns == frame.stamp_ns
        assert frame.depth_scale_m == 0.0005
        assert np.array_equal(frame.color, pictures(number)[0])
        assert frame.depth is not None


def test_both_readers_agree_on_the_depth_at_each_colour_pixel(recording: Path) -> None:
    ours = RecordingSource(recording)
    theirs = RealSenseSource(file=str(recording), timeout_s=3.0)
    assert ours.camera == theirs.camera
    assert (ours.name, theirs.serial) == (SERIAL, str(recording))
    frames, others = by_number(read_all(ours)), by_number(read_all(theirs))
    theirs.close()
    for number in sorted(set(frames) & set(others)):
        depth, other = frames[number].depth, others[number].depth
        assert depth is not None
        assert other is not None
        both = (depth > 0) & (other > 0)
        assert both.mean() > 0.93
        difference = np.abs(depth.astype(int) - other)[both]
        # The two fill in the gaps between projected pixels in their own way, which shows along the edges of the plate.
        assert np.percentile(difference, 95) <= 4
        assert (difference > 20).mean() < 0.02


def test_a_camera_without_depth_in_its_configuration(recording: Path) -> None:
    source = RealSenseSource(file=str(recording), depth=False, timeout_s=3.0)
    frame = source.read()
    source.close()
    assert frame is not None
    assert frame.depth is None


def test_a_recording_that_was_cut_short(recording: Path, tmp_path: Path) -> None:
    data = recording.read_bytes()
    (tmp_path / "cut.db3").write_bytes(data[: len(data) // 2])
    with pytest.raises(BadInput, match=r"cut.db3: cut short, \d+ of \d+ bytes"):
        RecordingSource(tmp_path / "cut.db3")
