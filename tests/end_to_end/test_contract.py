"""The budget as a user meets it: reports, verdicts as exit codes, other machines' timing."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.end_to_end.conftest import Eyehand

Recorded = tuple[Path, dict[str, Any]]
SHORT = ("--seed", "21", "--set", "task.timeout_s=1.5", "--set", "record.picture_strip=false", "--min-success", "0")


@pytest.fixture(scope="module")
def missed(eyehand: Eyehand, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short run on a machine whose detector takes 40 ms."""
    folder = tmp_path_factory.mktemp("runs") / "slow"
    done = eyehand("run", *SHORT, "--set", "profile.stages.detect={constant_ms: 40}", "--out", folder, "--json")
    assert done.code == 0, done.err
    return folder


def test_fail_on_miss_tells_by_its_exit_code(eyehand: Eyehand, recorded: Recorded, missed: Path) -> None:
    kept = eyehand("report", recorded[0], "--fail-on-miss")
    assert kept.code == 0, kept.out + kept.err
    assert "contract orin_agx: kept" in kept.out
    broken = eyehand("report", missed, "--fail-on-miss", "--json")
    assert broken.code == 1
    assert "contract orin_agx is broken: stage.detect: p99 40 ms, limit 15" in broken.err
    assert "contract orin_agx is broken: reaction: p99 72 ms, limit 57" in broken.err
    verdicts = {row["clause"]: row["kept"] for row in broken.json["contract"]["clauses"]}
    assert (verdicts["stage.detect"], verdicts["stage.plan"], verdicts["safe_stop"]) == (False, True, True)
    assert eyehand("report", missed).code == 0  # a report alone judges nobody


def test_the_report_speaks_of_machine_engine_and_ladder(eyehand: Eyehand, missed: Path) -> None:
    report = eyehand("report", missed, "--json").json
    assert report["engines"][0]["role"] == "detector"
    assert report["engines"][0]["fingerprint"].startswith("sha256:")
    assert report["machine"]
    assert report["ladder"]["rungs"]["overrun"] > 0
    assert report["stale_commands_sent"] == 0


def test_a_profile_made_of_a_run_runs(eyehand: Eyehand, missed: Path, tmp_path: Path) -> None:
    profile = tmp_path / "mine.yaml"
    assert eyehand("report", missed, "--profile-out", profile).code == 0
    assert set(yaml.safe_load(profile.read_text())["stages"]) >= {"capture", "detect", "plan", "ik", "send"}
    done = eyehand("run", *SHORT, "--profile", profile, "--out", tmp_path / "again", "--json")
    assert done.code == 0, done.err
    assert eyehand("replay", tmp_path / "again", "--json").json["identical"] is True


def test_a_run_under_another_machines_timing(eyehand: Eyehand, recorded: Recorded, tmp_path: Path) -> None:
    done = eyehand("what-if", recorded[0], "--profile", "orin_agx", "--add", "plan=200ms", "--json")
    assert done.code == 0, done.err
    found = done.json
    assert found["profile"] == "orin_agx"
    assert found["add_ms"] == {"plan": 200.0}
    before, after = found["diff"]["reaction.p50_ms"]
    assert (before, after > 200) == (52.0, True)
    assert found["consequences"]["missed_reaction"] == found["after"]["reaction"]["n"]
    assert "reaction" in found["diff"]["contract.broken"][1]
    assert found["success"]["episodes"] == 1
    assert found["success"]["before"] == recorded[1]["successes"]
    assert found["run_dir"] is None


def test_the_same_timing_changes_nothing(eyehand: Eyehand, missed: Path, tmp_path: Path) -> None:
    done = eyehand("what-if", missed, "--out", tmp_path / "again", "--json")
    assert done.code == 0, done.err
    assert done.json["diff"] == {}
    assert eyehand("replay", tmp_path / "again", "--json").json["identical"] is True


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--add", "detect"], "--add 'detect': expected STAGE=TIME, for example detect=40ms or plan=0.2s"),
        (["--add", "detct=40ms"], "--add 'detct=40ms': no such stage; there are capture, detect"),
        (["--add", "detect=1.2.3ms"], "--add 'detect=1.2.3ms': expected STAGE=TIME"),
        (["--add", "detect=999999s"], "--add 'detect=999999s': expected at most 60 s"),
        (["--add", "detect=fast"], "--add 'detect=fast': expected STAGE=TIME"),
        (["--add", "detect=-40ms"], "expected a time >= 0; a faster machine needs a --profile of its own"),
        (["--profile", "nosuch"], "profile 'nosuch' not found here or among the packaged ones: "),
    ],
)
def test_a_mistake_is_one_line(eyehand: Eyehand, missed: Path, arguments: list[str], expected: str) -> None:
    done = eyehand("what-if", missed, *arguments)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert expected in done.err


def test_nothing_to_reset(eyehand: Eyehand, missed: Path) -> None:
    done = eyehand("reset", missed)
    assert done.code == 2
    assert "no safe stop is latched there; give the folder of the run that is going on" in done.err


def test_a_trace_opens(eyehand: Eyehand, missed: Path, tmp_path: Path) -> None:
    assert eyehand("report", missed, "--trace", tmp_path / "trace.json.gz").code == 0
    with gzip.open(tmp_path / "trace.json.gz", "rt") as file:
        events = json.load(file)["traceEvents"]
    assert {"M", "X", "C", "s", "f"} <= {event["ph"] for event in events}


def test_a_page_is_written(eyehand: Eyehand, missed: Path, tmp_path: Path) -> None:
    assert eyehand("report", missed, "--html", tmp_path / "page.html").code == 0
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<html" in page
    assert 'data-key="stages.detect.p99_ms"' in page


@pytest.mark.parametrize("flag", ["--html", "--trace", "--profile-out"])
def test_a_place_that_cannot_be_written_is_one_line(eyehand: Eyehand, missed: Path, flag: str, tmp_path: Path) -> None:
    done = eyehand("report", missed, flag, tmp_path / "absent" / "file.json")
    assert (done.code, done.err.count("\n")) == (2, 1), done.err
    assert "absent" in done.err
