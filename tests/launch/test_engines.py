"""Engines of the detector: which artifact runs where, what `auto` writes down, and passports that do not match."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from deploy.errors import BadInput
from deploy.model_store import ModelStore
from deploy.passport import Passport, file_sha256, passport_path
from launch.config.tree import DetectorConfig, FallbackEngineConfig
from launch.engines import load_detector, resolve_engines

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

THRESHOLDS = {"confidence": 0.35, "iou": 0.5, "max_detections": 50, "class_agnostic": False}
SHIPPED = "tabletop-yolov8n"


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's folder of models, with a copy of the shipped one called `mine`."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "models" / "mine"
    shutil.copytree(ModelStore().find(SHIPPED).path, folder)
    for artifact in folder.glob("model.*.*"):
        artifact.unlink()
    return folder


def artifact(folder: Path, precision: str, **changes: Any) -> Path:
    """An artifact with the float model's content under another name, and its passport."""
    source = Passport.read(folder / "passport.json")
    path = folder / f"model.{precision}.onnx"
    shutil.copyfile(folder / "model.onnx", path)
    source.model_copy(
        update={
            "precision": precision, "source": {"name": "model.onnx", "sha256": source.sha256}, "parity": {"frames": 1},
            "sha256": file_sha256(path), **changes,
        }
    ).write(passport_path(path))  # fmt: skip
    return path


def test_the_artifact_that_suits_engine_and_precision_is_taken(store: Path) -> None:
    path = artifact(store, "int8-u8")
    resolved = resolve_engines(DetectorConfig(model="mine", precision="int8"), threads=1)
    assert (resolved.file, resolved.sha256, resolved.threads) == (path.name, file_sha256(path), 1)
    detector, fingerprint = load_detector("mine", precision="int8", **THRESHOLDS)
    assert detector.class_names == ("red_cube", "distractor")
    assert file_sha256(path) in fingerprint


def test_the_fallback_takes_the_same_precision_where_it_has_it(store: Path) -> None:
    artifact(store, "int8-u8")
    shutil.copytree(store, store.parent / "small")
    for has, file in ((True, "model.int8-u8.onnx"), (False, "model.onnx")):
        if not has:
            (store.parent / "small" / "model.int8-u8.onnx").unlink()
        config = DetectorConfig(model="mine", precision="int8", fallback=FallbackEngineConfig(model="small"))
        fallback = resolve_engines(config, threads=1).fallback
        assert fallback is not None
        assert fallback.file == file


def test_a_recorded_runs_fallback_is_used_again_whatever_was_made_since(store: Path) -> None:
    artifact(store, "int8-u8")
    small = store.parent / "small"
    shutil.copytree(store, small)
    (small / "model.int8-u8.onnx").unlink()
    config = DetectorConfig(model="mine", precision="int8", fallback=FallbackEngineConfig(model="small"))
    recorded = resolve_engines(config, threads=1)
    artifact(small, "int8-u8")
    assert resolve_engines(recorded, threads=1) == recorded
    anew = resolve_engines(config, threads=1).fallback
    assert anew is not None
    assert anew.file == "model.int8-u8.onnx"
    changed = resolve_engines(recorded.model_copy(update={"precision": "fp32"}), threads=1)
    assert changed.fallback is not None
    assert (changed.file, changed.fallback.file) == ("model.onnx", "model.onnx")
    changed = resolve_engines(changed.model_copy(update={"precision": "int8"}), threads=1)
    assert changed.fallback is not None
    assert changed.fallback.file == "model.int8-u8.onnx"


def test_auto_is_not_taken_for_fp32(store: Path) -> None:
    with pytest.raises(BadInput, match="precision 'auto' is for a run, which measures: name fp32, fp16 or int8"):
        load_detector("mine", precision="auto", **THRESHOLDS)


def test_what_there_is_not_is_named(store: Path) -> None:
    with pytest.raises(BadInput, match=r"has no model\.int8-u8\.onnx, .*: make it with eyehand quantize"):
        resolve_engines(DetectorConfig(model="mine", precision="int8"), threads=1)
    with pytest.raises(BadInput, match="fp16 has no artifact that onnxruntime runs"):
        resolve_engines(DetectorConfig(model="mine", precision="fp16"), threads=1)


def test_auto_measures_and_writes_down_what_it_chose_and_why(store: Path) -> None:
    artifact(store, "int8-u8")
    chosen = resolve_engines(DetectorConfig(model="mine", backend="auto", precision="auto"), threads=1)
    assert chosen.backend in ("onnxruntime", "openvino")
    assert chosen.precision in ("fp32", "int8")
    assert chosen.file in ("model.onnx", "model.int8-u8.onnx")
    assert chosen.why is not None
    assert "was chosen by" in chosen.why
    assert "p99" in chosen.why
    again = resolve_engines(chosen, threads=1)
    assert again == chosen, "what a run has resolved is not measured again"


def _other_file(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0")


def _other_classes(path: Path) -> None:
    content = json.loads(passport_path(path).read_text())
    content["classes"] = ["red_cube", "box"]
    passport_path(path).write_text(json.dumps(content))


def _sealed(path: Path, **changes: Any) -> None:
    Passport.read(passport_path(path)).model_copy(update=changes).write(passport_path(path))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_other_file, r"was written for another file than model\.int8-u8\.onnx"),
        (_other_classes, "was edited since it was written"),
        (lambda path: _sealed(path, classes=("red_cube", "box")), "says classes 'red_cube, box' and the model itself"),
        (lambda path: _sealed(path, letterbox="stretch"), "letterbox 'stretch' and the model itself"),
        (lambda path: _sealed(path, layout="rtdetr-cxcywh"), "says layout 'rtdetr-cxcywh'"),
        (lambda path: _sealed(path, source={"sha256": "00"}), "was made from another model"),
        (lambda path: passport_path(path).unlink(), r"has no passport model\.int8-u8\.passport\.json"),
    ],
)  # fmt: skip
def test_a_passport_that_does_not_match_is_refused_in_a_sentence(store: Path, spoil: Any, words: str) -> None:
    path = artifact(store, "int8-u8")
    spoil(path)
    with pytest.raises(BadInput, match=words) as caught:
        load_detector("mine", precision="int8", **THRESHOLDS)
    assert "\n" not in str(caught.value)


def test_a_users_file_without_a_passport_runs(store: Path, tmp_path: Path) -> None:
    path = tmp_path / "best.onnx"
    shutil.copyfile(store / "model.onnx", path)
    resolved = resolve_engines(DetectorConfig(model=str(path)), threads=1)
    assert (resolved.file, resolved.precision) == ("best.onnx", "fp32")
    assert load_detector(path, file=resolved.file, **THRESHOLDS)[0].class_names == ("red_cube", "distractor")


def test_an_artifact_that_is_named_by_its_path_is_what_its_passport_says(store: Path, tmp_path: Path) -> None:
    path = artifact(store, "int8-u8")
    for precision in ("fp32", "int8"):  # the default, and what it is
        resolved = resolve_engines(DetectorConfig(model=str(path), precision=precision), threads=1)  # type: ignore[arg-type]
        assert (resolved.file, resolved.precision, resolved.sha256) == (path.name, "int8", file_sha256(path))
        assert resolve_engines(resolved, threads=1) == resolved
    with pytest.raises(BadInput, match="fp16 has no artifact that onnxruntime runs"):
        resolve_engines(DetectorConfig(model=str(path), precision="fp16"), threads=1)


def test_a_file_that_is_asked_for_is_used_or_refused(store: Path) -> None:
    artifact(store, "int8-u8")
    asked = DetectorConfig(model="mine", precision="auto", file="model.int8-u8.onnx")
    resolved = resolve_engines(asked, threads=1)
    assert (resolved.file, resolved.precision) == ("model.int8-u8.onnx", "int8")
    for file in ("model.int8-u8.onnx", "model.int8-s8.onnx", "other.onnx"):
        with pytest.raises(
            BadInput, match=f"detector.file={file}: onnxruntime in fp32 runs model.onnx; leave"
        ) as caught:
            resolve_engines(DetectorConfig(model="mine", file=file), threads=1)
        assert "\n" not in str(caught.value)
    with pytest.raises(BadInput, match=r"has no model\.int8-s8\.onnx, .*: make it with eyehand quantize"):
        resolve_engines(
            DetectorConfig(model="mine", backend="onnxruntime-cuda", precision="int8", file="model.int8-s8.onnx"), 1
        )
