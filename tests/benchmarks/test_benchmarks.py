"""The benchmarks run, and their last line is one object; what they measure is not tested."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_pipeline_overhead() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "pipeline_overhead.py"), "--frames", "30", "--json"],
        capture_output=True, text=True, timeout=120, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["objects"] == 10
    assert 0 < result["p50_ms"] <= result["p99_ms"]
    assert abs(sum(part["share"] for part in result["parts"].values()) - 1.0) < 0.02
    assert {"preprocess", "decode_nms", "localize", "track", "control", "record_handover"} <= set(result["parts"])
