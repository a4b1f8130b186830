"""eyehand quantize: artifacts with passports out of a recording; a network that was quantized whole is refused."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deploy.model_store import ModelStore
from deploy.onnxruntime_backend import OnnxRuntimeBackend
from deploy.passport import Passport, file_sha256, passport_path
from deploy.quantize.graph import layers
from launch.cli.main import main
from launch.engines import default_threads
from tests.deploy.onnx_models import write_constant

for _module in ("onnx", "onnxruntime", "pycocotools", "mujoco"):
    pytest.importorskip(_module)

MODEL = "tabletop-yolov8n-small"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer runs to time, and every fourth layer to rank: one artifact a layer is what takes time."""
    monkeypatch.setattr("launch.quantizing.speed.N", 40)
    monkeypatch.setattr("deploy.quantize.sensitivity.layers", lambda model: dict([*layers(model).items()][::4]))


@pytest.fixture(scope="module")
def labelled_bag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recording") / "bag"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("launch.cli.render.FEW", 48)  # more would be rendered by processes, which take seconds to start
        assert main(["render", "--images", "48", "--seed", "31", "--format", "bag", "--out", str(path)]) == 0
    return path


def quantize(capsys: pytest.CaptureFixture[str], bag: Path, out: Path, *more: str) -> tuple[int, dict[str, Any], str]:
    common = ["--frames", "24", "--eval-frames", "24", "--method", "minmax", "--out", str(out), "--json"]
    code = main(["quantize", MODEL, "--bag", str(bag), *common, *more])
    printed = capsys.readouterr()
    return code, json.loads(printed.out) if printed.out.strip() else {}, printed.err


def test_artifacts_pass_the_gate_and_carry_passports(
    labelled_bag: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "made"
    code, told, _ = quantize(capsys, labelled_bag, out, "--precision", "int8-s8,fp16,int8-u8")
    assert (code, told["passed"]) == (0, True)
    assert told["evaluation"]["labels"] == "labels of the recordings"
    assert told["calibration"]["frames"] == 24
    source = ModelStore().find(MODEL)
    for artifact in told["artifacts"]:
        assert artifact["drop"] <= 0.010
        path = out / artifact["file"]
        assert path.is_file() == artifact["installed"]
        if not artifact["installed"]:
            assert "is not faster than fp32 here" in artifact["reason"], "only U8 has its target here"
            assert artifact["precision"] == "int8-u8"
            continue
        passport = Passport.read(passport_path(path))
        passport.check_file(path)
        assert (passport.precision, passport.classes) == (artifact["precision"], source.passport.classes)  # type: ignore[union-attr]
        assert passport.source == {"name": "model.onnx", "sha256": source.sha256}
        assert passport.parity is not None
        assert passport.parity["map50_95"] == artifact["map50_95"]
        assert passport.parity["reference_sha256"] == source.sha256
        assert set(passport.parity["class_delta"]) <= set(passport.classes)
        assert passport.latency
        assert passport.license == "AGPL-3.0-only"
        if artifact["precision"] == "fp16":
            assert passport.calibration is None
        else:
            assert passport.calibration is not None
            assert (passport.calibration.method, passport.calibration.frames) == ("minmax", 24)
            assert len(passport.calibration.sha256) == 64
            assert passport.float_nodes
        if artifact["precision"] != "int8-u8":
            assert passport.speed == "unverified on target"


def test_the_gate_refuses_a_network_that_was_quantized_whole(
    labelled_bag: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The classic failure: boxes and scores share one scale in the last concatenation, and the scores vanish."""
    out = tmp_path / "made"
    out.mkdir()
    (out / "model.int8-u8.onnx").write_bytes(b"an older one")
    code, told, errors = quantize(capsys, labelled_bag, out, "--precision", "int8-u8", "--everything")
    assert (code, told["passed"]) == (1, False)
    (artifact,) = told["artifacts"]
    assert artifact["map50_95"] < 0.05
    assert not artifact["installed"]
    assert "eyehand: int8-u8 is refused: mAP50-95 falls from" in errors
    assert "nothing was installed" in errors
    assert [file.name for file in out.iterdir()] == ["model.int8-u8.onnx"], "what was there is as it was"


def test_engines_are_closed_and_have_the_threads_of_a_run(
    labelled_bag: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[int] = []
    closed: list[OnnxRuntimeBackend] = []

    class Counted(OnnxRuntimeBackend):
        def __init__(self, path: Path, threads: int = 1) -> None:
            super().__init__(path, threads=threads)
            opened.append(threads)

        def close(self) -> None:
            super().close()
            closed.append(self)

    monkeypatch.setattr("launch.engines.plugins.load", lambda *_: Counted)
    code, _, errors = quantize(capsys, labelled_bag, tmp_path / "made", "--precision", "fp16")
    assert code == 0, errors
    assert (len(opened), len({id(one) for one in closed})) == (6, 6)
    assert set(opened) == {default_threads()} == {min(2, os.cpu_count() or 1)}


def test_a_passport_names_the_labelled_set_and_no_folder_of_this_machine(
    labelled_bag: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, labelled = tmp_path / "made", tmp_path / "labelled"
    assert main(["render", "--images", "8", "--seed", "32", "--out", str(labelled), "--json"]) == 0
    capsys.readouterr()
    code, told, _ = quantize(capsys, labelled_bag, out, "--precision", "fp16", "--data", str(labelled))
    assert (code, told["evaluation"]["labels"]) == (0, "labelled (val)")
    assert str(tmp_path) not in (out / "model.fp16.passport.json").read_text()


def test_without_labels_the_float_model_is_the_judge(
    labelled_bag: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("launch.quantizing.judges.labelled_bags", lambda _bags: ())
    code, told, _ = quantize(capsys, labelled_bag, tmp_path / "made", "--precision", "fp16")
    assert (code, told["evaluation"]["labels"]) == (0, "the float model's own detections")
    passport = Passport.read(tmp_path / "made" / "model.fp16.passport.json")
    assert passport.parity is not None
    assert passport.parity["labels"] == "the float model's own detections"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nosuch", "--bag", "BAG"], "model 'nosuch' not found"),
        ([MODEL, "--bag", "nowhere"], "nowhere"),
        ([MODEL, "--bag", "BAG", "--precision", "int4"], "--precision int4: expected some of int8-u8, int8-s8"),
        ([MODEL, "--bag", "BAG", "--data", "nowhere"], "nowhere: no such file"),
        ([MODEL, "--bag", "BAG", "--out", "FILE"], "is a file: name a folder"),
        (["FILE.onnx", "--bag", "BAG"], "has no passport"),
    ],
)
def test_what_cannot_be_used_is_said_in_a_line(
    labelled_bag: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    (tmp_path / "file").write_text("text")
    (tmp_path / "best.onnx").write_bytes(ModelStore().find(MODEL).onnx_path.read_bytes())
    places = {"BAG": str(labelled_bag), "FILE": str(tmp_path / "file"), "FILE.onnx": str(tmp_path / "best.onnx")}
    assert main(["quantize", *(places.get(argument, argument) for argument in arguments)]) == 2
    error = capsys.readouterr().err.strip().split("\n")[-1]
    assert words in error
    assert error.startswith("eyehand: ")


def test_masks_are_not_quantized_since_nobody_would_judge_them(
    labelled_bag: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = {
        "classes": '["red_cube", "distractor"]', "input": "1x3x64x80", "letterbox": "center-114",
        "color_order": "RGB", "scale": "1/255", "layout": "yolo-raw-cxcywh-masks",
    }  # fmt: skip
    outputs = [np.zeros((1, 4 + 2 + 3, 105), np.float32), np.zeros((1, 3, 16, 20), np.float32)]
    folder = tmp_path / "cups"
    folder.mkdir()
    metadata = {f"eyehand.{key}": value for key, value in said.items()}
    path = write_constant(folder / "model.onnx", outputs, (1, 3, 64, 80), metadata)
    Passport.model_validate({
        **said, "classes": json.loads(said["classes"]), "name": "cups",
        "sha256": file_sha256(path), "size_bytes": path.stat().st_size,
    }).write(passport_path(path))  # fmt: skip
    assert main(["quantize", str(path), "--bag", str(labelled_bag)]) == 2
    error = capsys.readouterr().err.strip().split("\n")[-1]
    assert "cups is a segmentation model (yolo-raw-cxcywh-masks): the gate judges boxes" in error
    assert sorted(file.name for file in folder.iterdir()) == ["model.onnx", "passport.json"]
