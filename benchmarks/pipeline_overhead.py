"""What the pipeline costs beside its models, per frame: 640x480, ten objects, the stages of the real graph.

    python benchmarks/pipeline_overhead.py [--frames 600] [--json]

Each frame goes through preprocess, decode and NMS (of a prepared network output), localization, tracking, and the
control ticks of a 30 Hz camera under a 100 Hz control loop, and is recorded. A ledger row is written for each
activation, as in a run. Where the network would run the loop sleeps, and the policy, where a model would stand, plans;
neither is counted. Frames come at 30 Hz in real time, so the worker thread that compresses the recording has the time
between them, as in a run; what it takes from the loops is in the figures.

Peers are what a user would write with OpenCV instead.
"""

from __future__ import annotations

import argparse
import itertools
import json
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from geometry import Camera
from launch.bag import BagWriter
from launch.config import load_config
from launch.executor import Executor
from launch.graph import Graph, LocateStage, Mount, PlanStage
from launch.ledger import Stage
from launch.recorder import Recorder
from launch.schedulers.profile import Durations
from launch.streams import Item
from launch.wiring import arm_model, build_control, build_policy
from perception.decode import decode_raw
from perception.detections import Detections
from perception.frame import Frame
from perception.letterbox import Letterbox
from perception.localize import LocalizeParameters
from perception.nms import nms
from robot.arm import JointCommand, RobotState
from tracking import BaseFrameTracker, TrackerParameters

WIDTH, HEIGHT, OBJECTS = 640, 480, 10
# What the default network takes on one core; it holds no lock of the interpreter meanwhile, and neither does a sleep.
MODEL_S = 0.008
INPUT_WIDTH, INPUT_HEIGHT = 320, 256
CAMERA = Camera(WIDTH, HEIGHT, 608.0, 608.0, 319.5, 239.5)
FRAME_NS, TICK_NS = 33_333_333, 10_000_000
HOME = np.array([0.0, -1.4, 1.9, -2.07, -1.57, 0.0])
PARTS = ("preprocess", "decode_nms", "localize", "track", "control", "record_handover", "ledger_and_hash")


def scene(rng: np.random.Generator) -> tuple[Frame, np.ndarray, np.ndarray]:
    """A table seen from above with ten boxes, the boxes [px], and a network's raw output that shows them."""
    color = np.full((HEIGHT, WIDTH, 3), 120, np.uint8)
    color += rng.integers(0, 12, color.shape, dtype=np.uint8)
    depth = np.full((HEIGHT, WIDTH), 500, np.uint16) + rng.integers(0, 3, (HEIGHT, WIDTH), dtype=np.uint16)
    boxes = []
    for index in range(OBJECTS):
        x, y = 40 + 115 * (index % 5), 90 + 170 * (index // 5)
        boxes.append((x, y, x + 52, y + 52))
        color[y : y + 52, x : x + 52] = rng.integers(0, 255, 3)
        depth[y : y + 52, x : x + 52] = 460 + rng.integers(0, 3, (52, 52))
    corners = np.array(boxes, np.float32)
    output = np.zeros((1, 6, 1680), np.float32)
    letterbox = Letterbox(WIDTH, HEIGHT, INPUT_WIDTH, INPUT_HEIGHT)
    small = letterbox.boxes_to_target(corners)
    for row, (x1, y1, x2, y2) in enumerate(small):  # eight overlapping candidates of each object, as networks give
        for candidate in range(8):
            column = 100 * row + 7 * candidate
            jitter = rng.normal(0.0, 0.5, 4)
            output[0, :4, column] = np.array([(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1]) + jitter
            output[0, 4 + row % 2, column] = 0.9 - 0.05 * candidate
    return Frame("wrist", 0, 0, 0, color, depth, 0.001, CAMERA), corners, output


class Prepared:
    """The detector of the benchmark: real preprocessing and decoding around a prepared output."""

    class_names = ("red_cube", "distractor")

    def __init__(self, output: np.ndarray) -> None:
        self._output = output
        self._letterbox = Letterbox(WIDTH, HEIGHT, INPUT_WIDTH, INPUT_HEIGHT)
        self._tensor = np.empty((1, 3, INPUT_HEIGHT, INPUT_WIDTH), np.float32)
        self.split_ns = (0, 0)
        self.model_ns = 0

    def detect(self, frame: Frame) -> Detections:
        start = time.perf_counter_ns()
        self._letterbox.apply(frame.color, self._tensor[0])
        middle = time.perf_counter_ns()
        time.sleep(MODEL_S)
        resumed = time.perf_counter_ns()
        found = decode_raw(self._output, 0.35)
        rows = nms(found.boxes, found.scores, found.class_ids, 0.5, 50)
        boxes = self._letterbox.boxes_to_source(found.boxes[rows]).astype(np.float32)
        result = Detections(
            frame.camera_name, frame.sequence, frame.stamp_ns, boxes, found.scores[rows], found.class_ids[rows],
            self.class_names,
        )  # fmt: skip
        self.split_ns = (middle - start, time.perf_counter_ns() - resumed)
        self.model_ns = resumed - middle
        return result


def build(output: np.ndarray) -> tuple[Graph, Prepared]:
    config = load_config("sim_pick_place", ["policy.type=expert"])
    assert config.rig.arm is not None
    arm = arm_model(config.rig.arm)
    detector = Prepared(output)
    mount = config.rig.cameras[0].gripper_T_camera
    assert mount is not None
    locate = LocateStage(
        {"wrist": Mount(gripper_T_camera=mount.pose())}, arm, LocalizeParameters(size_m={"red_cube": 0.04})
    )
    plan = PlanStage(build_policy(config), arm, "red_cube")
    tracker = BaseFrameTracker(TrackerParameters())
    return Graph(["wrist"], detector, locate, tracker, plan, build_control(config, arm)), detector


def measure(frames: int, folder: Path) -> tuple[dict[str, list[int]], list[int], int, int]:
    """Nanoseconds of each part per frame, of all parts per frame, of the worker thread in all, and tracks found."""
    base, _, output = scene(np.random.default_rng(0))
    graph, detector = build(output)
    handover: list[int] = [0]

    class Sink:
        """The recorder, with the time that handing over takes."""

        def __init__(self) -> None:
            self.recorder = Recorder(BagWriter(folder / "bag"), blocking=True)

        def _timed(self, call: Callable[[], None]) -> None:
            start = time.perf_counter_ns()
            call()
            handover[0] += time.perf_counter_ns() - start

        def frame(self, frame: Frame, now_ns: int) -> None:
            self._timed(lambda: self.recorder.frame(frame, now_ns))

        def state(self, state: RobotState, now_ns: int) -> None:
            self._timed(lambda: self.recorder.state(state, now_ns))

        def output(self, stream: str, payload: bytes, now_ns: int) -> None:
            self._timed(lambda: self.recorder.output(stream, payload, now_ns))

        def command(self, command: JointCommand, now_ns: int) -> None:
            self._timed(lambda: self.recorder.command(command, now_ns))

    sink = Sink()
    executor = Executor(graph, Durations(load_config("sim_pick_place").profile), sink)
    executor.episode(0, 0)
    parts: dict[str, list[int]] = {name: [] for name in PARTS}
    totals: list[int] = []
    ticks = itertools.count()
    now_ns = 0
    joints = HOME
    chunk: Item | None = None
    tracked = 0
    start = time.perf_counter()
    for index in range(frames):
        time.sleep(max(0.0, start + index * FRAME_NS * 1e-9 - time.perf_counter()))
        stamp_ns = index * FRAME_NS
        frame = Frame("wrist", index, stamp_ns, stamp_ns, base.color, base.depth, 0.001, CAMERA)
        handover[0] = 0
        control_ns = 0
        begin = time.perf_counter_ns()
        while now_ns <= stamp_ns + FRAME_NS:
            state = RobotState(next(ticks), now_ns, joints, np.zeros(6), 1.0)
            item = executor.input_state(state, now_ns)
            command = executor.control(now_ns, chunk, item.sequence)
            executor.sent(command, now_ns, 0)
            joints = command.value.setpoint.joints
            now_ns += TICK_NS
        executor.input_frame(frame, stamp_ns)
        newest = executor.states.newest_sequence
        detections = executor.detect(stamp_ns, 0, index)
        placed = executor.localize(stamp_ns, detections.sequence, newest)
        assert placed is not None
        tracks = executor.track(stamp_ns, placed.sequence)
        chunk = executor.plan(stamp_ns, tracks.sequence, newest)
        spent_ns = time.perf_counter_ns() - begin
        rows = executor.ledger.take()  # on a run's main thread, not on the loops
        sink.recorder.rows(rows, now_ns)
        spent = {stage: int(rows["measured_ns"][rows["stage"] == stage].sum()) for stage in Stage}
        control_ns = spent[Stage.IK]
        total = spent_ns - spent[Stage.PLAN] - detector.model_ns
        values = (*detector.split_ns, spent[Stage.LOCALIZE], spent[Stage.TRACK], control_ns, handover[0])
        for name, value in zip(PARTS, (*values, total - sum(values)), strict=True):
            parts[name].append(value)
        totals.append(total)
        tracked = len(tracks.value)
    closing = time.perf_counter_ns()
    sink.recorder.close()
    return parts, totals, time.perf_counter_ns() - closing, tracked


def best_of(call: Callable[[], Any], repeats: int = 200) -> float:
    """Median milliseconds of a call."""
    samples = []
    for _ in range(repeats):
        start = time.perf_counter_ns()
        call()
        samples.append(time.perf_counter_ns() - start)
    return statistics.median(samples) / 1e6


def peers() -> dict[str, dict[str, float]]:
    """Ours beside what a user would write with OpenCV."""
    frame, corners, output = scene(np.random.default_rng(0))
    letterbox = Letterbox(WIDTH, HEIGHT, INPUT_WIDTH, INPUT_HEIGHT)
    tensor = np.empty((3, INPUT_HEIGHT, INPUT_WIDTH), np.float32)

    def blob() -> Any:
        small = cv2.resize(frame.color, (320, 240), interpolation=cv2.INTER_LINEAR)
        padded = cv2.copyMakeBorder(small, 8, 8, 0, 0, cv2.BORDER_CONSTANT, value=(114, 114, 114))
        return cv2.dnn.blobFromImage(padded, 1 / 255, swapRB=True)

    def ours() -> Any:
        found = decode_raw(output, 0.35)
        return nms(found.boxes, found.scores, found.class_ids, 0.5, 50)

    def opencv() -> Any:
        rows = output[0].T
        scores = rows[:, 4:].max(1)
        ids = rows[:, 4:].argmax(1)
        xywh = rows[:, :4].copy()
        xywh[:, :2] -= xywh[:, 2:] / 2
        return cv2.dnn.NMSBoxesBatched(xywh.tolist(), scores.tolist(), ids.tolist(), 0.35, 0.5)

    assert len(ours()) == len(corners) == len(opencv())
    pairs = {
        "preprocess": (lambda: letterbox.apply(frame.color, tensor), blob, "cv2.dnn.blobFromImage"),
        "decode_nms": (ours, opencv, "cv2.dnn.NMSBoxesBatched"),
    }
    result = {}
    for name, (mine, theirs, label) in pairs.items():
        mine_ms, theirs_ms = best_of(mine), best_of(theirs)
        result[name] = {"ours_ms": mine_ms, "peer_ms": theirs_ms, "ratio": theirs_ms / mine_ms, "peer": label}
    return result


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--frames", type=int, default=600)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        parts, totals, backlog_ns, tracked = measure(options.frames, Path(folder))
    warm = slice(min(50, len(totals) // 4), None)
    total = np.array(totals[warm]) / 1e6
    table = {
        name: {
            "p50_ms": float(np.median(values[warm])) / 1e6,
            "share": float(np.sum(values[warm]) / np.sum(totals[warm])),
        }
        for name, values in parts.items()
    }
    result = {
        "p50_ms": float(np.percentile(total, 50)), "p99_ms": float(np.percentile(total, 99)), "n": len(total),
        "objects": tracked, "parts": table, "peers": peers(), "recorder_backlog_ms": backlog_ns / 1e6,
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
    }  # fmt: skip
    if not options.json:
        print(f"{'part':18s} {'p50 ms':>8s} {'share':>7s}")
        for name, row in table.items():
            print(f"{name:18s} {row['p50_ms']:8.3f} {100 * row['share']:6.1f}%")
        print(f"{'all':18s} {result['p50_ms']:8.3f}   p99 {result['p99_ms']:.3f}, n {result['n']}, {tracked} tracks")
        for name, row in result["peers"].items():
            print(f"{name}: {row['ours_ms']:.3f} ms, {row['peer']} {row['peer_ms']:.3f} ms, {row['ratio']:.1f}x")
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
