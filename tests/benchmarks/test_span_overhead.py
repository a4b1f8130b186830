"""The benchmark of spans runs, and its last line is one object; how fast anything is, is not tested."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BENCHMARK = ROOT / "benchmarks" / "span_overhead.py"


def run(arguments: list[str], hidden: str = "") -> tuple[int, str, str]:
    """Run it; modules of the name `hidden` cannot be imported."""
    hide = f"import sys; sys.modules[{hidden!r}] = None; " if hidden else "import sys; "
    code = f"{hide}sys.argv = ['span_overhead.py', *{arguments!r}]; import runpy; runpy.run_path({str(BENCHMARK)!r}, "
    done = subprocess.run(
        [sys.executable, "-c", code + "run_name='__main__')"],
        capture_output=True, text=True, timeout=300, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(("hidden", "left_out"), [("", ()), ("prometheus_client", ("prometheus_client histogram",))])
def test_table(hidden: str, left_out: tuple[str, ...]) -> None:
    code, out, errors = run(["--spans", "3000"], hidden)
    assert code == 0, errors
    result = json.loads(out.splitlines()[-1])
    assert result["n"] == 3000
    assert {"eyehand", "RowRing.append alone", "perf_counter_ns twice"} <= set(result["spans"])
    for name, row in result["spans"].items():
        assert row["median_us"] <= row["p99_us"], name
    assert result["spans"]["eyehand"]["ratio"] == 1.0
    missing = {line.split(":")[0] for line in result["missing"]}
    assert missing >= set(left_out)
    assert missing.isdisjoint(result["spans"])
    for line in result["missing"]:
        assert "pip install 'eyehand[bench]'" in line
        assert f"left out: {line}" in out
    assert isinstance(result["machine"], dict)


def test_json_alone() -> None:
    code, out, errors = run(["--spans", "100", "--json"])
    assert code == 0, errors
    assert len(out.splitlines()) == 1


def test_no_spans_are_refused() -> None:
    code, _, errors = run(["--spans", "0"])
    assert code == 2
    assert "--spans 0: expected at least 1" in errors
