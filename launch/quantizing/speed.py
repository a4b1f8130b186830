"""Whether an artifact is worth it: timed in turns with the next more precise one, where its target is at hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from deploy.backend import Backend
from deploy.gate import judge_speed
from deploy.passport import UNVERIFIED
from deploy.timing import Timing, durations_in_turns, p99_spread
from launch.engines import open_engine
from launch.quantizing.attempts import TARGET, Attempt

N = 400


def judge_speeds(attempts: Sequence[Attempt], float_path: Path, threads: int, progress: Callable[[str], None]) -> None:
    """Time each artifact that is to be shipped beside the float model on its engine, and keep back what does not pay.

    An artifact for TensorRT is timed on the engine that it was judged on, for information, and shipped as `unverified
    on target`: it is judged where its engine is built.
    """
    for attempt in attempts:
        if not attempt.ship:
            continue
        engine = attempt.engine
        backends: list[Backend] = [open_engine(engine, path, threads) for path in (float_path, attempt.path)]
        try:
            durations = durations_in_turns(backends, n=N)
        finally:
            for backend in backends:
                backend.close()
        before, after = (Timing.of(row) for row in durations)
        attempt.float_timing, attempt.timing = before, after
        progress(
            f"{attempt.precision}: p50 {after.p50_ms:.2f} ms, p99 {after.p99_ms:.2f} ms on {engine}, "
            f"fp32 {before.p50_ms:.2f} and {before.p99_ms:.2f} ms"
        )
        if TARGET[attempt.precision] != engine:
            attempt.speed = UNVERIFIED
            continue
        noise = max(p99_spread(row) for row in durations)
        verdict = judge_speed(attempt.precision, after, "fp32", before, noise)
        attempt.speed = "verified"
        if not verdict.ok:
            attempt.ship, attempt.reason = False, str(verdict)
