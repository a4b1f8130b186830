"""What an export refuses before torch is imported."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from deploy.errors import BadInput, Missing
from deploy.export.detector import ExportOptions, export_checkpoint, export_detector
from deploy.export.framework import load


def test_letterbox_rules() -> None:
    assert ExportOptions("a.pt", letterbox="stretch").letterbox == "stretch"
    with pytest.raises(BadInput, match="letterbox 'top-left': expected one of center-114, stretch"):
        ExportOptions("a.pt", letterbox="top-left")


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ("model.onnx", r"model\.onnx: expected a \.pt checkpoint of ultralytics, or a \.yaml"),
        ("model", "model: expected a .pt checkpoint"),
        ("nowhere/best.pt", r"checkpoint nowhere/best\.pt does not exist: check the path; nothing is downloaded"),
        ("nowhere/model.yaml", r"model description nowhere/model\.yaml does not exist"),
    ],
)
def test_weights_that_are_none(tmp_path: Path, weights: str, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        load(weights, tmp_path)


def test_absent_checkpoint_of_a_training(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"expected a \.pt file of a finished epoch"):
        export_checkpoint(tmp_path / "best.pt", tmp_path / "model.onnx", (256, 320))


@pytest.mark.skipif(importlib.util.find_spec("torch") is not None, reason="torch is installed")
def test_without_the_framework_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("YOLO_OFFLINE", "YOLO_AUTOINSTALL", "YOLO_VERBOSE", "OMP_WAIT_POLICY"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("YOLO_CONFIG_DIR", str(tmp_path / "settings"))
    with pytest.raises(Missing, match=r"pip install 'eyehand\[train\]'"):
        export_detector(ExportOptions("yolo11n.yaml"), tmp_path)
