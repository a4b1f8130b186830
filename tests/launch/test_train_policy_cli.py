"""`eyehand train policy` without its trainer: what it checks before torch is imported."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from deploy.errors import BadInput
from launch.cli import main
from launch.cli.train_policy import _assignment, _by_unit
from policy.training.options import STATE_NOISE
from tests.policy.training.toy_demonstrations import write_toy

pytest.importorskip("pyarrow")


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy(tmp_path_factory.mktemp("toy") / "set", episodes=3, frames=8)


def test_without_the_trainer_it_exits_3_and_leaves_nothing(
    toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    assert main(["train", "policy", "--dataset", str(toy), "--out", str(tmp_path / "new")]) == 3
    assert "pip install 'eyehand[train-policy]'" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--dataset", "nowhere"), "nowhere/meta/info.json: cannot be read"),
        (("--prefix", "16"), "--prefix 16: a chunk has 16 actions"),
        (("--out", "."), "exists and is not an empty folder"),
        (("--resume", "--out", "."), "exists and is not an empty folder"),
        (("--state-noise", "mm=3"), "--state-noise mm=3: expected a factor, or spreads"),
        (("--set", "dropout"), "--set dropout: expected KEY=VALUE"),
        (("--learning-rate", "0"), "--learning-rate 0.0: expected more than 0 and less than 1"),
    ],
)
def test_mistakes_are_one_line(
    toy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    assert main(["train", "policy", "--dataset", str(toy), "--out", str(tmp_path / "new"), *arguments]) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.out == ""
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("begun", "message"),
    [
        (
            {"batch_size": 32, "fingerprint": "toy"},
            "--resume: batch_size was 32, now 64; give the same, or a new --out",
        ),
        ({"batch_size": 64, "fingerprint": "fewer"}, "has learnt from; train in a new --out"),
    ],
)
def test_going_on_wants_the_same_options_and_demonstrations(
    toy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], begun: dict[str, Any], message: str
) -> None:
    (tmp_path / "training.json").write_text(json.dumps(begun))
    assert main(["train", "policy", "--dataset", str(toy), "--out", str(tmp_path), "--resume"]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, STATE_NOISE),
        ("0", dict.fromkeys(STATE_NOISE, 0.0)),
        ("2", {unit: 2 * value for unit, value in STATE_NOISE.items()}),
        ("rad=0.1, m=0", {**STATE_NOISE, "rad": 0.1, "m": 0.0}),
    ],
)
def test_spreads(text: str | None, expected: dict[str, float]) -> None:
    assert _by_unit("--state-noise", text, STATE_NOISE) == pytest.approx(expected)


@pytest.mark.parametrize("text", ["", "x", "rad", "rad=", "rad=-1", "rad=nan", "nan", "s=1", "rad=0.1;m=2"])
def test_spreads_that_are_none(text: str) -> None:
    with pytest.raises(BadInput, match=r"^--state-noise .*expected a factor"):
        _by_unit("--state-noise", text, STATE_NOISE)


def test_assignments_are_yaml() -> None:
    assert [_assignment(text) for text in ("kl_weight=5", "use_vae=false", "down_dims=[8, 16]")] == [
        ("kl_weight", 5), ("use_vae", False), ("down_dims", [8, 16]),
    ]  # fmt: skip
    with pytest.raises(BadInput, match="not YAML"):
        _assignment("kl_weight=[")
