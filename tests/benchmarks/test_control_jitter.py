"""The benchmark of control jitter runs, and its last line is one object; how late anything is, is not tested."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
BENCHMARK = ROOT / "benchmarks" / "control_jitter.py"


@pytest.fixture(scope="module")
def jitter() -> ModuleType:
    spec = importlib.util.spec_from_file_location("control_jitter", BENCHMARK)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["control_jitter"] = module  # its dataclasses look for their annotations there
    spec.loader.exec_module(module)
    return module


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(BENCHMARK), *arguments],
        capture_output=True, text=True, timeout=300, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def test_a_thread_and_a_process() -> None:
    done = run("--seconds", "0.4", "--only", "thread", "process-default")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert [row["name"] for row in result["choices"]] == ["thread", "process-default"]
    for row in result["choices"]:
        assert row["n"] == pytest.approx(0.4 * 500, abs=30)
        assert 0 <= row["p50_ms"] <= row["p99_ms"] <= row["p999_ms"] <= row["max_ms"]
        assert row["followed"] > 0.5  # chunks reached the loop, and the arm moved along them
        assert row["detector_hz"] > 0
        assert row["policy_hz"] > 0
        assert row["cores_of_others"] < os.cpu_count() + 0.1
    thread, process = result["choices"]
    assert thread["achieved"]["scheduler"] == "SCHED_OTHER"
    assert process["achieved"]["gc_frozen"] > 1000
    assert process["achieved"]["scheduler"] == "SCHED_FIFO" or "SCHED_FIFO" in process["notes"][0]
    assert result["best"] in {"thread", "process-default"}
    assert thread["p999_ratio_to_thread"] == 1.0
    assert result["rate_hz"] == 500
    assert isinstance(result["machine"], dict)


@pytest.mark.parametrize(
    ("late", "skipped", "expected_ms"),
    [
        ([0, 1], [0, 0], [0, 1e-6]),
        ([100_000, 200_000], [0, 3], [0.1, 0.2, 2.2, 4.2, 6.2]),
        ([0, 0, 0], [1, 0, 2], [0, 0, 0, 2, 2, 4]),
    ],
)
def test_skipped_deadlines_are_late_ones(
    jitter: ModuleType, late: list[int], skipped: list[int], expected_ms: list[float]
) -> None:
    ticks = jitter.Ticks((0, 1), late, skipped, late, 0, {}, [])
    assert sorted(jitter.lateness_ms(ticks)) == pytest.approx(expected_ms)


def test_a_standstill_counts_as_often_as_it_lasted(jitter: ModuleType) -> None:
    """990 ticks in time and one of 20 ms: ten deadlines in a thousand were missed, by up to 20 ms."""
    ticks = jitter.Ticks((0, 1), [0] * 990 + [0], [0] * 990 + [10], [0] * 991, 0, {}, [])
    late = jitter.lateness_ms(ticks)
    assert np.percentile(late, 99.5) > 8.0
    assert late.max() == pytest.approx(20.0)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["--seconds", "0"], "--seconds 0: expected > 0"), (["--only", "magic"], "invalid choice: 'magic'")],
)
def test_what_cannot_be_measured_is_refused(arguments: list[str], words: str) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
