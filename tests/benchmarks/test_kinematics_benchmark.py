"""The benchmark of kinematics runs, its last line is one object, and ours solves all; how fast it is, is not tested."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BENCHMARK = ROOT / "benchmarks" / "kinematics.py"
PEERS = ("pinocchio", "mink", "ikpy")


def run(*arguments: str) -> tuple[int, str, str]:
    """Run it without the other libraries."""
    hide = f"import sys; [sys.modules.__setitem__(name, None) for name in {PEERS!r}]; "
    path = f"sys.path.insert(0, {str(BENCHMARK.parent)!r}); sys.argv = ['kinematics.py', *{list(arguments)!r}]; "
    code = f"{hide}{path}import runpy; runpy.run_path({str(BENCHMARK)!r}, run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def test_table() -> None:
    code, out, errors = run("--model", "ur5e", "--poses", "60", "--round-trip", "300")
    assert code == 0, errors
    result = json.loads(out.splitlines()[-1])
    assert result["model"] == "UR5e"
    assert set(result["sets"]) == {"near", "far", "singular"}
    for rows in result["sets"].values():
        ours = rows["eyehand any_joints"]
        assert ours["n"] == 60
        assert ours["solved"] == 1.0
        assert ours["error_m"] < 1e-9
        assert ours["median_us"] <= ours["p99_us"]
        assert ours["ratio"] == 1.0
    assert result["sets"]["near"]["eyehand follow"]["solved"] == 1.0
    assert result["round_trip"]["failed"] == 0
    assert result["round_trip"]["worst"] < 1e-8
    assert len(result["missing"]) == 3
    assert all("pip install pin mink ikpy" in line for line in result["missing"])


def test_bad_arguments() -> None:
    code, _, errors = run("--poses", "0")
    assert code == 2
    assert "expected at least 1" in errors
