"""What a training from the weights of a model does, one after the other; training itself is stood in for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from deploy.errors import BadInput
from deploy.training.detector import DetectorTraining
from deploy.training.start import train_from


@pytest.fixture
def training(tmp_path: Path) -> DetectorTraining:
    data = tmp_path / "data.yaml"
    data.write_text("names: [red_cube, distractor]")
    return DetectorTraining(data, tmp_path / "out", epochs=16, seed=3, architecture="rtdetr", learning_rate=0.001)


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[DetectorTraining]:
    """What was trained, in order."""
    asked: list[DetectorTraining] = []

    def train(options: DetectorTraining) -> Path:
        asked.append(options)
        options.checkpoint.parent.mkdir(parents=True)
        options.checkpoint.touch()
        return options.out / "model.onnx"

    monkeypatch.setattr("deploy.training.start.train_detector", train)
    monkeypatch.setattr("deploy.training.detector.load_ultralytics", lambda _folder: None)
    monkeypatch.setattr("deploy.training.detector.width_of", lambda _framework, _checkpoint: 0.25)
    return asked


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    (tmp_path / "start.pt").touch()
    return tmp_path / "start.pt"


def test_a_decoder_learns_alone_then_with_its_backbone(
    training: DetectorTraining, trained: list[DetectorTraining], weights: Path
) -> None:
    exported, ended = train_from(weights, training)
    alone, together = trained
    assert (alone.frozen, alone.epochs, alone.weights) == (True, 12, weights)
    assert (together.frozen, together.epochs, together.weights) == (False, 4, alone.checkpoint)
    assert together.learning_rate == pytest.approx(alone.learning_rate / 5)
    assert alone.width == together.width == 0.25, "the start's"
    assert alone.checkpoint != together.checkpoint
    assert exported == together.out / "model.onnx"
    assert (ended.epochs, ended.checkpoint) == (16, together.checkpoint)


def test_one_epoch_is_one_of_each(training: DetectorTraining, trained: list[DetectorTraining], weights: Path) -> None:
    train_from(weights, replace(training, epochs=1))
    assert [stage.epochs for stage in trained] == [1, 1]


def test_from_scratch(training: DetectorTraining, trained: list[DetectorTraining]) -> None:
    _, ended = train_from(None, training)
    assert trained == [training] == [ended]


def test_only_a_decoder_starts_from_weights(training: DetectorTraining, weights: Path) -> None:
    with pytest.raises(BadInput, match="a yolo11 starts from scratch: only an rtdetr takes the backbone of "):
        train_from(weights, replace(training, architecture="yolo11"))
