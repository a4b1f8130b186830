"""The benchmark of cubes on a conveyor: what it plays, how it counts, and that it goes on from what is there."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

pytest.importorskip("mujoco", reason="mujoco is not installed: pip install 'eyehand[sim]'")
BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("moving_cube")


def row(episode: Any, success: bool) -> dict[str, Any]:
    return {
        "key": episode.key, "name": list(episode.name), "seed": episode.seed, "success": success, "simulated_s": 10.0,
        "cause": None if success else "missed grasp", "attempts": 1 if success else 2, "code_sha256": "0" * 64,
    }  # fmt: skip


def test_cells_share_their_seeds_and_take_turns_with_the_directions(benchmark: ModuleType) -> None:
    options = benchmark._options(["--policies", "expert,unaware,some-model", "--episodes", "8", "--speed", "0.07"])
    episodes = benchmark.episodes_of(options)
    assert len(episodes) == 3 * 2 * 8
    assert len({episode.key for episode in episodes}) == len(episodes)
    by_cell: dict[Any, list[Any]] = {}
    for episode in episodes:
        by_cell.setdefault(episode.name[:2], []).append(episode)
    assert {(cell, len(found)) for cell, found in by_cell.items()} == {
        ((policy, way), 8) for policy in ("expert", "unaware", "some-model") for way in ("on", "off")
    }
    for found in by_cell.values():
        assert [episode.seed for episode in found] == list(range(1000, 1008))
        assert [episode.name[2] for episode in found] == ["+x", "-x", "+y", "-y"] * 2
    aware, unaware = by_cell["expert", "off"][1], by_cell["unaware", "on"][2]
    assert {"sim.conveyor_m_s=[-0.07, 0]", "policy.extrapolate=false"} <= set(aware.sets)
    assert {"sim.conveyor_m_s=[0, 0.07]", "policy.extrapolate=true", "policy.options.moving_m_s=1000"} <= set(
        unaware.sets
    )
    assert unaware.policy == "expert"


def test_the_settings_that_are_played_are_valid(benchmark: ModuleType) -> None:
    from launch.config import load_config

    for episode in benchmark.episodes_of(benchmark._options(["--episodes", "4"])):
        config = load_config("sim_pick_place", list(episode.sets), episode.profile)
        assert config.sim.conveyor_m_s is not None
        assert config.task is not None
        assert config.task.timeout_s == 15.0


@pytest.mark.parametrize(("successes", "low", "high"), [(50, 0.929, 1.0), (0, 0.0, 0.071), (25, 0.366, 0.634)])
def test_interval(benchmark: ModuleType, successes: int, low: float, high: float) -> None:
    assert benchmark.wilson(successes, 50) == pytest.approx((low, high), abs=5e-4)


def test_goes_on_from_what_is_there_and_counts_it(
    benchmark: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "rows.jsonl"
    arguments = ["--policies", "expert,unaware", "--extrapolation", "on", "--episodes", "4", "--out", str(out)]
    episodes = benchmark.episodes_of(benchmark._options(arguments))
    rows = [row(episode, episode.name[0] == "expert" or episode.name[2] == "+y") for episode in episodes]
    out.write_text("".join(json.dumps(line) + "\n" for line in rows))
    assert benchmark.run(arguments) == 0
    said = capsys.readouterr().out
    result = json.loads(said.splitlines()[-1])
    expert, unaware = result["cells"]
    assert (expert["policy"], expert["successes"], expert["success_rate"]) == ("expert", 4, 1.0)
    assert (unaware["policy"], unaware["successes"], unaware["causes"]) == ("unaware", 1, {"missed grasp": 3})
    assert unaware["directions"] == {"+x": "0/1", "-x": "0/1", "+y": "1/1", "-y": "0/1"}
    assert result["kept"] is True
    assert "missed grasp 3" in said


def test_an_unknown_extrapolation_is_refused(benchmark: ModuleType) -> None:
    from deploy.errors import BadInput

    with pytest.raises(BadInput, match="--extrapolation maybe: expected on, off or both"):
        benchmark.run(["--extrapolation", "maybe"])
