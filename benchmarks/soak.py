"""Whether a long run stays what it was: memory, and the latency of each stage after minutes as in the first ones.

    python benchmarks/soak.py [--minutes 30] [--json]

The whole pipeline on the wall clock: frames of 640x480 at 30 Hz, detect, localize, track, plan, control at 100 Hz, the
run recorded without images. The frames are those of the wrist camera looking at the table from where the arm rests,
rendered once beforehand by another process and then read in a loop; the camera is mounted where it stood then, so the
expert sees a cube that always lies there, reaches for it, closes on nothing, and tries again. The simulated arm moves
by the wall clock; nothing is rendered meanwhile.

Every 10 s memory, threads, files and what waits in the ledger and before the recorder are sampled. Two minutes are for
warming up; then the first five minutes are compared with the last five. Shorter runs shorten all three in proportion.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from deploy.latency import summarize
from deploy.realtime import Realtime
from geometry import Pose
from launch.bag import BagReader, BagWriter
from launch.config import Config, load_config
from launch.executor import Executor, as_measured
from launch.interruption import Interruption
from launch.ledger import REPORTED, Outcome, Rows, Rung, Stage
from launch.recording import ledger_blocks
from launch.run_folder import RunFolder
from launch.schedulers.wall import RunClock, WallScheduler
from launch.wiring import build_graph, build_schedule, resolve
from perception.sources.recording import RecordingSource
from robot.arm import JointCommand, RobotState
from robot.sim import SimArm, SimSource, World
from robot.sim.layout import GRIPPER_T_CAMERA, WORLD_T_BASE

SEED = 1
CAMERA, CAMERA_HZ = "wrist", 30.0
WARM_UP_MIN, WINDOW_MIN, SAMPLE_S = 2.0, 5.0, 10.0
MAX_RSS_MB, MAX_GROWTH_MB, MAX_P99_RATIO = 600.0, 5.0, 1.10
SETTINGS = (
    "clock=wall", "budget=cpu_2core", "record.images=false", "record.picture_strip=false",
    "rig.cameras.0.gripper_T_camera=null", f"rig.cameras.0.rate_hz={CAMERA_HZ:g}", "policy.type=expert",
)  # fmt: skip


# -- what the camera saw ----------------------------------------------------------------------------------------------


def record(folder: Path, seconds: float) -> None:
    """Render the camera's frames into a bag; in a process of its own, so that what rendering takes is not measured."""
    source = SimSource(World(SEED), name=CAMERA, rate_hz=CAMERA_HZ, seed=SEED, frames=round(seconds * CAMERA_HZ))
    with BagWriter(folder, compression="lz4") as writer:
        while (frame := source.read()) is not None:
            writer.write_frame(frame, frame.received_ns)
    source.close()


def base_T_camera() -> Pose:  # noqa: N802 - frame names
    """Where the wrist camera stood."""
    return WORLD_T_BASE.inverse() @ World(SEED).world_T_gripper @ GRIPPER_T_CAMERA


def configure() -> Config:
    pose = base_T_camera()
    place = {"translation_m": pose.translation.tolist(), "rotation_vector_rad": pose.rotvec.tolist()}
    return resolve(load_config("sim_pick_place", [*SETTINGS, f"rig.cameras.0.base_T_camera={json.dumps(place)}"]))


class Arm(SimArm):
    """An arm of a world that the clock moves, in the process of the loops: their memory is what is watched."""

    def __init__(self, clock: RunClock) -> None:
        world = World(SEED)
        super().__init__(world)
        self._own, self._lock, self._clock, self._began_ns = world, threading.Lock(), clock, clock()
        self.start(self._began_ns)

    def read_state(self) -> RobotState:
        with self._lock:
            self._own.advance(self._clock() - self._began_ns)
            return super().read_state()

    def send(self, command: JointCommand) -> None:
        with self._lock:
            super().send(command)

    def stop(self) -> None:
        with self._lock:
            super().stop()


# -- the run ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sample:
    t_s: float
    rss_mb: float
    threads: int
    ledger_rows: int  # most that waited in the ring since the last sample
    recorder_queue: int  # likewise, before the recorder
    bag_mb: float


class Health:
    """Takes the ledger's rows for the run folder, and looks at the process from time to time."""

    def __init__(self, folder: RunFolder, period_s: float) -> None:
        self.samples: list[Sample] = []
        self._folder = folder
        self._period_s = period_s
        self._due_s = 0.0
        self._rows = self._queue = 0
        self._start = time.monotonic()

    def on_rows(self, rows: Rows, now_ns: int) -> None:
        self._rows, self._queue = max(self._rows, len(rows)), max(self._queue, self._folder.recorder.waiting)
        self._folder.on_rows(rows, now_ns)
        t_s = time.monotonic() - self._start
        if t_s >= self._due_s:
            self._due_s += self._period_s
            bag = sum(path.stat().st_size for path in self._folder.path.glob("*.mcap"))
            threads = len(list(Path("/proc/self/task").iterdir()))
            self.samples.append(Sample(t_s, rss_mb(), threads, self._rows, self._queue, bag / 1e6))
            self._rows = self._queue = 0
            sys.stderr.write(f"{t_s / 60:5.1f} min  {self.samples[-1].rss_mb:6.1f} MB\n")


def rss_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def peak_rss_mb() -> float:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024 / 1e6


def run(recording: Path, out: Path, minutes: float) -> tuple[list[Sample], dict[str, Any]]:
    """Run for so long.

    Returns:
        Samples, and what the run says of itself.
    """
    config, clock = configure(), RunClock()
    source = RecordingSource(recording, name=CAMERA, loop=True, pace=True, clock=clock)
    folder = RunFolder(config, out, virtual=False, epoch_offset_ns=time.time_ns() - clock())
    executor = Executor(build_graph(config), as_measured, folder.recorder)
    health = Health(folder, min(SAMPLE_S, minutes * 60 / 18))
    stops: list[str] = []
    let_go: list[str] = []

    def stopped(sentence: str) -> None:
        sys.stderr.write(f"{sentence}\n")
        stops.append(sentence)
        let_go.append(sentence)

    def reset_wanted() -> bool:
        """The operator at once lets go of a safe stop, so that the load goes on; the verdict counts them."""
        wanted = bool(let_go)
        let_go.clear()
        return wanted

    realtime = Realtime(config.realtime)
    folder.tell(executor, lambda: realtime.achieved)
    scheduler = WallScheduler(
        executor, folder.ladder(executor, stopped), clock, [source], Arm(clock),
        control_period_ns=round(1e9 / config.control.rate_hz),
        schedule=build_schedule(config),
        on_rows=health.on_rows,
        reset_wanted=reset_wanted,
        enter_control=realtime.enter_control_thread,
    )  # fmt: skip
    with realtime, Interruption() as interruption:
        try:
            scheduler.run_episode(0, round(minutes * 60e9), lambda: False, lambda: interruption.requested)
        finally:
            source.close()
            lost = executor.ledger.lost + folder.recorder.dropped
            result = folder.finish(executor, clock(), scheduler.notes, judged=False, interrupted=interruption.requested)
    told = {
        "frames": result.frames, "dropped_frames": result.dropped_frames, "commands": result.commands,
        "lost_rows": lost, "safe_stops": stops, "notes": result.notes, "interrupted": result.interrupted,
    }  # fmt: skip
    return health.samples, told


# -- figures ----------------------------------------------------------------------------------------------------------


def series(rows: Rows) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Instants [ns] and durations [ns] of each stage, of the reaction and of the control loop's lateness."""
    rows = rows[~np.isin(rows["outcome"], (Outcome.DROPPED, Outcome.ERROR))]
    of = {stage: rows[rows["stage"] == stage] for stage in REPORTED}
    found = {stage.label: (of[stage]["now_ns"], of[stage]["measured_ns"]) for stage in REPORTED}
    ticks, sent = of[Stage.IK], of[Stage.SEND]
    where = np.searchsorted(ticks["sequence"], sent["input"])
    chunk = ticks["input"][np.minimum(where, len(ticks) - 1)] if len(ticks) else np.empty(0, np.int64)
    chunks, first = np.unique(chunk, return_index=True)
    first = sent[first[chunks >= 0]]  # the first command of each chunk
    found["reaction"] = (first["now_ns"], first["now_ns"] + first["measured_ns"] - first["photon_ns"])
    found["control_lateness"] = (ticks["now_ns"], ticks["wait_ns"])
    return found


def compare(rows: Rows, warm_s: float, window_s: float) -> dict[str, dict[str, Any]]:
    """Percentiles of the first window after the warm-up and of the last one."""
    begin_ns, end_ns = int(rows["now_ns"][rows["stage"] == Stage.EPISODE][0]), int(rows["now_ns"].max())
    window_ns, first_ns = int(window_s * 1e9), begin_ns + int(warm_s * 1e9)
    table = {}
    for name, (at_ns, took_ns) in series(rows).items():
        parts = {}
        for part, start_ns in (("first", first_ns), ("last", end_ns - window_ns)):
            within = took_ns[(at_ns >= start_ns) & (at_ns <= start_ns + window_ns)]
            figures = summarize(within)
            parts[part] = {"n": figures.n, "p50_ms": figures.p50_ms, "p99_ms": figures.p99_ms}
        usable = parts["first"]["p99_ms"] > 0 and parts["last"]["n"] > 0
        ratio = parts["last"]["p99_ms"] / parts["first"]["p99_ms"] if usable else None
        table[name] = {**parts, "p99_ratio": ratio}
    return table


def verdicts(result: dict[str, Any]) -> list[dict[str, Any]]:
    ratios = {name: row["p99_ratio"] for name, row in result["stages"].items() if row["p99_ratio"] is not None}
    worst = max(ratios, key=lambda name: ratios[name], default="no stage")
    rows = (
        ("memory at its peak [MB]", result["rss_mb"]["max"], MAX_RSS_MB),
        ("growth after the warm-up [MB]", result["rss_mb"]["growth"], MAX_GROWTH_MB),
        (f"p99 at the end over p99 at the start, worst: {worst}", ratios.get(worst, float("inf")), MAX_P99_RATIO),
        ("rows and messages lost", result["lost_rows"], 0),
        ("safe stops", len(result["safe_stops"]), 0),
    )
    return [{"what": what, "value": value, "limit": limit, "kept": value <= limit} for what, value, limit in rows]


def measure(folder: Path, minutes: float, recorded_s: float) -> dict[str, Any]:
    process = multiprocessing.get_context("spawn").Process(target=record, args=(folder / "frames", recorded_s))
    process.start()
    process.join()
    if process.exitcode:
        raise SystemExit(f"soak: the frames could not be rendered: the process ended with {process.exitcode}")
    samples, told = run(folder / "frames", folder / "run", minutes)
    scale = min(1.0, minutes / (WARM_UP_MIN + 2 * WINDOW_MIN))
    warm_s, window_s = 60 * WARM_UP_MIN * scale, 60 * WINDOW_MIN * scale
    warm = next((sample for sample in samples if sample.t_s >= warm_s), samples[-1])
    peak = peak_rss_mb()  # before the ledger is read back
    with BagReader(folder / "run") as reader:
        rows = np.concatenate(list(ledger_blocks(reader)))
    rungs = Counter(Rung(rung).name.lower() for rung in rows["rung"][rows["stage"] == Stage.LADDER].tolist())
    result: dict[str, Any] = {
        "minutes": minutes, "warm_up_s": warm_s, "window_s": window_s,
        "rss_mb": {
            "max": peak, "after_warm_up": warm.rss_mb, "end": samples[-1].rss_mb,
            "growth": samples[-1].rss_mb - warm.rss_mb,
        },
        "stages": compare(rows, warm_s, window_s), **told, "ladder": dict(rungs),
        "samples": [asdict(sample) for sample in samples],
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
    }  # fmt: skip
    result["verdicts"] = verdicts(result)
    result["kept"] = all(verdict["kept"] for verdict in result["verdicts"])
    return result


def show(result: dict[str, Any]) -> None:
    window = f"{'n':>8s} {'p50 ms':>8s} {'p99 ms':>8s}"
    print(f"{'':18s} {'first window':>26s} {'last window':>26s}\n{'':18s} {window} {window} {'p99':>6s}")
    for name, row in result["stages"].items():
        figures = " ".join(
            f"{row[part]['n']:8d} {row[part]['p50_ms']:8.3f} {row[part]['p99_ms']:8.3f}" for part in ("first", "last")
        )
        print(f"{name:18s} {figures} " + (f"{row['p99_ratio']:6.2f}" if row["p99_ratio"] is not None else "     -"))
    print(f"frames {result['frames']}, dropped {result['dropped_frames']}, commands {result['commands']}")
    for verdict in result["verdicts"]:
        kept = "kept  " if verdict["kept"] else "BROKEN"
        print(f"{kept} {verdict['what']}: {verdict['value']:.4g}, at most {verdict['limit']:g}")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--recorded-seconds", type=float, default=20.0, help="length of the frames' loop")
    parser.add_argument("--json", action="store_true", help="print the object alone")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = measure(Path(folder), options.minutes, options.recorded_seconds)
    if not options.json:
        show(result)
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
