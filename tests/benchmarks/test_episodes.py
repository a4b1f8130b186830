"""Episodes for benchmarks: the file of rows, why an episode failed, and tables of rows."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from deploy.errors import BadInput

ROOT = Path(__file__).resolve().parents[2]
pytest.importorskip("mujoco", reason="mujoco is not installed: pip install 'eyehand[sim]'")


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module


@pytest.fixture
def episodes(load: Any) -> ModuleType:
    return load("episodes")


def row(name: tuple[Any, ...], seed: int, *, success: bool = True, jerk: float = 100.0, **more: Any) -> dict[str, Any]:
    def figures(p99: float) -> dict[str, float]:
        return {"p50": 1.0, "p99": p99, "max": 2 * p99}

    return {
        "name": list(name), "policy": str(name[0]), "seed": seed, "success": success,
        "cause": None if success else "dropped", "simulated_s": 9.0 + seed, "starved_ticks": seed, "attempts": 1,
        "plans": 40, "seams": 30, "at_limit": 0.1, "target_jerk": figures(10 * jerk), "commanded_jerk": figures(jerk),
        "measured_jerk": figures(2 * jerk), "seam_jump_mrad": figures(0.5),
        "seam_speed_jump_rad_s": {"p50": None, "p99": None, "max": None}, "code_sha256": "0" * 64, **more,
    }  # fmt: skip


# -- the file of rows -------------------------------------------------------------------------------------------------


def test_what_is_there_is_not_missing(episodes: ModuleType, tmp_path: Path) -> None:
    wanted = [episodes.Episode("expert", seed, ("a=1",), name=("naive", 0)) for seed in range(3)]
    file = tmp_path / "deep" / "rows.jsonl"
    results = episodes.Results(file)
    assert results.missing(wanted) == wanted
    results.add({"key": wanted[1].key, "seed": 1})
    again = episodes.Results(file)
    assert again.missing(wanted) == [wanted[0], wanted[2]]
    assert again.of(wanted) == [{"key": wanted[1].key, "seed": 1}]


@pytest.mark.parametrize(
    "other",
    [{"seed": 2}, {"policy": "act"}, {"sets": ("a=2",)}, {"size": (320, 240)}, {"profile": "nominal"},
     {"model_sha256": "abc"}, {"name": ("blend", 0)}],
)  # fmt: skip
def test_a_row_of_other_settings_is_another_row(episodes: ModuleType, other: dict[str, Any]) -> None:
    settings = {"policy": "expert", "seed": 1, "sets": ("a=1",), "name": ("naive", 0)}
    assert episodes.Episode(**{**settings, **other}).key != episodes.Episode(**settings).key


def test_a_line_that_was_cut_off_is_played_again(episodes: ModuleType, tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    wanted = [episodes.Episode("expert", seed) for seed in range(2)]
    results = episodes.Results(file)
    for episode in wanted:
        results.add({"key": episode.key})
    text = file.read_text()
    file.write_text(text[:-9])
    again = episodes.Results(file)
    assert again.missing(wanted) == [wanted[1]]
    again.add({"key": wanted[1].key})
    assert file.read_text() == text


def test_another_file_is_refused_and_left_alone(episodes: ModuleType, tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("one\ntwo\n")
    with pytest.raises(BadInput, match=r"notes.txt, line 1: no row of a benchmark .*--out"):
        episodes.Results(file)
    assert file.read_text() == "one\ntwo\n"


def test_nothing_is_played_twice(episodes: ModuleType, tmp_path: Path) -> None:
    """With every row there no process is started: the name of a policy that does not exist is never looked up."""
    results = episodes.Results(tmp_path / "rows.jsonl")
    wanted = [episodes.Episode("no such policy", 1)]
    results.add({"key": wanted[0].key})
    episodes.play_all(wanted, results, 2, pytest.fail)


# -- why an episode failed --------------------------------------------------------------------------------------------


def world(opening: float, height: float = 0.02, *, touching: bool = False, fell: bool = False) -> Any:
    return SimpleNamespace(
        gripper_opening=opening, cube_position_world_m=np.array([0.6, 0.0, height]),
        cube_touches_gripper=lambda: touching, cube_fell=lambda: fell,
    )  # fmt: skip


CLOSED_ON_NOTHING = [world(1.0), world(0.5), world(0.0), world(0.5), world(1.0)]
LIFTED = [world(1.0), world(0.47, touching=True), world(0.47, 0.2, touching=True)]


@pytest.mark.parametrize(
    ("looks", "seen", "cause", "closings"),
    [
        ([world(1.0)], False, "never saw", 0),
        ([world(1.0)], True, "timed out", 0),
        (CLOSED_ON_NOTHING, True, "missed grasp", 1),
        (CLOSED_ON_NOTHING * 3, True, "missed grasp", 3),
        (LIFTED, True, "timed out", 1),
        ([*LIFTED, world(1.0, 0.02)], True, "dropped", 1),
        ([*LIFTED, world(1.0, -0.1, fell=True)], True, "dropped", 1),
        ([world(1.0, -0.1, fell=True)], True, "knocked off", 0),
        ([world(1.0), world(0.5, 0.02, touching=True)], True, "missed grasp", 1),
    ],
)
def test_causes(episodes: ModuleType, looks: list[Any], seen: bool, cause: str, closings: int) -> None:
    truth = episodes.Truth()
    truth.seen = seen
    for look in looks:
        truth.look(look)
    assert truth.cause(success=False, stopped=False) == cause
    assert truth.cause(success=False, stopped=True) == "safe stop"
    assert truth.cause(success=True, stopped=False) is None
    assert truth.closings == closings
    assert {cause, "safe stop"} <= set(episodes.CAUSES)


def test_planning_is_known_from_the_start(episodes: ModuleType) -> None:
    config = episodes.config_of(episodes.Episode("expert", 1, ("profile.add_ms.plan=200",)))
    asked = episodes.build_schedule(config).ahead_ns(10, 10)
    known = episodes.experienced_schedule(config).ahead_ns(10, 10)
    assert asked == 0
    assert 205e6 < known < 215e6, "the p99 of the profile, and what is added"
    assert known == episodes.experienced_schedule(config).ahead_ns(10, 10)


# -- tables -----------------------------------------------------------------------------------------------------------


def test_every_cell_has_its_first_episode_before_any_has_its_second(load: Any) -> None:
    chunking = load("chunking")
    found = chunking.episodes_of("expert", ("naive", "blend"), (0, 200), 2, 10, size=(320, 240), sets=["x=1"])
    assert [(*it.name, it.seed) for it in found[:5]] == [
        ("naive", 0, 10), ("naive", 200, 10), ("blend", 0, 10), ("blend", 200, 10), ("naive", 0, 11),
    ]  # fmt: skip
    assert found[1].sets == ("policy.schedule.mode=naive", "profile.add_ms.plan=200", "x=1")
    assert len({it.key for it in found}) == 8


def test_cells_against_their_own_zero(load: Any) -> None:
    chunking = load("chunking")
    rows = [row(("blend", 0), seed) for seed in (1, 2)]
    rows += [row(("blend", 200), 1, jerk=140.0), row(("blend", 200), 2, jerk=140.0, success=False)]
    rows += [row(("naive", 200), 1, jerk=300.0)]
    cells = {(cell["mode"], cell["add_ms"]): cell for cell in chunking.summarize(rows)}
    cell = cells["blend", 200]
    assert (cell["successes"], cell["episodes"], cell["causes"]) == (1, 2, {"dropped": 1})
    assert cell["seconds"] == 10.0, "of those that succeeded"
    assert cell["starved_ticks"] == 1.5
    assert (cell["target_jerk_p99"], cell["target_jerk_max"]) == (1400.0, 2800.0)
    assert cell["target_ratio"] == pytest.approx(1.4)
    assert cells["blend", 0]["measured_ratio"] == 1.0
    assert cells["naive", 200]["target_ratio"] is None, "its zero was not played"
    assert cell["seam_speed_jump_rad_s_p99"] is None

    verdicts = chunking.judge(list(cells.values()))
    assert [(it["mode"], it["kept"]) for it in verdicts] == [("blend", False)], "half of them failed"
    kept = chunking.summarize([*rows[:2], row(("blend", 200), 1, jerk=140.0)])
    assert chunking.judge(kept)[0]["kept"] is True
    rough = chunking.summarize([*rows[:2], row(("blend", 200), 1, jerk=160.0)])
    assert chunking.judge(rough)[0]["kept"] is False


def test_the_table_has_a_line_for_each_cell(load: Any) -> None:
    chunking = load("chunking")
    rows = [row((mode, delay), 1) for delay in (0, 200) for mode in ("naive", "blend")]
    lines = chunking.table(chunking.summarize(rows)).splitlines()
    assert [line.split()[:3] for line in lines[2:]] == [
        ["naive", "0", "1/1"], ["naive", "200", "1/1"], ["blend", "0", "1/1"], ["blend", "200", "1/1"],
    ]  # fmt: skip
    assert len({len(line) for line in lines[2:]}) == 1
    assert lines[2].split()[-1] == "-", "there is no figure of what there was not"


def test_the_plot_is_a_picture(load: Any, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed: pip install 'eyehand[viz]'")
    chunking = load("chunking")
    rows = [row((mode, delay), 1) for delay in (0, 200) for mode in chunking.MODES]
    chunking.plot(chunking.summarize(rows), tmp_path / "plot.png", "title")
    assert (tmp_path / "plot.png").read_bytes()[:4] == b"\x89PNG"


def test_policies_side_by_side(load: Any) -> None:
    policies = load("policies")
    played = policies.episodes_of(("expert", "act"), 2, 5, None, sets=())
    assert [(it.policy, it.seed) for it in played] == [("expert", 5), ("act", 5), ("expert", 6), ("act", 6)]
    assert played[0].sets == ("policy.schedule.mode=naive",)
    assert played[1].sets == ()
    assert policies.episodes_of(("act",), 1, 5, "rtc")[0].sets == ("policy.schedule.mode=rtc",)

    rows = [row(("expert",), seed) for seed in range(4)]
    rows += [row(("act",), 0, attempts=2), row(("act",), 1, success=False)]
    expert, act = policies.summarize(rows)
    assert (expert["policy"], expert["success_rate"], expert["failed_seeds"]) == ("expert", 1.0, [])
    assert (act["successes"], act["causes"]["dropped"], act["failed_seeds"]) == (1, 1, [1])
    assert act["second_attempts"] == 1
    lines = {line[:34].strip(): line[34:].split() for line in policies.table([expert, act]).splitlines()}
    assert lines["policy"] == ["expert", "act"]
    assert lines["succeed"] == ["100.0%", "50.0%"]
    assert lines["failed: dropped"] == ["0", "1"]


@pytest.mark.parametrize(
    ("successes", "count", "low", "high"), [(95, 100, 0.8882, 0.9785), (20, 20, 0.8389, 1.0), (0, 10, 0.0, 0.2775)]
)
def test_wilsons_interval(load: Any, successes: int, count: int, low: float, high: float) -> None:
    assert load("policies").interval(successes, count) == pytest.approx((low, high), abs=1e-4)


# -- the benchmarks ---------------------------------------------------------------------------------------------------


def run(name: str, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / name), *options],
        capture_output=True, text=True, timeout=300, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


@pytest.mark.slow
def test_an_episode_is_played_and_then_known(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="no inference engine is installed: pip install 'eyehand[cpu]'")
    options = (
        "--episodes", "1", "--modes", "blend", "--delays", "100", "--size", "64x48", "--set", "task.timeout_s=1.0",
        "--set", "detector.fallback=null", "--out", str(tmp_path / "rows.jsonl"), "--json",
    )  # fmt: skip
    done = run("chunking.py", *options)
    assert done.returncode == 0, done.stderr
    cell = json.loads(done.stdout)["cells"][0]
    assert (cell["mode"], cell["add_ms"], cell["episodes"], cell["successes"]) == ("blend", 100, 1, 0)
    played = json.loads((tmp_path / "rows.jsonl").read_text())
    assert played["cause"] in ("never saw", "timed out")
    assert played["ticks"] == pytest.approx(100, abs=3)
    assert played["frames"] == pytest.approx(10, abs=1)
    assert played["commanded_jerk"]["max"] <= 200.0 * 1.0001
    again = run("chunking.py", *options)
    assert json.loads(again.stdout)["cells"] == [cell]
    assert "to play" not in again.stderr


def test_what_cannot_be_played_is_refused(load: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chunking = load("chunking")
    out = ["--episodes", "1", "--out", str(tmp_path / "rows.jsonl")]
    with pytest.raises(BadInput, match=r"--modes fast: expected some of synchronous"):
        chunking.run([*out, "--modes", "naive,fast"])
    with pytest.raises(BadInput, match="size_px of camera wrist"):
        chunking.run([*out, "--size", "300x200"])
    with pytest.raises(SystemExit):
        chunking.run([*out, "--delays=-1"])
    assert "expected milliseconds" in capsys.readouterr().err


def test_a_mistake_is_a_sentence(tmp_path: Path) -> None:
    done = run("policies.py", "--policies", "no-such-model", "--episodes", "1", "--out", str(tmp_path / "rows.jsonl"))
    assert done.returncode == 2, done.stderr
    assert "no-such-model" in done.stderr
    assert "Traceback" not in done.stderr
