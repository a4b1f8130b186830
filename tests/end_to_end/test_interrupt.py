"""A run that is stopped from outside leaves a complete folder that replays."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.end_to_end.conftest import Eyehand

SHORT = ("--episodes", "50", "--set", "task.timeout_s=2", "--set", "record.picture_strip=false")


def started(folder: Path) -> subprocess.Popen[str]:
    """A long run whose first episode is over."""
    command = [sys.executable, "-m", "eyehand", "run", *SHORT, "--seed", "1", "--out", str(folder), "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("episode 1/50"):
            break
    return process


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_nothing_is_lost(eyehand: Eyehand, tmp_path: Path, sent: signal.Signals) -> None:
    folder = tmp_path / "run"
    process = started(folder)
    process.send_signal(sent)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    result = json.loads(out)
    assert result["episodes"] == 1
    assert json.loads((folder / "summary.json").read_text())["replay_hash"] == result["replay_hash"]
    replayed = eyehand("replay", folder, "--json").json
    assert replayed["identical"] is True
    assert replayed["commands"] == result["commands"]


def test_a_killed_run_can_be_repaired_and_read(eyehand: Eyehand, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    process = started(folder)
    process.kill()
    process.communicate(timeout=300)
    refused = eyehand("replay", folder)
    assert refused.code == 2
    assert "eyehand repair" in refused.err
    assert eyehand("repair", folder).code == 0
    report = eyehand("report", folder, "--json").json
    assert report["stages"]["detect"]["n"] > 10
    replayed = eyehand("replay", folder, "--json")
    assert replayed.code == 0, replayed.err
    assert replayed.json["identical"] is None
    assert "killed" in replayed.json["reason"]
