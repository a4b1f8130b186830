from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np
import pytest

from deploy.errors import BadInput, Missing
from geometry import Camera, Pose, deproject, project, register_depth
from perception.frame import Frame
from perception.source import Source, SourceStalled
from perception.sources.realsense import RealSenseSource
from perception.sources.realsense_device import import_pyrealsense2
from tests.perception.sources.virtual_realsense import (
    COLOR_FOCAL,
    DEPTH_FOCAL,
    SERIAL,
    VirtualRealSense,
    images,
    rotation_about,
)

try:
    import_pyrealsense2()
except Missing as error:
    pytest.skip(str(error), allow_module_level=True)

pytestmark = [pytest.mark.realsense, pytest.mark.usefixtures("private_home")]
MS = 1_000_000
PERIOD_MS = 1000.0 / 30.0


class Clock:
    """A run clock and a host clock that the test turns."""

    def __init__(self) -> None:
        self.now_ns = 50_000 * MS
        self.epoch_offset_ns = 1_700_000_000 * 1000 * MS

    def run(self) -> int:
        return self.now_ns

    def epoch(self) -> int:
        return self.now_ns + self.epoch_offset_ns


def one_frame(camera: VirtualRealSense, pixels: tuple[np.ndarray, np.ndarray], **options: Any) -> Frame:
    source = RealSenseSource(context=camera.context, **options)
    camera.push(1, 1000.0, *pixels)
    frame = source.read()
    source.close()
    assert frame is not None
    return frame


def test_frames_in_order_with_their_numbers_and_pixels() -> None:
    with VirtualRealSense() as camera:
        source = RealSenseSource(name="wrist", context=camera.context)
        assert isinstance(source, Source)
        assert (source.name, source.serial) == ("wrist", SERIAL)
        assert source.camera == Camera(640, 480, COLOR_FOCAL, COLOR_FOCAL, 320.0, 240.0)
        numbers = [5, 6, 9, 10]
        frames = []
        for k in numbers:
            camera.push(k, 1000.0 + PERIOD_MS * k, *images(k, 700 + k))
            frames.append(source.read())
        source.close()
        source.close()
    for k, frame in zip(numbers, frames, strict=True):
        assert frame is not None
        assert (frame.camera_name, frame.sequence) == ("wrist", k)  # 7 and 8 were dropped, and it shows
        assert (frame.color == k).all()
        assert frame.depth is not None
        assert frame.depth[240, 320] == 700 + k
        assert frame.stamp_ns <= frame.received_ns
    # Pixels are copies: librealsense's buffers go round.
    assert not np.shares_memory(frames[0].color, frames[1].color)


def test_stamps_are_on_the_run_clock_without_the_jitter_of_the_transport() -> None:
    clock, delays_ms = Clock(), [9.0, 4.0, 12.0, 30.0, 5.0, 4.0]
    begin_ns = clock.now_ns
    with VirtualRealSense() as camera:
        source = RealSenseSource(context=camera.context, clock=clock.run, latency_s=0.004)
        stamps = []
        for k, delay_ms in enumerate(delays_ms):
            camera.push(k, 777_000.0 + PERIOD_MS * k, *images(k))
            clock.now_ns = begin_ns + round((PERIOD_MS * k + delay_ms) * MS)
            frame = source.read()
            assert frame is not None
            assert frame.received_ns == clock.now_ns
            stamps.append((frame.stamp_ns - begin_ns) / MS)
        reading = source.clock_reading
        source.close()
    # From the second frame on, the one that came fastest is known.
    assert stamps[1:] == pytest.approx([PERIOD_MS * k for k in range(1, 6)], abs=0.01)
    assert reading is not None
    assert reading.offset_ns == pytest.approx(begin_ns + 4 * MS - 777_000 * MS, abs=1000)


@pytest.mark.parametrize(("domain", "latency_ms"), [("global_time", 0.0), ("system_time", 6.0)])
def test_host_times_are_moved_by_the_difference_of_the_clocks(domain: str, latency_ms: float) -> None:
    clock = Clock()
    with VirtualRealSense(domain=domain) as camera:
        source = RealSenseSource(
            context=camera.context, clock=clock.run, epoch_clock=clock.epoch, latency_s=latency_ms / 1000.0
        )
        taken_ns = clock.now_ns - 20 * MS
        camera.push(1, (taken_ns + clock.epoch_offset_ns) / MS, *images(1))
        frame = source.read()
        source.close()
    assert frame is not None
    assert frame.stamp_ns == pytest.approx(taken_ns - latency_ms * MS, abs=1000)  # librealsense: double milliseconds


def test_the_stamp_is_the_middle_of_the_exposure_where_the_camera_says_so() -> None:
    clock = Clock()
    with VirtualRealSense() as camera:
        source = RealSenseSource(context=camera.context, clock=clock.run)
        camera.metadata("frame_timestamp", 1_000_000)
        camera.metadata("sensor_timestamp", 1_000_000 - 7_500)
        camera.push(1, 1000.0, *images(1))
        frame = source.read()
        source.close()
    assert frame is not None
    assert frame.stamp_ns == clock.now_ns - 7_500_000


@pytest.mark.parametrize("units_m", [0.001, 0.0001, 0.00025])
def test_the_depth_scale_is_the_cameras(units_m: float) -> None:
    with VirtualRealSense(units_m=units_m) as camera:
        frame = one_frame(camera, images(1, round(0.8 / units_m)))
    assert frame.depth_scale_m == units_m
    assert frame.depth is not None
    assert frame.depth[240, 320] * frame.depth_scale_m == pytest.approx(0.8)


@pytest.mark.parametrize("shift_m", [0.0, 0.059])
def test_a_step_in_depth_lands_on_the_colour_pixel_of_the_same_ray(shift_m: float) -> None:
    """A plate at 0.8 m in front of a wall at 2 m."""
    color, depth = images(1, 2000)
    depth[180:300, 250:350] = 800
    with VirtualRealSense(translation_m=(shift_m, 0.0, 0.0)) as camera:
        frame = one_frame(camera, (color, depth))
    depth_camera = Camera(640, 480, DEPTH_FOCAL, DEPTH_FOCAL, 320.0, 240.0)
    corners = deproject(np.array([[250.0, 180.0], [349.0, 299.0]]), np.full(2, 0.8), depth_camera)
    (left, top), (right, bottom) = project(corners + np.array([shift_m, 0.0, 0.0]), frame.camera)
    assert frame.depth is not None
    rows, columns = np.nonzero(frame.depth == 800)
    found = [columns.min(), rows.min(), columns.max(), rows.max()]
    assert found == pytest.approx([left, top, right, bottom], abs=2.0)
    assert frame.depth[20, 100] == 2000


def test_distances_are_from_the_colour_camera_also_where_the_cameras_are_turned() -> None:
    """`rs.align` alone would leave the depth camera's distance: 40 mm off at the left edge here."""
    rotation = rotation_about("y", 0.05) @ rotation_about("z", 0.1)
    translation = (0.03, 0.005, -0.02)
    color, depth = images(1, 1000)
    with VirtualRealSense(rotation=rotation, translation_m=translation) as camera:
        frame = one_frame(camera, (color, depth))
    expected = register_depth(
        depth, 0.001, Camera(640, 480, DEPTH_FOCAL, DEPTH_FOCAL, 320.0, 240.0), frame.camera,
        Pose(rotation, np.array(translation)),
    )  # fmt: skip
    assert frame.depth is not None
    both = (frame.depth > 0) & (expected > 0)
    assert both.mean() > 0.95
    difference = np.abs(frame.depth[both].astype(int) - expected[both])
    assert np.percentile(difference, 99) <= 2
    assert np.ptp(expected[both].astype(int)) > 40


@pytest.mark.parametrize("after", [0, 3])
def test_a_camera_that_is_unplugged_is_an_error_in_time(after: int) -> None:
    with VirtualRealSense() as camera:
        source = RealSenseSource(name="wrist", context=camera.context, timeout_s=0.4)
        for k in range(after):
            camera.push(k, 1000.0 + PERIOD_MS * k, *images(k))
            source.read()
        begin = time.monotonic()
        with pytest.raises(
            SourceStalled, match=rf"camera wrist sent no frame for 0.4 s: RealSense {SERIAL}: check its"
        ):
            source.read()
        assert 0.35 < time.monotonic() - begin < 1.5
        source.close()
        assert time.monotonic() - begin < 3.0


def test_unplugged_while_someone_waits_and_half_a_frame_does_not_count() -> None:
    """Depth goes on, colour has stopped: that is no frame."""
    with VirtualRealSense() as camera:
        source = RealSenseSource(context=camera.context, timeout_s=0.5)
        camera.push(1, 1000.0, *images(1))
        assert source.read() is not None
        stop = threading.Event()

        def go_on() -> None:
            k = 2
            while not stop.is_set():
                camera.push(1, 1000.0 + PERIOD_MS * k, *images(1))  # the same colour image again
                k += 1
                time.sleep(0.03)

        thread = threading.Thread(target=go_on, daemon=True)
        thread.start()
        begin = time.monotonic()
        with pytest.raises(SourceStalled):
            source.read()
        assert time.monotonic() - begin < 2.0
        stop.set()
        thread.join()
        source.close()


def test_numbers_go_on_after_a_reset_of_the_camera() -> None:
    with VirtualRealSense() as camera:
        source = RealSenseSource(context=camera.context)
        sequences = []
        for k, number in enumerate([100, 101, 0, 1, 3]):
            camera.push(number, 1000.0 + PERIOD_MS * k, *images(k))
            frame = source.read()
            assert frame is not None
            sequences.append(frame.sequence)
        source.close()
    assert sequences == [100, 101, 102, 103, 105]


def test_colour_alone() -> None:
    with VirtualRealSense() as camera:
        frame = one_frame(camera, images(9), depth=False)
    assert frame.depth is None
    assert (frame.color == 9).all()


@pytest.mark.parametrize(
    ("options", "kind", "error"),
    [
        ({"serial": "7"}, Missing, rf"no RealSense camera 7; found {SERIAL}"),
        ({"fps": 90}, BadInput, rf"RealSense {SERIAL}: 640x480 at 90 frames/s with depth cannot be streamed"),
        ({"timeout_s": 0.0}, BadInput, "timeout_s 0.0: expected > 0"),
        ({"file": "nothing.db3"}, BadInput, "RealSense nothing.db3: recording cannot be streamed"),
    ],
)
def test_what_cannot_be_opened(options: dict[str, Any], kind: type[Exception], error: str) -> None:
    with VirtualRealSense() as camera, pytest.raises(kind, match=error):
        RealSenseSource(context=camera.context, **options)


def test_no_camera_at_all() -> None:
    context = import_pyrealsense2().context()
    if len(context.query_devices()):
        pytest.skip("a RealSense camera is plugged in")
    with pytest.raises(Missing, match="no RealSense camera found: plug it into a USB 3 port"):
        RealSenseSource()


@pytest.mark.parametrize(
    ("model", "coefficients", "distortion"),
    [
        ("brown_conrady", (0.1, -0.2, 0.001, 0.002, 0.05), (0.1, -0.2, 0.001, 0.002, 0.05)),
        ("inverse_brown_conrady", (0.0,) * 5, ()),
        ("none", (0.0,) * 5, ()),
    ],
)
def test_lens_models(model: str, coefficients: tuple[float, ...], distortion: tuple[float, ...]) -> None:
    with VirtualRealSense(color_model=model, coefficients=coefficients) as camera:
        source = RealSenseSource(context=camera.context)
        assert source.camera.distortion == pytest.approx(distortion, rel=1e-6)
        source.close()


def test_the_inverse_lens_model_means_what_librealsense_means_by_it() -> None:
    coefficients = (-0.0562, 0.0673, -0.00035, 0.00071, -0.0214)
    with VirtualRealSense(color_model="inverse_brown_conrady", coefficients=coefficients) as camera:
        source = RealSenseSource(context=camera.context)
        rs, intrinsics = camera.rs, camera.rs.intrinsics()
        intrinsics.width, intrinsics.height, intrinsics.fx, intrinsics.fy = 640, 480, COLOR_FOCAL, COLOR_FOCAL
        intrinsics.ppx, intrinsics.ppy, intrinsics.coeffs = 320.0, 240.0, list(coefficients)
        intrinsics.model = rs.distortion.inverse_brown_conrady
        pixels = np.random.default_rng(0).uniform((0, 0), (639, 479), (50, 2))
        theirs = np.array([rs.rs2_deproject_pixel_to_point(intrinsics, list(p), 1.0) for p in pixels])
        ours = deproject(pixels, np.ones(50), source.camera)
        source.close()
    assert np.abs(theirs - ours).max() * COLOR_FOCAL < 0.1  # px


def test_a_lens_model_that_is_not_supported() -> None:
    with (
        VirtualRealSense(color_model="kannala_brandt4", coefficients=(0.1, 0.0, 0.0, 0.0, 0.0)) as camera,
        pytest.raises(BadInput, match=rf"RealSense {SERIAL}: lens model 'kannala brandt4'"),
    ):
        RealSenseSource(context=camera.context)
