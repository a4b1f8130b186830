"""The soak of the trackers, a short one; and that it would notice."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
BENCHMARK = ROOT / "benchmarks" / "tracking_soak.py"


@pytest.fixture
def soak(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARK.parent))
    return importlib.import_module("tracking_soak")


def test_twenty_thousand_updates() -> None:
    """Five thousand of each tracker, twice."""
    done = subprocess.run(
        [sys.executable, str(BENCHMARK), "--updates", "5000", "--json"],
        capture_output=True, text=True, timeout=600, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["kept"] is True
    assert [(verdict["tracker"], verdict["what"]) for verdict in result["verdicts"]] == [
        (tracker, what) for tracker in ("image", "base") for what in ("memory", "ids", "same bytes")
    ]
    for run in result["runs"]:
        assert run["updates"] == 5000
        assert run["ids"] > 1500
        assert 500 < run["largest_confirmed_id"] <= run["ids"]
        assert run["most_tracks"] >= 64, "the limit is reached"
        assert run["rss_mb"]["after_warm_up"] > 30
        assert len(run["sha256"]) == 64


@pytest.mark.parametrize(
    ("looks", "broken"),
    [
        ([[1, 2], [2, 3], [3], [], [4, 5]], ""),
        ([[1, 2], [1], [1, 2]], "id 2 came after id 2"),
        ([[1, 5], [5, 3]], "id 3 came after id 5"),
        ([[1], [], [1]], "id 1 came after id 1"),
        ([[1, 2, 2]], "an id twice in one look: [1, 2, 2]"),
    ],
)
def test_ids_that_come_back_are_noticed(soak: ModuleType, looks: list[list[int]], broken: str) -> None:
    watch = soak.IdWatch()
    for ids in looks:
        watch.see(ids)
    assert watch.broken == broken


def a_run(**changed: Any) -> dict[str, Any]:
    return {
        "tracker": "image", "updates": 10, "ids": 5, "largest_confirmed_id": 4, "most_tracks": 3, "ids_broken": "",
        "ms_per_update": 0.1, "sha256": "ab" * 32,
        "rss_mb": {"after_warm_up": 100.0, "end": 101.0, "max": 101.0, "growth": 1.0},
    } | changed  # fmt: skip


@pytest.mark.parametrize(
    ("first", "second", "broken"),
    [
        ({}, {}, None),
        ({"rss_mb": {"after_warm_up": 100.0, "end": 106.0, "max": 106.0, "growth": 6.0}}, {}, "memory"),
        ({"ids_broken": "id 2 came after id 2"}, {}, "ids"),
        ({}, {"ids_broken": "id 2 came after id 2"}, "ids"),
        ({}, {"sha256": "cd" * 32}, "same bytes"),
    ],
)
def test_each_of_the_three_decides_the_exit_code(
    soak: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    first: dict[str, Any],
    second: dict[str, Any],
    broken: str | None,
) -> None:
    monkeypatch.setattr(soak, "runs", lambda tracker, *_: [a_run(tracker=tracker, **first), a_run(**second)])
    assert soak.main([]) == (0 if broken is None else 1)
    printed = capsys.readouterr().out
    result = json.loads(printed.splitlines()[-1])
    assert {verdict["what"] for verdict in result["verdicts"] if not verdict["kept"]} == ({broken} if broken else set())
    assert printed.count("BROKEN") == (2 if broken else 0)


def test_the_input_has_what_it_says(soak: ModuleType) -> None:
    block = soak.draw_block(np.random.default_rng(1), 1000)
    counts = np.array([len(look.scores) for look in block])
    intervals_s = np.array([look.interval_ns for look in block]) * 1e-9
    assert counts.max() > 50
    assert (counts == 0).sum() > 20
    assert intervals_s.min() > 0.0
    assert intervals_s.max() > 1.0
    assert np.median(intervals_s) == pytest.approx(0.033, abs=0.003)
    assert any(np.isnan(look.centres).any() for look in block)
    assert len(set(np.concatenate([look.classes for look in block]).tolist())) == 3


def test_pieces_of_the_block_are_played_forward_in_time(soak: ModuleType) -> None:
    block = soak.draw_block(np.random.default_rng(1), 300)
    played = list(soak.play(np.random.default_rng(2), block, 5000))
    assert len(played) == 5000
    assert (np.diff([stamp_ns for _, stamp_ns, _ in played]) > 0).all()
    steps = np.diff([row for row, _, _ in played]) % 300
    assert 2 < (steps != 1).sum() < 30, "some pieces, each in its order"
