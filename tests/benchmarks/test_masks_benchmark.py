"""The benchmark of masks runs, and its last line is one object; what it measures is not tested."""

from __future__ import annotations

from tests.benchmarks.test_benchmarks import benchmark


def test_masks() -> None:
    result = benchmark("masks.py", "--rounds", "2")
    assert {(row["input"], row["masks"]) for row in result["rows"]} >= {("320x256", 1), ("640x480", 100)}
    for row in result["rows"]:
        assert 0 < row["kept_bytes"] < row["whole_bytes"] / 50
        assert all(row[way]["p50_us"] > 0.0 for way in ("make", "patches", "enlarge_all"))
