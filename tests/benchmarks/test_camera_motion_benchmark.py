"""The benchmark of the camera's motion runs, and its last line is one object; how long it takes is not tested."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_it_runs() -> None:
    program = str(ROOT / "benchmarks" / "camera_motion.py")
    done = subprocess.run(
        [sys.executable, program, "--sizes", "320x240", "--frames", "20", "--json"],
        capture_output=True, text=True, timeout=120, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout.splitlines()[-1])["rows"]
    assert (row["size"], row["n"]) == ("320x240", 20)
    assert row["not_measured"] <= 2
    assert 0.0 < row["wall_ms_p50"] <= row["wall_ms_p99"]
    assert row["error_px_p50"] < 0.5
