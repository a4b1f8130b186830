"""eyehand bench: engines, artifacts and batch sizes measured; what cannot run is said once."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from onnx import helper

from deploy.artifacts import U8
from launch import plugins
from launch.cli.main import main
from tests.deploy.onnx_models import write_double, write_model


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder of a model with two artifacts, found by name: y = x x of one image of four numbers."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "models" / "tiny"
    folder.mkdir(parents=True)
    nodes = [helper.make_node("Mul", ["x", "x"], ["y"])]
    for file in ("model.onnx", U8):
        write_model(folder / file, nodes, {"x": (1, 4)}, {"y": (1, 4)})
    return folder


def test_json(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "tiny", "--batch", "1,3", "--iterations", "12", "--threads", "2", "--json"]) == 0
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 1
    found = json.loads(out)
    assert found["model"] == "tiny"
    assert (found["threads"], found["iterations"]) == (2, 12)
    assert found["machine"]["usable_cores"] >= 1
    ran = {(row["backend"], row["precision"], row["batch"]): row for row in found["results"]}
    expected = {(b, p, n) for b in ("onnxruntime", "openvino") for p in ("fp32", "int8-u8") for n in (1, 3)}
    assert expected <= set(ran)
    for (_, _, batch), row in ran.items():
        assert row["n"] == 12
        assert 0 < row["min_ms"] <= row["p50_ms"] <= row["p99_ms"]
        assert row["images_per_s"] == pytest.approx(batch * 1e3 / row["mean_ms"])
        assert "threads=2" in row["fingerprint"]
    hashes = {row["fingerprint"].split()[0] for row in ran.values() if row["batch"] == 1}
    assert hashes == {f"sha256:{found['sha256']}"}  # both files of this model are the same; a batch of 3 is another
    assert {row["fingerprint"].split()[0] for row in ran.values() if row["batch"] == 3}.isdisjoint(hashes)
    assert set(found["fastest"]) == {"1", "3"}
    absent = {row["backend"]: row["reason"] for row in found["not_available"]}
    assert set(absent) | {row["backend"] for row in found["results"]} == set(plugins.names("backends"))
    assert "eyehand build tiny" in absent["tensorrt"]
    assert "batch 3: 12 inferences each of model.onnx on onnxruntime" in err


def test_table_of_a_file(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = str(model / "model.onnx")
    assert main(["bench", file, "--iterations", "10", "--backend", "openvino,onnxruntime,tensorrt"]) == 0
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert lines[0].startswith("tiny, 1 thread")
    assert {"openvino", "onnxruntime"} <= {line.split()[0] for line in lines[2:] if line.strip()}
    assert "cores, load" in out
    assert sum("not available: tensorrt" in line for line in lines) == 1
    assert "cuda" not in out


def test_a_batch_that_mixes_images_is_refused_and_the_rest_goes_on(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nodes = [helper.make_node("Reshape", ["x", "shape"], ["y"])]
    write_model(model / "model.onnx", nodes, {"x": (1, 4)}, {"y": (4, 1)}, {"shape": np.array([4, 1])})
    assert main(["bench", "tiny", "--batch", "2", "--iterations", "10", "--backend", "onnxruntime", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [row["file"] for row in found["results"]] == [U8]
    assert (
        "cannot be given batch 2: y float32[4, 1] does not begin with a batch of 1"
        in (found["not_available"][0]["reason"])
    )


def test_an_engine_that_is_not_installed(
    model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    assert main(["bench", "tiny", "--iterations", "10", "--backend", "openvino,onnxruntime"]) == 0
    out = capsys.readouterr().out
    assert "not available: openvino fp32 batch 1, openvino int8-u8 batch 1: openvino cannot be imported" in out
    assert main(["bench", "tiny", "--iterations", "10", "--backend", "openvino"]) == 3
    out, err = capsys.readouterr()
    assert not out
    assert "eyehand: no engine runs the model here: openvino fp32: openvino cannot be imported" in err
    assert "pip install 'eyehand[openvino]'" in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["tiny", "--backend", "cuda13"], "--backend: backend 'cuda13' is not registered; installed: "),
        (["tiny", "--backend", "tensorrt"], "no engine file: eyehand build tiny --precision fp16"),
        (["absent"], "model 'absent' not found"),
        (["dynamic.onnx"], "dynamic shape"),
    ],
)
def test_mistakes(model: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str) -> None:
    write_double(Path("dynamic.onnx"), ("batch", 3))
    assert main(["bench", *arguments, "--iterations", "10"]) == 2
    out, err = capsys.readouterr()
    assert not out
    assert words in err
    assert "Traceback" not in err


def test_nothing_is_left_behind(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    assert main(["bench", "tiny", "--batch", "2", "--iterations", "10", "--backend", "onnxruntime", "--json"]) == 0
    assert not list(scratch.iterdir())
