"""`eyehand export policy`: what is refused without LeRobot; what stands in the folder is in tests/policy/export."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from launch.cli import main
from tests.policy.export.checkpoints import write_checkpoint
from tests.policy.fake_engine import spec


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 2) -> str:
    assert main(["export", "policy", *arguments]) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Traceback" not in captured.err
    return captured.err.strip().splitlines()[-1]


def test_what_the_user_can_get_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "m")
    assert "nowhere does not exist" in refusal(capsys, "nowhere", "--out", out)
    checkpoint = str(write_checkpoint(tmp_path / "c"))
    assert "give the dataset that it was trained on with --dataset" in refusal(capsys, checkpoint, "--out", out)
    message = refusal(capsys, checkpoint, "--dataset", str(tmp_path / "d"), "--out", out)
    assert "expected a LeRobot dataset of v3.0" in message
    assert "exists and is not an empty folder" in refusal(capsys, checkpoint, "--out", checkpoint)
    write_checkpoint(tmp_path / "c", type="smolvla")
    assert "policy 'smolvla', expected act or diffusion" in refusal(capsys, checkpoint, "--out", out)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c"]


@pytest.mark.skipif(importlib.util.find_spec("lerobot") is not None, reason="LeRobot is installed")
def test_without_lerobot(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checkpoint = write_checkpoint(tmp_path / "c")
    (checkpoint / "eyehand_policy.json").write_text(spec().to_json())
    message = refusal(capsys, str(checkpoint), "--out", str(tmp_path / "m"), code=3)
    assert "pip install 'eyehand[train-policy]'" in message
    assert not (tmp_path / "m").exists()
