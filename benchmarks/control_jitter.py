"""How late the ticks of a 500 Hz control loop are while perception and policy keep every core busy, by scheduling.

    python benchmarks/control_jitter.py [--seconds 60] [--only NAME ...] [--json]

One thread runs the project's YOLO detector on 640x480 frames, back to back, and another runs a transformer of the size
of a small policy, back to back, both in ONNX Runtime on one thread each: on two cores nothing is left over. Twice a
second the second thread also asks the scripted expert for a chunk of actions. The control loop samples the newest
chunk, solves the inverse kinematics, follows with limited jerk, asks the governor, and writes its ledger rows, as in a
run; the arm is one that does at once what it is told.

Each choice has a fresh process. The lateness of a tick is counted from its deadline. A deadline that was skipped counts
too, with the time until the tick that made up for it: a loop that stands still for 20 ms has ten late deadlines.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from deploy.errors import EyehandError, require
from deploy.model_store import ModelStore
from deploy.onnxruntime_backend import OnnxRuntimeBackend
from deploy.pacer import Pacer
from deploy.realtime import Realtime
from geometry import Camera
from launch.config import load_config
from launch.config.tree import Config, RealtimeConfig
from launch.ledger import Ledger, Outcome, Stage
from launch.machine import machine_facts
from launch.wiring import arm_model, build_control, build_policy
from perception.detector import NetworkDetector
from perception.frame import Frame
from policy import ActionChunk, Observation
from robot.arm import RobotState
from robot.kinematics import Kinematics

RATE_HZ = 500
PERIOD_NS = 1_000_000_000 // RATE_HZ
CHUNK_PERIOD_NS = 500_000_000
WARM_UP_S = 1.0
QUIET_CORES = 0.1
HOME = np.array([0.0, -1.4, 1.9, -2.07, -1.57, 0.0])
CAMERA = Camera(640, 480, 608.0, 608.0, 319.5, 239.5)
TOKENS, WIDTH, LAYERS = 64, 256, 4
LAST_CORE = max(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0
BASE = "thread"


@dataclass(frozen=True, slots=True)
class Choice:
    """How the control loop is scheduled.

    Attributes:
        words: The choice in words.
        realtime: What is asked of the system.
        process: Whether the loop has a process of its own, with an interpreter of its own.
        spin_us: How long before the deadline the loop stops sleeping and asks the clock [us].
    """

    words: str
    realtime: RealtimeConfig
    process: bool = False
    spin_us: int = 0


def asked(**options: Any) -> RealtimeConfig:
    """The interpreter's and the system's defaults but for the options."""
    plain: dict[str, Any] = {"priority": None, "lock_memory": False, "freeze_gc": False, "switch_interval_ms": 5.0}
    return RealtimeConfig(**(plain | options))


FIFO: dict[str, Any] = {"priority": 50}
QUICK: dict[str, Any] = FIFO | {"switch_interval_ms": 0.5}
ALL: dict[str, Any] = QUICK | {"freeze_gc": True, "lock_memory": True}
CHOICES = {
    BASE: Choice("thread", asked()),
    "thread-switch": Choice("thread, switch interval 0.5 ms", asked(switch_interval_ms=0.5)),
    "thread-spin": Choice("thread, switch interval 0.5 ms, spin 0.2 ms", asked(switch_interval_ms=0.5), spin_us=200),
    "fifo": Choice("FIFO thread", asked(**FIFO)),
    "fifo-switch": Choice("FIFO thread, switch interval 0.5 ms", asked(**QUICK)),
    "fifo-switch-gc": Choice("FIFO thread, switch interval 0.5 ms, gc frozen", asked(**QUICK, freeze_gc=True)),
    "default": Choice("default: the same, memory locked", RealtimeConfig()),
    "default-switch": Choice("default, switch interval 0.05 ms", asked(**ALL | {"switch_interval_ms": 0.05})),
    "default-spin": Choice("default, spin 0.2 ms", RealtimeConfig(), spin_us=200),
    "default-cpu": Choice("default, core of its own", asked(**ALL, control_cpu=LAST_CORE)),
    "process": Choice("own process", asked(), process=True),
    "process-fifo": Choice("own process, FIFO", asked(**FIFO), process=True),
    "process-default": Choice("own process, FIFO, gc frozen, locked", RealtimeConfig(), process=True),
    "process-spin": Choice(
        "own process, FIFO, frozen, locked, spin 0.2 ms", RealtimeConfig(), process=True, spin_us=200
    ),
}


# -- the load -------------------------------------------------------------------------------------------------------


def transformer(path: Path) -> None:
    """Write a transformer encoder with random weights: the size and the operators of a small policy."""
    onnx: Any = require("onnx", "dev")
    make, rng = onnx.helper, np.random.default_rng(0)
    nodes: list[Any] = []
    weights: list[Any] = []

    def constant(name: str, values: np.ndarray) -> str:
        weights.append(onnx.numpy_helper.from_array(values, name))
        return name

    def node(kind: str, *inputs: str, **attributes: Any) -> str:
        name = f"{kind.lower()}_{len(nodes)}"
        nodes.append(make.make_node(kind, list(inputs), [name], **attributes))
        return name

    def linear(x: str, inner: int, outer: int) -> str:
        weight = rng.standard_normal((inner, outer)) / np.sqrt(inner)
        return node("MatMul", x, constant(f"weight_{len(weights)}", weight.astype(np.float32)))

    ones = constant("ones", np.ones(WIDTH, np.float32))
    scale = constant("scale", np.array(WIDTH**-0.5, np.float32))
    x = "observation"
    for _ in range(LAYERS):
        normal = node("LayerNormalization", x, ones)
        query, key, value = (linear(normal, WIDTH, WIDTH) for _ in range(3))
        scores = node("MatMul", query, node("Transpose", key, perm=[0, 2, 1]))
        mixed = node("MatMul", node("Softmax", node("Mul", scores, scale), axis=-1), value)
        x = node("Add", x, linear(mixed, WIDTH, WIDTH))
        hidden = node("Relu", linear(node("LayerNormalization", x, ones), WIDTH, 4 * WIDTH))
        x = node("Add", x, linear(hidden, 4 * WIDTH, WIDTH))
    shape = [1, TOKENS, WIDTH]
    kind = onnx.TensorProto.FLOAT
    value_info = make.make_tensor_value_info
    graph = make.make_graph(nodes, "policy", [value_info("observation", kind, shape)], [value_info(x, kind, shape)])
    graph.initializer.extend(weights)
    onnx.save(make.make_model(graph, opset_imports=[make.make_opsetid("", 17)], ir_version=8), path)


class Load:
    """Detection and policy inference, back to back, on a thread each.

    Args:
        offer: Gets each new chunk of actions.
        joints: The arm's joints now, shape (6,) [rad].
    """

    def __init__(self, config: Config, offer: Callable[[ActionChunk], None], joints: Callable[[], np.ndarray]) -> None:
        assert config.rig.arm is not None
        self._offer, self._joints = offer, joints
        self._arm: Kinematics = arm_model(config.rig.arm)
        self._expert = build_policy(config)
        self._detector = NetworkDetector(OnnxRuntimeBackend(ModelStore().find(config.detector.model).onnx_path))
        with tempfile.TemporaryDirectory() as folder:
            transformer(Path(folder) / "policy.onnx")
            self._policy = OnnxRuntimeBackend(Path(folder) / "policy.onnx")
        self._stop = threading.Event()
        self._detected_ns: list[int] = []
        self._planned_ns: list[int] = []
        self._threads = [threading.Thread(target=loop, daemon=True) for loop in (self._detect, self._plan)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def rates_hz(self, begin_ns: int, end_ns: int) -> tuple[float, float]:
        """Detections and policy inferences per second between two instants."""
        detected, planned = (
            sum(begin_ns <= done_ns < end_ns for done_ns in done) for done in (self._detected_ns, self._planned_ns)
        )
        seconds = (end_ns - begin_ns) * 1e-9
        return detected / seconds, planned / seconds

    def _detect(self) -> None:
        color = np.random.default_rng(0).integers(0, 255, (480, 640, 3), dtype=np.uint8)
        while not self._stop.is_set():
            now_ns = time.monotonic_ns()
            self._detector.detect(Frame("wrist", len(self._detected_ns), now_ns, now_ns, color, None, 0.001, CAMERA))
            self._detected_ns.append(time.monotonic_ns())

    def _plan(self) -> None:
        observation = np.random.default_rng(1).standard_normal((1, TOKENS, WIDTH)).astype(np.float32)
        due_ns = time.monotonic_ns()
        while not self._stop.is_set():
            self._policy.infer({"observation": observation})
            now_ns = time.monotonic_ns()
            self._planned_ns.append(now_ns)
            if now_ns >= due_ns:
                due_ns = now_ns + CHUNK_PERIOD_NS
                self._offer(self._expert.plan(self._observe(now_ns)))

    def _observe(self, now_ns: int) -> Observation:
        joints = np.array(self._joints())
        nothing = np.full(3, np.nan)  # the expert goes on searching: it moves for as long as it is asked to
        return Observation(now_ns, joints, 1.0, self._arm.tcp(joints), nothing, np.full((3, 3), np.nan), float("inf"))


# -- the control loop -----------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Ticks:
    """What the control loop saw: one entry per tick, of the ticks whose deadline is in the window."""

    window_ns: tuple[int, int]
    late_ns: list[int]
    skipped: list[int]
    taken_ns: list[int]
    followed: int
    achieved: dict[str, str | int | bool | None]
    notes: list[str]


class Shared:
    """What passes between the loops of one process."""

    def __init__(self) -> None:
        self.chunk: ActionChunk | None = None
        self.joints = HOME

    def offer(self, chunk: ActionChunk) -> None:
        self.chunk = chunk


def control(config: Config, seconds: float, spin_us: int, shared: Shared, settings: Realtime) -> Ticks:
    """The control loop, on the calling thread."""
    settings.enter_control_thread()
    assert config.rig.arm is not None
    path, ledger = build_control(config, arm_model(config.rig.arm)), Ledger()
    joints, sequence = HOME, 0
    pacer = Pacer(time.monotonic_ns, PERIOD_NS, spin_us * 1000)
    begin_ns = pacer.due_ns + round(WARM_UP_S * 1e9)
    end_ns = begin_ns + round(seconds * 1e9)
    ticks = Ticks((begin_ns, end_ns), [], [], [], 0, settings.achieved, settings.notes)
    while pacer.due_ns < end_ns:
        skipped = pacer.skipped
        late_ns = pacer.wait()
        now_ns = time.monotonic_ns()
        chunk = shared.chunk
        state = RobotState(sequence, now_ns, joints, np.zeros(6), 1.0)
        ledger.append(Stage.STATE, sequence, now_ns, now_ns)
        command = path(now_ns, chunk, state, chunk.stamp_ns if chunk is not None else now_ns)
        taken_ns = time.monotonic_ns() - now_ns
        ledger.append(Stage.IK, sequence, now_ns, now_ns, other=sequence, measured_ns=taken_ns, wait_ns=late_ns)
        ledger.append(Stage.SEND, sequence, now_ns, now_ns, input_sequence=sequence)
        shared.joints = joints = command.setpoint.joints
        sequence += 1
        if pacer.due_ns >= begin_ns:
            ticks.late_ns.append(late_ns)
            ticks.skipped.append(pacer.skipped - skipped)
            ticks.taken_ns.append(taken_ns)
            ticks.followed += command.outcome in (Outcome.OK, Outcome.CLIPPED)
    return ticks


def control_process(config: Config, seconds: float, choice: Choice, pipe: Connection, joints: Any) -> None:
    """The control loop in a process of its own: chunks come through a pipe, joints go out through shared memory."""

    class Received(Shared):
        @property
        def chunk(self) -> ActionChunk | None:
            while pipe.poll():
                self.newest = pipe.recv()
            return self.newest

        @chunk.setter
        def chunk(self, chunk: ActionChunk | None) -> None:
            self.newest = chunk

        @property
        def joints(self) -> np.ndarray:
            return np.array(joints)

        @joints.setter
        def joints(self, values: np.ndarray) -> None:
            joints[:] = values.tolist()

    with Realtime(choice.realtime) as settings:
        pipe.send(control(config, seconds, choice.spin_us, Received(), settings))


def under_load(choice: Choice, config: Config, seconds: float) -> tuple[Ticks, tuple[float, float]]:
    """Ticks of a choice under load, and detections and policy inferences per second meanwhile."""
    if choice.process:
        context = multiprocessing.get_context("spawn")
        mine, theirs = context.Pipe()
        joints = context.RawArray("d", HOME.tolist())
        load = Load(config, mine.send, lambda: np.array(joints))
        process = context.Process(target=control_process, args=(config, seconds, choice, theirs, joints), daemon=True)
        process.start()
        load.start()
        ticks: Ticks = mine.recv()
        load.stop()
        process.join()
        return ticks, load.rates_hz(*ticks.window_ns)
    shared = Shared()
    load = Load(config, shared.offer, lambda: shared.joints)
    found: list[Ticks] = []
    with Realtime(choice.realtime) as settings:
        load.start()
        loop = threading.Thread(target=lambda: found.append(control(config, seconds, choice.spin_us, shared, settings)))
        loop.start()
        loop.join()
        load.stop()
    return found[0], load.rates_hz(*found[0].window_ns)


# -- figures --------------------------------------------------------------------------------------------------------


def lateness_ms(ticks: Ticks) -> np.ndarray:
    """Lateness of every deadline [ms], those that were skipped included."""
    late, skipped = np.array(ticks.late_ns), np.array(ticks.skipped)
    before = np.concatenate([np.arange(count, 0, -1) for count in skipped]) if skipped.any() else np.empty(0)
    return np.concatenate([late, np.repeat(late, skipped) + before * PERIOD_NS]) / 1e6


def measure(name: str, seconds: float) -> dict[str, Any]:
    """The figures of one choice."""
    choice = CHOICES[name]
    config = load_config("sim_pick_place", ["policy.type=expert"])
    config = config.model_copy(update={"control": config.control.model_copy(update={"rate_hz": float(RATE_HZ)})})
    ticks, (detector_hz, policy_hz) = under_load(choice, config, seconds)
    late = lateness_ms(ticks)
    p50, p99, p999 = (float(value) for value in np.percentile(late, [50, 99, 99.9], method="higher"))
    return {
        "name": name, "choice": choice.words, "n": len(late),
        "p50_ms": p50, "p99_ms": p99, "p999_ms": p999, "max_ms": float(late.max()),
        "skipped": int(np.sum(ticks.skipped)), "tick_p50_ms": statistics.median(ticks.taken_ns) / 1e6,
        "tick_p99_ms": float(np.percentile(ticks.taken_ns, 99)) / 1e6,
        "followed": ticks.followed / len(ticks.late_ns), "detector_hz": detector_hz, "policy_hz": policy_hz,
        "achieved": ticks.achieved, "notes": ticks.notes, "realtime": choice.realtime.model_dump(),
        "process": choice.process, "spin_us": choice.spin_us,
    }  # fmt: skip


def in_fresh_process(name: str, seconds: float) -> dict[str, Any]:
    """The figures of one choice, from a process that no other choice has touched."""
    command = [sys.executable, __file__, "--measure", name, "--seconds", str(seconds)]
    begin, others_s = time.monotonic(), cpu_of_others_s()
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.returncode)
    row: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    row["cores_of_others"] = (cpu_of_others_s() - others_s) / (time.monotonic() - begin)
    return row


def cpu_of_others_s() -> float:
    """What processes other than this one and its children have used of the processor, and what the host took [s]."""
    user, nice, system, _, _, irq, softirq, steal = map(int, Path("/proc/stat").read_text().split(None, 9)[1:9])
    times = os.times()
    mine_s = times.user + times.system + times.children_user + times.children_system
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK") - mine_s


def report(rows: list[dict[str, Any]], seconds: float) -> dict[str, Any]:
    """The rows, the one that kept its deadlines best, and how much better than a plain thread each is.

    One deadline in a thousand is missed by more than the p99.9: one every two seconds.
    """
    plain = next((row for row in rows if row["name"] == BASE), None)
    for row in rows:
        row["p999_ratio_to_thread"] = plain["p999_ms"] / max(row["p999_ms"], 1e-6) if plain is not None else None
    best = min(rows, key=lambda row: (row["p999_ms"], row["max_ms"]))
    return {
        "rate_hz": RATE_HZ, "seconds": seconds, "choices": rows, "best": best["name"], "machine": machine_facts(),
    }  # fmt: skip


HEADER = (
    f"{'choice':48s} {'p50 ms':>7s} {'p99':>7s} {'p99.9':>7s} {'max':>7s} {'skipped':>7s} {'tick':>6s} {'det/s':>6s} "
    f"{'pol/s':>6s} {'others':>6s}"
)


def line(row: dict[str, Any]) -> str:
    return (
        f"{row['choice']:48s} {row['p50_ms']:7.3f} {row['p99_ms']:7.3f} {row['p999_ms']:7.3f} {row['max_ms']:7.2f} "
        f"{row['skipped']:7d} {row['tick_p50_ms']:6.2f} {row['detector_hz']:6.1f} {row['policy_hz']:6.1f} "
        f"{row['cores_of_others']:6.2f}"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0, help="of each choice (default %(default)s)")
    parser.add_argument("--only", nargs="+", choices=CHOICES, metavar="NAME", help=f"of {', '.join(CHOICES)}")
    parser.add_argument("--json", action="store_true", help="print the object only")
    parser.add_argument("--measure", choices=CHOICES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not options.seconds > 0:
        parser.error(f"--seconds {options.seconds:g}: expected > 0")
    if options.measure:
        print(json.dumps(measure(options.measure, options.seconds)))
        return 0
    rows = []
    if not options.json:
        print(HEADER)
    for name in options.only or CHOICES:
        rows.append(in_fresh_process(name, options.seconds))
        if not options.json:
            print(line(rows[-1]), flush=True)
            for note in rows[-1]["notes"]:
                print(f"    {note}")
    result = report(rows, options.seconds)
    if not options.json:
        best = next(row for row in rows if row["name"] == result["best"])
        ratio = best["p999_ratio_to_thread"]
        beside_thread = f", {ratio:.1f} times below a plain thread's" if ratio is not None else ""
        print(f"lowest p99.9: {best['name']} ({best['choice']}){beside_thread}")
        busiest = max(row["cores_of_others"] for row in rows)
        if busiest > QUIET_CORES:
            print(f"other processes used up to {busiest:.2f} cores meanwhile: measure on a quiet machine")
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except EyehandError as error:
        print(f"control_jitter: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
