"""Whether an artifact is worth it: timed in turns with the next more precise one, where its target is at hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from deploy.backend import Backend
from deploy.gate import judge_speed
from deploy.passport import UNVERIFIED
from deploy.timing import Timing, durations_in_turns, p99_spread
from launch import plugins
from launch.quantizing.candidates import TARGET, Candidate

N = 400


def judge_speeds(
    candidates: Sequence[Candidate], float_path: Path, threads: int, progress: Callable[[str], None]
) -> None:
    """Time each artifact that is to be shipped beside the float model on its engine, and keep back what does not pay.

    An artifact for TensorRT is timed on the engine that it was judged on, for information, and shipped as `unverified
    on target`: it is judged where its engine is built.
    """
    for candidate in candidates:
        if not candidate.ship:
            continue
        engine = candidate.engine
        backends: list[Backend] = [
            plugins.build("backends", engine, "--backend", path=path, threads=threads)
            for path in (float_path, candidate.path)
        ]
        try:
            durations = durations_in_turns(backends, n=N)
        finally:
            for backend in backends:
                backend.close()
        before, after = (Timing.of(row) for row in durations)
        candidate.float_timing, candidate.timing = before, after
        progress(
            f"{candidate.precision}: p50 {after.p50_ms:.2f} ms, p99 {after.p99_ms:.2f} ms on {engine}, "
            f"fp32 {before.p50_ms:.2f} and {before.p99_ms:.2f} ms"
        )
        if TARGET[candidate.precision] != engine:
            candidate.speed = UNVERIFIED
            continue
        noise = max(p99_spread(row) for row in durations)
        verdict = judge_speed(candidate.precision, after, "fp32", before, noise)
        candidate.speed = "verified"
        if not verdict.ok:
            candidate.ship, candidate.reason = False, str(verdict)
