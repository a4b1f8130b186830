"""Passport: what it refuses, in one sentence each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from deploy.errors import BadInput
from deploy.passport import Calibration, Latency, Passport, Target, file_sha256, passport_path

ORIN = Target(gpu="Orin", sm="8.7", tensorrt="10.3.0", cuda="12.6", power_mode="MAXN")


def _artifact(folder: Path, **fields: Any) -> tuple[Path, Passport]:
    file = folder / "model.fp16.engine"
    file.write_bytes(b"engine")
    passport = Passport(
        name="cube", format="tensorrt", precision="fp16", sha256=file_sha256(file), size_bytes=6,
        classes=("red_cube", "distractor"), input="1x3x256x320", letterbox="center-114", color_order="RGB",
        scale="1/255", layout="yolo-raw-cxcywh", target=ORIN,
        latency=(Latency(backend="tensorrt", machine="Orin", n=200, p50_ms=1.0, p99_ms=2.0),),
        calibration=Calibration(method="entropy", frames=400, sha256="ab", tried={"entropy": 0.9}), **fields,
    )  # fmt: skip
    return file, passport.write(passport_path(file))


def test_it_reads_what_it_wrote(tmp_path: Path) -> None:
    file, passport = _artifact(tmp_path)
    assert passport_path(file).name == "model.fp16.engine.passport.json"
    assert Passport.read(passport_path(file)) == passport
    passport.check_file(file)
    passport.check_target(ORIN)
    passport.check_metadata(passport.metadata())
    passport.check_metadata({})


def test_the_model_files_passport_has_the_short_name() -> None:
    assert passport_path(Path("a/model.onnx")) == Path("a/passport.json")
    assert passport_path(Path("a/mine.onnx")) == Path("a/mine.passport.json")
    assert passport_path(Path("a/model.fp16.onnx")) != passport_path(Path("a/model.fp16.engine"))


def test_another_file_is_refused(tmp_path: Path) -> None:
    file, passport = _artifact(tmp_path)
    file.write_bytes(b"another")
    with pytest.raises(BadInput, match=r"written for another file than model\.fp16\.engine: it says sha256 \w{12}"):
        passport.check_file(file)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"tensorrt": "10.16.0"}, "was built for TensorRT 10.3.0 and this machine has 10.16.0: build it here"),
        ({"gpu": "RTX 4090"}, "was built for GPU Orin and this machine has RTX 4090"),
        ({"sm": "8.9"}, "was built for compute capability 8.7 and this machine has 8.9"),
    ],
)
def test_another_machine_is_refused(tmp_path: Path, change: dict[str, str], words: str) -> None:
    _, passport = _artifact(tmp_path)
    with pytest.raises(BadInput, match=words) as caught:
        passport.check_target(ORIN.model_copy(update=change))
    assert "eyehand build cube --precision fp16" in str(caught.value)


def test_another_power_mode_is_not_refused(tmp_path: Path) -> None:
    _artifact(tmp_path)[1].check_target(ORIN.model_copy(update={"power_mode": "15W", "cuda": "12.8"}))


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        (
            "eyehand.classes",
            '["red_cube", "box"]',
            "'red_cube, distractor' and the model .* 'red_cube, box'",
        ),
        ("eyehand.letterbox", "stretch", "says letterbox 'center-114' and the model itself says 'stretch'"),
        ("eyehand.input", "1x3x320x320", "says input '1x3x256x320'"),
        ("eyehand.color_order", "BGR", "says color_order 'RGB'"),
        ("eyehand.layout", "rtdetr-cxcywh", "says layout 'yolo-raw-cxcywh'"),
        ("eyehand.classes", "red_cube", "and the model itself says 'red_cube'"),
    ],
)
def test_a_model_that_says_otherwise_is_refused(tmp_path: Path, key: str, value: str, words: str) -> None:
    _, passport = _artifact(tmp_path)
    with pytest.raises(BadInput, match=words):
        passport.check_metadata({key: value})


@pytest.mark.parametrize("name", ["classes", "letterbox", "sha256", "target"])
def test_an_edited_passport_is_refused(tmp_path: Path, name: str) -> None:
    path = passport_path(_artifact(tmp_path)[0])
    content = json.loads(path.read_text())
    content[name] = {"classes": ["a", "b"], "letterbox": "stretch", "sha256": "00", "target": None}[name]
    path.write_text(json.dumps(content))
    with pytest.raises(BadInput, match="was edited since it was written"):
        Passport.read(path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "cannot be read"),
        ("[1]", "content: "),
        ("{}", "name: field required"),
        ('{"name": 1}', "name: input should be a valid string"),
    ],
)
def test_what_is_no_passport_is_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "passport.json"
    path.write_text(text)
    with pytest.raises(BadInput, match=words) as caught:
        Passport.read(path)
    assert "\n" not in str(caught.value)


def test_a_later_version_and_an_unknown_key_are_refused(tmp_path: Path) -> None:
    file, passport = _artifact(tmp_path)
    passport.model_copy(update={"version": 2}).write(passport_path(file))
    with pytest.raises(BadInput, match="has version 2: expected 1; update eyehand"):
        Passport.read(passport_path(file))
    content = {**json.loads(passport_path(file).read_text()), "wheels": 4}
    passport_path(file).write_text(json.dumps(content))
    with pytest.raises(BadInput, match="wheels: extra inputs are not permitted"):
        Passport.read(passport_path(file))


def test_an_engine_without_a_target_is_refused(tmp_path: Path) -> None:
    _, passport = _artifact(tmp_path)
    with pytest.raises(BadInput, match="names no target"):
        passport.model_copy(update={"target": None}).check_target(ORIN)
