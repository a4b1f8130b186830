"""Artifacts are put into the store whole, all or none; where they cannot go is said before the work, not after."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path
from typing import Any

import pytest

from deploy.errors import BadInput
from deploy.gate import Accuracy
from deploy.model_store import Model, ModelStore
from deploy.passport import Calibration, Passport, passport_path
from deploy.timing import Timing
from launch.cli import quantize
from launch.quantizing import Outcome
from launch.quantizing.attempts import Attempt
from launch.quantizing.install import folder, install

SHIPPED = "tabletop-yolov8n-small"
JUDGED = Accuracy(0.9, {"red_cube": 0.9}, 16, "00")
CALIBRATION = Calibration(method="", frames=16, sha256="00")


@pytest.fixture
def model(tmp_path: Path) -> Model:
    """A model folder with an older artifact."""
    place = tmp_path / "models" / "mine"
    place.mkdir(parents=True)
    source = ModelStore().find(SHIPPED)
    shutil.copyfile(source.onnx_path, place / "model.onnx")
    shutil.copyfile(passport_path(source.onnx_path), place / "passport.json")
    for precision in ("int8-s8", "int8-u8"):
        (place / f"model.{precision}.onnx").write_bytes(b"older")
        (place / f"model.{precision}.passport.json").write_text("older")
    return ModelStore([place.parent]).find("mine")


def made(folder: Path, precision: str, **changes: Any) -> Attempt:
    path = folder / f"new.{precision}"
    path.write_bytes(precision.encode())
    return Attempt(precision, path, "onnxruntime", JUDGED, method="minmax", **changes)


def test_what_ships_replaces_and_what_does_not_takes_the_older_away(model: Model, tmp_path: Path) -> None:
    timing = Timing(40, 1.25, 2.25, 1.3, 1.1)
    attempts = [made(tmp_path, "int8-s8", timing=timing), made(tmp_path, "int8-u8", ship=False)]
    install(model, model.path, attempts, CALIBRATION, JUDGED, "labels", threads=2)
    assert sorted(file.name for file in model.path.iterdir()) == [
        "model.int8-s8.onnx", "model.int8-s8.passport.json", "model.onnx", "passport.json",
    ]  # fmt: skip
    path, passport = ModelStore([model.path.parent]).find("mine").artifact("model.int8-s8.onnx")
    assert path.read_bytes() == b"int8-s8"
    assert passport is not None
    assert passport.precision == "int8-s8"
    assert [(row.threads, row.n, row.p99_ms) for row in passport.latency] == [(2, 40, 2.25)]


def test_a_disk_that_fills_up_leaves_what_was_there(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {file.name: file.read_bytes() for file in model.path.iterdir()}
    attempts = [made(tmp_path, "int8-s8"), made(tmp_path, "int8-u8")]
    copy = shutil.copyfile

    def copyfile(source: Path, target: Path) -> None:
        if "u8" in source.name:
            raise OSError(errno.ENOSPC, "No space left on device", str(target))
        copy(source, target)

    monkeypatch.setattr(shutil, "copyfile", copyfile)
    with pytest.raises(BadInput, match=r"mine does not take the artifacts \(No space left on device\): make room"):
        install(model, model.path, attempts, CALIBRATION, JUDGED, "labels")
    assert {file.name: file.read_bytes() for file in model.path.iterdir()} == before


def test_a_folder_that_cannot_be_is_refused_before_the_work(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    file.write_text("text")
    for out in (file, file / "below"):
        with pytest.raises(BadInput, match=r"file( is)? a file: name a folder"):
            folder(model, out)
    assert folder(model, tmp_path / "a" / "b") == tmp_path / "a" / "b"
    assert folder(model, None) == model.path
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(BadInput, match=r"cannot be written to: name another folder with --out"):
        folder(model, None)


def test_an_artifact_is_not_quantized_again(model: Model) -> None:
    path = model.path / "model.int8-s8.onnx"
    shutil.copyfile(model.onnx_path, path)
    source = Passport.read(model.path / "passport.json")
    source.model_copy(update={"precision": "int8-s8"}).write(passport_path(path))
    with pytest.raises(BadInput, match=r"is itself an artifact \(int8-s8\): name the fp32 model"):
        folder(ModelStore([]).find(path), None)


def test_the_table_has_each_figure_under_its_name(
    model: Model, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    timing = Timing(40, 1.25, 2.25, 1.3, 1.1)
    one = made(tmp_path, "int8-s8", timing=timing, float_timing=Timing(40, 3.25, 4.25, 3.3, 3.1), speed="verified")
    quantize._show(Outcome(model, model.path, JUDGED, "labels", CALIBRATION, 40, 30, (one,), (), passed=True))
    _, header, row = capsys.readouterr().out.splitlines()[:3]
    for name, cell in {
        "artifact": "int8-s8", "method": "minmax", "engine": "onnxruntime", "mAP50-95": "90.0", "change": "+0.0",
        "fp32 p99": "4.25 ms",
    }.items():  # fmt: skip
        left, right = (text.index(part) for text, part in ((header, name), (row, cell)))
        assert left == right or left + len(name) == right + len(cell), f"{name}: {row}"
