"""The benchmarks run, and their last line is one object; what they measure is not tested."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


def benchmark(name: str, *options: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / name), *options, "--json"],
        capture_output=True, text=True, timeout=300, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def test_pipeline_overhead() -> None:
    result = benchmark("pipeline_overhead.py", "--frames", "30")
    assert result["objects"] == 10
    assert 0 < result["p50_ms"] <= result["p99_ms"]
    assert abs(sum(part["share"] for part in result["parts"].values()) - 1.0) < 0.02
    assert {"preprocess", "decode_nms", "localize", "track", "control", "record_handover"} <= set(result["parts"])


def test_soak() -> None:
    pytest.importorskip("mujoco", reason="mujoco is not installed: pip install 'eyehand[sim]'")
    pytest.importorskip("onnxruntime", reason="no inference engine is installed: pip install 'eyehand[cpu]'")
    result = benchmark("soak.py", "--minutes", "0.06", "--recorded-seconds", "0.5")
    assert result["frames"] > 20
    assert result["commands"] > 50
    stages = {"capture", "detect", "localize", "track", "plan", "ik", "send", "reaction", "control_lateness"}
    assert set(result["stages"]) == stages
    for name in stages - {"plan", "reaction"}:  # there are few of these in a second
        assert result["stages"][name]["first"]["n"] > 0, name
        assert result["stages"][name]["last"]["n"] > 0, name
    assert 50 < result["rss_mb"]["after_warm_up"] <= result["rss_mb"]["max"]
    assert len(result["samples"]) > 5
    assert result["samples"][-1]["bag_mb"] < 10, "no images in it"
    assert result["kept"] is all(verdict["kept"] for verdict in result["verdicts"])


def test_detector() -> None:
    for module in ("mujoco", "onnxruntime", "pycocotools"):
        pytest.importorskip(module)
    result = benchmark(
        "detector.py", "--model", "tabletop-yolov8n-small", "--frames", "8", "--iterations", "20",
        "--detect-iterations", "20", "--no-framework", "--threads", "1",
    )  # fmt: skip
    rows = {row["name"]: row for row in result["rows"]}
    assert rows["onnxruntime fp32, 1 thread"]["map50_95"] > 0.5
    assert all(0 < row["p50_ms"] <= row["p99_ms"] and row["n"] == 20 for row in rows.values())
    assert all(row["times_faster_than_framework"] is None for row in rows.values())
    assert result["detect_stage"]["n"] == 20
    assert result["detect_stage"]["file"].startswith("model")
    assert not set(rows) & set(result["skipped"])
